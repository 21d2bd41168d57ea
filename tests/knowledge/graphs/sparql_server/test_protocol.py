"""SPARQL 1.1 Protocol for clients elsewhere, on the real bundled server: ways of asking, forms of answers, refusals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from kgbuilder.accounts import api_tokens
from knowledge.graphs import projector
from tests.factories import make_user
from tests.newsroom import open_newsroom
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

BORN = "SELECT ?who ?where WHERE { ?who <https://w3id.org/kgbuilder/ontology#place_of_birth> ?where }"
URL = "/api/v1/sparql"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def client(server: Server, settings: Any) -> Client:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = server.socket, TOKEN
    _, text = api_tokens.make(make_user("viewer"), "a client", ["query"])
    return Client(headers={"Authorization": f"Bearer {text}"}, enforce_csrf_checks=True)


def refused(response: Any, status: int, message: str) -> None:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    assert message in response.json()["detail"]


def test_a_query_is_asked_in_all_three_ways_and_answered_in_the_form_that_is_liked_best(client: Client) -> None:
    open_newsroom(pictures=False)
    while projector.run("rdf", worker="test").done:
        pass
    ways = (
        lambda accept: client.get(URL, {"query": BORN}, headers={"Accept": accept}),
        lambda accept: client.post(URL, urlencode({"query": BORN}), content_type=FORM, headers={"Accept": accept}),
        lambda accept: client.post(
            URL, BORN, content_type="application/sparql-query; charset=utf-8", headers={"Accept": accept}
        ),
    )
    for ask in ways:
        found = ask("")
        assert found.headers["Content-Type"].startswith("application/sparql-results+json")
        assert len(json.loads(found.content)["results"]["bindings"]) == 4
        table = ask("text/csv;q=0.9, application/sparql-results+xml;q=0.2")
        assert len(list(csv.DictReader(io.StringIO(table.content.decode())))) == 4
        assert ask("application/xml").content.startswith(b"<?xml")
    graph = f"CONSTRUCT {{ ?who a ?where }} WHERE {{ {BORN.partition('WHERE {')[2]}"
    for accept, kind in (("*/*", "text/turtle"), ("application/n-triples", "application/n-triples")):
        found = client.get(URL, {"query": graph}, headers={"Accept": accept})
        assert found.headers["Content-Type"].startswith(kind)
        assert b"kg.example" in found.content
    assert json.loads(client.get(URL, {"query": "ASK {}"}).content)["boolean"] is True


def test_what_is_no_query_is_refused_before_it_is_sent(client: Client) -> None:
    refused(client.get(URL), 400, "query")
    refused(client.get(f"{URL}?query=ASK%7B%7D&query=ASK%7B%7D"), 400, "one query")
    refused(client.get(URL, {"query": "SELECT nothing"}), 400, "cannot be read")
    refused(client.get(URL, {"query": "ASK { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }"}), 400, "SERVICE")
    refused(client.post(URL, urlencode({"update": "CLEAR ALL"}), content_type=FORM), 400, "Updates")
    refused(client.post(URL, "CLEAR ALL", content_type="application/sparql-query"), 400, "Updates")
    refused(client.post(URL, "CLEAR ALL", content_type="application/sparql-update"), 415, "Send the query as")
    refused(client.post(URL, b"\xff", content_type="application/sparql-query"), 400, "UTF-8")
    refused(client.get(URL, {"query": "ASK {}", "default-graph-uri": "http://a.example/"}), 400, "FROM")
    refused(client.get(URL, {"query": "ASK {}"}, headers={"Accept": "image/png"}), 406, "available as")
    refused(client.get(URL, {"query": "ASK {}"}, headers={"Accept": "text/csv;q=0"}), 406, "available as")


def test_a_server_that_is_away_is_reported_as_a_problem(client: Client, settings: Any, tmp_path: Any) -> None:
    settings.SPARQL_SOCKET = tmp_path / "none.sock"
    response = client.get(URL, {"query": "ASK {}"})
    refused(response, 503, "does not respond")
    assert response.headers["Retry-After"]
