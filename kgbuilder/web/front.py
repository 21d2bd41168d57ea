"""The ASGI application of the web and console processes: bounds each request, then has it answered in its own pool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from html import escape
from http import HTTPStatus

from kgbuilder.web import bodies, environs
from kgbuilder.web.application_threads import Head
from kgbuilder.web.bodies import Gone, Receive, Refused, RequestBody, Scope, Send
from kgbuilder.web.pools import Answering
from kgbuilder.web.relay import Relay
from kgbuilder.web.request_kinds import LONGEST_BODY, Pool, longest_body, pool_of

UPLOADS_AT_ONCE = 2
LINGER_SECONDS = 1.0  # for a client that still sends what is refused to see the answer
Client = tuple[str, str]


class Front:
    """`client_of`: address and scheme of the client. `may_upload`: whether a request may send a large body."""

    def __init__(
        self,
        pools: Mapping[Pool, Answering],
        client_of: Callable[[Scope], Client],
        may_upload: Callable[[Scope, Client], Awaitable[bool]],
        dataset_mb: int,
    ) -> None:
        self._pools, self._client_of, self._may_upload = pools, client_of, may_upload
        self._dataset_mb = dataset_mb
        self._uploads = 0

    async def warm(self) -> None:
        """Lets the consoles be reached once, before anybody waits for it."""
        consoles = self._pools[Pool.CONSOLES]
        if isinstance(consoles, Relay):
            await consoles.warm()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except Gone:
            return
        except Refused as refused:
            await _refuse(scope, receive, send, refused)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = self._client_of(scope)
        path = environs.decoded(environs.target(scope)[0])
        pool = self._pools[pool_of(scope["method"], path)]
        longest = longest_body(path, self._dataset_mb)
        if longest <= LONGEST_BODY:
            await _exchange(pool, scope, await bodies.read(scope, receive, longest), client, receive, send)
        elif bodies.announced(scope) <= LONGEST_BODY and not bodies.chunked(scope):
            await _exchange(pool, scope, await bodies.read(scope, receive, LONGEST_BODY), client, receive, send)
        else:
            await self._upload(pool, scope, longest, client, receive, send)

    async def _upload(
        self, pool: Answering, scope: Scope, longest: int, client: Client, receive: Receive, send: Send
    ) -> None:
        if not await self._may_upload(scope, client):
            raise Refused(403, "Sign in before you send a data set.")
        if self._uploads >= UPLOADS_AT_ONCE:
            raise Refused(503, f"{UPLOADS_AT_ONCE} data sets are being received already. Try again in a minute.", 60)
        self._uploads += 1
        try:
            body = await bodies.read(scope, receive, longest, counted=False)
            await _exchange(pool, scope, body, client, receive, send)
        finally:
            self._uploads -= 1


async def _exchange(
    pool: Answering, scope: Scope, body: RequestBody, client: Client, receive: Receive, send: Send
) -> None:
    """Sends the answer; stops the work for it when the client goes."""
    sending = asyncio.ensure_future(_send(pool, scope, body, client, send))
    leaving = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        body.release()
        leaving.cancel()
        if not sending.done():
            sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending


async def _send(pool: Answering, scope: Scope, body: RequestBody, client: Client, send: Send) -> None:
    async with aclosing(pool.answer(scope, body, client)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Head):
                await send({"type": "http.response.start", "status": piece.status, "headers": piece.headers})
            else:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(scope: Scope, receive: Receive, send: Send, refused: Refused) -> None:
    """The sentence as the client reads it: a page, a problem of RFC 9457, or text."""
    kind, text = _words(scope, refused)
    headers = [(b"content-type", kind), (b"content-length", str(len(text)).encode()), (b"cache-control", b"no-store")]
    if refused.retry_after:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    if bodies.has_body(scope):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": text, "more_body": True})
    if bodies.has_body(scope):
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await _discard(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    more = True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)


def _words(scope: Scope, refused: Refused) -> tuple[bytes, bytes]:
    title, message = HTTPStatus(refused.status).phrase, str(refused)
    if scope["path"].startswith("/api/v1/"):
        problem = {"type": "about:blank", "title": title, "status": refused.status, "detail": message}
        return b"application/problem+json", json.dumps(problem).encode()
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    if b"text/html" not in accepted:
        return b"text/plain; charset=utf-8", f"{message}\n".encode()
    return b"text/html; charset=utf-8", _PAGE.format(title=title, message=escape(message)).encode()


_PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title} · kgbuilder</title>
    <link rel="stylesheet" href="/static/kgbuilder.css">
  </head>
  <body>
    <main>
      <div class="empty">
        <h1>{title}</h1>
        <p>{message}</p>
        <p><a class="button" href="/">Back to the posts</a></p>
      </div>
    </main>
  </body>
</html>
"""
