"""Sockets that the supervisor opens and its processes inherit.

Several processes accept from one socket, so a stuck one takes no connection away from the others, and a restart refuses
none: the socket outlives each of them.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

BACKLOG = 2048
VARIABLE = "KGBUILDER_LISTEN_FD"
UNIX = "unix:"


def open_socket(address: str) -> socket.socket:
    """Listens on HOST:PORT, or on unix:PATH, which only this user may use. Raises OSError."""
    listener = _unix(address.removeprefix(UNIX)) if address.startswith(UNIX) else _tcp(address)
    listener.listen(BACKLOG)
    return listener


def inherited() -> socket.socket | None:
    """The socket that the supervisor opened for this process; None where it was started by hand."""
    number = os.environ.get(VARIABLE, "")
    return socket.socket(fileno=int(number)) if number else None


def address(host: str, port: int) -> str:
    return f"{host}:{port}"


def _tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError:
        listener.close()
        raise
    return listener


def _unix(path: str) -> socket.socket:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()  # left by a killed supervisor; its lock admits no second one
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    return listener
