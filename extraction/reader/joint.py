"""Joint networks as mention detectors: EEGA's word pairs give mentions and their relations in one pass. No Django.

With a visual side a network is shown the most confident regions of a document's pictures. The evidence of a relation
are the shares that its words gave the regions (Eq. 8). Its score without the picture is that of the same network
without regions, 0 where it then does not find the relation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from extraction.features.batch import by_length, sentences, to_device
from extraction.features.featurizer import Features
from extraction.features.model_inputs import InputRow, InputRows
from extraction.reader import attribution
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.decoding import DecodedSentence, Decoder
from extraction.reader.image_selection import ImageSelection, SelectedImages
from extraction.reader.passages import Passage, PassageReading, Span, Windows, batch_of, batch_rows, calibrated, fit
from extraction.reader.stopwatch import Stopwatch
from extraction.schema import Document


class JointDetector:
    """Finds mentions and relations with a word-pair network that takes the text alone."""

    def __init__(self, checkpoint: LoadedCheckpoint, device: str = "cpu") -> None:
        self.checkpoint, self.device = checkpoint, device
        self.network = checkpoint.network.to(device).eval()
        self.images = ImageSelection("words", self.network.needs)
        manifest = checkpoint.manifest
        lowest = manifest.calibration.lowest_logit(manifest.floor)
        self.decoder = Decoder(manifest.inventory, lowest, manifest.network.qualifiers)

    def fit(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        return fit(self.checkpoint.featurizer, passages, titled=not self.checkpoint.manifest.window)

    def windows(self, passages: Sequence[Passage], features: Sequence[Features]) -> Windows:
        """The windows in which the encoder reads these passages."""
        pieces = [len(one.ids) for one in features]
        return Windows(self.checkpoint.manifest, self.checkpoint.featurizer, passages, pieces)

    @torch.inference_mode()
    def detect(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        features: Sequence[Features],
        watch: Stopwatch,
    ) -> list[PassageReading]:
        readings: list[PassageReading] = [PassageReading({}, {})] * len(features)
        windows = self.windows(passages, features)
        for rows in batch_rows(features, windows.runs(range(len(features)))):
            with watch.timed("features"):
                batch = to_device(batch_of(features, rows, windows), self.device)
            with watch.timed("encode"):
                hidden = self.network.encode(batch)
            for group in by_length(batch):
                with watch.timed("head"):
                    part = sentences(batch, group)
                    states = self.network.tag(part, hidden)
                with watch.timed("decode"):
                    results = self.decoder(self.network, part, states)
                for number, place in enumerate(group):
                    row = rows[place]
                    readings[row] = self.reading(passages[row], results[number], states.words[number])
        return readings

    def reading(self, passage: Passage, sentence: DecodedSentence, words: Tensor) -> PassageReading:
        """The calibrated reading of a passage, with its mentions' states where the network has coreference."""
        found = calibrated(self.checkpoint.manifest, passage, sentence)
        if self.network.coreference is None or not sentence.mentions:
            return found
        ends = torch.tensor([(one.start, one.end - 1) for one in sentence.mentions], device=words.device)
        states = words[ends].flatten(1).float().cpu().numpy()  # (mentions, 2d)
        return replace(found, states=dict(zip(found.mentions, states, strict=True)))


class VisualJointDetector:
    """Finds mentions and relations with a word-pair network that takes regions of pictures beside the text."""

    def __init__(self, checkpoint: LoadedCheckpoint, device: str = "cpu") -> None:
        self.blind = JointDetector(checkpoint, device)
        self.checkpoint, self.device, self.network = checkpoint, device, self.blind.network
        manifest, needs = checkpoint.manifest, self.network.needs
        self.images = ImageSelection("regions", needs, manifest.given)
        tokens = checkpoint.featurizer.tokenizer
        self.rows = InputRows(needs, tokens, classes=manifest.classes, inputs=manifest.given)

    def fit(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        return self.blind.fit(passages)

    def detect(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        features: Sequence[Features],
        watch: Stopwatch,
    ) -> list[PassageReading]:
        selected = [self.images.select(document)[0] for document in documents]
        selections = [selected[passage.document] for passage in passages]
        rows = [
            InputRow(one, regions=selection.regions, scene=selection.scene)
            for one, selection in zip(features, selections, strict=True)
        ]
        readings, attended = self._attended(passages, rows, watch)
        related = [place for place, one in enumerate(readings) if one.relations and selections[place].regions]
        with watch.timed("picture"):
            chosen = [passages[place] for place in related]
            bare = self.blind.detect(documents, chosen, [features[place] for place in related], watch)
        for place, alone in zip(related, bare, strict=True):
            weights = attended[place]
            if weights is not None:
                readings[place] = _supported(passages[place], readings[place], alone, weights, selections[place])
        return readings

    @torch.inference_mode()
    def _attended(
        self, passages: Sequence[Passage], rows: Sequence[InputRow], watch: Stopwatch
    ) -> tuple[list[PassageReading], list[np.ndarray | None]]:
        """The reading of each passage, and the attention of its words over the regions (n, k)."""
        readings: list[PassageReading] = [PassageReading({}, {})] * len(rows)
        attended: list[np.ndarray | None] = [None] * len(rows)
        features = [row.features for row in rows]
        windows = self.blind.windows(passages, features)
        for chosen in batch_rows(features, windows.runs(range(len(rows)))):
            with watch.timed("features"):
                batch = self.rows.batch([rows[place] for place in chosen], windows.of(chosen))
                batch = to_device(batch, self.device)
            with watch.timed("encode"):
                hidden = self.network.encode(batch)
            with watch.timed("head"):
                states = self.network.tag(batch, hidden)
                weights = self.network.attention_weights(batch, hidden)
            with watch.timed("decode"):
                results = self.blind.decoder(self.network, batch, states)
            for number, place in enumerate(chosen):
                readings[place] = self.blind.reading(passages[place], results[number], states.words[number])
                attended[place] = None if weights is None else weights[number].float().cpu().numpy()
        return readings, attended


def _supported(
    passage: Passage, reading: PassageReading, alone: PassageReading, weights: np.ndarray, selection: SelectedImages
) -> PassageReading:
    """The reading with the evidence for its relations in the picture; `alone` was made without it."""
    supports = {
        relation: attribution.Support(
            attribution.evidence(
                _shares(weights, _words(passage, relation[:2]), len(selection.regions)), selection.places
            ),
            alone.relations.get(relation, 0.0),
        )
        for relation in reading.relations
    }
    grid = attribution.grid(weights, passage.words.spans, selection, patches=False)
    return replace(reading, supports=supports, grids=[grid] if grid else [])


def _words(passage: Passage, ends: tuple[Span, Span]) -> list[int]:
    """The words of both mentions."""
    return [
        place
        for place, (start, end) in enumerate(passage.words.spans)
        if any(left <= start and end <= right for left, right in ends)
    ]


def _shares(weights: np.ndarray, words: Sequence[int], regions: int) -> np.ndarray | None:
    shares = weights[list(words), :regions].mean(axis=0)
    total = float(shares.sum())
    return shares / total if total > 0 else None
