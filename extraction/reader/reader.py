"""The Reader: extracts mentions and relations from documents; `load.reader()` loads one. No Django.

A Reader holds a mention detector and, for a pair system, a relation classifier. A joint network is a detector that
finds relations in the same pass; a tagger is a detector alone. Neither knows the other or the Reader: their inputs are
passed to them, and they keep no state between calls.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch

from extraction.features.batch import Batch, to_device
from extraction.features.featurizer import Features
from extraction.reader import entities, known_facts
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.reader.image_selection import ImageSelection
from extraction.reader.merging import merge
from extraction.reader.passages import Passage, PassageReading, Windows, batch_of, batch_rows, passages_of
from extraction.reader.stopwatch import Stopwatch
from extraction.reader.values import with_values
from extraction.schema import Declined, Document, Extraction
from extraction.text.language import detect_language, perhaps_foreign
from extraction.text.parser import Parser
from extraction.vision import depictions
from extraction.vision.grounding import Grounder

logger = logging.getLogger(__name__)

LONGEST_TEXT = 200_000  # code points


class LoadedNetwork(Protocol):
    """What a mention detector and a relation classifier have in common: a checkpoint and the input that it takes."""

    @property
    def checkpoint(self) -> LoadedCheckpoint: ...

    @property
    def images(self) -> ImageSelection: ...

    def fit(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        """Features of the passages, and the passages as they had to be cut for the encoder."""


class MentionDetector(LoadedNetwork, Protocol):
    """Finds the mentions of passages; a joint network finds the relations between them in the same pass."""

    def detect(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        features: Sequence[Features],
        watch: Stopwatch,
    ) -> list[PassageReading]:
        """The reading of each passage. `features` are those that `fit` gave for these passages."""


class RelationClassifier(LoadedNetwork, Protocol):
    """Finds the relations of mentions that a detector has found."""

    @property
    def finds_depictions(self) -> bool:
        """Whether its results include which regions show which mentions."""

    def thresholds(self, detector: Mapping[str, float]) -> dict[str, float]:
        """Its thresholds by the product's relations, with those of the detector's relations that it keeps."""

    def relate(
        self,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        features: Sequence[Features],
        detected: Sequence[PassageReading],
        watch: Stopwatch,
    ) -> list[PassageReading]:
        """The detected readings with their relations. `features` are those that `fit` gave for these passages."""


class Reader:
    """Extracts from documents in batches. `seconds`: the time by stage since it was last cleared."""

    def __init__(
        self,
        parser: Parser,
        mentions: MentionDetector,
        relations: RelationClassifier | None = None,
        grounder: Grounder | None = None,
    ) -> None:
        """`grounder` is a zero-shot detector that finds depictions, in place of the classes' names."""
        self.parser, self.mentions, self.relations, self.grounder = parser, mentions, relations, grounder
        leading: LoadedNetwork = relations or mentions
        self.checkpoint, self.images = leading.checkpoint, leading.images
        self.seconds = Stopwatch()
        for checkpoint in {id(one): one for one in (mentions.checkpoint, self.checkpoint)}.values():
            _check_parser(checkpoint, parser)

    @property
    def name(self) -> str:
        return self.checkpoint.manifest.name

    @property
    def digest(self) -> str:
        """The digest that identifies the checkpoint."""
        return self.checkpoint.digest

    @property
    def floor(self) -> float:
        """The lowest probability of a relation that `read` returns."""
        return self.checkpoint.manifest.floor

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds of relations by their keys; "default" for those not named."""
        detector = dict(self.mentions.checkpoint.manifest.thresholds)
        return detector if self.relations is None else self.relations.thresholds(detector)

    @property
    def takes_facts(self) -> bool:
        """Whether its network is shown the known facts about the entities of a document."""
        return bool(self.images.needs.facts)

    def threshold(self, key: str) -> float:
        """The threshold of one relation."""
        known = self.thresholds
        return known.get(key, known["default"])

    def read(self, documents: Sequence[Document]) -> list[Extraction]:
        """One Extraction for each document, in their order; one that cannot be analysed is declined with the reason."""
        try:
            return self._read(documents)
        except Exception as error:
            if len(documents) == 1:
                logger.exception("document %s could not be analysed", documents[0].id)
                message = f"The reader failed on this text ({type(error).__name__}: {error})."
                return [_declined(documents[0], Declined("failed", message))]
            return [one for document in documents for one in self.read([document])]

    def batches(self, documents: Sequence[Document]) -> list[Batch]:
        """Batches of these documents' sentences, in windows where the encoder reads windows."""
        skipped = {number for number, document in enumerate(documents) if _decline(document)[0]}
        features, passages = (self.relations or self.mentions).fit(self._passages(documents, skipped))
        pieces = [len(one.ids) for one in features]
        windows = Windows(self.checkpoint.manifest, self.checkpoint.featurizer, passages, pieces)
        runs = windows.runs(range(len(features)))
        return [batch_of(features, rows, windows) for rows in batch_rows(features, runs)]

    @torch.inference_mode()
    def encode_only(self, batches: Sequence[Batch]) -> None:
        """The bare encoder's forward passes over these batches, for comparison."""
        network = self.checkpoint.network
        device = next(network.parameters()).device
        for batch in batches:
            network.encode(to_device(batch, device))

    def _read(self, documents: Sequence[Document]) -> list[Extraction]:
        with self.seconds.timed("language"):
            verdicts = [_decline(document) for document in documents]
        with self.seconds.timed("parse"):
            passages = self._passages(documents, {number for number, one in enumerate(verdicts) if one[0]})
        passages, readings = self._readings(documents, passages)
        grouped: list[list[int]] = [[] for _ in documents]
        for index, passage in enumerate(passages):
            grouped[passage.document].append(index)
        results = []
        for document, (reason, language), mine in zip(documents, verdicts, grouped, strict=True):
            if reason is None:
                missing: tuple[str, ...] = ("windowed",) if any(passages[index].windowed for index in mine) else ()
                missing += self._unavailable(document)
                missing += ("language",) if perhaps_foreign(document.text) else ()
                own = [readings[index] for index in mine]
                result = merge(document, own, language, missing)
                with self.seconds.timed("entities"):
                    result = self._with_entities(document, result, [passages[index] for index in mine], own)
                with self.seconds.timed("depict"):
                    result = self._with_depictions(document, result)
            else:
                result = _declined(document, reason, language)
            results.append(self._with_inputs(document, result))
        return results

    def _passages(self, documents: Sequence[Document], skipped: set[int]) -> list[Passage]:
        return passages_of(self.parser, documents, self.mentions.checkpoint.manifest.title, skipped)

    def _readings(
        self, documents: Sequence[Document], passages: list[Passage]
    ) -> tuple[list[Passage], list[PassageReading]]:
        """The passages, cut until all networks can take them, and the reading of each."""
        with self.seconds.timed("features"):
            features, passages = self.mentions.fit(passages)
            if self.relations is not None:
                own, cut = self.relations.fit(passages)
                while len(cut) != len(passages):
                    features, passages = self.mentions.fit(cut)
                    own, cut = self.relations.fit(passages)
        readings = self.mentions.detect(documents, passages, features, self.seconds)
        if self.relations is not None:
            readings = self.relations.relate(documents, passages, own, readings, self.seconds)
        return passages, readings

    def _unavailable(self, document: Document) -> tuple[str, ...]:
        """The inputs of its network that this document does not have."""
        facts = ("facts",) if self.takes_facts and document.facts is None else ()
        return (*facts, *self.images.unavailable(document))

    def _with_entities(
        self, document: Document, result: Extraction, passages: Sequence[Passage], readings: Sequence[PassageReading]
    ) -> Extraction:
        """The extraction with its mentions brought together and its values resolved, of a detector that finds what
        refers to the entities of an article."""
        scorer = getattr(self.mentions.checkpoint.network, "coreference", None)
        if scorer is None:
            return result
        return with_values(document, entities.bring_together(result, entities.as_read(passages, readings), scorer))

    def _with_depictions(self, document: Document, result: Extraction) -> Extraction:
        """The extraction with the regions that show its mentions, unless a network has found these already."""
        if self.relations is not None and self.relations.finds_depictions:
            return result
        shown = depictions.depicted(document, result.mentions, self.grounder)
        new = [one for one in shown if one.score >= self.floor]
        return replace(result, relations=(*result.relations, *new)) if new else result

    def _with_inputs(self, document: Document, result: Extraction) -> Extraction:
        """The extraction with the pictures and facts that the network was given."""
        selected = self.images.with_selection(result, document)
        return known_facts.marked(selected, document.facts) if self.takes_facts and document.facts else selected


