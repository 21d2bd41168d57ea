"""The Extractor, a checkpoint that reads documents: `Extractor.load().read([Document("1", "…")])`. No Django."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from extraction.features.batch import Batch, collate, to_device
from extraction.features.featurizer import Features, TooManyPieces, by_length
from extraction.labels import RELATIONS
from extraction.reader.attribution import Support
from extraction.reader.calibration import LARGEST
from extraction.reader.checkpoint import SHIPPED, Checkpoint
from extraction.reader.decoding import Decoder, Found, logit
from extraction.schema import Declined, Document, Extraction, Mention, Region, Relation, WeightGrid, Words
from extraction.text import parser as text_parser
from extraction.text.language import detect_language
from extraction.vision import depictions
from extraction.vision.grounding import Grounder

logger = logging.getLogger(__name__)

WINDOW, OVERLAP = 100, 20  # words of a sentence that are read at once, and that neighbouring windows share
LONGEST_TEXT = 200_000  # code points
BATCH_PIECES = 1600  # padded word pieces a batch: larger gains nothing on a processor

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, or a window of one, of document number `document`; `words.spans` count in the document's text."""

    document: int
    words: Words
    title: tuple[str, ...] = ()
    windowed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one passage, with calibrated scores and in code points."""

    mentions: dict[Span, Mention]
    relations: dict[tuple[Span, Span, str], float]
    shown: list[tuple[Span, Region, str, float]] = field(default_factory=list)  # regions that a mention is related to
    supports: dict[tuple[Span, Span, str], Support] = field(default_factory=dict)  # of relations, by the picture
    grids: list[WeightGrid] = field(default_factory=list)


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

    @classmethod
    def load(
        cls, path: Path | str | None = None, device: str = "cpu", parser: text_parser.Parser | None = None
    ) -> Extractor:
        """The checkpoint in this folder, or the shipped one. Raises CheckpointError or text.ParserMissing."""
        checkpoint = Checkpoint.load(Path(path) if path else SHIPPED)
        parser = parser or text_parser.Parser.load()
        if checkpoint.manifest.head != "word_pairs" or checkpoint.network.needs.objects:
            from extraction.reader.pair_extractor import reader

            return reader(checkpoint, device, parser)
        return cls(checkpoint, parser, device)

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
        passages = self._passages(documents, [self._decline(document)[0] for document in documents])
        features, _ = self._features(passages)
        return [collate([features[row] for row in rows]) for rows in _batch_rows(features)]

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
            passages = self._passages(documents, [reason for reason, _ in verdicts])
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
            whole = _merge(document, [readings[index] for index in mine], language, missing)
            with self._timed("depict"):
                results.append(self._depicted(document, whole))
        return results

    def _depicted(self, document: Document, found: Extraction) -> Extraction:
        """With who is shown where; a network that tells it overrides this."""
        shown = depictions.depicted(document, found.mentions, self.grounder)
        new = [one for one in shown if one.score >= self.floor]
        return replace(found, relations=(*found.relations, *new)) if new else found

    def _readings(self, passages: list[Passage]) -> tuple[list[Reading], list[Passage]]:
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
            return Declined("empty", "This text is empty."), document.language
        if len(document.text) > LONGEST_TEXT:
            message = f"The text has {len(document.text)} characters; at most {LONGEST_TEXT} can be analysed."
            return Declined("too_long", message), document.language
        language, _ = detect_language(document.text)
        if language not in ("", "en"):
            message = f"The text looks like {language!r}; this reader supports English only."
            return Declined("language", message), language
        return None, language or document.language

    def _passages(self, documents: Sequence[Document], declined: Sequence[Declined | None]) -> list[Passage]:
        """The sentences of all documents that are read, the title's apart from the body's."""
        parts = []
        for index, (document, reason) in enumerate(zip(documents, declined, strict=True)):
            if reason is None:
                title = min(document.title_end, len(document.text))
                parts += [(index, 0, document.text[:title]), (index, title, document.text[title:])]
        passages: list[Passage] = []
        title_words: tuple[str, ...] = ()
        parsed = self.parser.parse_texts([part for _, _, part in parts])
        for (index, start, _), sentences in zip(parts, parsed, strict=True):
            for words in sentences:
                shown = title_words if start and self._shows_titles() else ()
                passages += _windows(Passage(index, _moved(words, start), shown), WINDOW)
            title_words = () if start else tuple(word for words in sentences for word in words.words)
        return passages

    def _features(self, passages: Sequence[Passage]) -> tuple[list[Features], list[Passage]]:
        """Features of each passage; one with more pieces than the encoder has positions is cut further."""
        left = list(passages)
        while True:
            try:
                made = self.checkpoint.featurizer.make([one.words for one in left], [one.title for one in left])
                return made, left
            except TooManyPieces as problem:
                place = problem.args[0]
                cut = _windows(left[place], max(1, len(left[place].words.words) // 2))
                if len(cut) == 1:
                    cut = [replace(left[place], title=())] if left[place].title else []
                left[place : place + 1] = cut

    @torch.inference_mode()
    def _find(self, features: Sequence[Features], passages: Sequence[Passage]) -> list[Found]:
        """What stands in each passage, of which these are the features."""
        found: list[Found] = [Found()] * len(features)
        for rows in _batch_rows(features):
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

    def _reading(self, passage: Passage, found: Found) -> Reading:
        inventory, calibration = self.manifest.inventory, self.manifest.calibration
        spans = [_code_points(passage.words, one.start, one.end) for one in found.mentions]
        scores = calibration.mentions(found)
        mentions = {
            span: Mention(*span, inventory.types[one.type], score)
            for span, one, score in zip(spans, found.mentions, scores, strict=True)
        }
        keys = inventory.relation_keys
        relations = {
            (spans[one.head], spans[one.tail], keys[one.relation]): score
            for one, score in zip(found.relations, calibration.relations(found, keys), strict=True)
            if score >= self.floor
        }
        return Reading(mentions, relations)

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


def _moved(words: Words, start: int) -> Words:
    """The same words in a text where theirs begins at `start`."""
    return replace(words, spans=tuple((a + start, b + start) for a, b in words.spans)) if start else words


def _windows(passage: Passage, limit: int) -> list[Passage]:
    pieces = text_parser.windows(passage.words, limit, min(OVERLAP, limit // 4))
    windowed = passage.windowed or len(pieces) > 1
    return [replace(passage, words=piece, windowed=windowed) for piece in pieces]


def _code_points(words: Words, start: int, end: int) -> Span:
    return words.spans[start][0], words.spans[end - 1][1]


def _batch_rows(features: Sequence[Features]) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in by_length(features):
        if batch and len(features[index].ids) * (len(batch) + 1) > BATCH_PIECES:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _merge(document: Document, readings: Sequence[Reading], language: str, missing: tuple[str, ...]) -> Extraction:
    """One Extraction of all passages. Where windows overlap and disagree the surer mention stays."""
    mentions: dict[Span, Mention] = {}
    for reading in readings:
        for span, mention in reading.mentions.items():
            if span not in mentions or mentions[span].score < mention.score:
                mentions[span] = mention
    kept: list[Mention] = []
    for mention in sorted(mentions.values(), key=lambda one: (one.start, one.end)):
        if kept and mention.start < kept[-1].end:
            if mention.score > kept[-1].score:
                kept[-1] = mention
            continue
        kept.append(mention)
    index = {(mention.start, mention.end): place for place, mention in enumerate(kept)}
    best: dict[tuple[int, int, str], Relation] = {}
    for reading in readings:
        for (head, tail, key), score in reading.relations.items():
            if head in index and tail in index and _same_ends(reading, head, tail, mentions):
                place = (*_in_order(index[head], index[tail], key), key)
                held = reading.supports.get((head, tail, key), Support())
                best[place] = _surer(best.get(place), Relation(*place, score, held.evidence, held.without_image))
    both = _both_ways(best, kept)
    relations = tuple(both[place] for place in sorted(both)) + _shown(readings, index)
    return Extraction(
        *(document.id, document.text, language, tuple(kept), relations, missing),
        regions=document.regions,
        scene=document.scene,
        grids=tuple(grid for reading in readings for grid in reading.grids),
        contents=document.contents,
    )


def _surer(one: Relation | None, other: Relation) -> Relation:
    """The surer of two that say the same; without the picture, too, the surer of both would stand."""
    if one is None:
        return other
    without = [score for score in (one.without_image, other.without_image) if score is not None]
    return replace(one if one.score >= other.score else other, without_image=max(without, default=None))


def _both_ways(
    best: Mapping[tuple[int, int, str], Relation], mentions: Sequence[Mention]
) -> dict[tuple[int, int, str], Relation]:
    """What a place lies in contains it: a relation and its inverse are one fact, and as sure as the surer of them.

    A network scores the two apart. Without this a query for one of them would miss what only the other says. And what
    has an inverse does not hold the other way round too: of two such answers the less sure one is wrong.
    """
    both = dict(best)
    for (head, tail, key), relation in best.items():
        inverse = RELATIONS[key].inverse if key in RELATIONS else None
        if inverse and RELATIONS[inverse].permits(mentions[tail].type, mentions[head].type):
            turned = replace(relation, head=tail, tail=head, key=inverse)
            both[tail, head, inverse] = _surer(both.get((tail, head, inverse)), turned)
    return {place: relation for place, relation in both.items() if not _outdone(*place, both)}


def _outdone(head: int, tail: int, key: str, found: Mapping[tuple[int, int, str], Relation]) -> bool:
    """Whether the contrary of what was found is surer. Of two as sure one stands, the same under both names."""
    contrary = found.get((tail, head, key))
    inverse = RELATIONS[key].inverse if key in RELATIONS else None
    if contrary is None or inverse is None:
        return False
    score = found[head, tail, key].score
    return contrary.score > score or (contrary.score == score and (head < tail) != (key < inverse))


def _shown(readings: Sequence[Reading], index: dict[Span, int]) -> tuple[Relation, ...]:
    """The relations of mentions and regions, each once."""
    best: dict[tuple[int, Region, str], float] = {}
    for reading in readings:
        for head, region, key, score in reading.shown:
            if head in index:
                place = (index[head], region, key)
                best[place] = max(score, best.get(place, 0.0))
    return tuple(Relation(*place, score) for place, score in best.items())


def _in_order(head: int, tail: int, key: str) -> tuple[int, int]:
    """The ends as they are; those of a symmetric relation, which is found both ways, once and in the text's order."""
    symmetric = key in RELATIONS and RELATIONS[key].symmetric
    return (tail, head) if symmetric and tail < head else (head, tail)


def _same_ends(reading: Reading, head: Span, tail: Span, mentions: dict[Span, Mention]) -> bool:
    """Whether the types that a window saw are those that stayed: a relation is permitted between certain types only."""
    return all(reading.mentions[span].type == mentions[span].type for span in (head, tail))
