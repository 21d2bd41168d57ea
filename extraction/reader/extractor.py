"""The Extractor, a checkpoint that reads documents. No Django."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from extraction.features.batch import Batch, collate, to_device
from extraction.features.featurizer import Features
from extraction.reader.calibration import LARGEST
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.decoding import Decoder, Found, logit
from extraction.reader.merging import merge
from extraction.reader.passages import Passage, PassageReading, batch_rows, calibrated, fit, passages_of
from extraction.schema import Declined, Document, Extraction
from extraction.text import parser as text_parser
from extraction.vision import depictions
from extraction.vision.grounding import Grounder

logger = logging.getLogger(__name__)

LONGEST_TEXT = 200_000  # code points


class Extractor:
    """Reads documents in batches. `seconds` counts where the time went since it was last cleared, by part."""

    def __init__(self, checkpoint: Checkpoint, parser: text_parser.Parser, device: str = "cpu") -> None:
        self.checkpoint, self.parser, self.device = checkpoint, parser, device
        self.manifest = checkpoint.manifest
        self.network = checkpoint.network.to(device).eval()
        self.decoder = Decoder(self.manifest.inventory, self._least())
        self.seconds: dict[str, float] = defaultdict(float)
        self.grounder: Grounder | None = None  # a zero-shot detector in the place of classes' names
        if parser.version != self.manifest.parser:
            logger.warning(
                "checkpoint %s was trained with the parser %s and now reads with %s: its figures may not hold",
                self.name,
                self.manifest.parser,
                parser.version,
            )

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def digest(self) -> str:
        """Tells this checkpoint from every other one."""
        return self.checkpoint.digest

    @property
    def floor(self) -> float:
        """The lowest probability of a relation that `read` returns."""
        return self.manifest.floor

    @property
    def thresholds(self) -> dict[str, float]:
        """The probability from which a relation is asserted, by its key; "default" for those not named."""
        return dict(self.manifest.thresholds)

    @property
    def takes_facts(self) -> bool:
        """Whether its network is shown what is known of whom a document names."""
        return False

    def threshold(self, key: str) -> float:
        """The threshold of one relation."""
        return self.manifest.thresholds.get(key, self.manifest.thresholds["default"])

    def read(self, documents: Sequence[Document]) -> list[Extraction]:
        """One Extraction for each document, in their order; one that cannot be read is declined and says why."""
        try:
            return self._read(documents)
        except Exception as error:
            if len(documents) == 1:
                logger.exception("document %s could not be read", documents[0].id)
                message = f"The reader failed on this text ({type(error).__name__}: {error})."
                return [_declined(documents[0], "failed", message)]
            return [one for document in documents for one in self.read([document])]

    def batches(self, documents: Sequence[Document]) -> list[Batch]:
        """The batches that `read` makes of these documents."""
        skipped = {number for number, document in enumerate(documents) if self._decline(document)[0]}
        features, _ = self._features(passages_of(self.parser, documents, self._shows_titles(), skipped))
        return [collate([features[row] for row in rows]) for rows in batch_rows(features)]

    @torch.inference_mode()
    def encode_only(self, batches: Sequence[Batch]) -> None:
        """The bare encoder's forward passes over these batches, for comparison."""
        for batch in batches:
            self.network.encode(to_device(batch, self.device))

    def _begin(self, documents: Sequence[Document]) -> None:
        """Takes up what stands beside the words of the documents that are read next."""

    def _read(self, documents: Sequence[Document]) -> list[Extraction]:
        self._begin(documents)
        with self._timed("language"):
            verdicts = [self._decline(document) for document in documents]
        with self._timed("parse"):
            skipped = {number for number, (reason, _) in enumerate(verdicts) if reason}
            passages = passages_of(self.parser, documents, self._shows_titles(), skipped)
        readings, passages = self._readings(passages)
        grouped: list[list[int]] = [[] for _ in documents]
        for index, passage in enumerate(passages):
            grouped[passage.document].append(index)
        results = []
        for document, (reason, language), mine in zip(documents, verdicts, grouped, strict=True):
            if reason is not None:
                results.append(_declined(document, reason.code, reason.message, language))
                continue
            missing: tuple[str, ...] = ("windowed",) if any(passages[index].windowed for index in mine) else ()
            missing += self._unseen(document)
            whole = merge(document, [readings[index] for index in mine], language, missing)
            with self._timed("depict"):
                results.append(self._depicted(document, whole))
        return results

    def _depicted(self, document: Document, found: Extraction) -> Extraction:
        """With who is shown where; a network that tells it overrides this."""
        shown = depictions.depicted(document, found.mentions, self.grounder)
        new = [one for one in shown if one.score >= self.floor]
        return replace(found, relations=(*found.relations, *new)) if new else found

    def _readings(self, passages: list[Passage]) -> tuple[list[PassageReading], list[Passage]]:
        """What stands in each passage, and the passages as they had to be cut for the encoder."""
        with self._timed("features"):
            features, passages = self._features(passages)
        return [self._reading(*pair) for pair in zip(passages, self._find(features, passages), strict=True)], passages

    def _unseen(self, document: Document) -> tuple[str, ...]:
        """What of the document's pictures a network that takes them had to do without."""
        return ()

    def _shows_titles(self) -> bool:
        return self.manifest.title

    def _decline(self, document: Document) -> tuple[Declined | None, str]:
        """Why a document is not read, if it is not; and its language, "" where that cannot be told."""
        if not any(letter.isalnum() for letter in document.text):
            return Declined("empty", "There are no words in this text."), document.language
        if len(document.text) > LONGEST_TEXT:
            message = f"The text has {len(document.text)} characters; {LONGEST_TEXT} are read."
            return Declined("too_long", message), document.language
        language, _ = text_parser.detect_language(document.text)
        if language not in ("", "en"):
            message = f"The text looks like {language!r}; this reader knows English only."
            return Declined("language", message), language
        return None, language or document.language

    def _features(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        return fit(self.checkpoint.featurizer, passages)

    @torch.inference_mode()
    def _find(self, features: Sequence[Features], passages: Sequence[Passage]) -> list[Found]:
        """What stands in each passage, of which these are the features."""
        found: list[Found] = [Found()] * len(features)
        for rows in batch_rows(features):
            with self._timed("features"):
                batch = to_device(collate([features[row] for row in rows]), self.device)
            with self._timed("encode"):
                hidden: Tensor = self.network.encode(batch)
            with self._timed("head"):
                states = self.network.tag(batch, hidden)
            with self._timed("decode"):
                results = self.decoder(self.network, batch, states)
            for row, one in zip(rows, results, strict=True):
                found[row] = one
        return found

    def _reading(self, passage: Passage, found: Found) -> PassageReading:
        return calibrated(self.manifest, passage, found)

    def _least(self) -> float:
        """The lowest logit that may still reach the floor, whatever the mentions' logits."""
        calibration = self.manifest.calibration
        slope, weak, strong, gap, bias = calibration.relation
        best = (
            LARGEST * (max(weak, 0.0) + max(strong, 0.0) + max(gap, 0.0))
            + bias
            + max([0.0, *calibration.biases.values()])
        )
        return (logit(max(self.floor, 1e-6)) - best) / slope if slope > 0 else -torch.inf

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - started


def _declined(document: Document, code: str, message: str, language: str = "") -> Extraction:
    return Extraction(document.id, document.text, language, declined=Declined(code, message))
