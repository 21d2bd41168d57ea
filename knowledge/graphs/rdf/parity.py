"""Compares the RDF store with the record, both ways.

Of each post and entity only the number of its quads and a sum of their hashes are kept, of each plain triple its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

import pyoxigraph

from extraction.labels import RELATIONS
from extraction.models import Post
from knowledge.graphs import unit_builder
from knowledge.graphs.parity import (
    CHUNK,
    Report,
    Sides,
    StoreDifference,
    Sum,
    add,
    compare_unit,
    key_ranges,
    statements_ever_as,
)
from knowledge.graphs.rdf import linked_facts
from knowledge.graphs.rdf import quads as rdf_quads
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.graphs.units import StatementUnit, Triple, Unit
from knowledge.models import Entity, Projection, Statement
from knowledge.ontology import vocabulary
from knowledge.record import current, projection_queue

Kind = Projection.Kind
Place = tuple[str, UUID]
_RELATIONS = {vocabulary.relation_iri(key): key for key in RELATIONS}
_PROPERTIES = {term.value for term in rdf_quads.ENTITY_PROPERTIES}
_VALUES = {term.value for term in rdf_quads.VALUE_PROPERTIES}


class StreamedQuads:
    """A digest of the quads streamed from the store."""

    def __init__(self) -> None:
        self.sums: dict[Place, Sum] = {}
        self.triples: set[Triple] = set()
        self.compared: dict[str, Sum] = {}
        self.strange: list[pyoxigraph.Quad] = []
        self.quads = 0

    def add(self, quad: pyoxigraph.Quad) -> None:
        """Count a quad if it is ours: in a post's graph, or about an entity. Others' data in a shared store is not."""
        graph, subject = quad.graph_name, quad.subject
        if isinstance(graph, pyoxigraph.NamedNode):
            if post := rdf_quads.post_key(graph.value):
                self._sum((Kind.POST, post), quad)
            elif entity := linked_facts.known_key(graph.value):
                self._sum((Kind.ENTITY, entity), quad)
            elif linked_facts.compared_triple(graph.value):
                self.quads += 1
                add(self.compared, graph.value, str(quad))
            return
        entity = rdf_quads.entity_key(subject.value) if isinstance(subject, pyoxigraph.NamedNode) else None
        if entity is None:
            return
        is_value = quad.predicate.value in _VALUES and isinstance(quad.object, pyoxigraph.Literal)
        if quad.predicate.value in _PROPERTIES or is_value:
            self._sum((Kind.ENTITY, entity), quad)
            return
        relation = _RELATIONS.get(quad.predicate.value)
        tail = rdf_quads.entity_key(quad.object.value) if isinstance(quad.object, pyoxigraph.NamedNode) else None
        self.quads += 1
        if relation is None or tail is None:
            self.strange.append(quad)
        else:
            self.triples.add(Triple(entity, relation, tail))

    def _sum(self, place: Place, quad: pyoxigraph.Quad) -> None:
        add(self.sums, place, str(quad))
        self.quads += 1


def check(store: SparqlStore, name: str) -> Report:
    """Compares everything. Raises StoreUnavailable."""
    seen = StreamedQuads()
    for quad in store.stream():
        seen.add(quad)
    report = Report(quads=seen.quads)
    suspects = [*_differing_updates(seen, report), *((kind, key) for kind, key in seen.sums)]
    for kind, key in suspects:
        report.differences += _compare(store, name, kind, key)
    report.differences += _differing_triples(store, name, seen, report)
    report.differences += [StoreDifference("quad", "", extra=(str(quad),)) for quad in seen.strange]
    return report


def repair(store: SparqlStore, report: Report) -> None:
    """Mark what is wrong, to be projected again, and delete what the record lacks."""
    for kind in Kind:
        projection_queue.mark(kind, [UUID(one.key) for one in report.wrong if one.kind == kind.value and one.key])
    loose = [line for one in report.wrong if not one.key for line in one.extra]
    for start in range(0, len(loose), CHUNK):
        store.update("DELETE DATA {\n" + "".join(f"{line} .\n" for line in loose[start : start + CHUNK]) + "}")


def _differing_updates(seen: StreamedQuads, report: Report) -> Iterator[Place]:
    """Compare the sums of every post and entity of the record; what was compared is removed from `seen`."""
    builders: list[tuple[Kind, Any, Callable[[list[UUID]], Iterable[Unit]]]] = [
        (Kind.POST, Post, unit_builder.posts),
        (Kind.ENTITY, Entity, unit_builder.entities),
    ]
    for kind, model, builder in builders:
        for keys in key_ranges(model):
            for unit in builder(keys):
                report.units += 1
                expected = StreamedQuads()
                for quad in rdf_quads.quads(unit):
                    expected.add(quad)
                place = (kind, unit.key)
                if expected.sums.get(place) != seen.sums.pop(place, None):
                    yield place


def _differing_triples(store: SparqlStore, name: str, seen: StreamedQuads, report: Report) -> Iterator[StoreDifference]:
    matched: set[Triple] = set()
    compared: set[str] = set()
    for keys in key_ranges(Statement):
        for unit in unit_builder.statements(keys):
            expected = set(_plain(unit))
            report.triples += len(expected - matched)
            matched |= expected
            sums: dict[str, Sum] = {}
            for quad in linked_facts.of_statement(unit):
                assert isinstance(quad.graph_name, pyoxigraph.NamedNode)
                add(sums, quad.graph_name.value, str(quad))
            compared |= sums.keys()
            if not expected <= seen.triples or any(seen.compared.get(one) != sums[one] for one in sums):
                yield from _compare(store, name, Kind.STATEMENT, unit.key)
    for triple in sorted(seen.triples - matched):
        yield from _compare_extra(store, name, triple)
    for graph in sorted(seen.compared.keys() - compared):
        yield from _extra_comparison(store, name, graph)


def _compare(store: SparqlStore, name: str, kind: str, key: UUID) -> Iterator[StoreDifference]:
    def sides() -> Sides:
        [unit] = unit_builder.units([Projection(kind=kind, key=key)])
        # As quads and not as lines: a store may write a quad in another way.
        expected, found = set(rdf_quads.quads(unit)), store.of_units([unit])
        return {str(quad) for quad in expected - found}, {str(quad) for quad in found - expected}

    return compare_unit(name, kind, key, sides)


def _compare_extra(store: SparqlStore, name: str, triple: Triple) -> Iterator[StoreDifference]:
    """A plain triple without a statement. It is pending where a statement that it may have come from is."""
    [quad, *_] = rdf_quads.quads(StatementUnit(UUID(int=0), (triple,), ()))
    keys = list(statements_ever_as(triple).values_list("public_id", flat=True))
    line = f"{quad.subject} {quad.predicate} {quad.object}"
    if not store.ask(f"ASK {{ {line} }}") or _is_supported(keys, triple):
        return
    waiting = projection_queue.stale(name).filter(kind=Kind.STATEMENT, key__in=keys).first()
    if waiting is not None:
        yield StoreDifference(Kind.STATEMENT, str(waiting.key), extra=(line,), pending=True, error=waiting.error)
    elif keys:
        yield StoreDifference(Kind.STATEMENT, str(keys[0]), extra=(line,))
    else:
        yield StoreDifference("quad", "", extra=(line,))


def _extra_comparison(store: SparqlStore, name: str, graph: str) -> Iterator[StoreDifference]:
    """A comparison without a statement: the source no longer has the fact, or the statement lost its support."""
    triple = linked_facts.compared_triple(graph)
    assert triple is not None
    keys = list(statements_ever_as(triple).values_list("public_id", flat=True))
    expected = {quad for unit in unit_builder.statements(keys) for quad in linked_facts.of_statement(unit)}
    extra = sorted(store.quads_in(graph) - expected, key=str)
    lines = tuple(f"GRAPH <{graph}> {{ {one.subject} {one.predicate} {one.object} }}" for one in extra)
    waiting = projection_queue.stale(name).filter(kind=Kind.STATEMENT, key__in=keys).first()
    if lines and waiting is not None:
        yield StoreDifference(Kind.STATEMENT, str(waiting.key), extra=lines, pending=True, error=waiting.error)
    elif lines:
        yield StoreDifference("quad", "", extra=lines)


def _is_supported(keys: list[UUID], triple: Triple) -> bool:
    return any(triple in set(_plain(unit)) for unit in unit_builder.statements(keys))


def _plain(unit: StatementUnit) -> Iterator[Triple]:
    """The plain triples that the store has of a statement, both ways where the relation is symmetric."""
    for triple, factuality in unit.edges:
        if factuality != "stated":
            continue
        yield triple
        if triple.relation in current.SYMMETRIC:
            yield Triple(triple.tail, triple.relation, triple.head)
