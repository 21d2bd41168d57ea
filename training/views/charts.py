"""Numbers as lengths: bars of counts, the cells of a confusion matrix, a picture's boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_BAR = 220.0
CELL, LABEL, HEAD = 30.0, 150.0, 118.0
MOST_LABELS = 24
OTHER = "(others)"


@dataclass(frozen=True)
class Bar:
    name: str
    count: int
    length: float


def bars(counts: Sequence[Sequence[Any]]) -> list[Bar]:
    """(name, count) pairs, the longest bar LONGEST_BAR units long."""
    most = max((int(count) for _, count in counts), default=1) or 1
    return [Bar(str(name), int(count), round(LONGEST_BAR * int(count) / most, 1)) for name, count in counts]


@dataclass(frozen=True)
class ConfusionCell:
    """How often a label was predicted as another; `shade` 0..5 by its share of the row."""

    x: float
    y: float
    count: int
    shade: int
    right: bool
    description: str


@dataclass(frozen=True)
class ConfusionMatrix:
    """A confusion matrix: annotated labels down, found ones across."""

    width: float
    height: float
    size: float
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    cells: tuple[ConfusionCell, ...]
    left_out: int
    left: float = LABEL
    top: float = HEAD


def matrix(confusion: Sequence[Sequence[Any]], none: str) -> ConfusionMatrix | None:
    """From (annotated, found, count) triples; labels beyond MOST_LABELS are put together. None where there are none."""
    totals: dict[str, int] = {}
    for gold, found, count in confusion:
        totals[gold] = totals.get(gold, 0) + count
        totals[found] = totals.get(found, 0) + count
    ordered = sorted(totals, key=lambda label: (label == none, -totals[label]))
    shown = ordered if len(ordered) <= MOST_LABELS else [*ordered[: MOST_LABELS - 2], none, OTHER]
    counted: dict[tuple[str, str], int] = {}
    for gold, found, count in confusion:
        pair = (gold if gold in shown else OTHER, found if found in shown else OTHER)
        counted[pair] = counted.get(pair, 0) + count
    return _placed(shown, counted, max(0, len(ordered) - len(shown))) if shown else None


def _placed(labels: Sequence[str], counted: dict[tuple[str, str], int], left_out: int) -> ConfusionMatrix:
    sums = {gold: sum(count for (one, _), count in counted.items() if one == gold) for gold in labels}
    places = {label: index * CELL for index, label in enumerate(labels)}
    cells = tuple(
        ConfusionCell(
            x=LABEL + places[found],
            y=HEAD + places[gold],
            count=count,
            shade=min(5, 1 + int(5 * count / sums[gold])),
            right=gold == found,
            description=f"{gold} predicted as {found}: {count} of {sums[gold]}",
        )
        for (gold, found), count in sorted(counted.items())
        if count
    )
    size = CELL * len(labels)
    return ConfusionMatrix(
        width=LABEL + size + 8,
        height=HEAD + size + 8,
        size=CELL,
        rows=tuple((HEAD + places[label] + CELL / 2 + 4, label) for label in labels),
        columns=tuple((LABEL + places[label] + CELL / 2, label) for label in labels),
        cells=cells,
        left_out=left_out,
    )
