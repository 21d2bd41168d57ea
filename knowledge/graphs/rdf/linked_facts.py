"""The sources' facts as quads in graphs of their own, so that a query without GRAPH sees only extracted statements.

For each linked entity one graph with its facts in the sources' own properties, a description, categories and the names
of the facts' values. For each statement that a source has, or conflicts with, one graph with the comparison. Both are
named after the entity, so that they lead to its page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from uuid import UUID

from pyoxigraph import Literal, NamedNode, Quad

from extraction.labels import RELATIONS
from knowledge.graphs.units import Comparison, EntityUnit, KnownContent, StatementUnit, Triple
from knowledge.ontology import vocabulary
from knowledge.ontology.values import Value
from knowledge.ontology.vocabulary import DCTERMS, DIRECT, NAMESPACE, PROV, RDF, RDFS, SCHEMA, WIKIDATA, XSD
from knowledge.sources.dbpedia_facts import ONTOLOGY, PROPERTIES
from knowledge.sources.protocol import DBO

_RESOURCE = re.compile(r"https?://dbpedia\.org/resource/[^\s<>\"{}|\\^`\x00-\x20]+")
_ITEM, _PROPERTY = re.compile(r"Q[1-9][0-9]{0,11}"), re.compile(r"P[1-9][0-9]{0,11}")
_ENGLISH = "en"  # every source is queried in English


@cache
def node(iri: str) -> NamedNode:
    """A cached node, for the few IRIs that recur."""
    return NamedNode(iri)


def of_entity(unit: EntityUnit) -> Iterator[Quad]:
    """The graph of known facts on an entity; nothing where it has no link."""
    content = unit.content.known if unit.content and unit.content.survivor is None else None
    if content is None or not _ITEM.fullmatch(content.target):
        return
    subject, graph = NamedNode(vocabulary.entity_iri(unit.key)), NamedNode(vocabulary.known_iri(unit.key))
    yield Quad(graph, node(RDF + "type"), node(NAMESPACE + "KnownFacts"), graph)
    yield Quad(graph, node(SCHEMA + "about"), subject, graph)
    for source in content.sources:
        yield Quad(graph, node(DCTERMS + "source"), Literal(source), graph)
    yield Quad(graph, node(PROV + "wasDerivedFrom"), NamedNode(WIKIDATA + content.target), graph)
    for name, text in (("description", content.description), ("abstract", content.abstract)):
        if text:
            yield Quad(subject, node(SCHEMA + name), Literal(text, language=_ENGLISH), graph)
    for category in content.categories:
        yield Quad(subject, node(SCHEMA + "keywords"), Literal(category, language=_ENGLISH), graph)
    yield from _facts(subject, content, graph)


def _facts(subject: NamedNode, content: KnownContent, graph: NamedNode) -> Iterator[Quad]:
    for name, value, label, source_property in content.facts:
        if _PROPERTY.fullmatch(name):
            yield Quad(subject, NamedNode(_property(name, source_property)), _value(value), graph)
            if label and _ITEM.fullmatch(value):
                yield Quad(NamedNode(WIKIDATA + value), node(RDFS + "label"), Literal(label, language=_ENGLISH), graph)


def _property(name: str, source_property: str) -> str:
    """The source's own property."""
    own = source_property.removeprefix(DBO)
    return ONTOLOGY + own if own in PROPERTIES else DIRECT + name


def of_statement(unit: StatementUnit) -> Iterator[Quad]:
    """The comparisons of its triples, each in its own graph."""
    for triple, compared, value in unit.comparisons:
        yield from _comparison(triple, compared, value)


def _comparison(triple: Triple, compared: Comparison, value: Value | None) -> Iterator[Quad]:
    subject = graph = NamedNode(vocabulary.comparison_iri(triple.head, triple.relation, triple.tail))
    standing = vocabulary.STANDINGS[compared.standing][0]
    tail = NamedNode(vocabulary.entity_iri(triple.tail))
    for name, term in (
        (RDF + "type", node(NAMESPACE + "Comparison")),
        (NAMESPACE + "comparedSubject", NamedNode(vocabulary.entity_iri(triple.head))),
        (NAMESPACE + "comparedRelation", node(vocabulary.relation_iri(triple.relation))),
        (NAMESPACE + "comparedObject", value_literal(value) if value else tail),
        (NAMESPACE + "standing", node(NAMESPACE + standing)),
        (NAMESPACE + "knownValue", _value(compared.value)),
        (NAMESPACE + "knownName", Literal(compared.name)),
        (DCTERMS + "source", Literal(compared.source)),
        *((PROV + "wasDerivedFrom", NamedNode(one)) for one in (_origin(compared.target),) if one),
    ):
        yield Quad(subject, node(name), term, graph)


def value_literal(value: Value) -> Literal:
    """A time or number as a term: a date, a month, a year, or a string."""
    return Literal(value.text, datatype=node(XSD + value.datatype) if value.datatype else None)


def _origin(target: str) -> str:
    """The source's address of the fact's entity; "" where `target` is no address there."""
    return WIKIDATA + target if _ITEM.fullmatch(target) else target if _RESOURCE.fullmatch(target) else ""


def _value(value: str) -> NamedNode | Literal:
    """A value as a term: only ids of entities become IRIs, nothing else of a source."""
    return NamedNode(WIKIDATA + value) if _ITEM.fullmatch(value) else Literal(value)


def known_key(iri: str) -> UUID | None:
    """The entity whose known facts a graph holds; None for any other graph."""
    entity, mark, rest = iri.partition("#")
    return _entity(entity) if mark and rest == "known" else None


def compared_triple(iri: str) -> Triple | None:
    """The triple whose comparison a graph holds; None for any other graph."""
    entity, _, rest = iri.partition("#")
    relation, mark, tail = rest.partition("-")
    head = _entity(entity)
    try:
        found = Triple(head, relation, UUID(tail)) if head and mark and relation in RELATIONS else None
    except ValueError:
        return None
    return found if found and vocabulary.comparison_iri(found.head, relation, found.tail) == iri else None


def _entity(iri: str) -> UUID | None:
    beginning = vocabulary.entity_iri(UUID(int=0)).removesuffix(str(UUID(int=0)))
    try:
        return UUID(iri.removeprefix(beginning)) if iri.startswith(beginning) else None
    except ValueError:
        return None
