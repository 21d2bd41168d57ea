"""Exports the graph as a file from the record, as a rebuilt store would hold it. Streamed by ranges of ids."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import IO, Any
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

import pyoxigraph

from extraction.models import Post
from extraction.schema import Factuality
from knowledge.graphs import unit_builder
from knowledge.graphs.parity import key_ranges
from knowledge.graphs.rdf import quads as rdf_quads
from knowledge.graphs.spreadsheets import BOM, harmless
from knowledge.graphs.units import Comparison, EntityContent, StatementUnit, Triple, TripleSupport, Unit
from knowledge.graphs.xml_characters import legal
from knowledge.linking.fact_comparison import EXTRACTED_ONLY
from knowledge.models import Entity, Review, Statement
from knowledge.ontology import vocabulary
from knowledge.ontology.values import VALUED, Value, interval
from knowledge.record import current

RDF_FORMATS = {
    "turtle": pyoxigraph.RdfFormat.TURTLE,
    "nquads": pyoxigraph.RdfFormat.N_QUADS,
    "jsonld": pyoxigraph.RdfFormat.JSON_LD,
}
FORMATS = ("csv", "graphml", *RDF_FORMATS)
ENDINGS = {"csv": "csv", "graphml": "graphml", "turtle": "ttl", "nquads": "nq", "jsonld": "jsonld"}
COLUMNS = (
    *("head_id", "head", "head_type", "relation", "tail_id", "tail", "tail_type", "score", "accepted", "posts"),
    *("rejected", "standing", "known_to", "known_value", "known_name"),
    *("factuality", "claimed_by", "when", "amount", "amount_unit"),
    *("review_state", "reviewed_by", "reviewed_at"),
)
# `label` is what Gephi and others show; `name` and `relation` are the names under which it was published.
_KEYS = (
    ("label", "node", "string"),
    ("name", "node", "string"),
    ("type", "node", "string"),
    ("edge_label", "edge", "string"),
    ("relation", "edge", "string"),
    ("score", "edge", "double"),
    ("accepted", "edge", "boolean"),
    ("posts", "edge", "int"),
    ("rejected", "edge", "int"),
    ("standing", "edge", "string"),
    ("known_to", "edge", "string"),
    ("known_value", "edge", "string"),
    ("known_name", "edge", "string"),
    ("factuality", "edge", "string"),
    ("claimed_by", "edge", "string"),
    ("when", "edge", "string"),
    ("amount", "edge", "double"),
    ("amount_unit", "edge", "string"),
    ("review_state", "edge", "string"),
    ("reviewed_by", "edge", "string"),
    ("reviewed_at", "edge", "string"),
    *((key, "node", "string") for key in sorted(VALUED)),
)


@dataclass(frozen=True, slots=True)
class ExportedStatement:
    """A triple that is in the graph. `rejected`: in how many other posts an editor rejected it; `compared`: its
    comparison with a source, None where it is extracted only; `value`: what its tail stands for, None for a thing."""

    triple: Triple
    support: TripleSupport
    compared: Comparison | None
    rejected: int
    factuality: Factuality
    value: Value | None

    def qualifiers(self) -> tuple[tuple[str, Any], ...]:
        """Its factuality, claimants, time and sum, by column."""
        when, amount = self.support.when, self.support.amount
        return (
            ("factuality", self.factuality),
            ("claimed_by", " ".join(map(str, self.support.claimants))),
            ("when", interval(when.earliest, when.latest)),
            ("amount", "" if amount.value is None else amount.value),
            ("amount_unit", amount.unit),
        )

    def standing(self) -> tuple[tuple[str, str], ...]:
        if self.compared is None:
            return (("standing", EXTRACTED_ONLY),)
        known = (("known_to", self.compared.source), ("known_value", self.compared.value))
        return (("standing", self.compared.standing), *known, ("known_name", self.compared.name))


def write(to: IO[bytes], form: str, excel: bool = False) -> int:
    """Write everything; how many quads, rows or elements. `excel`: see `chunks`."""
    count = 0
    for some, body in chunks(form, excel):
        count += some
        to.write(body)
    return count


def chunks(form: str, excel: bool = False) -> Iterator[tuple[int, bytes]]:
    """The chunks of the file, each with the number of quads, rows or elements in it.

    `excel`: CSV begins with a byte order mark, without which Excel reads another encoding than UTF-8.
    """
    if form == "csv":
        return _csv(BOM if excel else b"")
    if form == "graphml":
        return _graphml()
    return _jsonld() if form == "jsonld" else _rdf(form)


def _rdf(form: str) -> Iterator[tuple[int, bytes]]:
    """Chunks of quads, or of triples in Turtle, which has no graphs: there each assertion still names its post."""
    for quads in _quads():
        some: list[Any] = [quad.triple for quad in quads] if form == "turtle" else quads
        prefixes = vocabulary.PREFIXES if form == "turtle" else None
        yield len(quads), pyoxigraph.serialize(some, format=RDF_FORMATS[form], prefixes=prefixes) or b""


def _jsonld() -> Iterator[tuple[int, bytes]]:
    """One array. A resource may have several objects in it, which JSON-LD merges by their @id."""
    before = b"["
    for quads in _quads():
        if quads:
            body = pyoxigraph.serialize(quads, format=RDF_FORMATS["jsonld"]) or b"[]"
            yield len(quads), before + body.strip()[1:-1]
            before = b",\n"
    yield 0, b"]\n" if before != b"[" else b"[]\n"


def _csv(before: bytes) -> Iterator[tuple[int, bytes]]:
    """One row a statement; `posts` are the ids of those that support it, with spaces between."""
    yield 0, before + _rows([COLUMNS])
    for exported in _exported():
        known = _entities(exported)
        yield len(exported), _rows(_row(one, known) for one in exported)


def _row(one: ExportedStatement, known: dict[UUID, tuple[str, str]]) -> Iterator[Any]:
    triple, support, stands = one.triple, one.support, dict(one.standing())
    tail = ("", one.value.text, known[triple.tail][1]) if one.value else _end(triple.tail, known)
    yield from (*_end(triple.head, known), triple.relation, *tail)
    yield from (_score(support), support.accepted, " ".join(map(str, support.posts)), one.rejected)
    yield from (stands.get(name, "") for name in ("standing", "known_to", "known_value", "known_name"))
    yield from (value for _, value in (*one.qualifiers(), *_review(support)))


def _graphml() -> Iterator[tuple[int, bytes]]:
    declared = ((key, kind, key.removeprefix("edge_"), type_) for key, kind, type_ in _KEYS)
    keys = "".join(f'<key id="{k}" for="{kind}" attr.name="{n}" attr.type="{t}"/>\n' for k, kind, n, t in declared)
    beginning = f'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n{keys}<graph edgedefault="directed">\n'
    yield 0, f'<?xml version="1.0" encoding="UTF-8"?>\n{beginning}'.encode()
    for keys_ in key_ranges(Entity):
        units = [unit for unit in unit_builder.entities(keys_) if unit.content and not unit.content.survivor]
        nodes = [_node(str(u.key), u.content) for u in units if u.content]
        yield len(nodes), "".join(nodes).encode()
    for exported in _exported():
        edges = [_edge(one) for one in exported if one.value is None]
        yield len(edges), "".join(edges).encode()
    yield 0, b"</graph>\n</graphml>\n"


def _node(key: str, content: EntityContent) -> str:
    """`date_of_birth` and the like: the values that are stated of it."""
    stated: dict[str, list[str]] = {}
    for one in content.values:
        if one.factuality == "stated":
            stated.setdefault(one.relation, []).append(one.value.text)
    data = [
        ("label", content.label),
        ("name", content.label),
        ("type", content.type),
        *((name, "; ".join(all_)) for name, all_ in stated.items()),
    ]
    return f'<node id="{key}">{"".join(_data(name, value) for name, value in data)}</node>\n'


def _edge(one: ExportedStatement) -> str:
    triple, support = one.triple, one.support
    data = [
        ("edge_label", triple.relation.replace("_", " ")),
        ("relation", triple.relation),
        ("score", _score(support)),
        ("accepted", str(support.accepted).lower()),
    ]
    data += [
        ("posts", len(support.posts)),
        ("rejected", one.rejected),
        *one.standing(),
        *one.qualifiers(),
        *_review(support),
    ]
    inner = "".join(_data(name, value) for name, value in data if value != "")
    ends = f"source={quoteattr(str(triple.head))} target={quoteattr(str(triple.tail))}"
    return f"<edge {ends}>{inner}</edge>\n"


def _data(name: str, value: Any) -> str:
    """Control characters, which XML cannot hold in any way, become the replacement character."""
    return f'<data key="{name}">{escape(legal(str(value)))}</data>'


def _review(support: TripleSupport) -> list[tuple[str, str]]:
    """What editors have made of it; times as in the RDF."""
    review = support.review
    at = review.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if review.at else ""
    return [("review_state", review.state), ("reviewed_by", " ".join(review.by)), ("reviewed_at", at)]


def _score(support: TripleSupport) -> float | str:
    """The best assertion's; empty where only a review supports it."""
    return max((score for score in support.scores if score is not None), default="")


