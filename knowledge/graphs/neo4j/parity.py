"""Compares Neo4j with the record, both ways: streamed, then each difference by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from extraction.models import Post
from knowledge.graphs import unit_builder
from knowledge.graphs.neo4j import rows as neo4j_rows
from knowledge.graphs.neo4j.rows import Row
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.parity import (
    Report,
    Sides,
    StoreDifference,
    Sum,
    add,
    compare_unit,
    key_ranges,
    statements_ever_as,
)
from knowledge.graphs.units import Triple, Unit
from knowledge.models import Entity, Projection, Statement
from knowledge.record import projection_queue

Kind = Projection.Kind
Place = tuple[str, str]
Sums = dict[Place, Sum]


class StreamedLines:
    """A digest of the streamed store: for each node the number of its lines and a sum of their hashes."""

    def __init__(self, store: Neo4jStore) -> None:
        self.sums: Sums = {}
        self.relationships: dict[str, int] = {}
        self.strange: list[tuple[Row, str]] = []
        self.lines = 0
        for key, line in store.entities():
            self._add((Kind.ENTITY, key), line)
        for key, line in store.posts():
            self._add((Kind.POST, key), line)
        for row, line in store.relationships():
            self.lines += 1
            key = row["properties"].get("id")
            if _triple(row) is None or key in self.relationships or key != _id(row):
                self.strange.append((row, line))
            else:
                self.relationships[key] = hash(line)

    def _add(self, place: Place, line: str) -> None:
        self.lines += 1
        add(self.sums, place, line)


def check(store: Neo4jStore, name: str) -> Report:
    """Compares everything. Raises StoreUnavailable."""
    seen = StreamedLines(store)
    report = Report(quads=seen.lines)
    for kind, key in _differing_updates(seen, report):
        report.differences += _compare(store, name, kind, UUID(key))
    for kind, key in seen.sums:
        report.differences += _compare_unknown(store, name, kind, key)
    report.differences += _differing_relationships(store, name, seen, report)
    for row, line in seen.strange:
        report.differences += _compare_extra(store, name, row, line)
    return report


def repair(store: Neo4jStore, report: Report) -> None:
    """Mark what is wrong, to be projected again, and delete what the record lacks."""
    for one in report.wrong:
        if one.kind in Kind and one.key:
            _repair_unit(store, Kind(one.kind), one)
        elif any(one.ends):
            store.remove_relationships(one.ends[1], (one.ends[0], one.ends[2]))
            # Its own relationship may have been among them.
            triple = _triple({"head": one.ends[0], "type": one.ends[1], "tail": one.ends[2]})
            if triple is not None:
                projection_queue.mark(Kind.STATEMENT, statements_ever_as(triple).values_list("public_id", flat=True))
        else:
            store.remove_nodes(one.kind.removeprefix("unknown "), one.key)


def _repair_unit(store: Neo4jStore, kind: Projection.Kind, one: StoreDifference) -> None:
    if one.extra and kind != Kind.STATEMENT:
        # Writing does not remove foreign labels and relationships: the node is deleted and created again.
        _mark_around(kind, UUID(one.key))
        store.remove_nodes(kind.value, one.key)
    projection_queue.mark(kind, [UUID(one.key)])


def _mark_around(kind: Projection.Kind, key: UUID) -> None:
    """Mark what is deleted together with an entity's node, to be written again."""
    if kind == Kind.ENTITY:
        around = Entity.objects.filter(public_id=key)
        ids = {pk for pair in around.values_list("pk", "canonical") for pk in pair if pk}
        ids |= set(Entity.objects.filter(canonical__in=ids).values_list("pk", flat=True))
        statements = Statement.objects.filter(head__in=ids) | Statement.objects.filter(tail__in=ids)
        posts = Post.objects.filter(current_reading__mentions__entity__in=ids)
        projection_queue.mark_rows(Kind.POST, posts)
        projection_queue.mark_rows(Kind.STATEMENT, statements)


def _differing_updates(seen: StreamedLines, report: Report) -> Iterator[Place]:
    """Compare the sums of every post and entity of the record; what was compared is removed from `seen`."""
    builders: list[tuple[Kind, Any, Callable[[list[UUID]], Iterable[Unit]]]] = [
        (Kind.POST, Post, unit_builder.posts),
        (Kind.ENTITY, Entity, unit_builder.entities),
    ]
    for kind, model, builder in builders:
        for keys in key_ranges(model):
            for unit in builder(keys):
                report.units += 1
                place, expected = (kind, str(unit.key)), Sums()
                for line in neo4j_rows.lines(unit):
                    add(expected, place, line)
                if expected.get(place) != seen.sums.pop(place, None):
                    yield place


def _differing_relationships(
    store: Neo4jStore, name: str, seen: StreamedLines, report: Report
) -> Iterator[StoreDifference]:
    matched: set[str] = set()
    for keys in key_ranges(Statement):
        for unit in unit_builder.statements(keys, with_support=True):
            expected = {
                row["id"]: neo4j_rows.relationship_line(row["head"], row["type"], row["tail"], row["properties"])
                for row in neo4j_rows.relationship_rows(unit)
            }
            report.triples += len(expected.keys() - matched)
            matched |= expected.keys()
            if any(seen.relationships.get(key) != hash(line) for key, line in expected.items()):
                yield from _compare(store, name, Kind.STATEMENT, unit.key)
    unmatched = seen.relationships.keys() - matched
    if unmatched:
        for row, line in store.relationships():
            if row["properties"].get("id") in unmatched:
                yield from _compare_extra(store, name, row, line)


def _compare(store: Neo4jStore, name: str, kind: str, key: UUID) -> Iterator[StoreDifference]:
    def sides() -> Sides:
        [unit] = unit_builder.units([Projection(kind=kind, key=key)], with_support=True)
        expected, found = neo4j_rows.lines(unit), store.lines_of(unit)
        return expected - found, found - expected

    return compare_unit(name, kind, key, sides)


def _compare_unknown(store: Neo4jStore, name: str, kind: str, key: str) -> Iterator[StoreDifference]:
    """Compare a node whose id is not in the record, or is no id at all."""
    try:
        found = list(_compare(store, name, kind, UUID(key)))
    except (ValueError, TypeError, AttributeError):
        found = [StoreDifference(f"unknown {kind}", str(key), extra=(f"a node with the id {key!r}",))]
    yield from found


def _compare_extra(store: Neo4jStore, name: str, row: Row, line: str) -> Iterator[StoreDifference]:
    """A relationship without a statement. It is pending where a statement that it may have come from is."""
    triple = _triple(row)
    ends = (str(row["head"]), str(row["type"]), str(row["tail"]))
    if triple is None:
        yield StoreDifference("relationship", "", extra=(line,), ends=ends)
        return
    keys = list(statements_ever_as(triple).values_list("public_id", flat=True))
    expected = {one for unit in unit_builder.statements(keys, with_support=True) for one in neo4j_rows.lines(unit)}
    if line in expected or line not in store.lines_between([triple]):
        return
    waiting = projection_queue.stale(name).filter(kind=Kind.STATEMENT, key__in=keys).first()
    if waiting is not None:
        yield StoreDifference(Kind.STATEMENT, str(waiting.key), extra=(line,), pending=True, error=waiting.error)
    else:
        yield StoreDifference("relationship", "", extra=(line,), ends=ends)


def _id(row: Row) -> str:
    triple = _triple(row)
    return neo4j_rows.relationship_id(triple) if triple else ""


def _triple(row: Row) -> Triple | None:
    try:
        return Triple(UUID(row["head"]), neo4j_rows.TYPES[row["type"]], UUID(row["tail"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
