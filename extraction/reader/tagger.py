"""A tagger as a mention detector: it takes the text and the leading picture, and finds no relations. No Django."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from extraction.features.batch import to_device
from extraction.features.featurizer import Features
from extraction.features.model_inputs import InputRow, InputRows, pixels_at
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.decoding import DecodedSentence, mentions_of
from extraction.reader.image_selection import ImageSelection, takes
from extraction.reader.label_mapping import types_of
from extraction.reader.passages import Passage, PassageReading, calibrated, fit
from extraction.reader.stopwatch import Stopwatch
from extraction.schema import Document

BATCH_ROWS = 64


class Tagger:
    """Finds mentions by BIO tags and gives them the product's entity types."""

    def __init__(self, checkpoint: LoadedCheckpoint, device: str = "cpu") -> None:
        self.checkpoint, self.device = checkpoint, device
        self.network = checkpoint.network.to(device).eval()
        manifest, needs = checkpoint.manifest, self.network.needs
        self.images = ImageSelection(takes(needs, manifest.head), needs, manifest.given)
        tokens = checkpoint.featurizer.tokenizer
        self.rows = InputRows(needs, tokens, classes=manifest.classes, look=pixels_at, inputs=manifest.given)
        self.types = types_of(manifest.data)

    def fit(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        return fit(self.checkpoint.featurizer, passages)

    @torch.inference_mode()
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
            InputRow(one, regions=selection.regions, scene=selection.scene, image=selection.image)
            for one, selection in zip(features, selections, strict=True)
        ]
        decoded: list[DecodedSentence] = [DecodedSentence()] * len(features)
        order = sorted(range(len(features)), key=lambda place: len(features[place].ids))
        for start in range(0, len(order), BATCH_ROWS):
            chosen = order[start : start + BATCH_ROWS]
            with watch.timed("features"):
                batch = to_device(self.rows.batch([rows[place] for place in chosen]), self.device)
            with watch.timed("encode"):
                output = self.network(batch)
            with watch.timed("decode"):
                tagged = mentions_of(self.network.decode(output, batch), batch)
            for place, mentions in zip(chosen, tagged, strict=True):
                decoded[place] = DecodedSentence(mentions)
        return [self._reading(*pair) for pair in zip(passages, decoded, strict=True)]

    def _reading(self, passage: Passage, decoded: DecodedSentence) -> PassageReading:
        reading = calibrated(self.checkpoint.manifest, passage, decoded)
        mentions = {
            span: replace(one, type=self.types.get(one.type, one.type)) for span, one in reading.mentions.items()
        }
        return PassageReading(mentions, {})
