"""Make input rows of examples for networks with any head, and batches of rows.

A row is a sentence, or one candidate pair of a sentence, with the objects, the picture and the facts that the network
needs. Training, evaluation and live readers make their rows here, of the parts that `VisualInputs` names and of no
others. Pictures are loaded when a batch is made: they are too large to be kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from extraction.features import fact_graph
from extraction.features.batch import SELF_LOOP, Batch, Facts, Needs, Objects, Pairs, Pictures, collate
from extraction.features.entity_markers import Place, mark, unmarked
from extraction.features.fact_graph import FactRow
from extraction.features.featurizer import Features
from extraction.features.graph_alignment import align, first_of_equals
from extraction.features.visual_inputs import BOXES, BOXES_ALONE, VisualInputs
from extraction.features.windows import Window, in_windows
from extraction.schema import Candidate, Example, GroundedWords, Region, SceneEdge, WordSpan
from extraction.vision.boxes import as_boxes, centred
from extraction.vision.focal_frames import GROUNDED, Slots, canvas, slots
from extraction.vision.scene_graph import edge_types, sparse_types

Key = tuple[tuple[str, ...], tuple[Region, ...]]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
ImageSource = Callable[[str], "Pixels | None"]  # name -> pixels (height, width, 3) or None


@dataclass(frozen=True, slots=True)
class InputRow:
    """The input of a network for one example or candidate. `grounded`: regions that show its words, best first."""

    features: Features
    place: Place | None = None
    regions: tuple[Region, ...] = ()
    scene: tuple[SceneEdge, ...] | None = None  # between the regions; None: of their boxes alone
    grounded: tuple[Region, ...] = ()
    image: str = ""
    facts: FactRow | None = None
    key: Key | None = None  # of the cached structural alignment


@dataclass(frozen=True)
class InputRows:
    """Makes rows for a network with these needs, and batches of them.

    `look` gives pixels. Whether a network is shown these, or a grey canvas with the boxes' outlines in place of each
    picture, follows from `inputs`: one that was trained on the one is never shown the other. A picture that is not
    available, and one without boxes where canvases are shown, is absent. `aligned` keeps structural alignments by the
    example's key, where examples come by often; None: nothing is kept.
    """

    needs: Needs
    tokenizer: Tokenizer
    markers: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    look: ImageSource = lambda name: None
    inputs: VisualInputs = BOXES_ALONE
    aligned: dict[Key, Floats] | None = None

    def sentence(self, example: Example, features: Features) -> InputRow:
        """The row of a whole sentence."""
        places = self._places(example)
        return self._row(example, features, None, places, _frames(example.grounded, example.mentions), "")

    def pair(self, example: Example, features: Features, candidate: Candidate) -> InputRow:
        """The row of one candidate pair. A region beyond the network's objects takes the last one's place."""
        head = example.mentions[candidate.head]
        places, region, tail, ends = self._places(example), -1, None, [head]
        if candidate.region:
            places, region = self._with_region(places, candidate.tail)
        else:
            mention = example.mentions[candidate.tail]
            tail = (mention.start, mention.end)
            ends.append(mention)
        if self.needs.markers:
            features, place = mark(features, (head.start, head.end), tail, self.markers, region)
        else:
            place = unmarked(features, (head.start, head.end), tail, region)
        frames = _frames(example.grounded, example.mentions, ends)
        name = " ".join(example.words[head.start : head.end])
        return self._row(example, features, place, places, frames, name)

    def batch(self, rows: Sequence[InputRow], windows: Sequence[Window] = ()) -> Batch:
        """The rows as tensors; a part that no row has is None. `windows`: how the encoder reads rows together."""
        features = [row.features for row in rows]
        batch = collate(features)
        if windows:
            batch = in_windows(batch, features, windows)
        objects = self._objects(rows)
        return replace(
            batch,
            pairs=_pairs([row.place for row in rows if row.place is not None]),
            objects=objects,
            alignment=self._alignment(rows, batch, objects),
            pictures=self._pictures(rows),
            facts=_collate_facts([row.facts for row in rows]),
        )

    def _row(
        self,
        example: Example,
        features: Features,
        place: Place | None,
        places: Sequence[int],
        frames: tuple[Region, ...],
        mention: str,
    ) -> InputRow:
        """`places`: the example's regions that are taken, by their indexes; `frames`: those that show its words."""
        regions = tuple(example.regions[at] for at in places)
        made = fact_graph.stars if self.inputs.facts == "stars" else fact_graph.joined
        return InputRow(
            features,
            place,
            regions,
            _between(example.scene, places),
            frames if self.inputs.grounding else (),
            example.image,
            made(example.facts, mention, self.tokenizer) if self.needs.facts else None,
            (example.words, regions),
        )

    def _places(self, example: Example) -> list[int]:
        """All regions where a picture has to show its boxes; the network's objects are the first of them."""
        count = len(example.regions)
        return list(range(count if self.needs.pictures else min(count, self.needs.objects)))

    def _with_region(self, places: list[int], index: int) -> tuple[list[int], int]:
        if index < self.needs.objects:
            return places, index
        last = self.needs.objects - 1
        return [*places[:last], index, *places[last + 1 :]], last

    def _objects(self, rows: Sequence[InputRow]) -> Objects | None:
        if not self.needs.objects or not any(row.regions for row in rows):
            return None
        most = max(min(len(row.regions), self.needs.objects) for row in rows)
        count = len(rows)
        vectors = np.zeros((count, most, self.inputs.object_width), np.float32)
        boxes = np.zeros((count, most, 4), np.float32)
        edges, classes = np.zeros((count, most, most), np.int64), np.zeros((count, most), np.int64)
        present, depth = np.zeros((count, most), bool), np.zeros((count, most), np.float32)
        known = {name: place + 1 for place, name in enumerate(self.classes)}
        for index, row in enumerate(rows):
            regions = row.regions[: self.needs.objects]
            size = len(regions)
            boxes[index, :size] = centred(as_boxes([region.box for region in regions]))
            vectors[index, :size] = self._vectors(regions, boxes[index, :size])
            edges[index, :size, :size] = self._edges(row.scene, regions)
            edges[index, range(size), range(size)] = SELF_LOOP
            present[index, :size] = True
            classes[index, :size] = [known.get(region.label, 0) for region in regions]
            depth[index, :size] = [region.depth if self.inputs.depth else 0.0 for region in regions]
        parts = (vectors, edges, present, classes, boxes, depth)
        return Objects(*(torch.from_numpy(part) for part in parts))

    def _vectors(self, regions: Sequence[Region], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """(k, d): the geometry, then score, depth and features, where they are given. What a region lacks is 0."""
        given, parts = self.inputs, [boxes, boxes[:, 2:3] * boxes[:, 3:]]
        if given.scores:
            parts.append(np.array([region.score for region in regions]).reshape(-1, 1))
        if given.depth:
            parts.append(np.array([region.depth for region in regions]).reshape(-1, 1))
        if given.width:
            none = np.zeros(given.width, np.float32)
            known = [none if region.features is None else region.features for region in regions]
            whole = [one if len(one) == given.width else none for one in known]
            parts.append(np.array(whole, np.float32).reshape(-1, given.width))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _edges(self, scene: Sequence[SceneEdge] | None, regions: Sequence[Region]) -> NDArray[np.int64]:
        """(k, k) types of edges; objects of different pictures have none."""
        if self.inputs.before:
            image = np.array([region.image for region in regions])
            complete = edge_types([region.box for region in regions])
            return np.where(image[:, None] == image, complete, 0)
        known = None if self.inputs.scene == BOXES else _between(scene, range(len(regions))) or ()
        return sparse_types(regions, known)

    def _alignment(self, rows: Sequence[InputRow], batch: Batch, objects: Objects | None) -> torch.Tensor | None:
        if not self.needs.alignment or objects is None:
            return None
        result = np.zeros((len(rows), batch.first.shape[1], objects.present.shape[1]), np.float32)
        kept: dict[Key, Floats] = {} if self.aligned is None else self.aligned
        made = first_of_equals if self.inputs.before else align
        for index, row in enumerate(rows):
            words, size = len(row.features), min(len(row.regions), self.needs.objects)
            if not size:
                continue
            alpha = kept.get(row.key) if row.key else None
            if alpha is None:
                trees = batch.edges[index, :words, :words].numpy(), objects.edges[index, :size, :size].numpy()
                alpha = made(*trees, self.needs.alignment)
            if row.key:
                kept[row.key] = alpha
            result[index, :words, :size] = alpha
        return torch.from_numpy(result)

    def _pictures(self, rows: Sequence[InputRow]) -> Pictures | None:
        if not self.needs.pictures:
            return None
        shown = [self._slots(row) for row in rows]
        if not any(one.present.any() for one in shown):
            return None
        pixels, present = (np.stack(part) for part in zip(*shown, strict=True))
        return Pictures(torch.from_numpy(pixels), torch.from_numpy(present))

    def _slots(self, row: InputRow) -> Slots:
        size, boxes = self.needs.size, [region.box for region in row.regions]
        if self.inputs.shown == "photographs":
            picture = self.look(row.image) if row.image else None
        else:
            picture = canvas(boxes, size, size) if boxes else None
        grounded = [region.box for region in (*row.grounded, *row.regions) if region.grounded]
        detected = [region.box for region in row.regions if not region.grounded]
        return slots(self.needs.pictures, size, picture, detected, grounded, self.needs.objects or 3)


def pixels_in(folders: Sequence[Path]) -> ImageSource:
    """A source that reads images by name from the first folder that has it; None for a missing or invalid image."""

    def read(name: str) -> Pixels | None:
        from PIL import Image, UnidentifiedImageError

        for folder in folders:
            try:
                with Image.open(folder / Path(name).name, formats=("JPEG", "PNG", "GIF", "WEBP")) as image:
                    return np.asarray(image.convert("RGB"))
            except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
                continue
        return None

    return read


def pixels_at(name: str) -> Pixels | None:
    """Read an image by its whole path, as `pixels_in` does."""
    return pixels_in([Path(name).parent])(name) if name else None


def _frames(
    grounded: Sequence[GroundedWords], mentions: Sequence[WordSpan], ends: Sequence[WordSpan] = ()
) -> tuple[Region, ...]:
    """The regions that show a pair's two entities, then those of the nouns beside the names (FocalMRE, 3.3).

    Those of other names are left out. Without `ends` (a whole sentence) only nouns have frames.
    """
    own = [one for end in ends for one in grounded if _meet(one, end)]
    nouns = [one for one in grounded if not any(_meet(one, mention) for mention in mentions)]
    regions = (replace(one.region, grounded=True) for one in (*own, *nouns))
    return tuple(dict.fromkeys(regions))[:GROUNDED]


def _meet(words: GroundedWords, mention: WordSpan) -> bool:
    return words.start < mention.end and mention.start < words.end


def _between(scene: Sequence[SceneEdge] | None, places: Sequence[int]) -> tuple[SceneEdge, ...] | None:
    """The edges between the regions at these places, by their indexes there."""
    if scene is None:
        return None
    index = {place: at for at, place in enumerate(places)}
    both = (edge for edge in scene if edge.subject in index and edge.object in index)
    return tuple(replace(edge, subject=index[edge.subject], object=index[edge.object]) for edge in both)


def _pairs(places: Sequence[Place]) -> Pairs | None:
    if not places:
        return None
    columns = zip(*((one.head, one.tail, one.head_word, one.tail_word, one.region) for one in places), strict=True)
    return Pairs(*(torch.tensor(column, dtype=torch.long) for column in columns))


def _collate_facts(rows: Sequence[FactRow | None]) -> Facts | None:
    known = [row for row in rows if row is not None]
    if not known:
        return None
    nodes, pieces = max(len(row.ids) for row in known), max(1, *(len(ids) for row in known for ids in row.ids))
    ids = np.zeros((len(rows), nodes, pieces), np.int64)
    present, mention = np.zeros((2, len(rows), nodes), bool)
    edges = np.zeros((len(rows), nodes, nodes), bool)
    for index, row in enumerate(rows):
        if row is None:
            continue
        size = len(row.ids)
        for node, own in enumerate(row.ids):
            ids[index, node, : len(own)] = own
        present[index, :size], mention[index, :size] = True, row.mention
        edges[index, :size, :size] = row.edges
    return Facts(*(torch.from_numpy(part) for part in (ids, present, edges, mention)))


def class_names(examples: Sequence[Example], most: int = 200) -> tuple[str, ...]:
    """The classes of the examples' objects, the commonest first."""
    counted = Counter(region.label for example in examples for region in example.regions if region.label)
    return tuple(sorted(counted, key=lambda name: (-counted[name], name))[:most])
