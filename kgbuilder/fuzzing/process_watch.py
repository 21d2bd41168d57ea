"""Watches for what a run must not do: connect to forbidden addresses (seen by an audit hook), log an error, hang."""

from __future__ import annotations

import logging
import socket
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from extraction.crawler.addresses import is_public

# Names resolve to one of these, by the name and the number of look-ups: no real resolver is used.
LEADS_TO = ("127.0.0.1", "10.0.0.1", "93.184.216.34", "169.254.169.254", "::1", "93.184.216.34")


class Watch(logging.Handler):
    """`forbidden` are addresses that must not be connected to and were; `errors` are logged errors."""

    def __init__(self, allowed: set[tuple[str, int]]) -> None:
        super().__init__(logging.ERROR)
        self.allowed = allowed
        self.forbidden: list[str] = []
        self.errors: list[str] = []
        self._lookups: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        cause = f": {record.exc_info[1]!r}" if record.exc_info and record.exc_info[1] else ""
        self.errors.append(f"{message}{cause}"[:500])

    def connecting(self, address: object) -> None:
        """Records addresses that are neither allowed nor public. Raises for public ones: a run contacts nobody."""
        if not isinstance(address, tuple) or address[:2] in self.allowed:
            return
        if not is_public(str(address[0])):
            self.forbidden.append(f"{address[0]} port {address[1]}")
        raise ConnectionRefusedError("no connection leaves this machine while it is tried")

    def getaddrinfo(self, host: str | bytes | None, port: Any, *args: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        try:
            return _real_getaddrinfo(name, port, *args, **{**options, "flags": socket.AI_NUMERICHOST})
        except socket.gaierror:
            pass
        lookups = self._lookups[name] = self._lookups.get(name, zlib.crc32(name.encode())) + 1
        address = LEADS_TO[lookups % len(LEADS_TO)]
        return _real_getaddrinfo(address, port, *args, **{**options, "flags": socket.AI_NUMERICHOST})


_real_getaddrinfo = socket.getaddrinfo
_watching: list[Watch] = []
_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching:
        _watching[-1].connecting(arguments[1])


@contextmanager
def watching(allowed: set[tuple[str, int]]) -> Iterator[Watch]:
    """While the block runs, every connection of this process is checked, and names are resolved without a network."""
    if not _hooked:
        sys.addaudithook(_hook)  # for good: an audit hook cannot be taken out
        _hooked.append(True)
    watch = Watch(allowed)
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, [watch]
    _watching.append(watch)
    socket.getaddrinfo = watch.getaddrinfo
    try:
        yield watch
    finally:
        socket.getaddrinfo = _real_getaddrinfo
        _watching.pop()
        root.handlers = handlers
