"""A tagger as a live reader: mentions, by the words and the leading picture, and no relations. No Django.

It reads alone, or finds the mentions for a pair system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from extraction.features.batch import to_device
from extraction.features.featurizer import Features
from extraction.features.model_inputs import Row, Rows, pixels_at
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.decoding import Found, mentions_of
from extraction.reader.extractor import Extractor
from extraction.reader.image_selection import Given, given, takes, told, unseen
from extraction.reader.label_mapping import types_of
from extraction.reader.passages import Passage, PassageReading
from extraction.schema import Document, Extraction
from extraction.text import parser as text_parser

BATCH_ROWS = 64


class TagExtractor(Extractor):
    """Reads mentions with a tagger, which is shown the picture where its network takes one."""

    def __init__(self, checkpoint: Checkpoint, parser: text_parser.Parser, device: str = "cpu") -> None:
        super().__init__(checkpoint, parser, device)
        tokenizer = checkpoint.featurizer.tokenizer
        self.rows = Rows(self.network.needs, tokenizer, classes=self.manifest.classes, look=pixels_at)
        self.takes = takes(self.rows.needs, self.manifest.head)
        self.given: list[Given] = []

    def _begin(self, documents: Sequence[Document]) -> None:
        self.given = [given(document, self.takes, self.rows.needs.objects)[0] for document in documents]

    def _read(self, documents: Sequence[Document]) -> list[Extraction]:
        found = zip(super()._read(documents), self.given, strict=True)
        return [told(read, self.takes, [shown]) for read, shown in found]

    @torch.inference_mode()
    def _find(self, features: Sequence[Features], passages: Sequence[Passage]) -> list[Found]:
        looks = [self.given[passage.document] for passage in passages]
        shown = [Row(one, regions=look.regions, image=look.image) for one, look in zip(features, looks, strict=True)]
        found: list[Found] = [Found()] * len(features)
        order = sorted(range(len(features)), key=lambda place: len(features[place].ids))
        for start in range(0, len(order), BATCH_ROWS):
            chosen = order[start : start + BATCH_ROWS]
            with self._timed("features"):
                batch = to_device(self.rows.batch([shown[place] for place in chosen]), self.device)
            with self._timed("encode"):
                output = self.network(batch)
            with self._timed("decode"):
                tagged = mentions_of(self.network.decode(output, batch), batch)
            for place, mentions in zip(chosen, tagged, strict=True):
                found[place] = Found(mentions)
        return found

    def _reading(self, passage: Passage, found: Found) -> PassageReading:
        """Types of a data set's own labels are turned into this product's."""
        reading = super()._reading(passage, found)
        ours = types_of(self.manifest.training.get("config", {}).get("data", ()))
        return PassageReading(
            {span: replace(one, type=ours.get(one.type, one.type)) for span, one in reading.mentions.items()}, {}
        )

    def _unseen(self, document: Document) -> tuple[str, ...]:
        needs = self.rows.needs
        return unseen(document, needs, given(document, self.takes, needs.objects))
