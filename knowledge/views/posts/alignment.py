"""Statements side by side with the two regions that their words attended to most.

Modelled on Fig. 5 of MEGA: head, relation and tail of the text on one side, the two regions and their relation in the
scene graph on the other. Computed from the matrices of words by regions that are stored with a reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from knowledge.views.posts.attention import Grid
from knowledge.views.posts.quintuples import Quintuple

MOST = 12
ALIKE = 1e-4  # of two shares, as they are kept


@dataclass(frozen=True)
class AttendedRegion:
    """The most attended region of some words: its key on the page, its name, and its share of the attention."""

    key: str
    label: str
    share: float


@dataclass(frozen=True)
class Pairing:
    """One statement beside its two regions; `scene`: their relation in the scene graph, "" where there is none."""

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
    """Pair statements with regions. Statements whose words are in no matrix are left out.

    `scene`: the relation with the highest confidence between two regions, by their keys.
    """
    pairs: list[Pairing] = []
    for quintuple in quintuples:
        if not quintuple.places or len(pairs) == MOST:
            continue
        assertion = quintuple.places[0].assertion
        ends = [(mention.start, mention.end) for mention in (assertion.head_mention, assertion.tail_mention)]
        first, second = (_most_attended(grids, *span) for span in ends)
        if first is None or second is None:
            continue
        same = (first.key, first.label) == (second.key, second.label)
        relation = "the same region" if same else scene.get((first.key, second.key), "")
        pairs.append(Pairing(quintuple.head.words, quintuple.tail.words, quintuple.relation, first, second, relation))
    return pairs


def _most_attended(grids: Sequence[Grid], start: int, end: int) -> AttendedRegion | None:
    """The region with the highest mean attention of the words of this span; None where two have it alike, which says
    nothing of either."""
    for grid in grids:
        rows = [row for (a, b), row in zip(grid.spans, grid.weights, strict=True) if a < end and b > start]
        if rows and grid.columns:
            means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
            place = max(range(len(means)), key=means.__getitem__)
            if any(abs(mean - means[place]) < ALIKE for at, mean in enumerate(means) if at != place):
                return None
            return AttendedRegion(*grid.columns[place], means[place])
    return None
