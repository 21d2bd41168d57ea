"""Drawings of a reader's attention: a matrix of words by regions, and a heat map over the patches of a picture.

Modelled on Fig. 7 of EEGA and Fig. 4 of FocalMRE. Pure functions of the weights that are stored with a reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVELS = 9  # of shade
MOST_WORDS = 40


@dataclass(frozen=True)
class Grid:
    """Attention weights: `weights[i][j]` of word i, at `spans[i]` of the text, on region j.

    `columns`: each region's key on the page ("" where it is not drawn) and its name.
    """

    spans: Sequence[Sequence[int]]
    weights: Sequence[Sequence[float]]
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AttentionCell:
    """One weight: its shade (0 to LEVELS) and its value as text."""

    level: int
    text: str


@dataclass(frozen=True)
class AttentionMatrix:
    """Rows are words; columns are regions, with their key on the page and their name."""

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
    """The attention of one word over all patches, in the picture's pixels."""

    word: str
    patches: tuple[Patch, ...]


def matrix(grid: Grid, text: str) -> AttentionMatrix:
    words = [" ".join(text[start:end].split()) for start, end in grid.spans]
    most = max((weight for row in grid.weights for weight in row), default=0.0)
    cells = [tuple(_cell(weight, most) for weight in row) for row in grid.weights]
    return AttentionMatrix(grid.columns, tuple(zip(words, cells, strict=True))[:MOST_WORDS])


def heats(grid: Mapping[str, Any], text: str, width: int, height: int, spans: Sequence[tuple[int, int]]) -> list[Heat]:
    """Heat maps of a stored grid of kind "patch", one for each of `spans` that overlaps words of the grid."""
    if grid["kind"] != "patch" or not grid["wide"]:
        return []
    maps: list[Heat] = []
    for start, end in spans:
        rows = [
            weights
            for (a, b), weights in zip(grid["spans"], grid["weights"], strict=False)
            if a < end and b > start and len(weights) >= grid["wide"]
        ]
        if rows:
            mean = [sum(column) / len(rows) for column in zip(*rows, strict=False)]
            patches = _patches(mean, grid["wide"], width, height)
            maps.append(Heat(" ".join(text[start:end].split()), patches))
    return maps


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
