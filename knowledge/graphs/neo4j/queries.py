"""Runs people's Cypher: checked as text, then planned and run by a child process.

The server ends a query at its limit of time only between rows, and of memory (`db.memory.transaction.max`, which
`doctor` checks). So the child has a deadline of our own: then it is killed, the server is asked to terminate the
transaction, and the place of the query is free again. Rows, size and concurrent queries are limited here too.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from kgbuilder.conf.environment import ROOT
from knowledge.graphs.neo4j import cypher_guard, ended_queries
from knowledge.graphs.neo4j.answers import CypherAnswer
from knowledge.graphs.units import StoreUnavailable

PLAN_SECONDS = 5.0
LARGEST = 16 << 20  # characters in an answer
MEMORY = 1 << 30  # bytes of address space of a query's process
START_SECONDS = 30.0  # for a process to start on a busy machine, before its own deadlines begin
_BUSY = "Other queries keep the server busy. Try again in a few seconds."


class CypherFailed(Exception):
    """A person's query got no answer; the message is for its author."""


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
    if not settings.NEO4J_URL:
        raise StoreUnavailable("Neo4j is not set up: NEO4J_URL is empty.")
    mark = secrets.token_hex(8)
    task = {"query": text, "parameters": parameters, "seconds": seconds, "rows": limit, "mark": mark, **_limits()}
    with _turns.one(settings.CYPHER_AT_ONCE, seconds):
        output, code = _asked(task, START_SECONDS + PLAN_SECONDS + seconds)
    if code:
        ended_queries.terminate(mark)
        raise CypherFailed(_ENDED.get(code, f"The query could not be answered (signal {-code})."))
    return _outcome(json.loads(output))


def _limits() -> dict[str, Any]:
    user, password = settings.NEO4J_READER_USER, settings.NEO4J_READER_PASSWORD
    if not user:
        user, password = settings.NEO4J_USER, settings.NEO4J_PASSWORD
    server = {"url": settings.NEO4J_URL, "user": user, "password": password, "database": settings.NEO4J_DATABASE}
    return {"server": server, "plan_seconds": PLAN_SECONDS, "largest": LARGEST, "memory": MEMORY, "parent": os.getpid()}


_ENDED = {
    -signal.SIGALRM: "The query exceeded its time limit and was stopped.",
    -signal.SIGKILL: "The query exceeded its time limit and was stopped.",
    1: "The answer exceeded its memory limit. Ask for fewer rows, or for smaller values.",
}


def _asked(task: dict[str, Any], longest: float) -> tuple[bytes, int]:
    """What the child wrote, and its exit code, below 0 the signal that ended it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "knowledge.graphs.neo4j.query_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
    )
    with child:
        try:
            output, _ = child.communicate(json.dumps(task).encode() + b"\n", timeout=longest)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
    return output, child.returncode


def _outcome(found: dict[str, Any]) -> CypherAnswer:
    if "answer" in found:
        return CypherAnswer.from_json(found["answer"])
    if found["error"] == "refused":
        raise cypher_guard.QueryRefused(found["message"])
    if found["error"] == "failed":
        raise CypherFailed(found["message"])
    if found["error"] == "login":
        raise StoreUnavailable("Neo4j does not accept NEO4J_USER and NEO4J_PASSWORD.")
    raise StoreUnavailable(f"Neo4j at {settings.NEO4J_URL} does not respond ({found['message']}).")
