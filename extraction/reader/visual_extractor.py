"""A word-pair network with a visual side, live: EEGA shown the surest regions of a document's pictures. No Django.

Evidence of an edge are the shares that its words gave the regions (Eq. 8). Its score without the picture is what the
same network reads when nothing of the picture is shown: 0 where it then says nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from extraction.features.batch import to_device
from extraction.features.model_inputs import Row, Rows
from extraction.reader import attribution
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.decoding import Found
from extraction.reader.extractor import Extractor
from extraction.reader.image_selection import Given, given, told, unseen
from extraction.reader.passages import Passage, PassageReading, Span, batch_rows
from extraction.schema import Document, Extraction
from extraction.text import parser as text_parser


class SeeingExtractor(Extractor):
    """Reads mentions and relations of words with the picture's regions at hand."""

    def __init__(self, checkpoint: Checkpoint, parser: text_parser.Parser, device: str = "cpu") -> None:
        super().__init__(checkpoint, parser, device)
        self.rows = Rows(self.network.needs, checkpoint.featurizer.tokenizer, classes=self.manifest.classes)
        self.given: list[Given] = []

    def _begin(self, documents: Sequence[Document]) -> None:
        self.given = [given(document, "regions", self.network.needs.objects)[0] for document in documents]

    def _read(self, documents: Sequence[Document]) -> list[Extraction]:
        found = zip(super()._read(documents), self.given, strict=True)
        return [told(read, "regions", [shown]) for read, shown in found]

    def _readings(self, passages: list[Passage]) -> tuple[list[PassageReading], list[Passage]]:
        with self._timed("features"):
            features, passages = self._features(passages)
        pairs = zip(features, passages, strict=True)
        shown = [Row(one, regions=self.given[passage.document].regions) for one, passage in pairs]
        found, looked = self._look(shown)
        readings = [self._reading(*pair) for pair in zip(passages, found, strict=True)]
        related = [place for place, one in enumerate(readings) if one.relations and shown[place].regions]
        with self._timed("picture"):
            bare = self._find([features[place] for place in related], [passages[place] for place in related])
        for place, alone in zip(related, bare, strict=True):
            words = self._reading(passages[place], alone)
            readings[place] = self._supported(passages[place], readings[place], words, looked[place])
        return readings, passages

    @torch.inference_mode()
    def _look(self, shown: Sequence[Row]) -> tuple[list[Found], list[np.ndarray | None]]:
        """What is found in each row, and what its words looked at (n, k)."""
        found: list[Found] = [Found()] * len(shown)
        looked: list[np.ndarray | None] = [None] * len(shown)
        for chosen in batch_rows([row.features for row in shown]):
            with self._timed("features"):
                batch = to_device(self.rows.batch([shown[place] for place in chosen]), self.device)
            with self._timed("encode"):
                hidden = self.network.encode(batch)
            with self._timed("head"):
                states = self.network.tag(batch, hidden)
                weights = self.network.looked_at(batch, hidden)
            with self._timed("decode"):
                results = self.decoder(self.network, batch, states)
            for number, place in enumerate(chosen):
                found[place] = results[number]
                looked[place] = None if weights is None else weights[number].float().cpu().numpy()
        return found, looked

    def _supported(
        self, passage: Passage, reading: PassageReading, alone: PassageReading, looked: np.ndarray | None
    ) -> PassageReading:
        """The reading with what its relations rest on in the picture."""
        if looked is None:
            return reading
        shown = self.given[passage.document]
        supports = {
            said: attribution.Support(
                attribution.evidence(_shares(looked, _words(passage, said[:2]), len(shown.regions)), shown.places),
                alone.relations.get(said, 0.0),
            )
            for said in reading.relations
        }
        grid = attribution.grid(looked, passage.words.spans, shown, patches=False)
        return replace(reading, supports=supports, grids=[grid] if grid else [])

    def _unseen(self, document: Document) -> tuple[str, ...]:
        return unseen(document, self.network.needs, ())


def _words(passage: Passage, ends: tuple[Span, Span]) -> list[int]:
    """The words of both mentions."""
    return [
        place
        for place, (start, end) in enumerate(passage.words.spans)
        if any(left <= start and end <= right for left, right in ends)
    ]


def _shares(looked: np.ndarray, words: Sequence[int], regions: int) -> np.ndarray | None:
    weights = looked[list(words), :regions].mean(axis=0)
    total = float(weights.sum())
    return weights / total if total > 0 else None
