"""The MCP server, asked by the SDK's own client over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import uvicorn
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from kgbuilder.accounts import api_tokens
from kgbuilder.conf.environment import ROOT
from knowledge.api import auth
from knowledge.api.assistants import calls, citations, server, tools
from knowledge.graphs.neo4j import queries
from knowledge.graphs.rdf import sparql_store
from knowledge.models import Entity
from tests import records
from tests.factories import make_user

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
TEXT = "Old news. Marie Curie was born in Warsaw. She worked elsewhere."


@pytest.fixture(autouse=True)
def _no_pace_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_pace", api_tokens.Pace())


@pytest.fixture
def graph() -> None:
    records.checkpoint()
    names = [("Marie Curie", "person"), ("Warsaw", "location")]
    made = records.post(TEXT, "https://news.example/curie")
    assert records.read(made, names, [("Marie Curie", "place_of_birth", "Warsaw")])


@pytest.fixture
def address() -> Iterator[str]:
    app = server.made(over_http=True).streamable_http_app(stateless_http=True, json_response=True)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}{server.ADDRESS}"
        running.should_exit = True
        thread.join()


def token(*scopes: str, user: Any = None) -> str:
    return api_tokens.make(user or make_user("viewer"), "assistant", scopes)[1]


def over_http(address: str, text: str, *asked: tuple[str, dict[str, Any]]) -> list[Any]:
    async def ask() -> list[Any]:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {text}"}) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            return [await client.call_tool(name, arguments) for name, arguments in asked]

    return asyncio.run(ask())


def words_of(result: Any) -> str:
    return str(result.content[0].text)


def answer(result: Any) -> Any:
    assert not result.is_error, words_of(result)
    return json.loads(words_of(result))


def id_of(label: str) -> str:
    return str(Entity.objects.get(label=label).public_id)


@pytest.mark.usefixtures("graph")
def test_a_claim_is_found_with_its_words_and_addresses(address: str) -> None:
    curie, warsaw = id_of("Marie Curie"), id_of("Warsaw")
    found, shown, pair, relation, paths = over_http(
        address,
        token("read"),
        ("search_graph", {"q": "Curie"}),
        ("show_entity", {"id": curie}),
        ("find_claims", {"one": warsaw, "other": curie}),
        ("find_claims", {"relation": "place_of_birth"}),
        ("find_paths", {"one": curie, "other": warsaw}),
    )
    (entity,) = answer(found)["entities"]
    assert (entity["id"], entity["page"]) == (curie, f"http://kg.example/entities/{curie}/")
    (post,) = answer(found)["posts"]
    for result in (shown, pair, relation):
        (claim,) = answer(result)["claims"]
        assert (claim["factuality"], claim["standing"]["standing"]) == ("stated", "said")
        (source,) = claim["support"]
        assert source["words"] == "Marie Curie was born in Warsaw."
        assert (source["link"], source["page"]) == ("https://news.example/curie", post["page"])
    (path,) = answer(paths)["paths"]
    assert [step["relation"]["key"] for step in path] == ["place_of_birth"]


def test_no_token_and_a_false_one_are_refused(address: str) -> None:
    for headers in ({}, {"Authorization": "Bearer kgb_false"}):
        assert httpx2.post(address, json={}, headers=headers).status_code == 401


def test_a_token_without_the_scope_gets_a_sentence(address: str) -> None:
    (refused,) = over_http(address, token("read"), ("query_sparql", {"query": "ASK { ?s ?p ?o }"}))
    assert refused.is_error and "lacks the scope `query`" in words_of(refused)
    (refused,) = over_http(address, token("query"), ("search_graph", {"q": "Curie"}))
    assert refused.is_error and "lacks the scope `read`" in words_of(refused)


def test_cypher_needs_the_permission_of_the_console(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def query(*given: Any) -> queries.CypherAnswer:
        asked.append(given)
        return queries.CypherAnswer(["n"], [[1]])

    monkeypatch.setattr(queries, "query", query)
    user = make_user("viewer")
    question = ("query_cypher", {"query": "MATCH (n) RETURN n LIMIT $most", "parameters": {"most": 1}})
    (refused,) = over_http(address, token("query", user=user), question)
    assert refused.is_error and "a permission that an admin grants" in words_of(refused) and not asked
    user.user_permissions.add(Permission.objects.get(codename="ask_cypher"))
    (allowed,) = over_http(address, token("query", user=user), question)
    assert answer(allowed)["rows"] == [[1]]
    assert asked[0][1] == {"most": 1} and asked[0][3] == tools.MOST_ROWS


@pytest.mark.parametrize("query", ["INSERT DATA { <a:a> <a:b> <a:c> }", "ASK { SERVICE <http://x/> { ?s ?p ?o } }"])
def test_sparql_that_does_not_only_read_is_refused(address: str, query: str) -> None:
    (refused,) = over_http(address, token("query"), ("query_sparql", {"query": query}))
    assert refused.is_error and words_of(refused).endswith(".")


def test_sparql_answers_as_rows_within_its_limit(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"head":{"vars":["s"]},"results":{"bindings":[{"s":{"type":"uri","value":"http://kg.example/a"}}]}}'
    limits: list[int] = []

    def query(text: str, seconds: float, limit: int) -> Any:
        limits.append(limit)
        return SimpleNamespace(body=body, truncated=True)

    monkeypatch.setattr(sparql_store, "query", query)
    (found,) = over_http(address, token("query"), ("query_sparql", {"query": "SELECT ?s { ?s ?p ?o }"}))
    assert answer(found)["rows"] == [{"s": "http://kg.example/a"}] and answer(found)["truncated"]
    assert limits == [tools.MOST_ROWS]


def test_errors_are_sentences(address: str) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    results = over_http(
        address,
        token("read"),
        ("show_entity", {"id": nobody}),
        ("find_paths", {"one": nobody, "other": nobody}),
        ("find_claims", {}),
        ("find_claims", {"other": nobody, "relation": "place_of_birth"}),
        ("find_claims", {"relation": "no_such"}),
        ("find_claims", {"relation": "spouse", "after": "x"}),
    )
    assert all(result.is_error and words_of(result).endswith(".") for result in results)
    assert "no relation 'no_such'" in words_of(results[4])


def test_more_than_may_be_asked_for_is_refused(address: str) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("search_graph", {"q": "Curie", "limit": 1000}),
        ("search_graph", {"q": "x" * 5000}),
    ]
    assert all(result.is_error for result in over_http(address, token("read"), *asked))


def test_a_token_has_the_pace_of_the_api(address: str) -> None:
    with override_settings(API_PER_MINUTE=1):
        results = over_http(address, token("read"), *[("search_graph", {"q": "Curie"})] * 2)
    assert not results[0].is_error and "1 requests a minute" in words_of(results[1])


def test_an_answer_is_shortened_and_says_so() -> None:
    answer = json.loads(calls._within_size({"rows": ["x" * 100] * 2000, "page": "/sparql/"}))
    assert 0 < len(answer["rows"]) < 2000 and len(json.dumps(answer)) <= calls.LARGEST
    assert answer["shortened"].startswith(f"`rows` holds the first {len(answer['rows'])}")


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("One. Two three! Four.", "three", "Two three!"),
        ("Title\n\nBody here\nNext", "Body", "Body here"),
        ("No end", "No", "No end"),
        (f"A {'b' * 900} c", "A", f"A {'b' * 597}…"),
    ],
)
def test_words_are_the_sentence_as_it_is_written(text: str, name: str, words: str) -> None:
    at = text.index(name)
    assert citations.words(text, [(at, at + len(name))]) == words


def database_url() -> str:
    """The address of the tests' database, for a process of its own."""
    database = connections["default"].settings_dict
    if database["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{database['NAME']}"
    return urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{database['NAME']}").geturl()


def over_stdio(text: str, ask: Callable[[Client], Any]) -> Any:
    env = {"DATABASE_URL": database_url(), "MCP_TOKEN": text, "BASE_IRI": "http://kg.example/"}
    env |= {"SECRET_KEY": "for tests only", "SPARQL_TOKEN": "for tests", "BROKER_URL": "memory://"}
    started = StdioServerParameters(command=sys.executable, args=["manage.py", "mcp"], cwd=ROOT, env=env)

    async def run() -> Any:
        async with Client(started) as client:
            return await ask(client)

    return asyncio.run(run())


@pytest.mark.usefixtures("graph")
def test_over_stdio_with_the_token_of_the_settings() -> None:
    async def ask(client: Client) -> Any:
        return (
            await client.list_tools(),
            await client.read_resource("kgbuilder://schema"),
            await client.call_tool("search_graph", {"q": "Curie"}),
            await client.call_tool("query_sparql", {"query": "ASK { ?s ?p ?o }"}),
        )

    listed, schema, found, refused = over_stdio(token("read"), ask)
    assert {tool.name for tool in listed.tools} == {tool.__name__ for tool in tools.TOOLS}
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed.tools)
    relations = json.loads(schema.contents[0].text)["relations"]
    assert "place_of_birth" in {relation["key"] for relation in relations}
    assert [entity["label"] for entity in answer(found)["entities"]] == ["Marie Curie"]
    assert refused.is_error and "lacks the scope `query`" in words_of(refused)


def test_over_stdio_a_token_is_required() -> None:
    with override_settings(MCP_TOKEN=""), pytest.raises(CommandError, match="Set MCP_TOKEN"):
        call_command("mcp")
