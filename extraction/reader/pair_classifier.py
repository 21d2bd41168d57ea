"""Pair networks as relation classifiers for the mentions that a detector has found. No Django.

A network of mentions alone classifies all ordered pairs of a sentence's mentions that some relation permits. One of
mentions and regions classifies every mention with every region of each picture, and the relations between mentions stay
the detector's. The labels of its data set are mapped to the product's relations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray

from extraction.features.batch import Batch, to_device
from extraction.features.entity_markers import add_markers
from extraction.features.featurizer import Features
from extraction.features.model_inputs import InputRow, InputRows, pixels_at
from extraction.labels import REGION_RELATIONS
from extraction.networks.outputs import PairOutput
from extraction.reader import attribution
from extraction.reader.calibration import log_odds
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.image_selection import ImageSelection, SelectedImages, takes
from extraction.reader.label_mapping import by_types, meanings
from extraction.reader.passages import Passage, PassageReading, Span, fit, word_spans
from extraction.reader.stopwatch import Stopwatch
from extraction.schema import Candidate, Document, Example, GroundedWords, Region, WordSpan
from extraction.vision import grounding

MOST_MENTIONS = 24  # of a sentence, whose pairs are classified: a list of names has hundreds of pairs
BATCH_ROWS = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairRow:
    """One row of the network's input: a mention of a passage with another one, or with a selected region."""

    passage: int
    head: Span
    tail: Span | Region
    row: InputRow
    selection: SelectedImages


@dataclass(frozen=True, slots=True)
class ImageEvidence:
    """The picture's part in one row: its scores without the picture, the row's weights over the selected regions, and
    those of each word of the sentence over regions or patches. None where the network does not report them."""

    without: Floats
    weights: Floats | None
    attended: Floats | None


