"""What a statement's words and the regions that they looked at most have to do with each other, side by side.

As MEGA's Fig. 5 shows it: on one side head, relation and tail as they stand in the text, on the other the two regions
and how the scene graph says they stand. Made from the matrices of words by regions that a reading keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.views.quintuples import Quintuple

MOST = 12


@dataclass(frozen=True)
class Seen:
    """A region that words looked at most: its key on the page, what it is, and the share that it got."""

    key: str
    label: str
    share: float


@dataclass(frozen=True)
class Pairing:
    """One statement beside its two regions; `scene`: what the scene graph says of them, "" where nothing."""

    head: str
    tail: str
    relation: str
    first: Seen
    second: Seen
    scene: str


Names = Mapping[int, tuple[str, str]]


def pairings(
    quintuples: Iterable[Quintuple],
    grids: Sequence[Mapping[str, Any]],
    names: Names,
    scene: Mapping[tuple[int, int], str],
) -> list[Pairing]:
    """`names`: key and label of each region by its number in the document; `scene`: the surest relation of two of them,
    by their numbers. A statement whose words are in no matrix is left out."""
    found: list[Pairing] = []
    for one in quintuples:
        if not one.places or len(found) == MOST:
            continue
        assertion = one.places[0].assertion
        ends = [(mention.start, mention.end) for mention in (assertion.head_mention, assertion.tail_mention)]
        best = [_most(grids, names, *span) for span in ends]
        if best[0] is None or best[1] is None:
            continue
        (first, one_seen), (second, other_seen) = best[0], best[1]
        said = scene.get((first, second), "") if first != second else "the same region"
        found.append(Pairing(one.head.words, one.tail.words, one.relation, one_seen, other_seen, said))
    return found


def _most(grids: Sequence[Mapping[str, Any]], names: Names, start: int, end: int) -> tuple[int, Seen] | None:
    """The region that the words of this span looked at most, in the mean over them."""
    for grid in grids:
        if grid["kind"] != "region":
            continue
        rows = [
            weights
            for (a, b), weights in zip(grid["spans"], grid["weights"], strict=False)
            if a < end and b > start and len(weights) >= len(grid["columns"])
        ]
        places = [place for place, column in enumerate(grid["columns"]) if column in names]
        if rows and places:
            means = {place: sum(row[place] for row in rows) / len(rows) for place in places}
            place = max(places, key=lambda each: means[each])
            column = grid["columns"][place]
            key, label = names[column]
            return column, Seen(key, label, means[place])
    return None
