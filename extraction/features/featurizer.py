"""Compute the features of sentences for networks. The same code serves training and production.

A `Features` holds numpy arrays of one sentence: its word pieces, its words' shapes and parts of speech, its dependency
tree and its co-occurrence channel. `Featurizer` computes them from the parser's `Words`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from extraction.features.cooccurrence import PmiTable
from extraction.schema import Words

UNCONNECTED = 127  # hops between words of two trees
LONGEST_WORD = 48  # code points of a word that the encoder takes: a URL would fill its input
LONGEST_TITLE = 24  # words of the context before a sentence

SHAPES = (
    "",
    "lower",
    "title",
    "upper",
    "initial",
    "mixed",
    "number",
    "digits",
    "mark",
    "at",
    "hash",
    "url",
    "dotted",
    "other",
)
_SHAPE = {name: index for index, name in enumerate(SHAPES)}
_NUMBER = re.compile(r"[+\-$€£#]?\d[\d.,:/\-]*%?")
_DOTTED = re.compile(r"(?:[A-Za-z]\.){2,}[A-Za-z]?")

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Features:
    """One sentence: L word pieces, n words. `first[i]` is word i's first piece; `heads` and `deps` are its tree."""

    ids: Ints  # (L,)
    shapes: Ints  # (L,) of the word that a piece belongs to; 0 = none
    first: Ints  # (n,)
    pos: Ints  # (n,) 0 is padding
    heads: Ints  # (n,)
    deps: Ints  # (n,) edge type of the arc to the governor
    hops: NDArray[np.uint8]  # (n, n)
    together: NDArray[np.uint8]  # (n, n)

    def __len__(self) -> int:
        return len(self.first)


class TooManyPieces(Exception):
    """A sentence has more word pieces than the encoder has positions; cut it and try again."""


class Featurizer:
    """Holds all vocabularies of a checkpoint. Edge types: 0 not adjacent, 1 self-loop, then the parser's relations."""

    def __init__(
        self, tokenizer: Tokenizer, pos: Sequence[str], deps: Sequence[str], pmi: PmiTable, pieces: int = 512
    ) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.pos, self.deps, self.pmi, self.pieces = tuple(pos), tuple(deps), pmi, pieces
        self._pos = {label: index + 1 for index, label in enumerate(pos)}
        self._deps = {label: index + 2 for index, label in enumerate(deps)}

    @property
    def pos_size(self) -> int:
        """Number of part-of-speech indexes: padding, the labels, unknown."""
        return len(self.pos) + 2

    @property
    def edge_size(self) -> int:
        """Number of edge types: none, self-loop, the labels, unknown."""
        return len(self.deps) + 3

    def make(
        self, sentences: Sequence[Words], before: Sequence[Sequence[str]] | None = None, own: bool = False
    ) -> list[Features]:
        """Features of each sentence after the context words of the same index. `own`: see `PmiTable.look_up`.

        Raises TooManyPieces, naming the sentence's index in `args[0]`.
        """
        contexts = [tuple(words[:LONGEST_TITLE]) for words in before] if before else [()] * len(sentences)
        encodings = self._pieces(sentences, contexts)
        features = []
        for index, (words, context, encoding) in enumerate(zip(sentences, contexts, encodings, strict=True)):
            if len(encoding.ids) > self.pieces:
                raise TooManyPieces(index)
            features.append(self._make(words, context, encoding, own))
        return features

    def _pieces(self, sentences: Sequence[Words], contexts: Sequence[Sequence[str]]) -> list[Encoding]:
        inputs: list[object] = []
        for words, context in zip(sentences, contexts, strict=True):
            text = [word[:LONGEST_WORD] for word in words.words]
            inputs.append(([word[:LONGEST_WORD] for word in context], text) if context else text)
        encodings: list[Encoding] = self.tokenizer.encode_batch(inputs, is_pretokenized=True)
        return encodings

    def _make(self, words: Words, context: Sequence[str], encoding: Encoding, own: bool) -> Features:
        ids = np.asarray(encoding.ids, np.int64)
        word_of = np.asarray([-1 if word is None else word for word in encoding.word_ids], np.int64)
        text = 1 if context else 0
        side = np.asarray([-1 if part is None else part for part in encoding.sequence_ids], np.int64)
        shapes = np.zeros(len(ids), np.int64)
        for part, tokens in ((text, words.words), (0, context)):
            of_words = np.asarray([shape(token) for token in tokens], np.int64)
            mine = side == part
            shapes[mine] = of_words[word_of[mine]] if len(tokens) else 0
        places = np.flatnonzero(side == text)
        first = np.zeros(len(words.words), np.int64)  # a word that the tokenizer drops uses the first position
        first[word_of[places][::-1]] = places[::-1]
        return Features(ids, shapes, first, *self._grammar(words), self.pmi.look_up(words.words, own))

    def _grammar(self, words: Words) -> tuple[Ints, Ints, Ints, NDArray[np.uint8]]:
        size = len(words.words)
        unknown_pos, unknown_dep = self.pos_size - 1, self.edge_size - 1
        tags, deps = words.tags or ("",) * size, words.deps or ("",) * size
        heads = np.asarray(words.heads or range(size), np.int64)
        pos = np.asarray([self._pos.get(tag, unknown_pos) for tag in tags], np.int64)
        kinds = np.asarray([self._deps.get(dep, unknown_dep) for dep in deps], np.int64)
        return pos, heads, kinds, tree_hops(heads)


def tree_hops(heads: Ints) -> NDArray[np.uint8]:
    """Hops (n, n) between words along the tree; UNCONNECTED where there is none or it is longer.

    Two words have as many ancestors in common (themselves included) as their lowest common one has ancestors.
    """
    size = len(heads)
    ancestors, words = np.eye(size, dtype=np.float32), np.arange(size)
    current = heads
    for _ in range(size):
        ancestors[words, current] = 1.0
        above = heads[current]
        if (above == current).all():
            break
        current = above
    else:  # some words form a cycle, which no parser should return: they become roots
        return tree_hops(np.where(current == heads[current], heads, words))
    shared = ancestors @ ancestors.T
    depth = np.diag(shared)
    hops = depth[:, None] + depth[None, :] - 2 * shared
    return np.where(shared > 0, np.minimum(hops, UNCONNECTED), UNCONNECTED).astype(np.uint8)


def shape(word: str) -> int:
    """The index in SHAPES of a word's shape: which an uncased encoder does not distinguish."""
    return _SHAPE[_shape(word)]


def _shape(word: str) -> str:
    if word.isalpha():
        return _letters(word)
    if word[:1] in "@#" and len(word) > 1 and word[1].isalnum():
        return "at" if word[0] == "@" else "hash"
    if word.startswith(("http:", "https:", "www.")):
        return "url"
    if _NUMBER.fullmatch(word):
        return "number"
    if any(letter.isdigit() for letter in word):
        return "digits"
    if _DOTTED.fullmatch(word):
        return "dotted"
    letters = "".join(letter for letter in word if letter.isalpha())
    return _letters(letters) if letters else "mark"


def _letters(word: str) -> str:
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper" if len(word) > 1 else "initial"
    if word[0].isupper() and word[1:].islower():
        return "title"
    return "mixed" if any(letter.isupper() for letter in word) else "other"
