"""Graph updates as quads: the triples of a post, an entity and a statement.

A post is one named graph: the post, its reading, its assertions as rdf:Statement nodes, the entities it mentions. The
default graph holds the plain triple of each statement that a post states, once (both ways for a symmetric relation),
and the entities' types, names and values. Sources' facts and comparisons with them are named graphs of their own
(`linked_facts`). No blank nodes, no RDF-star: any SPARQL 1.1 server replaces and compares it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from extraction.labels import RELATIONS
from knowledge.graphs.media_fragments import fragment
from knowledge.graphs.rdf import linked_facts
from knowledge.graphs.rdf.linked_facts import node, value_literal
from knowledge.graphs.units import (
    AssertionContent,
    DepictionContent,
    EntityUnit,
    EvidenceSpan,
    PostContent,
    PostUnit,
    RegionContent,
    ReviewContent,
    StatementUnit,
    Triple,
    Unit,
)
from knowledge.ontology import vocabulary
from knowledge.ontology.values import VALUED
from knowledge.ontology.vocabulary import DCTERMS, NAMESPACE, OWL, PROV, RDF, RDFS, SCHEMA, SKOS, XSD

_TAG = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_ADDRESS = re.compile(r'https?://[^\s<>"{}|\\^`]+')
DEFAULT = DefaultGraph()


TYPE, LABEL, ALTERNATIVE = node(RDF + "type"), node(RDFS + "label"), node(SKOS + "altLabel")
REPLACED_BY = node(DCTERMS + "isReplacedBy")
SAME_AS = node(OWL + "sameAs")
DESCRIPTION = node(SCHEMA + "description")
ENTITY_PROPERTIES = (TYPE, LABEL, ALTERNATIVE, REPLACED_BY, SAME_AS, DESCRIPTION)
VALUE_PROPERTIES = tuple(node(vocabulary.relation_iri(key)) for key in sorted(VALUED))  # with literals only


def quads(unit: Unit) -> Iterator[Quad]:
    """All quads of a unit."""
    if isinstance(unit, PostUnit):
        return _post(unit)
    if isinstance(unit, EntityUnit):
        return chain(_entity(unit), linked_facts.of_entity(unit))
    return chain(plain(unit), linked_facts.of_statement(unit))


def plain(unit: StatementUnit) -> Iterator[Quad]:
    """The triples themselves, in the default graph: only what is stated is true of the world."""
    return _plain(triple for triple, factuality in unit.edges if factuality == "stated")


def graphs(unit: Unit) -> list[str]:
    """The IRIs of the named graphs that belong to a unit alone, whether it has quads there or not."""
    if isinstance(unit, PostUnit):
        return [vocabulary.post_iri(unit.key)]
    if isinstance(unit, EntityUnit):
        return [vocabulary.known_iri(unit.key)]
    forms = (one for one in (*unit.present, *unit.gone) if one.relation in vocabulary.COMPARABLE)
    return [vocabulary.comparison_iri(one.head, one.relation, one.tail) for one in forms]


def gone(unit: StatementUnit) -> Iterator[Quad]:
    """The triples that a statement may have been earlier and is not now."""
    unstated = (triple for triple, factuality in unit.edges if factuality != "stated")
    return _plain((*unit.gone, *unstated))


def literal(text: str, language: str = "") -> Literal:
    """A string with its BCP 47 language, in lower case as stores return it; without it where the tag is not valid."""
    if _TAG.fullmatch(language):
        return Literal(text, language=language.lower())
    return Literal(text)


def _plain(triples: Iterable[Triple]) -> Iterator[Quad]:
    for triple in triples:
        head, tail = NamedNode(vocabulary.entity_iri(triple.head)), NamedNode(vocabulary.entity_iri(triple.tail))
        relation = node(vocabulary.relation_iri(triple.relation))
        yield Quad(head, relation, tail, DEFAULT)
        if RELATIONS[triple.relation].symmetric:
            yield Quad(tail, relation, head, DEFAULT)


def _entity(unit: EntityUnit) -> Iterator[Quad]:
    content, subject = unit.content, NamedNode(vocabulary.entity_iri(unit.key))
    if content is None:
        return
    if content.survivor is not None:
        yield Quad(subject, REPLACED_BY, NamedNode(vocabulary.entity_iri(content.survivor)), DEFAULT)
        return
    yield Quad(subject, TYPE, node(vocabulary.type_iri(content.type)), DEFAULT)
    labels = sorted(name.language for name in content.names if name.name == content.label)
    label = literal(content.label, labels[0] if labels else "")
    yield Quad(subject, LABEL, label, DEFAULT)
    others = {literal(name.name, name.language) for name in content.names} - {label}
    yield from (Quad(subject, ALTERNATIVE, other, DEFAULT) for other in sorted(others, key=str))
    if content.description:
        yield Quad(subject, DESCRIPTION, Literal(content.description), DEFAULT)
    addresses = [address for address in content.same if _ADDRESS.fullmatch(address)]
    yield from (Quad(subject, SAME_AS, NamedNode(address), DEFAULT) for address in addresses)
    for one in content.values:
        if one.factuality == "stated":
            yield Quad(subject, node(vocabulary.relation_iri(one.relation)), value_literal(one.value), DEFAULT)


def _post(unit: PostUnit) -> Iterator[Quad]:
    content = unit.content
    if content is None:
        return
    graph = post = NamedNode(vocabulary.post_iri(unit.key))
    reading = NamedNode(f"{vocabulary.post_iri(unit.key)}#reading")
    for subject, predicate, value in _about(post, reading, content):
        yield Quad(subject, predicate, value, graph)
    mentions = node(SCHEMA + "mentions")
    for entity in content.mentions:
        yield Quad(post, mentions, NamedNode(vocabulary.entity_iri(entity)), graph)
    generated, derived = node(PROV + "wasGeneratedBy"), node(PROV + "wasDerivedFrom")
    for assertion in content.assertions:
        subject = NamedNode(vocabulary.assertion_iri(assertion.key))
        for predicate, value in _assertion(assertion):
            yield Quad(subject, predicate, value, graph)
        yield Quad(subject, derived, post, graph)
        if assertion.score is not None:
            yield Quad(subject, generated, reading, graph)
        for region in assertion.regions:
            yield Quad(subject, node(PROV + "wasInfluencedBy"), _part(post, region), post)
    for depiction in content.depictions:
        subject = NamedNode(f"{post.value}#depiction-{depiction.key}")
        for predicate, value in _depiction(depiction, _part(post, depiction.region)):
            yield Quad(subject, predicate, value, graph)
        yield Quad(subject, derived, post, graph)
        yield Quad(subject, generated, reading, graph)
    yield from dict.fromkeys(_regions(post, content))


def _regions(post: NamedNode, content: PostContent) -> Iterator[Quad]:
    """The regions that are evidence or that show an entity; one quad may come several times."""
    for assertion in content.assertions:
        for region in assertion.regions:
            yield from _region(post, region)
    for one in content.depictions:
        yield from _region(post, one.region)
        entity = NamedNode(vocabulary.entity_iri(one.entity))
        yield Quad(_part(post, one.region), node(NAMESPACE + "depicts"), entity, post)


def _picture(post: NamedNode, region: RegionContent) -> NamedNode:
    return NamedNode(f"{post.value}/picture/{region.image}")


def _part(post: NamedNode, region: RegionContent) -> NamedNode:
    """A region of a picture, by media fragment (W3C Media Fragments URI 1.0, 4.2.2): shares of the upright picture."""
    return NamedNode(f"{_picture(post, region).value}#{fragment(region.box)}")


def _depiction(depiction: DepictionContent, part: NamedNode) -> Iterator[tuple[NamedNode, NamedNode | Literal]]:
    yield TYPE, node(NAMESPACE + "Depiction")
    yield node(NAMESPACE + "region"), part
    yield node(SCHEMA + "about"), NamedNode(vocabulary.entity_iri(depiction.entity))
    yield node(NAMESPACE + "score"), _decimal(depiction.score)
    yield node(NAMESPACE + "nameStart"), _whole(depiction.text.start)
    yield node(NAMESPACE + "nameEnd"), _whole(depiction.text.end)
    yield node(NAMESPACE + "grounded"), Literal(str(depiction.grounded).lower(), datatype=node(XSD + "boolean"))
    if depiction.accepted:
        yield node(NAMESPACE + "accepted"), Literal("true", datatype=node(XSD + "boolean"))


def _region(post: NamedNode, region: RegionContent) -> Iterator[Quad]:
    """A region with its class, and the picture that it is a part of."""
    picture, part = _picture(post, region), _part(post, region)
    image, part_of = node(SCHEMA + "ImageObject"), node(SCHEMA + "isPartOf")
    yield Quad(part, TYPE, image, post)
    yield Quad(part, part_of, picture, post)
    if region.label:
        yield Quad(part, node(SCHEMA + "name"), Literal(region.label, language="en"), post)
    yield Quad(picture, TYPE, image, post)
    yield Quad(picture, part_of, post, post)


Term = NamedNode | Literal


def _about(post: NamedNode, reading: NamedNode, content: PostContent) -> Iterator[tuple[NamedNode, NamedNode, Term]]:
    yield post, TYPE, node(SCHEMA + "NewsArticle")
    yield post, node(SCHEMA + "headline"), literal(content.title, content.language)
    yield post, node(SCHEMA + "datePublished"), _time(content.published_at)
    yield post, node(NAMESPACE + "textVersion"), _whole(content.version)
    if content.publisher:
        yield post, node(SCHEMA + "publisher"), Literal(content.publisher)
    if content.language:
        yield post, node(SCHEMA + "inLanguage"), Literal(content.language)
    if content.link:
        # A literal: an address from outside may not be a valid IRI.
        yield post, node(SCHEMA + "url"), Literal(content.link, datatype=node(XSD + "anyURI"))
    yield reading, TYPE, node(PROV + "Activity")
    yield reading, node(PROV + "used"), post
    yield reading, node(PROV + "wasAssociatedWith"), NamedNode(vocabulary.checkpoint_iri(content.checkpoint))
    if content.read_at:
        yield reading, node(PROV + "endedAtTime"), _time(content.read_at)


def _assertion(assertion: AssertionContent) -> Iterator[tuple[NamedNode, Term]]:
    triple = assertion.triple
    yield TYPE, node(RDF + "Statement")
    yield node(RDF + "subject"), NamedNode(vocabulary.entity_iri(triple.head))
    yield node(RDF + "predicate"), node(vocabulary.relation_iri(triple.relation))
    tail = NamedNode(vocabulary.entity_iri(triple.tail))
    yield node(RDF + "object"), value_literal(assertion.value) if assertion.value else tail
    yield node(NAMESPACE + "factuality"), node(vocabulary.factuality_iri(assertion.factuality))
    yield from _qualifiers(assertion)
    yield from _review(assertion.review)
    if assertion.score is not None:
        yield node(NAMESPACE + "score"), _decimal(assertion.score)
    if assertion.without_image is not None:
        yield node(NAMESPACE + "scoreWithoutImage"), _decimal(assertion.without_image)
    if assertion.echo:
        yield node(NAMESPACE + "echo"), Literal("true", datatype=node(XSD + "boolean"))
    if assertion.accepted:
        yield node(NAMESPACE + "accepted"), Literal("true", datatype=node(XSD + "boolean"))
    yield from _span("head", assertion.head)
    yield from _span("tail", assertion.tail)


def _qualifiers(assertion: AssertionContent) -> Iterator[tuple[NamedNode, Term]]:
    """Who claims it, when it is so, and the sum."""
    when, amount = assertion.when, assertion.amount
    if assertion.claimant is not None:
        yield node(NAMESPACE + "claimedBy"), NamedNode(vocabulary.entity_iri(assertion.claimant))
    if when.words:
        yield node(NAMESPACE + "whenText"), Literal(when.words)
    for name, day in (("whenEarliest", when.earliest), ("whenLatest", when.latest)):
        if day is not None:
            yield node(NAMESPACE + name), Literal(day.isoformat(), datatype=node(XSD + "date"))
    if amount.words:
        yield node(NAMESPACE + "amountText"), Literal(amount.words)
    if amount.value is not None:
        yield node(NAMESPACE + "amountValue"), _decimal(amount.value)
    if amount.unit:
        yield node(NAMESPACE + "amountUnit"), Literal(amount.unit)


def _review(review: ReviewContent) -> Iterator[tuple[NamedNode, Term]]:
    """What editors have made of it, by whom and when."""
    yield node(NAMESPACE + "reviewState"), node(vocabulary.review_state_iri(review.state))
    for name in review.by:
        yield node(NAMESPACE + "reviewedBy"), Literal(name)
    if review.at is not None:
        yield node(NAMESPACE + "reviewedAt"), _time(review.at)


def _span(end: str, span: EvidenceSpan | None) -> Iterator[tuple[NamedNode, Term]]:
    if span is not None:
        yield node(f"{NAMESPACE}{end}Type"), node(vocabulary.type_iri(span.type))
        yield node(f"{NAMESPACE}{end}Start"), _whole(span.start)
        yield node(f"{NAMESPACE}{end}End"), _whole(span.end)


def _whole(number: int) -> Literal:
    return Literal(str(number), datatype=node(XSD + "integer"))


def _decimal(number: float) -> Literal:
    """A decimal in the short form that stores return, so that comparisons find it equal."""
    short = f"{number:.4f}".rstrip("0").rstrip(".")
    return Literal("0" if short == "-0" else short, datatype=node(XSD + "decimal"))


def _time(moment: datetime) -> Literal:
    return Literal(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), datatype=node(XSD + "dateTime"))


def entity_key(iri: str) -> UUID | None:
    """The entity that an IRI of ours names; None for any other IRI."""
    return _key(iri, vocabulary.entity_iri)


def post_key(iri: str) -> UUID | None:
    return _key(iri, vocabulary.post_iri)


def _key(iri: str, maker: Callable[[UUID], str]) -> UUID | None:
    beginning = maker(UUID(int=0)).removesuffix(str(UUID(int=0)))
    try:
        return UUID(iri.removeprefix(beginning)) if iri.startswith(beginning) else None
    except ValueError:
        return None
