"""A SPARQL 1.1 server by address instead of the bundled one: all of the store's work in the protocol alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import waitress
from pytest_django import Settings

from knowledge.graphs import projector
from knowledge.graphs.rdf import parity, sparql_store
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.graphs.sparql_server import server as sparql_server_server
from tests import records
from tests.knowledge.graphs.test_rdf_projection import TEXT, recorded_post, strange
from tests.servers.sparql import TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Iterator[SparqlStore]:
    """The bundled server's application on a port: with `/ask` as its query address it is like any live server."""
    app, _ = sparql_server_server.application(tmp_path / "graph", TOKEN)
    sockets: dict[int, Any] = {}
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4, map=sockets)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.effective_port}"
    settings.SPARQL_QUERY_URL, settings.SPARQL_UPDATE_URL = f"{address}/ask", f"{address}/update"
    settings.ENV = settings.ENV | {"SPARQL_TOKEN": TOKEN}
    yield SparqlStore.from_settings()
    # Its loop is woken once more and finds nothing left to listen to; closing its sockets under it would be an error.
    server.trigger.pull_trigger(lambda: sockets.clear())
    thread.join()
    server.task_dispatcher.shutdown()
    server.socket.close()


def test_it_is_projected_compared_repaired_and_cleared(store: SparqlStore) -> None:
    records.checkpoint()
    recorded_post()
    projector.run("rdf")
    assert not parity.check(store, "rdf").differences
    store.update(strange(store)[0])
    report = parity.check(store, "rdf")
    assert [one.kind for one in report.wrong] == ["statement"]
    parity.repair(store, report)
    projector.run("rdf")
    assert not parity.check(store, "rdf").differences


def test_only_ours_is_cleared(store: SparqlStore, settings: Settings) -> None:
    records.checkpoint()
    recorded_post()
    projector.run("rdf")
    store.update("INSERT DATA { <urn:a> <urn:b> 1 . GRAPH <urn:g> { <urn:a> <urn:b> 2 } }")
    earlier, settings.BASE_IRI = settings.BASE_IRI, "https://news.example/kg/"
    recorded_post(TEXT + " Again.")
    projector.run("rdf")
    store.clear(earlier)
    assert sorted(str(quad.subject) for quad in store.stream()) == ["<urn:a>", "<urn:a>"]


def test_a_persons_query_is_cut_and_given_in_the_form_asked_for(store: SparqlStore) -> None:
    answer = sparql_store.query("SELECT * { VALUES ?x { 1 2 3 } }", seconds=10, limit=2, accept="text/csv")
    assert answer.truncated and answer.body.split() == [b"x", b"1", b"2"]
    whole = sparql_store.query("ASK { VALUES ?x { 1 } }", seconds=10, limit=2)
    assert not whole.truncated and b"true" in whole.body
    with pytest.raises(sparql_store.SparqlFailed):
        sparql_store.query("SELECT * { ?s ?p ?o } GROUP BY ?s", seconds=10, limit=2)


def test_the_union_is_tested_and_the_test_leaves_nothing(store: SparqlStore, settings: Settings) -> None:
    settings.SPARQL_QUERY_URL += "?"  # not by the report of the bundled server
    assert sparql_store.default_graph_is_union() is False
    assert list(store.stream()) == []


def test_a_wrong_token_is_reported(store: SparqlStore, settings: Settings) -> None:
    settings.ENV = settings.ENV | {"SPARQL_TOKEN": "wrong"}
    with pytest.raises(sparql_store.StoreUnavailable, match="SPARQL_TOKEN"):
        SparqlStore.from_settings().ask("ASK {}")
    with pytest.raises(sparql_store.StoreUnavailable, match="SPARQL_TOKEN"):
        SparqlStore.from_settings().update("CLEAR ALL")
