"""What a statement's words and the regions that they looked at most have to do with each other, side by side.

As MEGA's Fig. 5 shows it: on one side head, relation and tail as they stand in the text, on the other the two regions
and how the scene graph says they stand. Made from the matrices of words by regions that a reading keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from knowledge.views.posts.attention import Grid
from knowledge.views.posts.quintuples import Quintuple

MOST = 12


@dataclass(frozen=True)
class AttendedRegion:
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
    first: AttendedRegion
    second: AttendedRegion
    scene: str


def pairings(
    quintuples: Iterable[Quintuple],
    grids: Sequence[Grid],
    scene: Mapping[tuple[str, str], str],
) -> list[Pairing]:
    """`scene`: the surest relation of two regions, by their keys. A statement whose words are in no matrix is left
    out."""
    found: list[Pairing] = []
    for one in quintuples:
        if not one.places or len(found) == MOST:
            continue
        assertion = one.places[0].assertion
        ends = [(mention.start, mention.end) for mention in (assertion.head_mention, assertion.tail_mention)]
        first, second = (_most(grids, *span) for span in ends)
        if first is None or second is None:
            continue
        same = (first.key, first.label) == (second.key, second.label)
        said = "the same region" if same else scene.get((first.key, second.key), "")
        found.append(Pairing(one.head.words, one.tail.words, one.relation, first, second, said))
    return found


def _most(grids: Sequence[Grid], start: int, end: int) -> AttendedRegion | None:
    """The region that the words of this span looked at most, in the mean over them."""
    for grid in grids:
        rows = [row for (a, b), row in zip(grid.spans, grid.weights, strict=True) if a < end and b > start]
        if rows and grid.columns:
            means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
            place = max(range(len(means)), key=means.__getitem__)
            return AttendedRegion(*grid.columns[place], means[place])
    return None
