"""The RDF store over SPARQL 1.1: the bundled server on its socket file, or any server by address.

Units become one update request, which a server executes whole or not at all. People's queries are checked by
`sparql_guard` first; on the bundled server they run on a snapshot, elsewhere within that server's own limits.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph
from django.conf import settings

from knowledge.graphs.rdf import descriptions, quads, sparql_guard, sparql_messages
from knowledge.graphs.rdf.response_stream import ResponseStream, no_response
from knowledge.graphs.units import EntityUnit, StatementUnit, StoreRefused, StoreUnavailable, Unit
from knowledge.graphs.xml_characters import well_formed
from knowledge.ontology import vocabulary

BUNDLED = "http://sparql"  # host of requests over the socket file, where no name is resolved
WRITE_SECONDS = 60.0
READ_SECONDS = 60.0
LONGEST_ANSWER = 64 << 20
EXPLAIN_SECONDS = 5.0
LONGEST_REPORT = 4000  # bytes of an error that are looked at
JSON = "application/sparql-results+json"
TRIPLES = {"text/turtle", "application/n-triples"}
_REFUSED = {400, 413, 422}
_WRONG_TOKEN = "The SPARQL server does not accept SPARQL_TOKEN."  # noqa: S105


class SparqlFailed(Exception):
    """A person's query got no answer; the message is for its author."""


@dataclass(frozen=True, slots=True)
class SparqlAnswer:
    """A query's answer in `media_type`; `truncated`: there were more rows than requested."""

    media_type: str
    body: bytes
    truncated: bool


