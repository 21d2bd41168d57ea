"""The bundled SPARQL server: one process that owns a pyoxigraph store, and answers on a socket file or an address.

    python -m knowledge.graphs.sparql_server.server --store DIR (--socket FILE | --listen HOST:PORT)

A second process may not open the store and a forked one's writes vanish, so all access goes through this server.
`/query` is for people: SPARQL 1.1 Query on a snapshot, in a child that is killed at its limit. `/graph` is the Graph
Store Protocol. `/update`, `/ask` (a query on the live store) and `/dump` are the product's own. It prints `ready` once
it serves.
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyoxigraph
import waitress

from knowledge.graphs.sparql_server import graph_store_protocol
from knowledge.graphs.sparql_server.keyword_scan import forbidden
from knowledge.graphs.sparql_server.live_store import LiveStore, Refusal
from knowledge.graphs.sparql_server.snapshot_queries import LONGEST_ANSWER, WAITING, AdHoc, SnapshotQueryFailed

LONGEST_BODY = 256 << 20
DUMP_CHUNK = 10_000  # quads
RESULTS = ("application/sparql-results+json", "application/sparql-results+xml", "text/csv", "text/tab-separated-values")
TRIPLES = ("text/turtle", "application/n-triples", "application/rdf+xml", "application/ld+json")
_OUTWARD = frozenset({"SERVICE", "LOAD"})

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]


class App:
    """The WSGI application. Every request carries the token."""

    def __init__(self, graph: LiveStore, ad_hoc: AdHoc, token: str) -> None:
        self._graph, self._ad_hoc, self._token = graph, ad_hoc, token
        self._began = time.time()
        graph.on_write = ad_hoc.snapshots.changed
        self._routes: dict[tuple[str, str], Callable[[Environ], tuple[Headers, Iterable[bytes]]]] = {
            ("GET", "/health"): self._health,
            ("GET", "/query"): self._query,
            ("POST", "/query"): self._query,
            ("POST", "/ask"): self._ask,
            ("POST", "/update"): self._update,
            ("POST", "/clear"): self._clear,
            ("GET", "/dump"): self._dump,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._authorise(environ)
            if environ.get("PATH_INFO") == "/graph" and environ["REQUEST_METHOD"] in graph_store_protocol.METHODS:
                with self._graph.reading() as store:
                    status, own, whole = graph_store_protocol.answer(store, self._graph.update, environ)
                start_response(status, [*own, ("Content-Length", str(len(whole)))])
                return [whole]
            route = self._routes.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
            if route is None:
                raise Refusal("404 Not Found", "There is nothing at this address.")
            headers, body = route(environ)
        except Refusal as refusal:
            return _plain(start_response, refusal.status, str(refusal))
        except graph_store_protocol.RequestRefused as refused:
            return _plain(start_response, refused.status, str(refused))
        except SnapshotQueryFailed as failed:
            return _plain(start_response, f"{failed.status} {_REASONS.get(failed.status, 'Failed')}", str(failed))
        except SyntaxError as error:
            return _plain(start_response, "400 Bad Request", str(error))
        except ValueError as error:
            return _plain(start_response, "400 Bad Request", str(error))
        start_response("200 OK", headers)
        return body

    def _authorise(self, environ: Environ) -> None:
        given = environ.get("HTTP_AUTHORIZATION", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise Refusal("401 Unauthorized", "The token is missing or wrong: set SPARQL_TOKEN.")

    def _health(self, environ: Environ) -> tuple[Headers, list[bytes]]:
        with self._graph.reading() as store:
            empty = next(iter(store.quads_for_pattern(None, None, None)), None) is None
        facts = {
            "engine": f"pyoxigraph {pyoxigraph.__version__}",
            "empty": empty,
            "writes": self._graph.writes,
            "up_seconds": round(time.time() - self._began),
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "default_graph_is_union": False,
            "set_aside": self._graph.set_aside(),
        }
        return [("Content-Type", "application/json")], [json.dumps(facts).encode()]

    def _query(self, environ: Environ) -> tuple[Headers, list[bytes]]:
        text, fields = _text(environ, "query", "application/sparql-query")
        word = forbidden(text, _OUTWARD)
        if word:
            raise Refusal("403 Forbidden", f"{word} is not allowed: queries stay within this graph.")
        seconds, rows = _number(fields, "seconds", 1e9), int(_number(fields, "rows", 10_000))
        largest = int(_number(fields, "bytes", LONGEST_ANSWER))
        answer = self._ad_hoc.answer(text, _negotiated(environ), seconds, rows, largest)
        headers = [("Content-Type", answer.media_type)]
        return [*headers, ("X-Truncated", "1" if answer.truncated else "0")], [answer.body]

    def _ask(self, environ: Environ) -> tuple[Headers, list[bytes]]:
        """The product's own small queries, answered from the live store, with what was just written."""
        text, _ = _text(environ, "query", "application/sparql-query")
        if forbidden(text, _OUTWARD):
            raise Refusal("403 Forbidden", "Queries stay within this graph.")
        form = pyoxigraph.QueryResultsFormat.from_media_type(_negotiated(environ))
        if form is None:
            raise Refusal("406 Not Acceptable", "A table is given as JSON, XML, CSV or TSV.")
        with self._graph.reading() as store:
            results = store.query(text)
            if isinstance(results, pyoxigraph.QueryTriples):
                raise Refusal("400 Bad Request", "Only SELECT and ASK are answered here.")
            return [("Content-Type", form.media_type)], [results.serialize(format=form) or b""]

    def _update(self, environ: Environ) -> tuple[Headers, list[bytes]]:
        text, _ = _text(environ, "update", "application/sparql-update")
        if forbidden(text, _OUTWARD):
            raise Refusal("403 Forbidden", "Updates stay within this graph.")
        fence = environ.get("HTTP_X_FENCE", "0")
        self._graph.update(text, int(fence) if fence.isdigit() else 0)
        return [("Content-Type", "text/plain; charset=utf-8")], [b""]

    def _clear(self, environ: Environ) -> tuple[Headers, list[bytes]]:
        self._graph.clear()
        return [("Content-Type", "text/plain; charset=utf-8")], [b""]

    def _dump(self, environ: Environ) -> tuple[Headers, Iterator[bytes]]:
        """The whole live store as N-Quads, in the state of when the first chunk is sent."""

        def chunks() -> Iterator[bytes]:
            with self._graph.reading() as store:
                quads = store.quads_for_pattern(None, None, None, None)
                while some := list(itertools.islice(quads, DUMP_CHUNK)):
                    yield pyoxigraph.serialize(some, format=pyoxigraph.RdfFormat.N_QUADS) or b""

        return [("Content-Type", "application/n-quads")], chunks()


