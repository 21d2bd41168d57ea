"""Parse texts into sentences of words with parts of speech and a dependency tree.

Any spaCy pipeline works. The shipped one (`weights/parser-en`, made by `manage.py train_parser`) gives Universal
Dependencies: UPOS tags, UD relations, and sentence bounds that the parser finds with the tree. Its metrics are in
`docs/parser.md`. All offsets are Unicode code points of the original text: nothing here normalises a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from extraction.schema import Words
from extraction.text.cleaning import SURROGATES
from extraction.text.line_joins import LINE, join_lines
from extraction.text.sentence_bounds import starts

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

SHIPPED = Path(__file__).parents[1] / "weights" / "parser-en"
UPOS: tuple[str, ...] = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ"),
    *("SYM", "VERB", "X"),
)
ROOT, UNKNOWN = "root", "dep"
BATCH = 256  # texts a parser call
LONGEST_LINE = 20_000  # code points; all of a paragraph is held at once
LONGEST_RUN = 250  # code points without white space; spaCy's tokenizer takes quadratic time on a run of marks
REMEMBERED = 100_000  # words kept with their features for speed; some 50 MB
_RUN = re.compile(rf"\S{{{LONGEST_RUN}}}(?=\S)")


class ParserMissing(Exception):
    """The parser's pipeline is missing or cannot be loaded; the message names the remedy."""


class Parser:
    """A loaded pipeline, for one thread. `version` identifies it in checkpoints, because another pipeline gives other
    trees.

    The memory of a worker would grow for weeks, so from `REMEMBERED` words on a call releases those that it adds.
    """

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self.version = "{lang}_{name} {version}".format(**nlp.meta)
        self.pos_labels = UPOS
        parsed = nlp.get_pipe("parser").labels if nlp.has_pipe("parser") else ()  # type: ignore[attr-defined]
        relations = {_dep(label) for label in parsed} - {ROOT, UNKNOWN}
        self.dep_labels = (ROOT, UNKNOWN, *sorted(relations))
        self._names = cache(self._name)

    @classmethod
    def load(cls, path: Path | str | None = None) -> Parser:
        """The shipped pipeline, or any other that `spacy.load` knows by name or folder. Raises ParserMissing."""
        import spacy

        try:
            nlp = spacy.load(path or SHIPPED, exclude=["ner", "lemmatizer", "attribute_ruler"])
        except (OSError, ValueError) as error:
            remedy = (
                "Name an installed spaCy pipeline, or leave the setting empty for the one shipped with kgbuilder."
                if path
                else "It belongs to kgbuilder: get a whole copy, or make it with `manage.py train_parser`."
            )
            raise ParserMissing(f"The parser {path or SHIPPED} cannot be loaded ({error}). {remedy}") from error
        if not {"parser", "senter", "sentencizer"} & set(nlp.pipe_names):
            nlp.add_pipe("sentencizer")
        return cls(nlp)

    def parse_texts(self, texts: Sequence[str]) -> list[list[Words]]:
        """The sentences of each text in order; white space belongs to no word. A line's end ends a sentence unless
        `join_lines` finds that it lies within one."""
        sentences: list[list[Words]] = [[] for _ in texts]
        with self._memory():
            pieces = [(index, start, piece) for index, text in enumerate(texts) for start, piece in _pieces(text)]
            tokenized = [self._tokenize(piece) for _, _, piece in pieces]
            parsed = self._nlp.pipe([doc for doc, _ in tokenized], batch_size=BATCH)
            for (index, start, _), (_, places), doc in zip(pieces, tokenized, parsed, strict=True):
                sentences[index] += self._sentences(doc, [(start + a, start + b) for a, b in places])
        return sentences

    def parse_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]:
        """One `Words` for each tokenized sentence; spans count in the words joined by single spaces."""
        from spacy.tokens import Doc

        with self._memory():
            docs = [
                Doc(self._nlp.vocab, words=[_printable(word) for word in words], sent_starts=_one_sentence(len(words)))
                for words in sentences
            ]
            parsed = self._nlp.pipe(docs, batch_size=BATCH)
            return [
                self._words(self._table(doc), words, _joined(words), 0, len(words))
                for doc, words in zip(parsed, sentences, strict=True)
            ]

    def _memory(self) -> AbstractContextManager[object]:
        return self._nlp.memory_zone() if len(self._nlp.vocab.strings) > REMEMBERED else nullcontext()

    def _tokenize(self, piece: str) -> tuple[Doc, list[tuple[int, int]]]:
        """A Doc of the words of `piece` without its white space, marked where no sentence starts; the words' spans."""
        from spacy.tokens import Doc

        tokens = [token for token in self._nlp.make_doc(_printable(piece)) if not token.is_space]
        words = [token.text for token in tokens]
        spaces = [bool(token.whitespace_) for token in tokens]
        doc = Doc(self._nlp.vocab, words=words, spaces=spaces, sent_starts=starts(words, spaces))
        return doc, [(token.idx, token.idx + len(token)) for token in tokens]

    def _sentences(self, doc: Doc, spans: list[tuple[int, int]]) -> Iterator[Words]:
        if not len(doc):
            return
        table, words = self._table(doc), [token.text for token in doc]
        bounds = [0, *(index for index, start in enumerate(table[3]) if start == 1 and index), len(doc)]
        for start, end in pairwise(bounds):
            yield self._words(table, words, spans, start, end)

    def _table(self, doc: Doc) -> list[list[int]]:
        """Heads (as distances), tags, relations and sentence starts of a Doc, as four lists of its length."""
        from spacy.attrs import DEP, HEAD, POS, SENT_START

        heads, tags, deps, starts = doc.to_array([HEAD, POS, DEP, SENT_START]).T
        return [heads.astype("int64").tolist(), tags.tolist(), deps.tolist(), starts.astype("int64").tolist()]

    def _words(
        self, table: list[list[int]], words: Sequence[str], spans: Sequence[tuple[int, int]], start: int, end: int
    ) -> Words:
        heads, tags, deps, _ = table
        governors = [index + heads[index] - start for index in range(start, end)]
        return Words(
            spans=tuple(spans[start:end]),
            words=tuple(words[start:end]),
            tags=tuple(self._names(("tag", key)) for key in tags[start:end]),
            # a pipeline whose sentences come from elsewhere may join words over a bound: such a word becomes a root
            heads=tuple(head if 0 <= head < end - start else place for place, head in enumerate(governors)),
            deps=tuple(self._names(("dep", key)) for key in deps[start:end]),
        )

    def _name(self, key: tuple[str, int]) -> str:
        name = self._nlp.vocab.strings[key[1]]
        if key[0] == "tag":
            return name if name in UPOS else "X"
        return _dep(name) if _dep(name) in self.dep_labels else UNKNOWN


