"""The SPARQL page: queries sent to the store, formats of results, and errors."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from knowledge.graphs.rdf import sparql_guard, sparql_store
from knowledge.graphs.units import StoreUnavailable
from knowledge.views.queries.sparql_examples import about_entity, examples
from tests.factories import make_post, make_user, read_post
from tests.markup import markup

pytestmark = pytest.mark.django_db

JSON = "application/sparql-results+json"
ROWS = {
    "head": {"vars": ["s", "name", "link", "nothing"]},
    "results": {
        "bindings": [
            {
                "s": {"type": "uri", "value": "http://kg.example/id/entity/00000000-0000-0000-0000-000000000001"},
                "name": {"type": "literal", "value": "<b>Ada</b>", "xml:lang": "en"},
                "link": {"type": "uri", "value": "javascript:alert(1)"},
            }
        ]
    },
}
Answering = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user("viewer"))
    return client


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Replace the store by a server that returns this answer (or raises it) and records the queries it receives."""

    def put(answer: Any, truncated: bool = False) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []

        def query(text: str, seconds: float, limit: int, accept: str, largest: int) -> sparql_store.SparqlAnswer:
            received.append({"text": text, "seconds": seconds, "limit": limit, "accept": accept})
            if isinstance(answer, Exception):
                raise answer
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            return sparql_store.SparqlAnswer(accept, body, truncated)

        monkeypatch.setattr(sparql_store, "query", query)
        return received

    return put


def test_examples_can_all_be_sent() -> None:
    for example in examples('O"Neil \\ {literal}'):
        assert sparql_guard.check(example.text) == "select", example.key
    assert sparql_guard.check(about_entity(uuid.UUID(int=1))) == "select"


def test_examples_are_about_an_entity_of_the_graph(viewer: Client) -> None:
    """Whatever it holds: the samples may have been removed."""
    post = make_post("Zoë Quick works for Acme")
    read_post(post, [("Zoë Quick", "person"), ("Acme", "organization")], [("Zoë Quick", "employer", "Acme", 0.9)])
    html = markup(viewer.get("/sparql/"))
    assert "Statements about Zoë Quick, with their sources" in html and "Marie Curie" not in html
    assert '(STR(?from) = "Zoë Quick")' in viewer.get("/sparql/?example=steps").context["query"]


def test_a_link_fills_the_form_and_runs_nothing(viewer: Client, answering: Answering) -> None:
    received = answering(ROWS)
    html = viewer.get("/sparql/?query=SELECT+%2A+%7B%3Fs+%3Fp+%3C%2Ftextarea%3E%7D").content.decode()
    assert "SELECT * {?s ?p &lt;/textarea&gt;}" in html
    assert "0000-000000000007" in viewer.get(f"/sparql/?entity={uuid.UUID(int=7)}").content.decode()
    assert (
        examples("")[0].text.splitlines()[0].replace("<", "&lt;").replace(">", "&gt;")
        in viewer.get("/sparql/?entity=rubbish").content.decode()
    )
    assert received == []


def test_the_page_answers_as_a_table_without_scripts(viewer: Client, answering: Answering, settings: Any) -> None:
    settings.SPARQL_SECONDS = 7.0
    received = answering(ROWS)
    html = viewer.post("/sparql/", {"query": "SELECT * { ?s ?p ?o }", "format": "html"}).content.decode()
    assert received == [{"text": "SELECT * { ?s ?p ?o }", "seconds": 7.0, "limit": 5000, "accept": JSON}]
    assert '<a href="/id/entity/00000000-0000-0000-0000-000000000001">' in html
    assert '<bdi lang="en">&lt;b&gt;Ada&lt;/b&gt;</bdi>' in html
    assert 'href="javascript' not in html
    assert ">1 row</h2>" in html


def test_an_ask_and_a_construct_are_shown(viewer: Client, answering: Answering) -> None:
    answering({"head": {}, "boolean": True})
    assert "<pre" in (html := viewer.post("/sparql/", {"query": "ASK {}", "format": "html"}).content.decode())
    assert "Yes" in html
    received = answering(b"<urn:a> <urn:b> <urn:c> .")
    html = viewer.post(
        "/sparql/", {"query": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }", "format": "html"}
    ).content.decode()
    assert received[0]["accept"] == "text/turtle"
    assert "&lt;urn:a&gt;" in html


@pytest.mark.parametrize(
    ("form", "media", "name"),
    [
        ("csv", "text/csv", "answer.csv"),
        ("json", JSON, "answer.json"),
        ("tsv", "text/tab-separated-values", "answer.txt"),
    ],
)
def test_downloads(viewer: Client, answering: Answering, form: str, media: str, name: str) -> None:
    received = answering(b"s\r\n1\r\n")
    response = viewer.post("/sparql/", {"query": "SELECT * { ?s ?p ?o }", "format": form})
    assert received[0]["accept"] == media
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.content == b"s\r\n1\r\n"


def test_the_editor_gets_what_it_accepts(viewer: Client, answering: Answering) -> None:
    received = answering(ROWS, truncated=True)
    response = viewer.post("/sparql/", {"query": "SELECT * { ?s ?p ?o }"}, headers={"accept": f"{JSON},*/*;q=0.9"})
    assert received[0]["accept"] == JSON
    assert json.loads(response.content) == ROWS
    assert response.headers["X-Truncated"] == "5000"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }", "SERVICE is not allowed"),
        ("LOAD <http://127.0.0.1/>", "LOAD is not allowed"),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", "Updates are not allowed"),
        ("DROP ALL", "Updates are not allowed"),
        ("", "The query is empty"),
    ],
)
def test_a_query_that_is_not_allowed_is_not_sent(
    viewer: Client, answering: Answering, query: str, sentence: str
) -> None:
    received = answering(ROWS)
    page = viewer.post("/sparql/", {"query": query, "format": "html"})
    assert page.status_code == 400
    assert sentence in page.content.decode()
    plain = viewer.post("/sparql/", {"query": query}, headers={"accept": JSON})
    assert (plain.status_code, plain.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert sentence in plain.content.decode()
    assert received == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (sparql_store.SparqlFailed("It took longer than 10 seconds."), 422),
        (StoreUnavailable("It does not answer."), 503),
    ],
)
def test_a_failed_query_shows_the_reason(viewer: Client, answering: Answering, error: Exception, status: int) -> None:
    answering(error)
    page = viewer.post("/sparql/", {"query": "SELECT * { ?s ?p ?o }", "format": "html"})
    assert page.status_code == status
    assert str(error) in page.content.decode()
    assert "SELECT * { ?s ?p ?o }" in page.content.decode(), "the query is still there"


def test_a_query_needs_the_csrf_token(answering: Answering) -> None:
    received = answering(ROWS)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("viewer"))
    assert strict.post("/sparql/", {"query": "SELECT * { ?s ?p ?o }"}).status_code == 403
    assert received == []
