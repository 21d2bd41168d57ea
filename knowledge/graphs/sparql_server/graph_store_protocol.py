"""SPARQL 1.1 Graph Store HTTP Protocol on the bundled server: whole graphs by GET, PUT, POST and DELETE.

The graph is named as `?graph=IRI`, or `?default`. Each change is one update, hence one transaction. No Django.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import pyoxigraph

from knowledge.graphs.xml_characters import well_formed

FORMS = {
    "text/turtle": pyoxigraph.RdfFormat.TURTLE,
    "application/n-triples": pyoxigraph.RdfFormat.N_TRIPLES,
    "application/rdf+xml": pyoxigraph.RdfFormat.RDF_XML,
    "application/ld+json": pyoxigraph.RdfFormat.JSON_LD,
}
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\x00-\x20<>\"{}|\\^`]*")

Headers = list[tuple[str, str]]
Update = Callable[[str], None]


class RequestRefused(Exception):
    """A client's request cannot be fulfilled; `status` is the HTTP status."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer(store: Any, update: Update, environ: dict[str, Any]) -> tuple[str, Headers, bytes]:
    """Status, headers and body. `update` runs one SPARQL update. Raises RequestRefused, or SyntaxError for a body."""
    name, method = _graph(environ.get("QUERY_STRING", "")), environ["REQUEST_METHOD"]
    if method in ("GET", "HEAD"):
        return _read(store, name, environ.get("HTTP_ACCEPT", ""), method)
    present = _exists(store, name)
    if method == "DELETE":
        if not present:
            raise RequestRefused("404 Not Found", "There is no such graph.")
        update(f"DROP {_named(name)}")
        return "204 No Content", [], b""
    triples = _body(environ)
    dropped = f"DROP SILENT {_named(name)};\n" if method == "PUT" else ""
    inner = "".join(f"{one.subject} {one.predicate} {one.object} .\n" for one in triples)
    update(f"{dropped}INSERT DATA {{ {f'GRAPH <{name}> {{ {inner} }}' if name else inner} }}")
    return ("204 No Content" if present else "201 Created"), [], b""


def _graph(query: str) -> str:
    """The IRI of the requested graph; "" for the default graph."""
    fields = parse_qs(query, keep_blank_values=True, max_num_fields=10)
    names = fields.get("graph", [])
    if "default" in fields and not names:
        return ""
    if len(names) != 1 or "default" in fields or not _IRI.fullmatch(names[0]):
        raise RequestRefused("400 Bad Request", "Name one graph, as ?graph=IRI or ?default.")
    return names[0]


def _read(store: Any, name: str, accept: str, method: str) -> tuple[str, Headers, bytes]:
    if not _exists(store, name):
        raise RequestRefused("404 Not Found", "There is no such graph.")
    chosen = next((kind for kind in FORMS if kind in accept), None)
    if chosen is None and accept and "*/*" not in accept and "text/*" not in accept:
        raise RequestRefused("406 Not Acceptable", f"A graph is given as {', '.join(FORMS)}.")
    chosen = chosen or next(iter(FORMS))
    headers = [("Content-Type", chosen), ("Vary", "Accept")]
    if method == "HEAD":
        return "200 OK", headers, b""
    quads = store.quads_for_pattern(None, None, None, _term(name))
    body: bytes = pyoxigraph.serialize((quad.triple for quad in quads), format=FORMS[chosen]) or b""
    return "200 OK", headers, well_formed(body, chosen)


def _body(environ: dict[str, Any]) -> Iterable[Any]:
    kind = environ.get("CONTENT_TYPE", "").split(";")[0].strip().lower() or "text/turtle"
    if kind not in FORMS:
        raise RequestRefused("415 Unsupported Media Type", f"A graph is taken as {', '.join(FORMS)}.")
    given = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return [quad.triple for quad in pyoxigraph.parse(given, format=FORMS[kind])]


def _exists(store: Any, name: str) -> bool:
    """Whether the graph exists; the default graph always does."""
    return not name or next(iter(store.quads_for_pattern(None, None, None, _term(name))), None) is not None


def _term(name: str) -> Any:
    return pyoxigraph.NamedNode(name) if name else pyoxigraph.DefaultGraph()


def _named(name: str) -> str:
    return f"GRAPH <{name}>" if name else "DEFAULT"
