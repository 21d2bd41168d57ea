"""Passages (sentences of documents, or windows of long ones), and their readings.

No Django.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from extraction.features.batch import Batch, collate
from extraction.features.featurizer import LONGEST_TITLE, Features, Featurizer, TooManyPieces
from extraction.features.windows import Window, in_windows, windows_of
from extraction.reader.attribution import Support
from extraction.reader.checkpoint import Manifest
from extraction.reader.decoding import DecodedSentence
from extraction.schema import FACTUALITIES, FORMS, Document, ExtractedMention, Factuality, Region, WeightGrid, Words
from extraction.text import parser as text_parser

WINDOW, OVERLAP = 100, 20  # words of a window, and words that neighbouring windows share
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
class Qualifiers:
    """What was read of an assertion beside its relation: its factuality, and the mentions that give the rest."""

    factuality: Factuality = "stated"
    by: Span | None = None
    when: Span | None = None
    amount: Span | None = None


@dataclass(frozen=True, slots=True)
class PassageReading:
    """The mentions and relations of one passage, with calibrated scores and spans in code points.

    `states`: of each mention [first word; last word] (2d,), of a network with coreference.
    """

    mentions: dict[Span, ExtractedMention]
    relations: dict[tuple[Span, Span, str], float]
    shown: list[tuple[Span, Region, str, float]] = field(default_factory=list)  # regions that a mention is related to
    supports: dict[tuple[Span, Span, str], Support] = field(default_factory=dict)  # of relations, by the picture
    grids: list[WeightGrid] = field(default_factory=list)
    qualifiers: dict[tuple[Span, Span, str], Qualifiers] = field(default_factory=dict)
    states: dict[Span, NDArray[np.float32]] = field(default_factory=dict)


def passages_of(
    parser: text_parser.Parser, documents: Sequence[Document], titled: bool, skipped: Collection[int] = ()
) -> list[Passage]:
    """The sentences of all documents but the skipped ones, those of the title separate from those of the body.

    `titled`: a body's passages get the title as context. `skipped` holds numbers of documents.
    """
    parts = []
    for index, document in enumerate(documents):
        if index not in skipped:
            title = min(document.title_end, len(document.text))
            parts += [(index, 0, document.text[:title]), (index, title, document.text[title:])]
    passages: list[Passage] = []
    title_words: tuple[str, ...] = ()
    parsed = parser.parse_texts([part for _, _, part in parts])
    for (index, start, _), sentences in zip(parts, parsed, strict=True):
        for words in sentences:
            shown = title_words if start and titled else ()
            passages += windows(Passage(index, _moved(words, start), shown), WINDOW)
        title_words = () if start else tuple(word for words in sentences for word in words.words)
    return passages


def fit(
    featurizer: Featurizer, passages: Sequence[Passage], titled: bool = True
) -> tuple[list[Features], list[Passage]]:
    """Features of each passage, `titled` after its title; one with more pieces than the encoder has positions is cut
    further."""
    left = list(passages)
    while True:
        try:
            return featurizer.make([one.words for one in left], [one.title for one in left] if titled else None), left
        except TooManyPieces as problem:
            place = problem.args[0]
            cut = windows(left[place], max(1, len(left[place].words.words) // 2))
            if len(cut) == 1:
                cut = [replace(left[place], title=())] if left[place].title else []
            left[place : place + 1] = cut


def windows(passage: Passage, limit: int) -> list[Passage]:
    """The passage, cut where it has more than `limit` words."""
    pieces = text_parser.windows(passage.words, limit, min(OVERLAP, limit // 4))
    windowed = passage.windowed or len(pieces) > 1
    return [replace(passage, words=piece, windowed=windowed) for piece in pieces]


def batch_rows(features: Sequence[Features], runs: Sequence[Sequence[int]] = ()) -> Iterator[list[int]]:
    """Indexes of passages of similar length, at most BATCH_PIECES padded pieces a batch. `runs`: passages that stay
    together because the encoder reads them together; none = each by itself."""
    runs = runs or [[index] for index in range(len(features))]
    lengths = [sum(len(features[index].ids) for index in run) for run in runs]
    batch: list[int] = []
    count = 0
    for place in sorted(range(len(runs)), key=lengths.__getitem__):
        if batch and lengths[place] * (count + 1) > BATCH_PIECES:
            yield batch
            batch, count = [], 0
        batch += runs[place]
        count += 1
    if batch:
        yield batch


class Windows:
    """The windows in which an encoder reads passages: neighbours of one document, after the document's title."""

    def __init__(self, manifest: Manifest, featurizer: Featurizer, passages: Sequence[Passage], pieces: Sequence[int]):
        self.limit, self.passages, self.pieces = manifest.window, passages, pieces
        titles = list(dict.fromkeys(one.title for one in passages if one.title)) if self.limit else []
        made = featurizer.make([Words((), title[:LONGEST_TITLE]) for title in titles])
        self.titles = dict(zip(titles, made, strict=True))

    def runs(self, places: Sequence[int]) -> list[list[int]]:
        """These passages, given in their order, in runs that the encoder reads together."""
        if not self.limit:
            return [[place] for place in places]
        texts = [self.passages[place].document for place in places]
        found = windows_of(texts, [self.pieces[place] for place in places], self.limit)
        return [[places[index] for index in run] for run in found]

    def of(self, chosen: Sequence[int]) -> list[Window]:
        """The windows of a batch of these passages, whose runs are whole; [] where each is read by itself."""
        if not self.limit:
            return []
        place = {passage: row for row, passage in enumerate(chosen)}
        return [
            Window(tuple(place[one] for one in run), self.titles.get(self.passages[run[0]].title))
            for run in self.runs(chosen)
        ]


