"""The shortest paths of statements between two entities, by a search from both ends at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db.models import Q

from knowledge.models import Entity, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import current
from knowledge.record.current import Edge

LONGEST = 5  # statements in a row
MOST_PATHS = 5
MOST_ROWS = 5000  # statements read in one step: beyond them a hub's neighbours are left out
AT_ONCE = 500
Path = tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class ShortestPaths:
    """The shortest paths, all of one length. `whole`: nothing was left out of the search, so none is shorter."""

    paths: tuple[Path, ...]
    whole: bool


@dataclass(slots=True)
class _Side:
    """The entities reached from one end, each with the statements that lead to it and where these come from."""

    frontier: set[int]
    reached: dict[int, list[tuple[int, Edge]]] = field(default_factory=dict)
    length: int = 0
    whole: bool = True


def between(one: Entity, other: Entity) -> ShortestPaths:
    """The shortest paths, at most MOST_PATHS of them; none between entities that are the same or too far apart."""
    start, goal = (end.canonical_id or end.pk for end in (one, other))
    if start == goal:
        return ShortestPaths((), True)
    sides = _Side({start}, {start: []}), _Side({goal}, {goal: []})
    while sum(side.length for side in sides) < LONGEST and all(side.frontier for side in sides):
        _step(min(sides, key=lambda side: len(side.frontier)))
        if met := sides[0].reached.keys() & sides[1].reached.keys():
            paths = (
                (*reversed(back), *forth)
                for middle in sorted(met)
                for back in _chains(sides[0], middle)
                for forth in _chains(sides[1], middle)
            )
            return ShortestPaths(tuple(islice(paths, MOST_PATHS)), all(side.whole for side in sides))
    return ShortestPaths((), all(side.whole for side in sides))


def _step(side: _Side) -> None:
    """Extend the search by one statement from everything that the last step reached."""
    beyond: dict[int, list[tuple[int, Edge]]] = defaultdict(list)
    for edge in _edges(side):
        for near, far in ((edge.head.pk, edge.tail.pk), (edge.tail.pk, edge.head.pk)):
            if near in side.frontier and far not in side.reached:
                beyond[far].append((near, edge))
    side.reached |= beyond
    side.frontier, side.length = set(beyond), side.length + 1


def _edges(side: _Side) -> Iterator[Edge]:
    ids = sorted(current.members(side.frontier))
    left = MOST_ROWS
    for i in range(0, len(ids), AT_ONCE):
        some = ids[i : i + AT_ONCE]
        touching = Statement.objects.filter(Q(head__in=some) | Q(tail__in=some)).order_by("pk")
        # A date in common connects nothing.
        touching = touching.exclude(tail__type__in=VALUE_TYPES).exclude(head__type__in=VALUE_TYPES)
        rows = list(current.with_ends(touching)[: left + 1])
        side.whole = side.whole and len(rows) <= left
        yield from current.edges_of(rows[:left])
        left -= len(rows[:left])
        if left <= 0:
            side.whole = side.whole and i + AT_ONCE >= len(ids)
            return


def _chains(side: _Side, last: int) -> Iterator[list[Edge]]:
    """The paths from `last` back to the side's start, each as statements from there on."""
    before = side.reached[last]
    if not before:
        yield []
    for previous, edge in before:
        for rest in _chains(side, previous):
            yield [edge, *rest]
