"""Reads a request's body before a thread is occupied: within a size by address, and a time.

A body that is announced as too long is refused before it is read.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from typing import IO, Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

IN_MEMORY = 64_000  # bytes; a longer body lies in a temporary file
MOST_HELD = 200_000_000  # bytes of all bodies of one process, without uploads
SECONDS = 30.0  # for a body of up to SLOWEST × SECONDS bytes
SLOWEST = 50_000  # bytes a second


class Refused(Exception):
    """The request is answered with this status and sentence, and its connection is closed."""

    def __init__(self, status: int, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class Gone(Exception):
    """The client has closed the connection."""


def announced(scope: Scope) -> int:
    """The length of the body that the head names; 0 where it names none."""
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def chunked(scope: Scope) -> bool:
    """Whether the head leaves the body's length open."""
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


class RequestBody:
    """A request's body as a file, and its length. Counted among those that this process holds until it is released."""

    held = 0  # bytes, of all bodies

    def __init__(self, counted: bool) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 its reader closes it
        self.length = 0
        self._counted = counted

    def add(self, part: bytes) -> None:
        """Raises Refused where the process holds enough."""
        self.length += len(part)
        if self._counted:
            RequestBody.held += len(part)
            if RequestBody.held > MOST_HELD:
                raise Refused(503, "Too many requests are being received. Try again in a few seconds.", 5)
        self.file.write(part)

    def release(self) -> None:
        """Count it no longer. Its file is closed by whoever reads it."""
        if self._counted:
            RequestBody.held -= self.length
            self._counted = False


async def read(scope: Scope, receive: Receive, longest: int, counted: bool = True) -> RequestBody:
    """The body, its file at the beginning. Raises Refused or Gone."""
    _check(announced(scope), longest)
    body = RequestBody(counted)
    try:
        if has_body(scope):
            async with asyncio.timeout(max(SECONDS, longest / SLOWEST)):
                await _fill(body, receive, longest)
    except BaseException as error:
        body.release()
        body.file.close()
        if isinstance(error, TimeoutError):
            raise Refused(408, "The request's body came too slowly.") from None
        raise
    body.file.seek(0)
    return body


async def _fill(body: RequestBody, receive: Receive, longest: int) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        _check(body.length + len(part), longest)
        body.add(part)
        more = message.get("more_body", False)


def _check(size: int, longest: int) -> None:
    if size > longest:
        raise Refused(413, f"The body is larger than {longest:,} bytes, which is all that this address takes.")
