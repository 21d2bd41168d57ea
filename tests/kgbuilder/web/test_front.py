"""The front as uvicorn calls it: bodies are bounded before they are kept, and heavy work occupies its own threads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from kgbuilder.web import bodies, identity, pools
from kgbuilder.web.application_threads import ThreadPool
from kgbuilder.web.front import Front
from kgbuilder.web.places import Places
from kgbuilder.web.pools import ConsolePool, PagePool
from kgbuilder.web.relay import Relay
from kgbuilder.web.request_kinds import Pool
from tests.kgbuilder.web.test_environs import scope
from tests.patience import PATIENCE_S

SENTENCE = "Your earlier queries are still being answered. Wait for them, then try again."


class Gate:
    """An application whose queries wait until the test opens it."""

    def __init__(self) -> None:
        self.opened, self.inside = threading.Event(), threading.Semaphore(0)
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.bodies.append(environ["wsgi.input"].read())
        if environ["PATH_INFO"] == "/sparql/":
            self.inside.release()
            assert self.opened.wait(PATIENCE_S)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", " a=1")])
        return [environ["PATH_INFO"].encode(), b"!"]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def front(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    def counted(environ: dict[str, Any]) -> dict[str, int]:
        return {environ.get("HTTP_X_WHO", "nobody"): 2}

    async def nobody(scope: bodies.Scope, client: tuple[str, str]) -> bool:
        return False

    monkeypatch.setattr(identity, "counted", counted)
    answering: dict[Pool, pools.Answering] = {
        Pool.PAGES: PagePool("pages", gate, 1),
        Pool.PROBES: PagePool("probes", gate, 1),
        Pool.CONSOLES: ConsolePool(gate, 3, Places(tmp_path / "places")),
    }
    return Front(answering, lambda _: ("192.0.2.1", "http"), nobody, 500)


class Exchange:
    """A request and what is sent back. `parts`: its body as it arrives; the client then stays."""

    def __init__(self, method: str, path: str, *parts: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        length = [(b"content-length", str(sum(map(len, parts))).encode())] if parts else []
        self.scope = scope(*length, *headers, path=path.encode()) | {"method": method}
        self._parts = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        self._parts.append({"type": "http.request", "body": b"", "more_body": False})
        self.gone = asyncio.Event()
        self.received = 0
        self.status, self.headers, self.body = 0, {}, b""  # type: tuple[int, dict[bytes, bytes], bytes]

    async def receive(self) -> dict[str, Any]:
        if self._parts:
            self.received += 1
            return self._parts.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        self.body += message.get("body", b"")

    async def through(self, front: Front) -> Exchange:
        async with asyncio.timeout(PATIENCE_S):
            await front(self.scope, self.receive, self.send)
        return self


def test_an_answer_is_passed_on_and_of_head_only_the_head(front: Front) -> None:
    async def both() -> tuple[Exchange, Exchange]:
        return await Exchange("GET", "/").through(front), await Exchange("HEAD", "/").through(front)

    got, head = asyncio.run(both())
    assert (got.status, got.body, got.headers[b"set-cookie"]) == (200, b"/!", b"a=1")
    assert (head.status, head.body) == (200, b"")


def test_a_body_that_is_announced_too_long_is_refused_unread(front: Front, gate: Gate) -> None:
    for path in ("/sign-in/", "/healthz", "/api/v1/posts", "/training/datasets/upload/", "/sparql/"):
        announced = Exchange("POST", path, headers=[(b"content-length", b"300000000")])
        asyncio.run(announced.through(front))
        assert announced.status == (403 if "upload" in path else 413)
        assert announced.headers[b"connection"] == b"close"
    assert gate.bodies == []


def test_a_body_of_unknown_length_is_read_no_further_than_allowed(front: Front, gate: Gate) -> None:
    async def sent() -> Exchange:
        exchange = Exchange("POST", "/sign-in/", *[b"x" * 1_000_000] * 9)
        exchange.scope["headers"] = [(b"transfer-encoding", b"chunked")]
        return await exchange.through(front)

    assert asyncio.run(sent()).status == 413
    assert gate.bodies == []
    assert bodies.RequestBody.held == 0


def test_bodies_of_all_requests_together_are_bounded(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_HELD", 1000)
    refused = asyncio.run(Exchange("POST", "/", b"x" * 1001).through(front))
    assert (refused.status, refused.headers[b"retry-after"]) == (503, b"5")
    assert asyncio.run(Exchange("POST", "/", b"x" * 999).through(front)).status == 200
    assert bodies.RequestBody.held == 0


def test_a_slow_body_is_ended_and_occupies_no_thread(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SECONDS", 0.05)
    monkeypatch.setattr(bodies, "SLOWEST", 10**9)

    async def slow() -> Exchange:
        exchange = Exchange("POST", "/", headers=[(b"content-length", b"5")])
        exchange._parts = []
        return await exchange.through(front)

    assert asyncio.run(slow()).status == 408


def test_queries_of_one_person_are_counted_and_pages_pass_them_by(front: Front, gate: Gate) -> None:
    async def asked() -> tuple[list[Exchange], Exchange, Exchange, Exchange]:
        mine = [Exchange("POST", "/sparql/", headers=[(b"x-who", b"me")]) for _ in range(2)]
        running = [asyncio.create_task(one.through(front)) for one in mine]
        for _ in running:
            await asyncio.to_thread(gate.inside.acquire, timeout=PATIENCE_S)
        third = await Exchange("POST", "/sparql/", headers=[(b"x-who", b"me")]).through(front)
        page = await Exchange("GET", "/sign-in/").through(front)
        other = asyncio.create_task(Exchange("POST", "/sparql/", headers=[(b"x-who", b"you")]).through(front))
        await asyncio.to_thread(gate.inside.acquire, timeout=PATIENCE_S)
        gate.opened.set()
        return await asyncio.gather(*running), third, page, await other

    mine, third, page, other = asyncio.run(asked())
    assert [one.status for one in mine] == [200, 200]
    assert (third.status, third.headers[b"retry-after"], third.body) == (503, b"5", f"{SENTENCE}\n".encode())
    assert (page.status, other.status) == (200, 200)


def test_a_client_that_leaves_keeps_its_place_until_its_query_ends(front: Front, gate: Gate) -> None:
    async def left() -> tuple[int, int]:
        gone = [Exchange("POST", "/sparql/") for _ in range(2)]
        running = [asyncio.create_task(one.through(front)) for one in gone]
        for one in gone:
            await asyncio.to_thread(gate.inside.acquire, timeout=PATIENCE_S)
            one.gone.set()
        await asyncio.gather(*running)
        early = await Exchange("POST", "/sparql/").through(front)
        gate.opened.set()
        statuses = [early.status]
        while statuses[-1] != 200:
            statuses.append((await Exchange("POST", "/sparql/").through(front)).status)
        return statuses[0], statuses[-1]

    assert asyncio.run(left()) == (503, 200)


def test_more_queries_than_may_wait_are_refused(front: Front, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "QUERY_PATIENCE", 0.05)
    front._pools = {Pool.CONSOLES: ConsolePool(gate, 1, front._pools[Pool.CONSOLES]._places)}  # type: ignore[attr-defined]

    async def crowd() -> list[int]:
        first = asyncio.create_task(Exchange("POST", "/sparql/", headers=[(b"x-who", b"a")]).through(front))
        await asyncio.to_thread(gate.inside.acquire, timeout=PATIENCE_S)
        second = await Exchange("POST", "/sparql/", headers=[(b"x-who", b"b")]).through(front)
        gate.opened.set()
        return [(await first).status, second.status]

    assert asyncio.run(crowd()) == [200, 503]


def test_the_refusal_is_a_problem_for_programs_and_a_page_for_people(front: Front) -> None:
    large = [(b"content-length", b"300000000")]
    api = asyncio.run(Exchange("POST", "/api/v1/posts", headers=large).through(front))
    page = asyncio.run(Exchange("POST", "/", headers=[*large, (b"accept", b"text/html")]).through(front))
    assert api.headers[b"content-type"] == b"application/problem+json"
    assert page.headers[b"content-type"].startswith(b"text/html")
    assert b"<h1>" in page.body


def test_without_consoles_a_query_is_answered_503(front: Front, tmp_path: Path) -> None:
    front._pools = {Pool.CONSOLES: Relay(str(tmp_path / "nobody.sock"), 5)}
    answer = asyncio.run(Exchange("GET", "/api/v1/sparql").through(front))
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")
    assert "restarted" in json.loads(answer.body)["detail"]


def test_an_error_of_the_application_reaches_the_server(front: Front) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise ZeroDivisionError

    front._pools = dict.fromkeys(Pool, PagePool("broken", broken, 1))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Exchange("GET", "/").through(front))


def test_a_hung_thread_is_known() -> None:
    opened, inside = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        opened.wait(PATIENCE_S)

    async def hung() -> tuple[int, int]:
        pool = ThreadPool("hung", lambda *_: [], 1, 5, PATIENCE_S)
        task = asyncio.create_task(pool.call(hang))
        await asyncio.to_thread(inside.wait, PATIENCE_S)
        found = pool.hung(-1), pool.hung(PATIENCE_S)
        opened.set()
        await task
        return found

    assert asyncio.run(hung()) == (1, 0)