def _check_parser(checkpoint: LoadedCheckpoint, parser: Parser) -> None:
    """Warn where the parser is not the one that the network was trained with; one without a parser takes any."""
    if checkpoint.manifest.parser not in ("none", parser.version):
        logger.warning(
            "checkpoint %s was trained with the parser %s and now runs with %s: its metrics may not hold",
            checkpoint.manifest.name,
            checkpoint.manifest.parser,
            parser.version,
        )


def _decline(document: Document) -> tuple[Declined | None, str]:
    """The reason to decline a document, if any, and its language, "" where that is not known."""
    if not any(letter.isalnum() for letter in document.text):
        return Declined("empty", "This text is empty."), document.language
    if len(document.text) > LONGEST_TEXT:
        message = f"The text has {len(document.text)} characters; at most {LONGEST_TEXT} can be analysed."
        return Declined("too_long", message), document.language
    language, _ = detect_language(document.text)
    declared = document.language.split("-")[0].lower()
    if not language and declared not in ("", "en"):
        message = f"Its page or feed declares this text as {declared!r}; this reader supports English only."
        return Declined("language", message), declared
    if language not in ("", "en"):
        message = f"The text looks like {language!r}; this reader supports English only."
        return Declined("language", message), language
    return None, language or document.language


def _declined(document: Document, reason: Declined, language: str = "") -> Extraction:
    return Extraction(document.id, document.text, language, declined=reason)
