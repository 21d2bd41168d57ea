"""The co-occurrence channel: pointwise mutual information of word pairs, counted on training texts only.

Words are stored as hashes, so that the table in a checkpoint contains no text. A pair is counted in whatever order its
words stand, so two different words are expected together twice as often as one order of them would be. (Tables counted
before decision 32 lack this factor: their values are one bit too high. A checkpoint keeps the table that it was trained
with.)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 8  # words; open in the paper
UNSEEN, NEGATIVE, ZERO = 0, 1, 2  # indexes of the channel; ZERO + v stands for a rounded-up PMI of v >= 0
HIGHEST = 15
LEVELS = ZERO + HIGHEST + 1

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class PmiTable:
    """Sorted pair keys and their level; `rarer` is the level when one occurrence is left out (training only)."""

    keys: Keys
    levels: NDArray[np.uint8]
    rarer: NDArray[np.uint8]

    @classmethod
    def empty(cls) -> PmiTable:
        none = np.zeros(0, np.uint8)
        return cls(np.zeros(0, np.uint64), none, none)

    @classmethod
    def count(cls, sentences: Iterable[Sequence[str]], minimum: int = 3, largest: int = 400_000) -> PmiTable:
        """Count pairs at most WINDOW words apart; keep those with `minimum` counts, at most the `largest` commonest."""
        hashed = [hashes(words) for words in sentences]
        if not hashed:
            return cls.empty()
        words, frequencies = np.unique(np.concatenate(hashed), return_counts=True)
        pairs = np.concatenate([_near(codes) for codes in hashed], axis=1)
        keys, first, counts = np.unique(_mix(*pairs), return_index=True, return_counts=True)
        kept = np.flatnonzero(counts >= minimum)
        if len(kept) > largest:
            kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")[:largest]])
        shares = frequencies / frequencies.sum()
        one, other = (shares[np.searchsorted(words, side[first[kept]])] for side in pairs)
        different = pairs[0][first[kept]] != pairs[1][first[kept]]
        expected = one * other * counts.sum() * np.where(different, 2.0, 1.0)
        levels = _levels(counts[kept], expected)
        return cls(keys[kept], levels, _levels(counts[kept] - 1, expected))

    def look_up(self, words: Sequence[str], own: bool = False) -> NDArray[np.uint8]:
        """Channel indexes (n, n). `own`: the sentence was counted itself, so one occurrence of each pair is left out.

        Otherwise a network learns that every pair of a text has been counted, which is not so for other texts.
        """
        size = len(words)
        result = np.zeros((size, size), np.uint8)
        if not len(self.keys) or size < 2:
            return result
        rows, columns = np.triu_indices(size, 1)
        codes = hashes(words)
        keys = _mix(codes[rows], codes[columns])
        places = np.searchsorted(self.keys, keys)
        places[places == len(self.keys)] = 0
        known = self.keys[places] == keys
        values = np.where(known, (self.rarer if own else self.levels)[places], UNSEEN)
        result[rows, columns] = result[columns, rows] = values
        return result


def hashes(words: Sequence[str]) -> Keys:
    """A stable 32-bit hash of each word, regardless of case, as uint64."""
    return np.fromiter((zlib.crc32(word.lower().encode("utf-8", "replace")) for word in words), np.uint64, len(words))


def _near(codes: Keys) -> NDArray[np.uint64]:
    """All pairs of a sentence at most WINDOW words apart, as two rows."""
    gaps = range(1, min(WINDOW, len(codes) - 1) + 1)
    firsts = [codes[:-gap] for gap in gaps]
    seconds = [codes[gap:] for gap in gaps]
    none = np.zeros(0, np.uint64)
    return np.stack([np.concatenate([none, *firsts]), np.concatenate([none, *seconds])])


def _mix(one: Keys, other: Keys) -> Keys:
    """One key for an unordered pair of 32-bit hashes."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    return (low << np.uint64(32)) | high


def _levels(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Appendix A: PMI rounded up, every negative value -1. Log to the base 2 (open in the paper)."""
    pmi = np.log2(np.maximum(counts, 1e-9) / expected)
    rounded = np.clip(np.ceil(pmi), -1, HIGHEST)
    levels = np.where(pmi < 0, NEGATIVE, ZERO + rounded)
    return np.where(counts > 0, levels, UNSEEN).astype(np.uint8)