_REASONS = {
    400: "Bad Request",
    422: "Unprocessable Content",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    507: "Insufficient Storage",
}


def _plain(start_response: StartResponse, status: str, message: str) -> list[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    start_response(status, [*headers, ("Retry-After", "3")] if status.startswith("503") else headers)
    return [message.encode("utf-8", "replace")]


def _text(environ: Environ, field: str, media_type: str) -> tuple[str, dict[str, list[str]]]:
    """The SPARQL text of a request, in any of the protocol's three ways, and its other fields."""
    fields = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=20)
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode("utf-8")
        if environ.get("CONTENT_TYPE", "").split(";")[0].strip() == media_type:
            return body, fields
        fields = fields | parse_qs(body, max_num_fields=20)
    if len(fields.get(field, [])) != 1:
        raise Refusal("400 Bad Request", f"The request holds no {field}.")
    return fields[field][0], fields


def _negotiated(environ: Environ) -> str:
    accepted = environ.get("HTTP_ACCEPT", "")
    return next((kind for kind in (*RESULTS, *TRIPLES) if kind in accepted), RESULTS[0])


def _number(fields: dict[str, list[str]], name: str, default: float) -> float:
    try:
        return float(fields[name][0]) if name in fields else default
    except ValueError:
        raise Refusal("400 Bad Request", f"{name} takes a number.") from None


def application(store: Path, token: str, children: int = 2, seconds: float = 10.0) -> tuple[App, LiveStore]:
    graph = LiveStore(store)
    return App(graph, AdHoc(graph.reading, store.with_name(store.name + "-snapshots"), children, seconds), token), graph


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m knowledge.graphs.sparql_server.server", description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="the store's folder; created if it does not exist")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, help="the socket file to listen on")
    place.add_argument("--listen", metavar="HOST:PORT", help="the address to listen on, on a network of one's own")
    parser.add_argument("--children", type=int, default=2, help="people's queries that run at the same time")
    parser.add_argument("--seconds", type=float, default=10.0, help="the longest that a query may take")
    options = parser.parse_args(arguments)
    token = os.environ.pop("SPARQL_TOKEN", "")
    if not token:
        sys.exit("SPARQL_TOKEN is not set: the SPARQL server will not run without a token.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        app, graph = application(options.store.resolve(), token, options.children, options.seconds)
    except OSError as error:
        sys.exit(f"The graph in {options.store} cannot be opened: {error}. If another process holds it, stop it.")
    threading.Thread(target=_flush_when_idle, args=(graph,), daemon=True).start()
    try:
        _serve(app, _place(options), threads=options.children + WAITING + 6)
    finally:
        with contextlib.suppress(Refusal):
            graph.close()
        if options.socket:
            options.socket.unlink(missing_ok=True)


def _place(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of waitress for the address to listen on."""
    if options.listen:
        return {"listen": options.listen}
    options.socket.unlink(missing_ok=True)  # left by a killed server; the store's own lock prevents two servers
    return {"unix_socket": str(options.socket), "unix_socket_perms": "600"}


def _serve(app: App, place: dict[str, Any], threads: int) -> None:
    server = waitress.create_server(
        app,
        **place,
        threads=threads,
        max_request_body_size=LONGEST_BODY,
        channel_timeout=600,
        ident=None,
    )
    print("ready", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


def _flush_when_idle(graph: LiveStore) -> None:
    while not graph.broken.wait(1):
        with contextlib.suppress(Refusal):
            graph.flush_idle()
    time.sleep(1)  # for the answers that are being sent
    os._exit(1)


if __name__ == "__main__":
    main()