class SparqlStore:
    """A `Store`. Every method raises StoreUnavailable where the server does not answer, or not as it should."""

    shows_support = False

    def __init__(
        self, query_url: str, update_url: str, token: str, socket: Path | None = None, bundled: str = ""
    ) -> None:
        """`socket` or `bundled` (an address) mean our own server, which offers more than SPARQL requires."""
        self._query_url, self._update_url = query_url, update_url
        self._bundled = BUNDLED if socket else bundled
        self.fence = 0
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # trust_env: no proxy of the environment is used for the graph.
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(READ_SECONDS, connect=5.0),
            transport=httpx.HTTPTransport(uds=str(socket) if socket else None, retries=2),
            trust_env=False,
        )
        # A store may live for one query or a process's lifetime: its connections are closed with it.
        weakref.finalize(self, self._client.close)

    @classmethod
    def from_settings(cls) -> SparqlStore:
        if settings.SPARQL_QUERY_URL:
            update = settings.SPARQL_UPDATE_URL or settings.SPARQL_QUERY_URL
            return cls(settings.SPARQL_QUERY_URL, update, settings.ENV["SPARQL_TOKEN"])
        address, token = settings.SPARQL_BUNDLED_URL, settings.SPARQL_TOKEN
        socket = None if address else settings.SPARQL_SOCKET
        where = address or BUNDLED
        return cls(f"{where}/ask", f"{where}/update", token, socket, bundled=where)

    def replace(self, units: Sequence[Unit]) -> None:
        """Raises StoreRefused where the server does not accept them; then none was written."""
        text = update(units)
        if text:
            self.update(text)

    def update(self, text: str) -> None:
        headers = {"Content-Type": "application/sparql-update; charset=utf-8"}
        if self.fence:
            headers["X-Fence"] = str(self.fence)
        response = self._send("POST", self._update_url, content=text.encode(), headers=headers, timeout=WRITE_SECONDS)
        if response.status_code in _REFUSED:
            raise StoreRefused(f"The SPARQL server refused it: {response.text[:500]}")
        self._accept(response)

    def select(self, text: str) -> list[dict[str, Any]]:
        """The rows of the product's own small query, each a dict of SPARQL JSON terms."""
        rows: list[dict[str, Any]] = self._json(text)["results"]["bindings"]
        return rows

    def ask(self, text: str) -> bool:
        return bool(self._json(text)["boolean"])

    def clear(self, earlier_base: str = "") -> None:
        """The bundled server is emptied; from another one everything under our IRIs is deleted."""
        if self._bundled:
            self._accept(self._send("POST", f"{self._bundled}/clear", timeout=600))
            return
        for base in {settings.BASE_IRI, earlier_base} - {""}:
            self.update(
                f"DELETE {{ GRAPH ?g {{ ?s ?p ?o }} }} WHERE {{ GRAPH ?g {{ ?s ?p ?o }} "
                f'FILTER(STRSTARTS(STR(?g), "{base}id/")) }};\n'
                f'DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o FILTER(STRSTARTS(STR(?s), "{base}id/")) }}'
            )

    def identity(self) -> str:
        name = _store_iri()
        rows = self.select(f"SELECT ?o {{ GRAPH <{name}> {{ <{name}> <{vocabulary.DCTERMS}identifier> ?o }} }}")
        return str(rows[0]["o"]["value"]) if rows else ""

    def set_identity(self, identity: str) -> None:
        name = _store_iri()
        triple = f'<{name}> <{vocabulary.DCTERMS}identifier> "{identity}"'
        self.update(f"DROP SILENT GRAPH <{name}>;\nINSERT DATA {{ GRAPH <{name}> {{ {triple} }} }}")

    def stream(self) -> Iterator[pyoxigraph.Quad]:
        """Every quad of the server except its identity, in no order. Others may write meanwhile."""
        own = pyoxigraph.NamedNode(_store_iri())
        return (quad for quad in self._stream() if quad.subject != own)

    def _stream(self) -> Iterator[pyoxigraph.Quad]:
        if self._bundled:
            with self._open("GET", f"{self._bundled}/dump") as body:
                yield from pyoxigraph.parse(body, format=pyoxigraph.RdfFormat.N_QUADS)
            return
        for graph, text in (
            (False, "SELECT ?s ?p ?o WHERE { ?s ?p ?o }"),
            (True, "SELECT ?s ?p ?o ?g WHERE { GRAPH ?g { ?s ?p ?o } }"),
        ):
            accept = {"Accept": "text/tab-separated-values"}
            with self._open("POST", self._query_url, data={"query": text}, headers=accept) as body:
                rows = pyoxigraph.parse_query_results(body, format=pyoxigraph.QueryResultsFormat.TSV)
                assert isinstance(rows, pyoxigraph.QuerySolutions)
                for row in rows:
                    yield pyoxigraph.Quad(row["s"], row["p"], row["o"], row["g"] if graph else None)

    def of_units(self, units: Sequence[Unit]) -> set[pyoxigraph.Quad]:
        """The quads of these units that the store holds now."""
        found = set()
        for unit in units:
            for graph, text in _queries_of(unit):
                for row in self.select(text):
                    subject, predicate, value = (_term(row[name]) for name in "spo")
                    found.add(pyoxigraph.Quad(subject, predicate, value, graph))
        return found

    def quads_in(self, graph: str) -> set[pyoxigraph.Quad]:
        """The quads of a named graph now."""
        name = pyoxigraph.NamedNode(graph)
        rows = self.select(f"SELECT ?s ?p ?o WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}")
        return {pyoxigraph.Quad(_term(row["s"]), _term(row["p"]), _term(row["o"]), name) for row in rows}

    def health(self) -> dict[str, Any]:
        """The server's own report; a server by address only shows that it answers."""
        if not self._bundled:
            return {"engine": self._query_url, "empty": not self.ask("ASK { ?s ?p ?o }")}
        response = self._send("GET", f"{self._bundled}/health", timeout=5)
        self._accept(response)
        facts: dict[str, Any] = response.json()
        return facts

    def answer(self, text: str, seconds: float, limit: int, accept: str, largest: int = LONGEST_ANSWER) -> SparqlAnswer:
        """A person's query, checked by the caller, with at most `largest` bytes. Raises SparqlFailed, QueryRefused."""
        if self._bundled:
            fields = {"query": text, "seconds": str(seconds), "rows": str(limit), "bytes": str(largest)}
            # The server itself ends the query; this waits for its message.
            response = self._send(
                "POST", f"{self._bundled}/query", data=fields, headers={"Accept": accept}, timeout=2 * seconds + 10
            )
            if response.status_code in (400, 403):
                sparql_guard.check_by_parser(text, min(seconds, EXPLAIN_SECONDS))  # its sentences are better
                raise sparql_guard.QueryRefused(sparql_messages.of_server(response.text))
            if response.status_code in (422, 503, 504, 507):
                raise SparqlFailed(sparql_messages.of_server(response.text))
            self._accept(response)
            return SparqlAnswer(
                response.headers["Content-Type"], response.content, response.headers["X-Truncated"] == "1"
            )
        sparql_guard.check_by_parser(text, seconds)
        return self._answer_elsewhere(text, seconds, limit, accept, largest)

    def _answer_elsewhere(self, text: str, seconds: float, limit: int, accept: str, largest: int) -> SparqlAnswer:
        headers = {"Accept": ", ".join([JSON, *sorted(TRIPLES)])}
        try:
            with self._client.stream(
                "POST", self._query_url, data={"query": text}, headers=headers, timeout=seconds
            ) as response:
                body = _bounded(response, time.monotonic() + seconds, largest)
        except httpx.TimeoutException:
            raise SparqlFailed(f"The query took longer than {seconds:g} seconds.") from None
        except httpx.HTTPError as error:
            raise StoreUnavailable(no_response(error)) from error
        if response.status_code in _REFUSED or response.status_code >= 500:
            reported = sparql_messages.of_server(body[:LONGEST_REPORT].decode(errors="replace"))
            raise SparqlFailed(f"The SPARQL server reported: {reported}")
        if response.status_code in (401, 403):
            raise StoreUnavailable(_WRONG_TOKEN)
        kind = response.headers.get("Content-Type", "").split(";")[0]
        return _first_triples(body, kind, limit, accept) if kind in TRIPLES else _first_rows(body, limit, accept)

    def _json(self, text: str) -> dict[str, Any]:
        response = self._send("POST", self._query_url, data={"query": text}, headers={"Accept": JSON})
        self._accept(response)
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            raise StoreUnavailable("The response of the SPARQL server is not SPARQL JSON. Check its address.") from None
        return answer

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, url, **options)
        except httpx.HTTPError as error:
            raise StoreUnavailable(no_response(error)) from error

    def _open(self, method: str, url: str, **options: Any) -> ResponseStream:
        request = self._client.build_request(method, url, **options)
        try:
            response = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise StoreUnavailable(no_response(error)) from error
        if response.status_code != 200:
            response.read()
        self._accept(response)
        return ResponseStream(response)

    def _accept(self, response: httpx.Response) -> None:
        if response.status_code in (401, 403):
            raise StoreUnavailable(_WRONG_TOKEN)
        if not response.is_success:
            raise StoreUnavailable(f"The SPARQL server responded with {response.status_code}: {response.text[:300]}")


