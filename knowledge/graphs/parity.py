"""The common parts of comparing a store with the record, both ways: what is missing in the store, what is extra there.

Both sides are streamed: only sums of their hashes are kept. Each difference is then examined by itself: the graph
update may be pending, or have changed since it was streamed. The rest is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Max, Q

from knowledge.graphs.units import Triple
from knowledge.models import Entity, Merge, Projection, Statement
from knowledge.record import current, projection_queue

CHUNK = 200
Sum = tuple[int, int]
Sides = tuple[set[str], set[str]]


@dataclass(frozen=True, slots=True)
class StoreDifference:
    """A post, entity or statement that differs. `pending`: its graph update is stale; `error`: its last one, if any."""

    kind: str
    key: str
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    pending: bool = False
    error: str = ""
    ends: tuple[str, str, str] = ("", "", "")  # of a relationship that the record lacks: head, type, tail


@dataclass(slots=True)
class Report:
    """The numbers of what was compared, and the differences."""

    units: int = 0
    triples: int = 0
    quads: int = 0
    differences: list[StoreDifference] = field(default_factory=list)

    @property
    def wrong(self) -> list[StoreDifference]:
        return [one for one in self.differences if not one.pending]

    @property
    def pending(self) -> list[StoreDifference]:
        return [one for one in self.differences if one.pending]

    @property
    def stuck(self) -> list[StoreDifference]:
        return [one for one in self.pending if one.error]


def add(sums: dict[Any, Sum], place: Any, line: str) -> None:
    """Add a line to the sum of a place."""
    count, total = sums.get(place, (0, 0))
    sums[place] = (count + 1, (total + hash(line)) & 0xFFFFFFFFFFFFFFFF)


def compare_unit(name: str, kind: str, key: UUID, sides: Callable[[], Sides]) -> Iterator[StoreDifference]:
    """Compare one post, entity or statement as it is now on both sides: its mark is read before, so that a change in
    between shows as pending. `sides` returns the lines that are missing in the store and those that are extra there."""
    row = Projection.objects.filter(store=name, kind=kind, key=key).first()
    missing, extra = sides()
    stale = projection_queue.stale(name).filter(kind=kind, key=key).first()
    if not missing and not extra:
        return
    again = Projection.objects.filter(store=name, kind=kind, key=key).first()
    moved = (row and row.wanted) != (again and again.wanted)
    lines = (tuple(sorted(missing)), tuple(sorted(extra)))
    error = stale.error if stale else ""
    yield StoreDifference(kind, str(key), *lines, pending=bool(stale or moved), error=error)


def statements_ever_as(triple: Triple) -> Any:
    """The statements that may have been this triple now or before a merge or its undo."""
    heads, tails = _ever_merged_into(triple.head), _ever_merged_into(triple.tail)
    ends = Q(head__in=heads, tail__in=tails)
    if triple.relation in current.SYMMETRIC:
        ends |= Q(head__in=tails, tail__in=heads)
    return Statement.objects.filter(ends, relation=triple.relation)


def _ever_merged_into(key: UUID) -> set[int]:
    """The entity, and those that were merged into it at any time."""
    ids = set(Entity.objects.filter(public_id=key).values_list("pk", flat=True))
    for former in Merge.objects.filter(survivor__in=ids).values_list("former", flat=True):
        ids |= {int(pk) for pk in former}
    return ids


def key_ranges(model: Any) -> Iterator[list[UUID]]:
    """All public ids of a table, by ranges of ids: no query is held open."""
    last = model.objects.aggregate(last=Max("pk"))["last"] or 0
    for start in range(1, last + 1, CHUNK):
        rows = model.objects.filter(pk__range=(start, start + CHUNK - 1))
        keys = list(rows.order_by("pk").values_list("public_id", flat=True))
        if keys:
            yield keys
