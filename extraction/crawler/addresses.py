"""Check network addresses, and open connections to permitted ones only.

The name is resolved once and the address that was checked is the one connected to, so a name that answers differently
the second time gains nothing. Every wait ends at the fetch's deadline, also one that is fed byte by byte.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterable
from typing import Any

import httpcore

Allowed = Collection[tuple[str, int]]

CONNECT_SECONDS = 10.0
QUIET_SECONDS = 20.0  # the longest pause within a response

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Counted as public by `ipaddress`: Azure's own server for its machines, and addresses for documentation.
_NOT_PUBLIC = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("3fff::/20"))
_UNICAST6 = ipaddress.ip_network("2000::/3")


class ForbiddenAddress(httpcore.ConnectError):
    """The name resolves to an address that is not on the open internet."""


class UnknownHost(httpcore.ConnectError):
    """The name does not resolve."""


def is_public(address: str) -> bool:
    """Whether `address` (v4 or v6, as text) is on the open internet. A v4 address inside a v6 one is checked too."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if any(parsed in network for network in _NOT_PUBLIC):
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved)
    inner = _embedded(parsed)
    if inner and not all(is_public(str(part)) for part in inner):
        return False
    if parsed.ipv4_mapped or parsed in _NAT64:
        return True
    return parsed in _UNICAST6 and (parsed.is_global or bool(inner))


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour:
        return [address.sixtofour]
    return list(address.teredo or ())


def permitted(host: str, port: int, addresses: Iterable[str], allow: Allowed) -> list[str]:
    """Those of a host's `addresses` that may be connected to; all of them where `allow` names the host and port."""
    named = (host.lower().strip("[]"), port) in allow
    return [address for address in addresses if named or is_public(address) or (address.lower(), port) in allow]


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of `host`, within `seconds`: the system's resolver has no time limit of its own, so it gets a
    thread that may outlive the wait."""
    answers: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"no answer for the name {host}") from None
    if isinstance(answer, Exception):
        raise UnknownHost(f"{host}: {answer}")
    return answer


class Deadline:
    """The time at which all waits of one fetch end."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        """Add the time that was spent on waiting for a host's turn, not on the fetch."""
        self._at += seconds

    def left(self, at_most: float | None, late: type[Exception]) -> float:
        """The seconds that the next wait may take. Raises `late` when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise late("the time for this fetch is over")
        return left if at_most is None else min(left, at_most)


class GuardedStream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout, httpcore.ConnectTimeout)
        return GuardedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections to permitted addresses only."""

    def __init__(self, allow: Allowed, deadline: Deadline) -> None:
        self._allow, self._deadline, self._backend = allow, deadline, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        resolved = resolve(host, port, self._deadline.left(timeout, httpcore.ConnectTimeout))
        addresses = permitted(host, port, resolved, self._allow)
        if not addresses:
            raise ForbiddenAddress(", ".join(resolved))
        failed: Exception = UnknownHost(host)
        for address in addresses[:4]:
            left = self._deadline.left(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(address, port, left, None, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return GuardedStream(stream, self._deadline)
        raise failed
