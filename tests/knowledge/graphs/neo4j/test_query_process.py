"""The deadline of a Cypher query is ours: it holds where the server accepts the connection and never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from knowledge.graphs.neo4j import queries
from knowledge.graphs.neo4j.answers import AnswerReader, AnswerTooLarge, CypherAnswer
from knowledge.graphs.rdf.sparql_guard import QueryRefused
from knowledge.graphs.units import StoreUnavailable

NODE = {"key": "1", "labels": ["Person"], "id": "a", "name": "Ada", "properties": {"name": "Ada"}}
EDGE = {"key": "2", "type": "KNOWS", "properties": {}, "from": "1", "to": "1"}


@pytest.fixture
def silent(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that accepts connections and says nothing; the marks of the queries that are to be terminated there."""
    marks: list[str] = []
    monkeypatch.setattr(queries.ended_queries, "terminate", marks.append)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.NEO4J_URL = f"bolt://127.0.0.1:{listening.getsockname()[1]}"
        settings.NEO4J_USER = settings.NEO4J_PASSWORD = settings.NEO4J_READER_USER = ""
        yield marks


@pytest.mark.integration
def test_a_server_that_never_answers_holds_no_place(
    silent: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CYPHER_AT_ONCE = 1
    monkeypatch.setattr(queries, "PLAN_SECONDS", 0.1)
    for _ in range(2):
        with pytest.raises((queries.CypherFailed, StoreUnavailable)):
            queries.query("RETURN 1", {}, 0.1, 10)


@pytest.mark.parametrize(
    ("code", "sentence"), [(-14, "time limit"), (-9, "time limit"), (1, "memory limit"), (-11, "signal 11")]
)
def test_a_process_that_was_ended_is_explained_and_its_query_terminated(
    silent: list[str], monkeypatch: pytest.MonkeyPatch, code: int, sentence: str
) -> None:
    monkeypatch.setattr(queries, "_asked", lambda task, longest: (b"", code))
    with pytest.raises(queries.CypherFailed, match=sentence):
        queries.query("RETURN 1", {}, 1.0, 10)
    assert len(silent) == 1


@pytest.mark.parametrize(
    ("error", "raised"),
    [("refused", QueryRefused), ("failed", queries.CypherFailed), ("login", StoreUnavailable), ("", StoreUnavailable)],
)
def test_what_the_process_reports_is_raised(error: str, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        queries._outcome({"error": error, "message": "It was so."})


def test_an_answer_comes_back_as_it_was_sent() -> None:
    answer = CypherAnswer(["n"], [[{"node": "1"}]], True, {"1": NODE}, {"2": EDGE})
    assert CypherAnswer.from_json(answer.as_json()) == answer


def test_an_answer_is_measured_while_it_is_read() -> None:
    reader = AnswerReader(largest=1000)
    reader.value(["x" * 100] * 5)
    with pytest.raises(AnswerTooLarge):
        reader.value([[["x" * 100] * 5] * 5] * 100)
    assert reader.size < 1200


def test_the_process_gets_no_environment(monkeypatch: pytest.MonkeyPatch, silent: list[str]) -> None:
    seen: dict[str, Any] = {}

    class Ended:
        returncode = 0

        def __init__(self, command: list[str], **given: Any) -> None:
            seen.update(given)

        def __enter__(self) -> Ended:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def communicate(self, given: bytes, timeout: float) -> tuple[bytes, bytes]:
            return b'{"answer": {"columns": [], "rows": [], "truncated": false, "nodes": [], "edges": []}}', b""

    monkeypatch.setenv("SECRET_KEY", "hidden")
    monkeypatch.setattr(queries.subprocess, "Popen", Ended)
    assert queries.query("RETURN 1", {}, 1.0, 10).rows == []
    assert set(seen["env"]) == {"LANG", "MALLOC_ARENA_MAX"}