class PairClassifier:
    """Finds the relations of mentions, or of mentions and regions, with a pair network."""

    def __init__(
        self, checkpoint: LoadedCheckpoint, device: str = "cpu", grounder: grounding.Grounder | None = None
    ) -> None:
        """`grounder` is a zero-shot detector for the words of a sentence, in place of the classes' names."""
        self.checkpoint, self.device, self.grounder = checkpoint, device, grounder
        self.manifest = manifest = checkpoint.manifest
        self.network = checkpoint.network.to(device).eval()
        needs, tokenizer = self.network.needs, checkpoint.featurizer.tokenizer
        version = grounder.version if grounder else grounding.BY_CLASS
        self.images = ImageSelection(takes(needs, manifest.head), needs, manifest.given, version)
        self.meanings = meanings(manifest.inventory, manifest.data)
        self.permitted = by_types(self.meanings)
        markers = add_markers(tokenizer)
        self.rows = InputRows(needs, tokenizer, markers, manifest.classes, pixels_at, manifest.given)

    @property
    def finds_depictions(self) -> bool:
        depictions = any(one is not None and one.key in REGION_RELATIONS for one in self.meanings)
        return self.manifest.head == "region_pair" and depictions

    def thresholds(self, detector: Mapping[str, float]) -> dict[str, float]:
        own = self.manifest.thresholds
        result = {} if self.manifest.head == "pair" else dict(detector)
        for relation, meaning in zip(self.manifest.inventory.relations, self.meanings, strict=True):
            if meaning is not None:
                result[meaning.key] = max(own.get(relation.key, own["default"]), result.get(meaning.key, 0.0))
        return {"default": own["default"], **result}

    def fit(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        titled = self.manifest.title
        return fit(self.checkpoint.featurizer, passages if titled else [replace(one, title=()) for one in passages])

    def relate(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        features: Sequence[Features],
        detected: Sequence[PassageReading],
        watch: Stopwatch,
    ) -> list[PassageReading]:
        with watch.timed("features"):
            rows = list(self._pair_rows(documents, passages, features, detected))
        keep = self.manifest.head == "region_pair"
        readings = [
            replace(
                one,
                relations=dict(one.relations) if keep else {},
                shown=list(one.shown),
                supports={},
                grids=[],
                qualifiers=dict(one.qualifiers) if keep else {},
            )
            for one in detected
        ]
        self._classify(rows, passages, readings, watch)
        return readings

    def _pair_rows(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        features: Sequence[Features],
        detected: Sequence[PassageReading],
    ) -> Iterator[PairRow]:
        selected = [self.images.select(document) for document in documents]
        for place, (passage, shown, reading) in enumerate(zip(passages, features, detected, strict=True)):
            # A pair system is trained on names; what a pronoun stands for is settled for the whole document.
            spans = sorted(span for span, one in reading.mentions.items() if one.form == "name")[:MOST_MENTIONS]
            ends = zip(word_spans(passage, spans), spans, strict=True)
            mentions = tuple(WordSpan(*words, reading.mentions[span].type) for words, span in ends)
            facts = (documents[passage.document].facts or ()) if self.images.needs.facts else ()
            for selection in selected[passage.document]:
                example = Example(
                    id="",
                    dataset="",
                    words=passage.words.words,
                    mentions=mentions,
                    image=selection.image,
                    regions=selection.regions,
                    facts=facts,
                    scene=selection.scene,
                    grounded=self._grounded(passage, mentions, selection, documents[passage.document]),
                )
                for one in self._candidates(mentions, selection.regions):
                    tail = selection.regions[one.tail] if one.region else spans[one.tail]
                    yield PairRow(place, spans[one.head], tail, self.rows.pair(example, shown, one), selection)

    def _grounded(
        self, passage: Passage, mentions: Sequence[WordSpan], selection: SelectedImages, document: Document
    ) -> tuple[GroundedWords, ...]:
        """The regions that show the nouns and names of the sentence, where the network was trained with such."""
        if not self.manifest.given.grounding or self.images.needs.pictures not in ("focal", "crops"):
            return ()
        names = [(one.start, one.end, one.type) for one in mentions]
        image = document.images[selection.picture] if selection.picture < len(document.images) else ""
        pixels = self.rows.look(image) if self.grounder and image else None
        words = passage.words
        return grounding.ground(words.words, words.tags, names, selection.regions, self.grounder, pixels)

    def _candidates(self, mentions: Sequence[WordSpan], regions: Sequence[Region]) -> Iterator[Candidate]:
        if self.manifest.head == "region_pair":
            yield from (
                Candidate(head, tail, region=True)
                for head in range(len(mentions))
                for tail in range(min(len(regions), self.images.needs.objects))
            )
            return
        for head, tail in permutations(range(len(mentions)), 2):
            if (mentions[head].type, mentions[tail].type) in self.permitted:
                yield Candidate(head, tail)

    @torch.inference_mode()
    def _classify(
        self,
        rows: Sequence[PairRow],
        passages: Sequence[Passage],
        readings: Sequence[PassageReading],
        watch: Stopwatch,
    ) -> None:
        """Add the network's results for these rows to the readings of their passages."""
        order = sorted(range(len(rows)), key=lambda place: len(rows[place].row.features.ids))
        for start in range(0, len(order), BATCH_ROWS):
            chosen = [rows[place] for place in order[start : start + BATCH_ROWS]]
            with watch.timed("features"):
                batch = to_device(self.rows.batch([one.row for one in chosen]), self.device)
            with watch.timed("head"):
                output = self.network(batch)
                scores = self._scores(output)
            with watch.timed("picture"):
                pictured = self._pictured(chosen, batch, output, scores)
                self._add_grids(chosen, batch, pictured, passages, readings)
            with watch.timed("decode"):
                for place, one in enumerate(chosen):
                    self._add(readings[one.passage], one, scores[place], pictured.get(place))

    def _scores(self, output: PairOutput) -> Floats:
        """(rows, labels without none): the calibrated probability of each label, given that both mentions are right."""
        return self.manifest.calibration.labels(log_odds(output.logits.double().cpu().numpy())[:, 1:])

    def _pictured(
        self, chosen: Sequence[PairRow], batch: Batch, output: PairOutput, scores: Floats
    ) -> dict[int, ImageEvidence]:
        """The picture's part in the rows that reach the floor; {} for a network without pictures."""
        if self.manifest.head == "region_pair" or not attribution.sees_pictures(batch):
            return {}
        above = np.flatnonzero(scores.max(axis=1, initial=0.0) >= self.manifest.floor).tolist()
        if not above:
            return {}
        masked = [attribution.without_picture(chosen[place].row) for place in above]
        bare = self._scores(self.network(to_device(self.rows.batch(masked), self.device)))
        attended = attribution.attention(self.network, batch)
        return {
            place: ImageEvidence(
                without=alone,
                weights=attribution.weights_of(place, batch, output, attended, chosen[place].selection.regions),
                attended=None if attended is None else attended[place],
            )
            for place, alone in zip(above, bare, strict=True)
        }

    def _add_grids(
        self,
        chosen: Sequence[PairRow],
        batch: Batch,
        pictured: Mapping[int, ImageEvidence],
        passages: Sequence[Passage],
        readings: Sequence[PassageReading],
    ) -> None:
        """Add the attention of its words, or else of its mentions, over the picture to each passage, once."""
        for place, one in pictured.items():
            passage, selection = chosen[place].passage, chosen[place].selection
            reading, spans = readings[passage], passages[passage].words.spans
            if not reading.grids and one.attended is not None:
                grid = attribution.grid(one.attended, spans, selection, patches=batch.objects is None)
            elif not reading.grids and batch.pairs is not None:
                heads = batch.pairs.head_word.tolist()
                mine = [
                    (spans[heads[at]], its.weights) for at, its in pictured.items() if chosen[at].passage == passage
                ]
                grid = attribution.mention_grid(mine, selection)
            else:
                continue
            reading.grids.extend([grid] if grid else [])

    def _add(self, reading: PassageReading, pair: PairRow, scores: Floats, pictured: ImageEvidence | None) -> None:
        """Add the network's result for one pair, where its probability with both mentions reaches the floor."""
        floor, head = self.manifest.floor, reading.mentions[pair.head]
        if isinstance(pair.tail, Region):
            scores = scores * head.score
            for place in np.flatnonzero(scores >= floor).tolist():
                meaning = self.meanings[place]
                if meaning is not None:
                    reading.shown.append((pair.head, pair.tail, meaning.key, float(scores[place])))
            return
        ends = (pair.head, pair.tail)
        result = self._relations(reading, ends, scores)
        without = {} if pictured is None else self._relations(reading, ends, pictured.without)
        for one, score in result.items():
            if score >= floor and score > reading.relations.get(one, 0.0):
                reading.relations[one] = score
                if pictured is not None:
                    evidence = attribution.evidence(pictured.weights, pair.selection.places)
                    reading.supports[one] = attribution.Support(evidence, without[one])

    def _relations(
        self, reading: PassageReading, ends: tuple[Span, Span], scores: Floats
    ) -> dict[tuple[Span, Span, str], float]:
        """The product's relations between two mentions; of several labels with one meaning the most probable is
        taken."""
        head, tail = (reading.mentions[span] for span in ends)
        result: dict[tuple[Span, Span, str], float] = {}
        likely = (scores * head.score * tail.score).tolist()
        for label, meaning in self.permitted.get((head.type, tail.type), ()):
            first, second = reversed(ends) if meaning.turned else ends
            result[first, second, meaning.key] = max(likely[label], result.get((first, second, meaning.key), 0.0))
        return result
