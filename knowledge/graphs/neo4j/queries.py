"""Runs people's Cypher: checked as text, planned by the server, and run only if the plan only reads this graph.

Each query has a read transaction of its own, which the server ends at its limit of time and of memory
(`db.memory.transaction.max`, which `doctor` checks); rows, size and concurrent queries are limited here.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import neo4j
from django.conf import settings
from neo4j.exceptions import ClientError, Neo4jError
from neo4j.graph import Node, Path, Relationship

from knowledge.graphs.neo4j import cypher_guard
from knowledge.graphs.neo4j.store import driver, translated
from knowledge.graphs.spreadsheets import harmless
from knowledge.graphs.units import StoreRefused, StoreUnavailable

PLAN_SECONDS = 5.0
LARGEST = 16 << 20  # characters in an answer
_BUSY = "Other queries keep the server busy. Try again in a few seconds."

Value = None | bool | int | float | str | list[Any] | dict[str, Any]


class CypherFailed(Exception):
    """A person's query got no answer; the message is for its author."""


@dataclass(slots=True)
class CypherAnswer:
    """Columns and rows as JSON; `nodes` and `edges` are the graph elements of the rows, each once, by their id."""

    columns: list[str]
    rows: list[list[Value]] = field(default_factory=list)
    truncated: bool = False
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": self.columns,
            "rows": self.rows,
            "truncated": self.truncated,
            "nodes": list(self.nodes.values()),
            "edges": list(self.edges.values()),
        }

    def as_csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(harmless(self.columns))
        writer.writerows(harmless(text_of(value) for value in row) for row in self.rows)
        return out.getvalue()


class _Turns:
    """Limits how many queries run at once; as many again wait, more are refused."""

    def __init__(self) -> None:
        self._lock, self._size = threading.Lock(), 0
        self._running = self._admitted = threading.BoundedSemaphore()

    @contextmanager
    def one(self, size: int, seconds: float) -> Iterator[None]:
        with self._lock:
            if size != self._size:
                self._size = size
                self._running, self._admitted = threading.BoundedSemaphore(size), threading.BoundedSemaphore(2 * size)
            running, admitted = self._running, self._admitted
        if not admitted.acquire(blocking=False):
            raise StoreUnavailable(_BUSY)
        try:
            if not running.acquire(timeout=seconds):
                raise StoreUnavailable(_BUSY)
            try:
                yield
            finally:
                running.release()
        finally:
            admitted.release()


_turns = _Turns()


def query(text: str, parameters: dict[str, Any], seconds: float, limit: int) -> CypherAnswer:
    """Raises QueryRefused, CypherFailed or StoreUnavailable, each with a sentence for the person."""
    text = cypher_guard.check(text)
    with _turns.one(settings.CYPHER_AT_ONCE, seconds), _session() as session:
        cypher_guard.check_plan(_plan(session, text, parameters))
        return _run(session, text, parameters, seconds, limit)


