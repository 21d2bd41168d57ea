"""Connections that send nothing end, the oldest first where others need their place."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from kgbuilder.web import connections
from kgbuilder.web.connections import LimitedConnection
from tests.patience import PATIENCE_S

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Serving:
    """uvicorn with our connections, for the length of a `with`."""

    async def __aenter__(self) -> Serving:
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = listener.getsockname()[1]
        options: dict[str, Any] = {"http": LimitedConnection, "ws": "none", "lifespan": "off", "log_config": None}
        self._server = uvicorn.Server(uvicorn.Config(application, **options))
        self._server.capture_signals = _no_signals  # type: ignore[assignment,method-assign]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.should_exit = True
        await self._task

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def served(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
        """The first line of an answer; nothing where the connection has been ended."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                line[1].write(REQUEST)
                return (await line[0].readuntil(b"\r\n\r\n"))[:12]
            except (asyncio.IncompleteReadError, ConnectionError):
                return b""


class _no_signals:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


def test_the_oldest_idle_connection_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 3)

    async def crowd() -> list[bytes]:
        async with Serving() as server:
            lines = []
            for _ in range(5):
                lines.append(await server.open())
                await asyncio.sleep(0.05)
            found = [await server.served(line) for line in lines]
            for _, writer in lines:
                writer.close()
            return found

    answered = b"HTTP/1.1 204"
    assert asyncio.run(crowd()) == [b"", b"", answered, answered, answered]


def test_a_head_that_does_not_come_ends_the_connection_and_one_that_came_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    async def waiting() -> tuple[bytes, bytes]:
        async with Serving() as server, asyncio.timeout(PATIENCE_S):
            silent, dripping = await server.open(), await server.open()
            dripping[1].write(REQUEST[:9])
            found = await silent[0].read(), await _read(dripping[0])
            silent[1].close()
            dripping[1].close()
            return found

    assert asyncio.run(waiting()) == (b"", b"")


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
