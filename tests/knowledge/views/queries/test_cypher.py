"""The Cypher page and saved queries: permissions, queries sent to Neo4j, formats of results, sharing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from knowledge.graphs.neo4j import queries
from knowledge.graphs.rdf import sparql_guard
from knowledge.graphs.units import StoreUnavailable
from knowledge.models import SavedQuery
from tests.factories import make_user
from tests.markup import markup

pytestmark = pytest.mark.django_db

KEY = "00000000-0000-4000-8000-000000000007"
Answering = Callable[..., list[Any]]


@pytest.fixture
def editor(client: Client, settings: Any) -> Client:
    settings.NEO4J_URL = "bolt://127.0.0.1:1"
    client.force_login(make_user("editor", "edith"))
    return client


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Replace Neo4j by a server that returns this answer (or raises it) and records the queries it receives."""

    def put(answer: Any) -> list[Any]:
        received: list[Any] = []

        def query(text: str, parameters: dict[str, Any], seconds: float, limit: int) -> queries.CypherAnswer:
            received.append((text, parameters, seconds, limit))
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, queries.CypherAnswer)
            return answer

        monkeypatch.setattr(queries, "query", query)
        return received

    return put


def answer() -> queries.CypherAnswer:
    nodes = {
        "a": {"key": "a", "id": KEY, "name": "<b>Ada</b>", "labels": ["Entity", "Person"], "properties": {}},
        "b": {"key": "b", "id": "x", "name": "London", "labels": ["Entity", "Location"], "properties": {}},
    }
    edges = {
        "r": {"key": "r", "type": "PLACE_OF_BIRTH", "from": "a", "to": "b", "properties": {}},
        "s": {"key": "s", "type": "VISITED", "from": "a", "to": "b", "properties": {"factuality": "planned"}},
    }
    row: list[Any] = [{"node": "a"}, {"relationship": "r"}, "javascript:alert(1)", "https://news.example/1", [1, "é"]]
    return queries.CypherAnswer(["n", "r", "x", "url", "list"], [row], True, nodes, edges)


def test_it_is_for_those_with_the_permission(client: Client, settings: Any, answering: Answering) -> None:
    settings.NEO4J_URL = "bolt://127.0.0.1:1"
    received = answering(answer())
    client.force_login(make_user("viewer"))
    assert client.get("/cypher/").status_code == 403
    assert client.post("/cypher/", {"query": "RETURN 1"}).status_code == 403
    assert "/cypher/" not in client.get("/").content.decode()
    client.force_login(make_user("editor"))
    assert "/cypher/" in client.get("/").content.decode()
    assert received == []


def test_the_page_answers_as_a_table_and_as_a_graph(editor: Client, answering: Answering) -> None:
    received = answering(answer())
    html = markup(editor.post("/cypher/", {"query": "RETURN $x", "parameters": '{"x": 1}', "format": "html"}))
    assert received == [("RETURN $x", {"x": 1}, 10.0, 5000)]
    assert f'<a href="/id/entity/{KEY}"><bdi>&lt;b&gt;Ada&lt;/b&gt;</bdi></a>' in html
    assert 'href="javascript' not in html and 'href="https://news.example/1"' in html
    assert "More than 5000 row" in html
    graph = json.loads(html.split('<script id="graph-data" type="application/json">')[1].split("</script>")[0])
    assert [node["kind"] for node in graph["nodes"]] == ["person", "location"]
    assert graph["nodes"][1]["href"] == "", "an id that is not from this record has no link"
    assert graph["edges"] == [
        {"from": "a", "to": "b", "label": "place of birth", "factuality": "stated"},
        {"from": "a", "to": "b", "label": "visited, planned", "factuality": "planned"},
    ]
    assert "RETURN $x" in html and "{&quot;x&quot;: 1}" in html, "the query is still in the form"