def _plan(session: neo4j.Session, text: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    with session.begin_transaction(timeout=PLAN_SECONDS) as transaction:
        # On a line of its own: nothing at the text's beginning can become a part of the word.
        return transaction.run(f"EXPLAIN\n{text}", parameters).consume().plan


def _run(session: neo4j.Session, text: str, parameters: dict[str, Any], seconds: float, limit: int) -> CypherAnswer:
    with session.begin_transaction(timeout=seconds, metadata={"app": "kgbuilder console"}) as transaction:
        result = transaction.run(text, parameters)
        answer, reader = CypherAnswer(list(result.keys())), _Reader()
        for record in result:
            if len(answer.rows) == limit:
                answer.truncated = True
                break
            answer.rows.append([reader.value(value) for value in record.values()])
            if reader.size > LARGEST:
                raise CypherFailed("The answer is larger than 16 MB. Ask for fewer rows.")
        answer.nodes, answer.edges = reader.nodes, reader.edges
        # The server discards what was not fetched, and a read transaction has nothing to commit.
        transaction.close()
    return answer


@contextmanager
def _session() -> Iterator[neo4j.Session]:
    if not settings.NEO4J_URL:
        raise StoreUnavailable("Neo4j is not set up: NEO4J_URL is empty.")
    user, password = settings.NEO4J_READER_USER, settings.NEO4J_READER_PASSWORD
    if not user:
        user, password = settings.NEO4J_USER, settings.NEO4J_PASSWORD
    try:
        with (
            translated(),
            driver(settings.NEO4J_URL, user, password).session(
                database=settings.NEO4J_DATABASE or None, default_access_mode=neo4j.READ_ACCESS, fetch_size=500
            ) as session,
        ):
            try:
                yield session
            except Neo4jError as error:
                raise _for_author(error) from error
    except StoreRefused as error:
        raise CypherFailed(str(error)) from error


def _for_author(error: Neo4jError) -> Exception:
    code, message = error.code or "", (error.message or str(error)).strip()
    if "TransactionTimedOut" in code or code.endswith("Transaction.Terminated"):
        return CypherFailed("The query exceeded its time limit and was stopped.")
    if "OutOfMemory" in code:
        return CypherFailed("The query exceeded its memory limit and was stopped.")
    if isinstance(error, ClientError) and code.startswith("Neo.ClientError.Statement"):
        return CypherFailed(f"Neo4j cannot run it: {message[:1000]}")
    return error


class _Reader:
    """Converts the driver's values into JSON and collects the nodes and relationships among them."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: dict[str, dict[str, Any]] = {}
        self.size = 0

    def value(self, value: Any) -> Value:
        if isinstance(value, Node):
            return {"node": self._node(value)}
        if isinstance(value, Relationship):
            return {"relationship": self._edge(value)}
        if isinstance(value, Path):
            for part in (*value.nodes, *value.relationships):
                self.value(part)
            return {"path": [self._named(part) for part in _alternating(value)]}
        if isinstance(value, dict):
            return {str(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.value(one) for one in value]
        self.size += 8
        if value is None or isinstance(value, bool | int | float):
            # JSON has no infinity.
            return value if not isinstance(value, float) or abs(value) < float("inf") else str(value)
        text = value if isinstance(value, str) else value.iso_format() if hasattr(value, "iso_format") else str(value)
        self.size += len(text)
        return text

    def _node(self, node: Node) -> str:
        # The server's own id: a node from another program may lack one of ours.
        key = node.element_id
        if key not in self.nodes:
            shown: dict[str, Any] = {"key": key, "labels": sorted(node.labels), "id": "", "name": ""}
            shown["properties"] = {name: self.value(one) for name, one in node.items()}
            shown["id"] = str(node.get("id", ""))
            shown["name"] = str(node.get("name") or node.get("title") or shown["id"] or key)
            self.nodes[key] = shown
        return key

    def _edge(self, edge: Relationship) -> str:
        key = edge.element_id
        if key not in self.edges and edge.start_node is not None and edge.end_node is not None:
            properties = {name: self.value(one) for name, one in edge.items()}
            ends = {"from": self._end(edge.start_node), "to": self._end(edge.end_node)}
            self.edges[key] = {"key": key, "type": edge.type, "properties": properties, **ends}
        return key

    def _end(self, node: Node) -> str:
        """A node's key. The ends of a relationship that is returned by itself come without labels and properties."""
        return self._node(node) if node.labels or node.element_id in self.nodes else node.element_id

    def _named(self, part: Any) -> str:
        if isinstance(part, Node):
            return str(self.nodes[part.element_id]["name"])
        result: str = part.type.replace("_", " ").lower()
        return result


def _alternating(path: Path) -> Iterator[Any]:
    yield path.start_node
    for edge, node in zip(path.relationships, path.nodes[1:], strict=True):
        yield edge
        yield node


def text_of(value: Value) -> str:
    """A value as one cell of a table in a file."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "path" in value:
        return " – ".join(value["path"])
    return json.dumps(value, ensure_ascii=False)
