"""The table that `manage.py evaluate_news` prints, and the same as JSON's values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.evaluation.news.measures import F1_COLUMNS, MeasuredValue, RelationCounts
from training.evaluation.news.near_misses import MistakenItem, NearMiss, by_kind

_WIDTH = 56


def table(values: Sequence[MeasuredValue]) -> Iterator[str]:
    """A line for each measure: its value and 95 % interval in per cent, and the counts that it is made of."""
    yield f"{'per cent':{_WIDTH}}{'value':>7}   {'95 % interval':16}counts"
    for one in values:
        value, low, high = map(_percent, (one.interval.value, one.interval.low, one.interval.high))
        bounds = "" if low == "-" else f"{low} to {high}"
        yield f"{one.measure.about:{_WIDTH}}{value:>7}   {bounds:16}{_counted(one)}".rstrip()


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _counted(one: MeasuredValue) -> str:
    if one.measure.columns == F1_COLUMNS and one.counts["gold right"] == one.counts["found right"]:
        names: tuple[str, ...] = ("gold", "found", "gold right")
        return ", ".join(f"{name.removeprefix('gold ')} {one.counts[name]:.0f}" for name in names)
    return ", ".join(f"{name} {_number(count)}" for name, count in one.counts.items() if count)


def _number(count: float) -> str:
    return f"{count:.0f}" if count == int(count) else f"{count:.1f}"


def relation_table(counts: Mapping[str, RelationCounts]) -> Iterator[str]:
    """A line for each relation: F1 at its threshold, then precision and recall of what is asserted."""
    columns = ("gold", "found", "right", "F1", "asserted", "right", "precision", "recall")
    yield f"{'relation':28}" + "".join(f"{column:>10}" for column in columns)
    for key, one in counts.items():
        f1 = _percent(_share(2 * one.right, one.found + one.gold))
        shares = _share(one.asserted_right, one.asserted), _share(one.asserted_right, one.gold)
        cells = (one.gold, one.found, one.right, f1, one.asserted, one.asserted_right, *map(_percent, shares))
        yield f"{key:28}" + "".join(f"{cell:>10}" for cell in cells)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def near_miss_table(items: Sequence[NearMiss], found: Sequence[MistakenItem]) -> Iterator[str]:
    """A line for each kind, then the assertions that fell for an item."""
    yield "near misses of which a forbidden relation is asserted"
    for kind, (wrong, every) in by_kind(items, found).items():
        yield f"{kind:28}{_percent(_share(wrong, every)):>7}   {wrong} of {every}"
    for one in found:
        yield f"  {one.item.id}: {'; '.join(one.assertions)}"


def as_json(values: Sequence[MeasuredValue], counts: Mapping[str, RelationCounts]) -> dict[str, Any]:
    """Shares between 0 and 1; null where there is nothing to measure."""
    return {
        "measures": {one.measure.key: {**_bounds(one), "counts": one.counts} for one in values},
        "relations": {
            key: {name: getattr(one, name) for name in RelationCounts.__slots__} for key, one in counts.items()
        },
    }


def _bounds(one: MeasuredValue) -> dict[str, float | None]:
    interval = {"value": one.interval.value, "low": one.interval.low, "high": one.interval.high}
    return {name: None if math.isnan(value) else round(value, 6) for name, value in interval.items()}


def near_misses_as_json(items: Sequence[NearMiss], found: Sequence[MistakenItem]) -> dict[str, Any]:
    return {
        "kinds": {kind: {"asserted": wrong, "items": every} for kind, (wrong, every) in by_kind(items, found).items()},
        "asserted": {one.item.id: list(one.assertions) for one in found},
    }