def test_its_policy_allows_only_styles_with_the_nonce(editor: Client) -> None:
    response = editor.get("/cypher/")
    policy = response.headers["Content-Security-Policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'data-nonce="{nonce}"' in response.content.decode()
    assert "script-src" not in policy and "style-src 'self' 'nonce-" in policy
    assert nonce not in editor.get("/cypher/").headers["Content-Security-Policy"]


def test_downloads(editor: Client, answering: Answering) -> None:
    answering(answer())
    csv = editor.post("/cypher/", {"query": "RETURN 1", "format": "csv"})
    assert csv.headers["Content-Disposition"] == 'attachment; filename="answer.csv"'
    assert csv.headers["X-Truncated"] == "5000"
    assert csv.content.decode().splitlines()[0] == "n,r,x,url,list"
    assert json.loads(editor.post("/cypher/", {"query": "RETURN 1", "format": "json"}).content)["truncated"] is True


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (sparql_guard.QueryRefused("It is not allowed."), 400),
        (queries.CypherFailed("It took longer."), 422),
        (StoreUnavailable("It does not answer."), 503),
    ],
)
def test_a_failed_query_shows_the_reason(editor: Client, answering: Answering, error: Exception, status: int) -> None:
    answering(error)
    page = editor.post("/cypher/", {"query": "MATCH (n) RETURN n", "format": "html"})
    assert page.status_code == status and str(error) in page.content.decode()
    assert "MATCH (n) RETURN n" in page.content.decode()
    plain = editor.post("/cypher/", {"query": "MATCH (n) RETURN n", "format": "csv"})
    assert (plain.status_code, plain.content.decode()) == (status, str(error))


def test_wrong_parameters_are_not_sent(editor: Client, answering: Answering) -> None:
    received = answering(answer())
    page = editor.post("/cypher/", {"query": "RETURN 1", "parameters": "{x: 1}", "format": "html"})
    assert page.status_code == 400 and "are not valid JSON" in page.content.decode() and received == []


def test_without_neo4j_it_shows_a_message(editor: Client, settings: Any) -> None:
    settings.NEO4J_URL = ""
    html = editor.get("/cypher/").content.decode()
    assert "NEO4J_URL" in html and "<textarea" not in html


@pytest.mark.parametrize("example", ["connected", "claims", "path", "neighbourhood", "corroborated", "together"])
def test_every_example_fills_the_form(editor: Client, example: str) -> None:
    assert f"?example={example}" in editor.get(f"/cypher/?example={example}").content.decode()


def save(client: Client, **fields: str) -> Any:
    return client.post("/queries/save/", {"language": "cypher", "title": "Mine", "query": "RETURN 1"} | fields)


def test_a_query_is_saved_replaced_shared_and_removed(editor: Client) -> None:
    response = save(editor, parameters='{"x": 1}')
    saved = SavedQuery.objects.get()
    assert response.headers["Location"] == f"/cypher/?saved={saved.public_id}"
    html = editor.get(f"/cypher/?saved={saved.public_id}").content.decode()
    assert "RETURN 1" in html and "{&quot;x&quot;: 1}" in html
    save(editor, query="RETURN 2", shared="1")
    saved = SavedQuery.objects.get()
    assert (saved.text, saved.shared, saved.parameters) == ("RETURN 2", True, {})
    other = Client()
    other.force_login(make_user("editor"))
    assert "Mine" in other.get("/cypher/").content.decode()
    assert other.post(f"/queries/{saved.public_id}/remove/").status_code == 404
    save(other)
    assert SavedQuery.objects.count() == 2, "another's query of the same name is another query"
    editor.post(f"/queries/{saved.public_id}/remove/")
    assert SavedQuery.objects.count() == 1


def test_queries_that_are_not_shared_are_private(editor: Client) -> None:
    save(editor, language="sparql", query="ASK { ?s ?p ?o }", title="Secret")
    saved = SavedQuery.objects.get()
    other = Client()
    other.force_login(make_user("viewer"))
    assert "Secret" not in other.get(f"/sparql/?saved={saved.public_id}").content.decode()
    assert "ASK { ?s ?p ?o }" in editor.get(f"/sparql/?saved={saved.public_id}").content.decode()


@pytest.mark.parametrize(
    "fields", [{"title": " "}, {"title": "x" * 300}, {"query": ""}, {"parameters": "x"}, {"query": "x" * 30_000}]
)
def test_an_invalid_query_is_not_saved(editor: Client, fields: dict[str, str]) -> None:
    response = save(editor, **fields)
    assert response.status_code == 302 and not SavedQuery.objects.exists()
    assert 'class="error"' in editor.get("/cypher/").content.decode()
