"""Passes requests on to the consoles' socket, and their answers back as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress

import httpx

from kgbuilder.web import environs
from kgbuilder.web.application_threads import Head
from kgbuilder.web.bodies import Refused, RequestBody, Scope

MOST = 100  # requests of one web process that are being answered
CONNECT_SECONDS = 5.0
_OWN = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length"})
_AWAY = "The part of the product that answers this is being restarted. Try again in a few seconds."


class Relay:
    """The consoles at a socket file. `seconds`: how long they may be silent before an answer and between its pieces."""

    def __init__(self, socket: str, seconds: float) -> None:
        limits = httpx.Limits(max_connections=MOST, max_keepalive_connections=16)
        transport = httpx.AsyncHTTPTransport(uds=socket, limits=limits, retries=1)
        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        self._client = httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False)

    async def warm(self) -> None:
        """Loads what the first request would wait for, and pages beside it: the client's backend, a connection."""
        with suppress(httpx.HTTPError):
            await self._client.get("http://consoles/healthz", headers={"Host": "localhost"})

    async def answer(self, scope: Scope, body: RequestBody, client: tuple[str, str]) -> AsyncGenerator[Head | bytes]:
        """The head of the consoles' answer, then its pieces. Raises Refused where they do not answer."""
        with body.file as file:
            request = _request(scope, file.read(), client)
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise Refused(503, _reason(error), 5) from error
        try:
            kept = [(name.lower(), value) for name, value in response.headers.raw if name.lower() not in _HOPS]
            yield Head(response.status_code, kept)
            async for piece in response.aiter_raw():
                yield piece
        finally:
            await response.aclose()


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.PoolTimeout):
        return "Too many queries are being answered. Try again in a few seconds."
    if isinstance(error, httpx.ReadTimeout):
        return "This was not answered in time, and nobody waits for its answer any more. Ask for less."
    return _AWAY


_HOPS = _OWN - {b"content-length"}


def _request(scope: Scope, body: bytes, client: tuple[str, str]) -> httpx.Request:
    path, query = environs.target(scope)
    headers = [(name, value) for name, value in environs.foreign(scope["headers"]) if name not in _OWN]
    stated = [(environs.CLIENT, client[0].encode("latin-1")), (environs.SCHEME, client[1].encode())]
    if body or scope["method"] not in ("GET", "HEAD"):
        stated.append((b"content-length", str(len(body)).encode()))
    whole = (f"{path}?{query}" if query else path).encode("latin-1")
    # The path as it came: httpx would write some of its percent signs anew.
    return httpx.Request(
        scope["method"],
        "http://consoles/",
        headers=[*headers, *stated],
        stream=httpx.ByteStream(body),
        extensions={"target": whole},
    )
