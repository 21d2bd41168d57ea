"""Systems that are given their mentions, live: a pair network behind a detector of mentions. No Django.

A pair system is asked about all ordered pairs of a sentence's mentions that some relation may join; its data set's
labels are turned into this product's. A system of mentions and regions is asked about every mention and every region of
each picture, and the relations between mentions are the detector's. The detector is the checkpoint that the manifest
names, or the one shipped with kgbuilder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray

from extraction.features.batch import Batch, to_device
from extraction.features.entity_markers import add_markers
from extraction.features.featurizer import Features
from extraction.features.model_inputs import Row, Rows, pixels_at
from extraction.labels import REGION_RELATIONS
from extraction.networks.outputs import PairOutput
from extraction.reader import attribution, known_facts
from extraction.reader.calibration import Calibration, clip, log_odds, sigmoid
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.extractor import Extractor
from extraction.reader.image_selection import Given, given, takes, told, unseen
from extraction.reader.label_mapping import meanings
from extraction.reader.passages import Passage, PassageReading, Span, word_spans
from extraction.schema import Candidate, Document, Example, Extraction, Fact, Region, WordSpan
from extraction.text import parser as text_parser
from extraction.vision import grounding

MOST_MENTIONS = 24  # of a sentence, whose pairs are asked about: a list of names has hundreds of pairs
BATCH_ROWS = 64

Floats = NDArray[np.float64]
Said = tuple[Span, Span, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of the pair network: which passage, which mentions (or mention and region of `given`) of it."""

    passage: int
    head: int
    tail: int
    row: Row
    given: Given