def query(text: str, seconds: float, limit: int, accept: str = JSON, largest: int = LONGEST_ANSWER) -> SparqlAnswer:
    """A person's query: read-only, within the graph, at most `limit` rows, `largest` bytes and about `seconds`.

    Raises QueryRefused, SparqlFailed or StoreUnavailable, each with a sentence for the person.
    """
    if sparql_guard.check(text) == "describe":
        text = descriptions.as_construct(text)
    return SparqlStore.from_settings().answer(text, seconds, limit, accept, largest)


def default_graph_is_union() -> bool:
    """Whether the server's default graph includes the named graphs: then a query without GRAPH sees more than each
    statement once. Tested by inserting a triple for a moment."""
    store = SparqlStore.from_settings()
    facts = store.health()
    if "default_graph_is_union" in facts:
        return bool(facts["default_graph_is_union"])
    probe = f"{settings.BASE_IRI}id/probe"
    store.update(f"INSERT DATA {{ GRAPH <{probe}> {{ <{probe}> <{probe}> <{probe}> }} }}")
    try:
        return store.ask(f"ASK {{ <{probe}> <{probe}> <{probe}> }}")
    finally:
        store.update(f"DROP SILENT GRAPH <{probe}>")


def update(units: Iterable[Unit]) -> str:
    """One update request that writes these units; "" where there is nothing to do."""
    dropped, subjects, removed, added = dict[str, None](), [], [], dict[str, list[str]]()
    for unit in units:
        dropped |= dict.fromkeys(quads.graphs(unit))
        for quad in quads.quads(unit):
            graph = quad.graph_name
            place = graph.value if isinstance(graph, pyoxigraph.NamedNode) else ""
            added.setdefault(place, []).append(_triple(quad))
        if isinstance(unit, EntityUnit):
            subjects.append(f"<{vocabulary.entity_iri(unit.key)}>")
        elif isinstance(unit, StatementUnit):
            removed += [_triple(quad) for quad in quads.gone(unit)]
    steps = [f"DROP SILENT GRAPH <{graph}>" for graph in dropped]
    if subjects:
        # One step for each property: with both as variables an engine may scan every triple that it has.
        values = f"VALUES ?s {{ {' '.join(subjects)} }}"
        steps += [f"DELETE {{ ?s {name} ?o }} WHERE {{ {values} ?s {name} ?o }}" for name in quads.ENTITY_PROPERTIES]
        steps += [
            f"DELETE {{ ?s {name} ?o }} WHERE {{ {values} ?s {name} ?o FILTER(isLiteral(?o)) }}"
            for name in quads.VALUE_PROPERTIES
        ]
    if removed:
        steps.append(f"DELETE DATA {{\n{''.join(removed)}}}")
    if added:
        inner = (f"GRAPH <{graph}> {{\n{''.join(some)}}}" if graph else "".join(some) for graph, some in added.items())
        steps.append(f"INSERT DATA {{\n{''.join(inner)}}}")
    return ";\n".join(steps)


