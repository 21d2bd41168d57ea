"""What a reader's words looked at in a picture, as drawings: a matrix of words by regions, a heat map over the patches.

As EEGA's Fig. 7 and FocalMRE's Fig. 4 show theirs. Pure functions of what is kept with a reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVELS = 9  # of shade
MOST_WORDS = 40


@dataclass(frozen=True)
class Grid:
    """What words looked at: `weights[i][j]` of word i, which stands at `spans[i]` of the text, on region j, of which
    `columns` has the key on the page ("" where it is not drawn) and what it is called."""

    spans: Sequence[Sequence[int]]
    weights: Sequence[Sequence[float]]
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AttentionCell:
    """One weight: its shade (0 to LEVELS) and the number in words."""

    level: int
    says: str


@dataclass(frozen=True)
class AttentionMatrix:
    """Rows are words, columns regions by their key on the page and what they are."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[AttentionCell, ...]], ...]


@dataclass(frozen=True)
class Patch:
    x: float
    y: float
    width: float
    height: float
    opacity: str


@dataclass(frozen=True)
class Heat:
    """What one word looked at; all patches together, in the picture's pixels."""

    word: str
    patches: tuple[Patch, ...]


def matrix(grid: Grid, text: str) -> AttentionMatrix:
    words = [" ".join(text[start:end].split()) for start, end in grid.spans]
    most = max((weight for row in grid.weights for weight in row), default=0.0)
    cells = [tuple(_cell(weight, most) for weight in row) for row in grid.weights]
    return AttentionMatrix(grid.columns, tuple(zip(words, cells, strict=True))[:MOST_WORDS])


def heats(grid: Mapping[str, Any], text: str, width: int, height: int, wanted: Sequence[tuple[int, int]]) -> list[Heat]:
    """Of a stored grid of kind "patch", for the words that overlap one of the `wanted` spans; each span once."""
    if grid["kind"] != "patch" or not grid["wide"]:
        return []
    found: list[Heat] = []
    for start, end in wanted:
        rows = [
            weights
            for (a, b), weights in zip(grid["spans"], grid["weights"], strict=False)
            if a < end and b > start and len(weights) >= grid["wide"]
        ]
        if rows:
            mean = [sum(column) / len(rows) for column in zip(*rows, strict=False)]
            patches = _patches(mean, grid["wide"], width, height)
            found.append(Heat(" ".join(text[start:end].split()), patches))
    return found


def _cell(weight: float, most: float) -> AttentionCell:
    return AttentionCell(round(LEVELS * weight / most) if most > 0 else 0, f"{100 * weight:.0f} %")


def _patches(weights: Sequence[float], wide: int, width: int, height: int) -> tuple[Patch, ...]:
    high, low, most = len(weights) // wide, min(weights), max(weights)
    each = (width / wide, height / high)
    span = (most - low) or 1.0
    return tuple(
        Patch(
            round(place % wide * each[0], 1),
            round(place // wide * each[1], 1),
            round(each[0], 1),
            round(each[1], 1),
            f"{0.75 * (weight - low) / span:.2f}",
        )
        for place, weight in enumerate(weights[: high * wide])
    )