def batch_of(features: Sequence[Features], rows: Sequence[int], windows: Windows) -> Batch:
    """The batch of these passages, as the encoder reads them: in windows, or each by itself."""
    own = [features[row] for row in rows]
    batch, together = collate(own), windows.of(rows)
    return in_windows(batch, own, together) if together else batch


def calibrated(manifest: Manifest, passage: Passage, sentence: DecodedSentence) -> PassageReading:
    """The calibrated reading of a decoded passage; relations below the manifest's floor are left out."""
    inventory, calibration = manifest.inventory, manifest.calibration
    spans = [_code_points(passage.words, one.start, one.end) for one in sentence.mentions]
    scores = calibration.mentions(sentence)
    mentions = {
        span: ExtractedMention(*span, inventory.types[one.type], score, FORMS[one.form])
        for span, one, score in zip(spans, sentence.mentions, scores, strict=True)
    }
    keys = inventory.relation_keys
    relations: dict[tuple[Span, Span, str], float] = {}
    qualifiers: dict[tuple[Span, Span, str], Qualifiers] = {}
    for one, score in zip(sentence.relations, calibration.relations(sentence, keys), strict=True):
        if score >= manifest.floor:
            place = (spans[one.head], spans[one.tail], keys[one.relation])
            relations[place] = score
            if one.roles:
                roles = (None if index is None else spans[index] for index in one.roles)
                qualifiers[place] = Qualifiers(FACTUALITIES[one.factuality], *roles)
    return PassageReading(mentions, relations, qualifiers=qualifiers)


def word_spans(passage: Passage, spans: Collection[Span]) -> list[Span]:
    """Spans of mentions in word positions, in the order of the text."""
    starts = {span[0]: place for place, span in enumerate(passage.words.spans)}
    ends = {span[1]: place + 1 for place, span in enumerate(passage.words.spans)}
    return [(starts[start], ends[end]) for start, end in sorted(spans)]


def _moved(words: Words, start: int) -> Words:
    """The words with spans moved by `start`."""
    return replace(words, spans=tuple((a + start, b + start) for a, b in words.spans)) if start else words


def _code_points(words: Words, start: int, end: int) -> Span:
    return words.spans[start][0], words.spans[end - 1][1]
