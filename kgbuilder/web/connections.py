"""Connections of the web server: how many there may be, and how long one may take to send a request's head or to read.

uvicorn bounds neither: a client that connects and is silent, or that sends a byte a minute, would stay for ever.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 2000  # of one process
MOST_OF_ADDRESS = 400  # a newsroom may share one address
HEAD_SECONDS = 20.0  # for the head of a request
STALLED_SECONDS = 60.0  # a client that reads nothing for so long is gone


class LimitedConnection(H11Protocol):
    """An HTTP connection that is ended when it is idle and others need its place, or when its client is too slow."""

    exempt = frozenset[str]()  # proxies, through which everybody comes; "*" for all addresses

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._make_room()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_head()
        self._expect_no_reading()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.idle():
            self._expect_head()
        else:
            self._expect_no_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_no_reading()
        self._write_timer = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._expect_no_reading()
        super().resume_writing()

    def idle(self) -> bool:
        """No request is being sent or answered."""
        return self.conn.their_state is h11.IDLE

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._end_if_idle)

    def _expect_no_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _expect_no_reading(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _end_if_idle(self) -> None:
        self._head_timer = None
        if self.idle():
            self.transport.abort()

    def _make_room(self) -> None:
        """Ends the oldest idle connection where there are too many, or else this one."""
        others = [one for one in self.connections if isinstance(one, LimitedConnection) and one is not self]
        address = self.client[0] if self.client else ""
        if address and not self.exempt & {address, "*"}:
            same = [one for one in others if one.client and one.client[0] == address]
            if len(same) >= MOST_OF_ADDRESS:
                self._end_one(same)
        if len(others) >= MOST:
            self._end_one(others)

    def _end_one(self, crowd: list[LimitedConnection]) -> None:
        idle = [one for one in crowd if one.idle()]
        (min(idle, key=lambda one: one.made_at) if idle else self).transport.abort()

    @property
    def made_at(self) -> float:
        """When the deadline of its first request was set: the order in which connections were made."""
        return self._head_timer.when() if self._head_timer is not None else 0.0