def _store_iri() -> str:
    """The graph in which a store keeps its identity."""
    return f"{settings.BASE_IRI}id/store"


def _triple(quad: pyoxigraph.Quad) -> str:
    return f"{quad.subject} {quad.predicate} {quad.object} .\n"


def _queries_of(unit: Unit) -> list[tuple[pyoxigraph.NamedNode | None, str]]:
    """The queries for the quads of a unit, each with the graph that it reads."""
    found: list[tuple[pyoxigraph.NamedNode | None, str]] = [
        (pyoxigraph.NamedNode(graph), f"SELECT ?s ?p ?o WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}")
        for graph in quads.graphs(unit)
    ]
    if isinstance(unit, EntityUnit):
        rows = " ".join(f"(<{vocabulary.entity_iri(unit.key)}> {name})" for name in quads.ENTITY_PROPERTIES)
        found.append((None, f"SELECT ?s ?p ?o WHERE {{ VALUES (?s ?p) {{ {rows} }} ?s ?p ?o }}"))
        rows = " ".join(f"(<{vocabulary.entity_iri(unit.key)}> {name})" for name in quads.VALUE_PROPERTIES)
        literals = f"SELECT ?s ?p ?o WHERE {{ VALUES (?s ?p) {{ {rows} }} ?s ?p ?o FILTER(isLiteral(?o)) }}"
        found.append((None, literals))
    elif isinstance(unit, StatementUnit):
        plain = (*quads.plain(unit), *quads.gone(unit))
        places = sorted({f"({q.subject} {q.predicate} {q.object})" for q in plain})
        if places:
            found.append((None, f"SELECT ?s ?p ?o WHERE {{ VALUES (?s ?p ?o) {{ {' '.join(places)} }} ?s ?p ?o }}"))
    return found


def _term(term: dict[str, Any]) -> Any:
    if term["type"] == "uri":
        return pyoxigraph.NamedNode(term["value"])
    if term["type"] == "bnode":
        return pyoxigraph.BlankNode(term["value"])
    if "xml:lang" in term:
        return pyoxigraph.Literal(term["value"], language=term["xml:lang"].lower())
    datatype = pyoxigraph.NamedNode(term["datatype"]) if "datatype" in term else None
    return pyoxigraph.Literal(term["value"], datatype=datatype)


def _first_rows(body: bytes, limit: int, accept: str) -> SparqlAnswer:
    """Another server's table, of at most `limit` rows, in the requested form."""
    try:
        table = json.loads(body)
        rows = table.get("results", {}).get("bindings", [])
        if rows:
            table["results"]["bindings"] = rows[:limit]
        form = pyoxigraph.QueryResultsFormat.from_media_type(accept) or pyoxigraph.QueryResultsFormat.JSON
        read = pyoxigraph.parse_query_results(json.dumps(table).encode(), format=pyoxigraph.QueryResultsFormat.JSON)
        written = read.serialize(format=form)
    except (ValueError, SyntaxError, AttributeError) as error:
        raise SparqlFailed(f"The response of the SPARQL server cannot be parsed: {error}") from error
    return SparqlAnswer(form.media_type, well_formed(written or b"", form.media_type), len(rows) > limit)


def _first_triples(body: bytes, kind: str, limit: int, accept: str) -> SparqlAnswer:
    given = pyoxigraph.RdfFormat.from_media_type(kind)
    form = pyoxigraph.RdfFormat.from_media_type(accept) or given or pyoxigraph.RdfFormat.TURTLE
    try:
        triples = [quad.triple for quad in pyoxigraph.parse(body, format=given)]
        written = pyoxigraph.serialize(triples[:limit], format=form)
    except (ValueError, SyntaxError) as error:
        raise SparqlFailed(f"The response of the SPARQL server cannot be parsed: {error}") from error
    return SparqlAnswer(form.media_type, well_formed(written or b"", form.media_type), len(triples) > limit)


def _bounded(response: httpx.Response, until: float, largest: int) -> bytes:
    """Another server's answer, within its limits of time and size."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > largest:
            raise SparqlFailed(f"The answer is larger than {largest >> 20} MB. Ask for fewer rows.")
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the response came too slowly")
    return bytes(body)