def _rows(rows: Iterable[Iterable[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(map(harmless, rows))
    return out.getvalue().encode()


def _end(key: UUID, known: dict[UUID, tuple[str, str]]) -> tuple[str, str, str]:
    return (str(key), *known.get(key, ("", "")))


def _entities(exported: list[ExportedStatement]) -> dict[UUID, tuple[str, str]]:
    keys = {end for one in exported for end in (one.triple.head, one.triple.tail)}
    rows = Entity.objects.filter(public_id__in=keys).values_list("public_id", "label", "type")
    return {key: (label, kind) for key, label, kind in rows}


def _exported() -> Iterator[list[ExportedStatement]]:
    """Every triple once, with its support, at the place of its first row, as several rows may have it."""
    written: set[Triple] = set()
    rejected = _rejected()
    for keys in key_ranges(Statement):
        units: list[StatementUnit] = unit_builder.statements(keys, with_support=True)
        found = {one.triple: one for unit in units for one in _of_unit(unit, rejected) if one.triple not in written}
        written |= found.keys()
        yield [found[triple] for triple in sorted(found)]


def _of_unit(unit: StatementUnit, rejected: Counter[Triple]) -> Iterator[ExportedStatement]:
    compared = {triple: one for triple, one, _ in unit.comparisons}
    for place, (triple, support) in enumerate(zip(unit.present, unit.support, strict=True)):
        shown = (compared.get(triple), rejected[triple], unit.factuality(place), unit.value(place))
        yield ExportedStatement(triple, support, *shown)


def _rejected() -> Counter[Triple]:
    """In how many posts editors reject a triple: as many rows as they have judged."""
    rejecting = current.active_reviews().filter(verdict=Review.Verdict.REJECT, post__state=Post.State.LIVE)
    ends = current.with_ends(rejecting, "statement__").order_by()
    rows = set(ends.values_list("head_now", "statement__relation", "tail_now", "post"))
    public = Entity.objects.only("public_id").in_bulk({end for head, _, tail, _ in rows for end in (head, tail)})
    return Counter(Triple(public[head].public_id, relation, public[tail].public_id) for head, relation, tail, _ in rows)


def _quads() -> Iterator[list[pyoxigraph.Quad]]:
    builders: list[tuple[Any, Callable[[list[UUID]], Iterable[Unit]]]] = [
        (Entity, unit_builder.entities),
        (Post, unit_builder.posts),
    ]
    for model, builder in builders:
        for keys in key_ranges(model):
            yield [quad for unit in builder(keys) for quad in rdf_quads.quads(unit)]
    # Several statements may have one triple: each is written where its first row comes.
    written: set[pyoxigraph.Quad] = set()
    for keys in key_ranges(Statement):
        new = {quad for unit in unit_builder.statements(keys) for quad in rdf_quads.quads(unit)} - written
        written |= new
        yield sorted(new, key=str)
