"""Runs the WSGI application for the event loop, in a fixed number of threads with their database connections.

A thread takes a request once its whole body is here, and gives its answer away in pieces, so a slow client occupies a
buffer and no thread. Each thread's last sign of life is known, so a hung one is noticed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from kgbuilder.web.bodies import Refused

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Result = TypeVar("Result")

PIECE = 1 << 20  # bytes: a page is one
PIECES = 4  # of an answer that wait for the client
STALLED_SECONDS = 90.0  # a client that takes no piece for so long is gone


@dataclass(frozen=True, slots=True)
class Head:
    """The status and the headers of an answer."""

    status: int
    headers: list[tuple[bytes, bytes]]


def _nothing() -> None:
    """Nobody waits for the end."""


class Stalled(Exception):
    """Nobody takes the answer any more."""


class ThreadPool:
    """`size` threads; `waiting` requests may wait for one, each for up to `patience` seconds."""

    def __init__(self, name: str, app: App, size: int, waiting: int, patience: float) -> None:
        self._app, self._size, self._most, self._patience = app, size, waiting, patience
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._alive_at: dict[int, float] = {}
        self._waiting = 0
        self._turns: asyncio.Semaphore | None = None
        for number in range(size):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def busy(self) -> int:
        """How many threads answer a request."""
        with self._lock:
            return len(self._alive_at)

    def hung(self, seconds: float) -> int:
        """How many of them have shown no sign of life for so long."""
        with self._lock:
            return sum(time.monotonic() - at > seconds for at in self._alive_at.values())

    async def call(self, function: Callable[[], Result]) -> Result:
        """What `function` returns in one of the threads. Raises Refused where all stay occupied, and what it raises."""
        await self._enter()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._put(loop, lambda: _finish(loop, done, function), _nothing)
        return await done

    async def answer(
        self, environ: dict[str, Any], finished: Callable[[], None] = _nothing
    ) -> AsyncGenerator[Head | bytes]:
        """The head of the application's answer, then its pieces. Closing it stops the application at its next piece.

        `finished` is called once no thread works for the request any more. Raises Refused, and what the application
        raises.
        """
        try:
            await self._enter()
        except BaseException:
            environ["wsgi.input"].close()
            finished()
            raise
        loop = asyncio.get_running_loop()
        outbox = _Outbox(loop)
        self._put(loop, lambda: _run(self._app, environ, outbox, self._sign), finished)
        async with aclosing(outbox.pieces()) as pieces:
            async for piece in pieces:
                yield piece

    def _put(self, loop: asyncio.AbstractEventLoop, job: Callable[[], None], finished: Callable[[], None]) -> None:
        """A turn lasts as long as its thread works, also for a client that has gone."""

        def whole() -> None:
            try:
                job()
            finally:
                loop.call_soon_threadsafe(self._leave, finished)

        self._jobs.put(whole)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            self._sign()
            try:
                job()
            finally:
                with self._lock:
                    del self._alive_at[threading.get_ident()]
                del job

    def _sign(self) -> None:
        with self._lock:
            self._alive_at[threading.get_ident()] = time.monotonic()

    async def _enter(self) -> None:
        """Takes a turn. Raises Refused where too many wait already, or none comes in time."""
        if self._turns is None:
            self._turns = asyncio.Semaphore(self._size)
        if self._waiting >= self._most:
            raise Refused(503, "Too many requests are being answered. Try again in a few seconds.", 5)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise Refused(503, "Other requests keep the server busy. Try again in a few seconds.", 5) from None
        finally:
            self._waiting -= 1

    def _leave(self, finished: Callable[[], None]) -> None:
        assert self._turns is not None
        self._turns.release()
        finished()


class _Outbox:
    """The pieces of an answer on their way from a thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: asyncio.Queue[Head | bytes | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(PIECES)
        self.closed = threading.Event()

    def put(self, piece: Head | bytes | BaseException | None) -> None:
        """From the thread. Raises Stalled where nobody takes pieces any more."""
        if self.closed.is_set() or not self._room.acquire(timeout=STALLED_SECONDS) or self.closed.is_set():
            raise Stalled
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def pieces(self) -> AsyncGenerator[Head | bytes]:
        try:
            while (piece := await self._pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
                self._room.release()
        finally:
            self.closed.set()
            self._room.release()


def _run(app: App, environ: dict[str, Any], outbox: _Outbox, sign: Callable[[], None]) -> None:
    """Sends the application's answer to `outbox`; of an answer to HEAD only its head."""
    try:
        if outbox.closed.is_set():
            return
        started: list[Head] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            # Django begins the value of a cookie's header with a space.
            encoded = [(name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers]
            started[:] = [Head(int(status.split()[0]), encoded)]

        parts = app(environ, start_response)
        try:
            outbox.put(started[0])
            for part in () if environ["REQUEST_METHOD"] == "HEAD" else parts:
                for at in range(0, len(part), PIECE):
                    outbox.put(part[at : at + PIECE])
                    sign()
        finally:
            getattr(parts, "close", lambda: None)()
        outbox.put(None)
    except Stalled:
        pass
    except BaseException as error:
        _report(outbox, error)
    finally:
        environ["wsgi.input"].close()


def _report(outbox: _Outbox, error: BaseException) -> None:
    with suppress(Stalled):
        outbox.put(error)


def _finish(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Result], function: Callable[[], Result]) -> None:
    try:
        result = function()
    except BaseException as error:
        loop.call_soon_threadsafe(_unless_over, done, done.set_exception, error)
    else:
        loop.call_soon_threadsafe(_unless_over, done, done.set_result, result)


def _unless_over(done: asyncio.Future[Any], settle: Callable[[Any], None], value: object) -> None:
    if not done.done():
        settle(value)
