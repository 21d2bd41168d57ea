"""What answers requests: the threads for pages, and those for consoles with their counted places."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Protocol

from kgbuilder.web import environs
from kgbuilder.web.application_threads import App, Head, ThreadPool
from kgbuilder.web.bodies import Refused, RequestBody, Scope
from kgbuilder.web.places import Places

PAGE_THREADS, PROBE_THREADS = 8, 2
PAGES_WAITING, PAGE_PATIENCE = 500, 60.0
QUERIES_WAITING, QUERY_PATIENCE = 24, 15.0  # a newsroom that opens a query at once
_BUSY = "Your earlier queries are still being answered. Wait for them, then try again."
_CROWDED = "Too many queries from your network are being answered. Try again in a few seconds."


class Answering(Protocol):
    """Gives the head of an answer, then its pieces; closing it stops the work. Raises Refused."""

    def answer(self, scope: Scope, body: RequestBody, client: tuple[str, str]) -> AsyncGenerator[Head | bytes]: ...


class PagePool:
    """Threads that answer a request as soon as one of them is free."""

    def __init__(self, name: str, app: App, size: int) -> None:
        self.threads = ThreadPool(name, app, size, PAGES_WAITING, PAGE_PATIENCE)

    async def answer(self, scope: Scope, body: RequestBody, client: tuple[str, str]) -> AsyncGenerator[Head | bytes]:
        async with aclosing(self.threads.answer(environs.environ_of(scope, body, client))) as pieces:
            async for piece in pieces:
                yield piece


class ConsolePool:
    """Threads for what may be heavy; each person, token and network may occupy only some of them."""

    def __init__(self, app: App, size: int, places: Places) -> None:
        self.threads = ThreadPool("consoles", app, size, QUERIES_WAITING, QUERY_PATIENCE)
        self._identities = ThreadPool("identities", app, 1, PAGES_WAITING, QUERY_PATIENCE)
        self._places = places

    async def answer(self, scope: Scope, body: RequestBody, client: tuple[str, str]) -> AsyncGenerator[Head | bytes]:
        from kgbuilder.web import identity  # accounts' tables: Django must be set up by now

        environ = environs.environ_of(scope, body, client)
        held = ExitStack()
        try:
            wanted = await self._identities.call(lambda: identity.counted(environ))
            taken = held.enter_context(self._places.taken(wanted))
            if taken:
                raise Refused(503, _CROWDED if taken.startswith("network") else _BUSY, 5)
        except BaseException:
            held.close()
            body.file.close()
            raise
        async with aclosing(self.threads.answer(environ, held.close)) as pieces:
            async for piece in pieces:
                yield piece