class PairExtractor(Extractor):
    """Mentions by `mentions`, their relations by a pair network."""

    def __init__(
        self, checkpoint: Checkpoint, mentions: Extractor, parser: text_parser.Parser, device: str = "cpu"
    ) -> None:
        super().__init__(checkpoint, parser, device)
        self.mentions = mentions
        data = self.manifest.training.get("config", {}).get("data", ())
        self.meanings = meanings(self.manifest.inventory, data)
        tokenizer = checkpoint.featurizer.tokenizer
        self.rows = Rows(self.network.needs, tokenizer, add_markers(tokenizer), self.manifest.classes, pixels_at)
        self.takes = takes(self.rows.needs, self.manifest.head)
        self.given: list[list[Given]] = []  # of each document
        self.facts: list[tuple[Fact, ...]] = []

    @property
    def takes_facts(self) -> bool:
        return bool(self.rows.needs.facts)

    @property
    def thresholds(self) -> dict[str, float]:
        """By this product's keys; the detector's own relations keep its thresholds."""
        own = self.manifest.thresholds
        found = {} if self.manifest.head == "pair" else self.mentions.thresholds
        for relation, meaning in zip(self.manifest.inventory.relations, self.meanings, strict=True):
            if meaning is not None:
                said = own.get(relation.key, own["default"])
                found[meaning.key] = max(said, found.get(meaning.key, 0.0))
        return {"default": own["default"], **found}

    def threshold(self, key: str) -> float:
        known = self.thresholds
        return known.get(key, known["default"])

    def _begin(self, documents: Sequence[Document]) -> None:
        self.mentions._begin(documents)
        self.given = [given(document, self.takes, self.rows.needs.objects) for document in documents]
        self.facts = [(document.facts or ()) if self.takes_facts else () for document in documents]

    def _read(self, documents: Sequence[Document]) -> list[Extraction]:
        found = zip(super()._read(documents), self.given, self.facts, strict=True)
        return [known_facts.marked(told(read, self.takes, looks), facts) for read, looks, facts in found]

    def _shows_titles(self) -> bool:
        return self.mentions._shows_titles()

    def _readings(self, passages: list[Passage]) -> tuple[list[PassageReading], list[Passage]]:
        with self._timed("features"):
            detected, own, passages = self._both(passages)
        before = dict(self.mentions.seconds)
        mentions = self.mentions._find(detected, passages)
        found = [self.mentions._reading(*pair) for pair in zip(passages, mentions, strict=True)]
        for part, seconds in self.mentions.seconds.items():
            self.seconds[part] += seconds - before.get(part, 0.0)
        with self._timed("features"):
            asked = list(self._asked(passages, own, found))
        return self._related(passages, found, asked), passages

    def _both(self, passages: list[Passage]) -> tuple[list[Features], list[Features], list[Passage]]:
        """Features for the detector and for the pair network, of passages cut until both can read them."""
        while True:
            detected, fitting = self.mentions._features(passages)
            bare = fitting if self.manifest.title else [replace(one, title=()) for one in fitting]
            own, cut = self._features(bare)
            if len(cut) == len(fitting):
                return detected, own, fitting
            passages = cut

    def _asked(
        self, passages: Sequence[Passage], features: Sequence[Features], found: Sequence[PassageReading]
    ) -> Iterator[Asked]:
        for place, (passage, shown, reading) in enumerate(zip(passages, features, found, strict=True)):
            kinds = [reading.mentions[span].type for span in sorted(reading.mentions)]
            spans = zip(word_spans(passage, reading.mentions), kinds, strict=True)
            mentions = tuple(WordSpan(*span, kind) for span, kind in spans)[:MOST_MENTIONS]
            facts = self.facts[passage.document]
            for look in self.given[passage.document]:
                regions = look.regions
                if self.network.needs.pictures in ("focal", "crops"):
                    regions += self._grounded(passage, mentions, regions, look.image)
                example = Example("", "", passage.words.words, mentions, image=look.image, regions=regions, facts=facts)
                for candidate in self._candidates(mentions, regions):
                    yield Asked(place, candidate.head, candidate.tail, self.rows.pair(example, shown, candidate), look)

    def _grounded(
        self, passage: Passage, mentions: Sequence[WordSpan], regions: Sequence[Region], image: str
    ) -> tuple[Region, ...]:
        """The regions that show the nouns and names of the sentence; nothing is known here of what is to be said."""
        names = [(one.start, one.end, one.type) for one in mentions]
        wanted = grounding.phrases(passage.words.words, passage.words.tags, names)
        pixels = self.rows.look(image) if self.grounder and image else None
        if self.grounder is not None and pixels is not None:
            found = grounding.with_grounder(self.grounder, pixels, wanted, regions)
        else:
            found = grounding.by_class(wanted, regions)
        return grounding.regions_for(found)

    def _candidates(self, mentions: Sequence[WordSpan], regions: Sequence[Region]) -> Iterator[Candidate]:
        if self.manifest.head == "region_pair":
            yield from (
                Candidate(head, tail, region=True)
                for head in range(len(mentions))
                for tail in range(min(len(regions), self.rows.needs.objects))
            )
            return
        for head, tail in permutations(range(len(mentions)), 2):
            kinds = mentions[head].type, mentions[tail].type
            if any(one is not None and one.permits(*kinds) for one in self.meanings):
                yield Candidate(head, tail)

    @torch.inference_mode()
    def _related(
        self, passages: Sequence[Passage], found: Sequence[PassageReading], asked: Sequence[Asked]
    ) -> list[PassageReading]:
        keep = self.manifest.head == "region_pair"
        readings = [PassageReading(one.mentions, dict(one.relations) if keep else {}, list(one.shown)) for one in found]
        order = sorted(range(len(asked)), key=lambda place: len(asked[place].row.features.ids))
        for start in range(0, len(order), BATCH_ROWS):
            chosen = [asked[place] for place in order[start : start + BATCH_ROWS]]
            with self._timed("features"):
                batch = to_device(self.rows.batch([one.row for one in chosen]), self.device)
            with self._timed("head"):
                output = self.network(batch)
                odds = log_odds(output.logits.double().cpu().numpy())
            with self._timed("picture"):
                bare, weights = self._supports(chosen, batch, output, odds, passages, readings)
            with self._timed("decode"):
                for place, one in enumerate(chosen):
                    said = (odds[place], bare.get(place), weights[place])
                    self._take(readings[one.passage], one, *said)
        return readings

    def _supports(
        self,
        chosen: Sequence[Asked],
        batch: Batch,
        output: PairOutput,
        odds: Floats,
        passages: Sequence[Passage],
        readings: Sequence[PassageReading],
    ) -> tuple[dict[int, Floats], list[Floats | None]]:
        """For rows above the floor their log odds without the picture, and each row's weights over the regions."""
        nothing: list[Floats | None] = [None] * len(chosen)
        if self.manifest.head == "region_pair" or not attribution.sees_pictures(batch):
            return {}, nothing
        likely = _calibrated(self.manifest.calibration, odds[:, 1:]).max(axis=1, initial=0.0)
        above = [place for place in range(len(chosen)) if likely[place] >= self.floor]
        if not above:
            return {}, nothing
        masked = [attribution.without_picture(chosen[place].row) for place in above]
        bare = self.network(to_device(self.rows.batch(masked), self.device)).logits.double().cpu().numpy()
        looked = attribution.attention(self.network, batch)
        looks = [one.given for one in chosen]
        weights = [attribution.weights_of(place, batch, output, looked, one.regions) for place, one in enumerate(looks)]
        for place in above:
            passage = chosen[place].passage
            reading, spans = readings[passage], passages[passage].words.spans
            if not reading.grids and looked is not None:
                made = attribution.grid(looked[place], spans, looks[place], patches=batch.objects is None)
            elif not reading.grids and batch.pairs is not None:
                heads = batch.pairs.head_word.tolist()
                mine = [(spans[heads[at]], weights[at]) for at in above if chosen[at].passage == passage]
                made = attribution.mention_grid(mine, looks[place])
            else:
                continue
            reading.grids.extend([made] if made else [])
        return dict(zip(above, log_odds(bare), strict=True)), weights

    def _depicted(self, document: Document, found: Extraction) -> Extraction:
        """As ever, unless it is this network that tells who is shown where."""
        told = self.manifest.head == "region_pair" and any(one and one.key in REGION_RELATIONS for one in self.meanings)
        return found if told else super()._depicted(document, found)

    def _unseen(self, document: Document) -> tuple[str, ...]:
        unknown = ("facts",) if self.takes_facts and document.facts is None else ()
        looks = given(document, self.takes, self.rows.needs.objects)
        return (*unknown, *unseen(document, self.rows.needs, looks))

    def _take(
        self,
        reading: PassageReading,
        asked: Asked,
        odds: Floats,
        bare: Floats | None = None,
        weights: Floats | None = None,
    ) -> None:
        """What the network says of one pair, where it is likely enough: with both ends right."""
        ordered = sorted(reading.mentions)
        head = ordered[asked.head]
        scores = _calibrated(self.manifest.calibration, odds[1:]) * reading.mentions[head].score
        if self.manifest.head == "region_pair":
            region = asked.given.regions[asked.tail]
            for place in np.flatnonzero(scores >= self.floor).tolist():
                meaning = self.meanings[place]
                if meaning is not None:
                    reading.shown.append((head, region, meaning.key, float(scores[place])))
            return
        tail = ordered[asked.tail]
        scores = scores * reading.mentions[tail].score
        said = self._said(reading, head, tail, scores)
        without: dict[Said, float] = {}
        if bare is not None:
            alone = _calibrated(self.manifest.calibration, bare[1:])
            without = self._said(
                reading, head, tail, alone * reading.mentions[head].score * reading.mentions[tail].score
            )
        for one, score in said.items():
            if score >= self.floor and score > reading.relations.get(one, 0.0):
                reading.relations[one] = score
                if one in without:
                    reading.supports[one] = attribution.Support(
                        attribution.evidence(weights, asked.given.places), without[one]
                    )

    def _said(self, reading: PassageReading, head: Span, tail: Span, scores: Floats) -> dict[Said, float]:
        """What the labels mean between these two in this product's words; of several that mean one thing the surest."""
        kinds = reading.mentions[head].type, reading.mentions[tail].type
        found: dict[Said, float] = {}
        for meaning, score in zip(self.meanings, scores.tolist(), strict=True):
            if meaning is not None and meaning.permits(*kinds):
                ends = (tail, head) if meaning.turned else (head, tail)
                found[*ends, meaning.key] = max(score, found.get((*ends, meaning.key), 0.0))
        return found


def _calibrated(calibration: Calibration, odds: Floats) -> Floats:
    slope, *_, bias = calibration.relation
    return sigmoid(clip(odds) * slope + bias)
