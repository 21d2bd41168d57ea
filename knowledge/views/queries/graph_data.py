"""Query results as a graph to draw: from nodes and relationships of Cypher, or triples or rows of IRIs of SPARQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from extraction.schema import FACTUALITIES, Factuality
from knowledge.models import Entity
from knowledge.ontology.vocabulary import NAMESPACE, PREFIXES
from knowledge.views.qualifiers import qualified
from knowledge.views.queries.shown_answers import cut

if TYPE_CHECKING:
    from knowledge.graphs.neo4j.queries import CypherAnswer

MOST_NODES, MOST_EDGES = 300, 3000
LONGEST_KEY, LONGEST_NAME = 2000, 200  # characters
Graph = dict[str, list[dict[str, str]]]


def of_cypher(answer: CypherAnswer) -> Graph:
    """All nodes and relationships of the rows, up to the number that a drawing can show legibly."""
    nodes = []
    for node in list(answer.nodes.values())[:MOST_NODES]:
        kind = next((label for label in node["labels"] if label not in ("Entity",)), "")
        href = page_of(node["id"], "post" if kind == "Post" else "entity")
        nodes.append({"key": node["key"], "name": cut(node["name"], LONGEST_NAME), "kind": kind.lower(), "href": href})
    drawn = {node["key"] for node in nodes}
    edges = [_edge(edge) for edge in answer.edges.values() if {edge["from"], edge["to"]} <= drawn][:MOST_EDGES]
    return {"nodes": nodes, "edges": edges}


def _edge(edge: dict[str, Any]) -> dict[str, str]:
    """A relationship; one that is planned or alleged says so, and is drawn with another line."""
    label, given = edge["type"].replace("_", " ").lower(), edge["properties"].get("factuality")
    factuality: Factuality = given if given in FACTUALITIES else "stated"
    ends = {"from": edge["from"], "to": edge["to"]}
    return {**ends, "label": qualified(label, factuality), "factuality": factuality}


def of_bindings(result: dict[str, Any]) -> Graph:
    """Rows of a table: neighbouring IRIs are connected; the IRI or name of a relation between them is the label."""
    triples: list[tuple[str, str, str]] = []
    for row in result.get("results", {}).get("bindings", []):
        cells = [row[name] for name in result["head"]["vars"] if name in row]
        triples += _joined(cells, [name for name in result["head"]["vars"] if name in row])
    return _graph(triples)


def of_triples(body: bytes) -> Graph:
    """N-Triples or Turtle, as CONSTRUCT returns it; values other than IRIs are left out, except labels."""
    import pyoxigraph

    triples, labels = [], {}
    for quad in pyoxigraph.parse(body, format=pyoxigraph.RdfFormat.TURTLE):
        subject, value = quad.subject, quad.object
        if isinstance(subject, pyoxigraph.NamedNode) and isinstance(value, pyoxigraph.NamedNode):
            triples.append((subject.value, _words(quad.predicate.value), value.value))
        elif isinstance(subject, pyoxigraph.NamedNode) and quad.predicate.value == PREFIXES["rdfs"] + "label":
            labels[subject.value] = str(value.value) if isinstance(value, pyoxigraph.Literal) else ""
    return _graph(triples, labels)


def _joined(cells: list[dict[str, str]], names: list[str]) -> Iterable[tuple[str, str, str]]:
    last, label = "", ""
    for name, cell in zip(names, cells, strict=True):
        value = cell["value"]
        if cell["type"] != "uri":
            label = value.replace("_", " ") if name in ("relation", "predicate", "property") else label
        elif value.startswith(NAMESPACE):
            label = _words(value)
        else:
            if last and last != value:
                yield last, label, value
            last, label = value, ""


def _graph(triples: Iterable[tuple[str, str, str]], labels: dict[str, str] | None = None) -> Graph:
    once = list(dict.fromkeys(one for one in triples if max(map(len, one)) <= LONGEST_KEY))
    keys = list(dict.fromkeys(end for head, _, tail in once for end in (head, tail)))[:MOST_NODES]
    known = _entities(keys)
    nodes = []
    for key in keys:
        label, kind = known.get(key, ("", ""))
        name = label or (labels or {}).get(key) or _words(key)
        path = f"/{key.removeprefix(settings.BASE_IRI)}" if key.startswith(f"{settings.BASE_IRI}id/") else ""
        nodes.append({"key": key, "name": cut(name, LONGEST_NAME), "kind": kind, "href": path})
    drawn = set(keys)
    lines = [(head, cut(label, LONGEST_NAME), tail) for head, label, tail in once if {head, tail} <= drawn]
    edges = [{"from": head, "to": tail, "label": label} for head, label, tail in lines[:MOST_EDGES]]
    return {"nodes": nodes, "edges": edges}


def _entities(iris: list[str]) -> dict[str, tuple[str, str]]:
    """The labels and types of those IRIs that are entities of the record."""
    beginning = f"{settings.BASE_IRI}id/entity/"
    keys = {}
    for iri in iris:
        try:
            keys[UUID(iri.removeprefix(beginning))] = iri
        except ValueError:
            continue
    rows = Entity.objects.filter(public_id__in=keys).values_list("public_id", "label", "type")
    return {keys[key]: (label, kind) for key, label, kind in rows}


def _words(iri: str) -> str:
    return iri.rstrip("/").rpartition("#")[2].rpartition("/")[2].replace("_", " ") or iri


def page_of(key: str, kind: str) -> str:
    """The address of the page of an entity or post; "" for a node that is not from this record."""
    try:
        return f"/id/{kind}/{UUID(key)}"
    except ValueError:
        return ""