def windows(words: Words, limit: int, overlap: int) -> list[Words]:
    """`words` cut into pieces of at most `limit` words, each sharing `overlap` with the one before; whole if it fits.

    A word whose governor lies outside its piece becomes a root there. Raises ValueError unless 0 <= overlap < limit.
    """
    if not 0 <= overlap < limit:
        raise ValueError(f"an overlap of {overlap} words does not fit windows of {limit}")
    if len(words.words) <= limit:
        return [words]
    starts = range(0, len(words.words) - overlap, limit - overlap)
    return [_window(words, start, min(start + limit, len(words.words))) for start in starts]


def _window(words: Words, start: int, end: int) -> Words:
    heads = tuple(head - start if start <= head < end else at for at, head in enumerate(words.heads[start:end]))
    part = slice(start, end)
    return Words(words.spans[part], words.words[part], words.tags[part], heads, words.deps[part])


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The paragraphs of a text with their starts: lines, joined where they were broken within a sentence. Those over a
    limit are cut, at white space where there is some."""
    text = join_lines(text)
    for line in LINE.finditer(text):
        start, end = line.span()
        for stop in [*(run.end() for run in _RUN.finditer(text, start, end)), end]:
            while start < stop:
                cut = stop if stop - start <= LONGEST_LINE else text.rfind(" ", start, start + LONGEST_LINE) + 1
                cut = cut or start + LONGEST_LINE
                if not text[start:cut].isspace():
                    yield start, text[start:cut]
                start = cut


def _printable(text: str) -> str:
    """spaCy stores words as UTF-8, which has no surrogates; the replacement keeps the length."""
    return SURROGATES.sub("\ufffd", text)


def _one_sentence(length: int) -> list[bool | int | None]:
    return [1, *[-1] * (length - 1)] if length else []


def _joined(words: Sequence[str]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return spans


def _dep(label: str) -> str:
    """A label as UD writes it: spaCy writes ROOT, and marks lifted arcs with "||" and the governor's label."""
    return ROOT if label == "ROOT" else label.split("||")[0]
