"""Make input rows of examples for networks with any head, and batches of rows.

A row is a sentence, or one candidate pair of a sentence, with the objects, the picture and the facts that the network
needs. Pictures are loaded when a batch is made: they are too large to be kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from extraction.features.batch import OBJECT_WIDTH, SELF_LOOP, Batch, Facts, Needs, Objects, Pairs, Pictures, collate
from extraction.features.entity_markers import Place, mark, unmarked
from extraction.features.featurizer import Features
from extraction.features.graph_alignment import align
from extraction.features.windows import Window, in_windows
from extraction.schema import Candidate, Example, Fact, Region
from extraction.vision.boxes import as_boxes, centred
from extraction.vision.focal_frames import Slots, canvas, slots
from extraction.vision.scene_graph import edge_types

FACT_PIECES = 16  # word pieces of a node of facts that a network takes
MOST_FACTS = 24  # nodes of a post's facts that a network takes

Key = tuple[tuple[str, ...], tuple[Region, ...]]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
ImageSource = Callable[[str], "Pixels | None"]  # name -> pixels (height, width, 3) or None


@dataclass(frozen=True, slots=True)
class InputRow:
    """The input of a network for one example or candidate."""

    features: Features
    place: Place | None = None
    regions: tuple[Region, ...] = ()
    image: str = ""
    facts: FactRow | None = None
    key: Key | None = None  # of the cached structural alignment


@dataclass(frozen=True, slots=True)
class FactRow:
    """Nodes of facts as pieces, their edges (m, m) with self-loops, and which are the head's mention's."""

    ids: list[list[int]]
    edges: NDArray[np.bool_]
    mention: NDArray[np.bool_]


@dataclass(frozen=True)
class InputRows:
    """Makes rows for a network with these needs, and batches of them.

    `look` gives pixels where an image is available; elsewhere a grey canvas with the boxes' outlines replaces it, and
    an example with neither image nor boxes has no picture.
    """

    needs: Needs
    tokenizer: Tokenizer
    markers: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    look: ImageSource = lambda name: None
    aligned: dict[Key, Floats] = field(default_factory=dict)  # structural alignments, by the example's key

    def sentence(self, example: Example, features: Features) -> InputRow:
        """The row of a whole sentence."""
        facts = self._facts(example.facts, "") if self.needs.facts else None
        return InputRow(features, None, self._regions(example), example.image, facts, _key(example))

    def pair(self, example: Example, features: Features, candidate: Candidate) -> InputRow:
        """The row of one candidate pair. A region beyond the network's objects takes the last one's place."""
        head = example.mentions[candidate.head]
        regions, region, tail = self._regions(example), -1, None
        if candidate.region:
            regions, region = self._with_region(regions, example.regions[candidate.tail], candidate.tail)
        else:
            mention = example.mentions[candidate.tail]
            tail = (mention.start, mention.end)
        if self.needs.markers:
            features, place = mark(features, (head.start, head.end), tail, self.markers, region)
        else:
            place = unmarked(features, (head.start, head.end), tail, region)
        name = " ".join(example.words[head.start : head.end])
        facts = self._facts(example.facts, name) if self.needs.facts else None
        return InputRow(features, place, regions, example.image, facts, _key(example))

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

    def _regions(self, example: Example) -> tuple[Region, ...]:
        """All regions where a picture has to show its boxes; the network's objects are the first of them."""
        if self.needs.pictures:
            return example.regions
        return example.regions[: self.needs.objects]

    def _with_region(self, regions: tuple[Region, ...], region: Region, index: int) -> tuple[tuple[Region, ...], int]:
        if index < self.needs.objects:
            return regions, index
        last = self.needs.objects - 1
        return (*regions[:last], region, *regions[last + 1 :]), last

    def _objects(self, rows: Sequence[InputRow]) -> Objects | None:
        if not self.needs.objects or not any(row.regions for row in rows):
            return None
        most = max(min(len(row.regions), self.needs.objects) for row in rows)
        count = len(rows)
        vectors, boxes = np.zeros((count, most, OBJECT_WIDTH), np.float32), np.zeros((count, most, 4), np.float32)
        edges, classes = np.zeros((count, most, most), np.int64), np.zeros((count, most), np.int64)
        present, depth = np.zeros((count, most), bool), np.zeros((count, most), np.float32)
        known = {name: place + 1 for place, name in enumerate(self.classes)}
        for index, row in enumerate(rows):
            regions = row.regions[: self.needs.objects]
            size = len(regions)
            shape = as_boxes([region.box for region in regions])
            middle = centred(shape)
            boxes[index, :size] = middle
            vectors[index, :size] = np.concatenate([middle, middle[:, 2:3] * middle[:, 3:]], axis=1)
            # Objects of different pictures have no relation.
            image = np.array([region.image for region in regions])
            edges[index, :size, :size] = np.where(image[:, None] == image, edge_types(shape), 0)
            edges[index, range(size), range(size)] = SELF_LOOP
            present[index, :size] = True
            classes[index, :size] = [known.get(region.label, 0) for region in regions]
            depth[index, :size] = [region.depth for region in regions]
        parts = (vectors, edges, present, classes, boxes, depth)
        return Objects(*(torch.from_numpy(part) for part in parts))

    def _alignment(self, rows: Sequence[InputRow], batch: Batch, objects: Objects | None) -> torch.Tensor | None:
        if not self.needs.alignment or objects is None:
            return None
        result = np.zeros((len(rows), batch.first.shape[1], objects.present.shape[1]), np.float32)
        for index, row in enumerate(rows):
            words, size = len(row.features), min(len(row.regions), self.needs.objects)
            if not size:
                continue
            alpha = self.aligned.get(row.key) if row.key else None
            if alpha is None:
                trees = batch.edges[index, :words, :words].numpy(), objects.edges[index, :size, :size].numpy()
                alpha = align(*trees, self.needs.alignment)
            if row.key:
                self.aligned[row.key] = alpha
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
        picture = self.look(row.image) if row.image else None
        if picture is None and boxes:
            picture = canvas(boxes, size, size)
        grounded = [region.box for region in row.regions if region.grounded]
        detected = [region.box for region in row.regions if not region.grounded]
        return slots(self.needs.pictures, size, picture, detected, grounded, self.needs.objects or 3)

    def _facts(self, facts: Sequence[Fact], mention: str) -> FactRow | None:
        """The facts as a graph: a node for each subject and each "property object", joined by the fact.

        The mention's own facts come first, because there may be too many.
        """
        nodes: dict[str, int] = {}
        joined: list[tuple[int, int]] = []
        words = set(mention.casefold().split())
        own_first = sorted(facts, key=lambda fact: not (words and words <= set(fact.subject.casefold().split())))
        for fact in own_first:
            ends = [nodes.setdefault(label, len(nodes)) for label in (fact.subject, f"{fact.property} {fact.object}")]
            if max(ends) < MOST_FACTS:
                joined.append((ends[0], ends[1]))
        labels = list(nodes)[:MOST_FACTS]
        if not labels:
            return None
        edges = np.eye(len(labels), dtype=bool)
        for one, other in joined:
            edges[one, other] = edges[other, one] = True
        own = np.array([bool(words) and words <= set(label.casefold().split()) for label in labels])
        encoded = self.tokenizer.encode_batch(labels, add_special_tokens=False)
        return FactRow([one.ids[:FACT_PIECES] for one in encoded], edges, own | edges[own].any(axis=0))


def pixels_in(folders: Sequence[Path]) -> ImageSource:
    """A source that reads images by name from the first folder that has it; None for a missing or invalid image."""

    def read(name: str) -> Pixels | None:
        from PIL import Image, UnidentifiedImageError

        for folder in folders:
            try:
                with Image.open(folder / Path(name).name) as image:
                    return np.asarray(image.convert("RGB"))
            except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
                continue
        return None

    return read


def pixels_at(name: str) -> Pixels | None:
    """Read an image by its whole path, as `pixels_in` does."""
    return pixels_in([Path(name).parent])(name) if name else None


def _key(example: Example) -> Key:
    return example.words, example.regions


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
