"""A request as WSGI describes it (PEP 3333), and whom it comes from."""

from __future__ import annotations

import io
import ipaddress
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from kgbuilder.web.bodies import RequestBody, Scope

Headers = Sequence[tuple[bytes, bytes]]

# What the web process says to the consoles of the client; taken from nobody else.
CLIENT, SCHEME = b"x-kgbuilder-client", b"x-kgbuilder-scheme"
_ONCE = frozenset({b"content-length", b"content-type", b"host"})


def from_client(scope: Scope, trusted: str) -> tuple[str, str]:
    """The client's address and scheme: as the proxy named by TRUSTED_PROXY states them, else as it connects."""
    address, scheme = (scope["client"] or ("", 0))[0], str(scope["scheme"])
    if not trusted or trusted not in (address, "*"):
        return address, scheme
    stated = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    protocols = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    last = protocols[-1].decode("latin-1").strip().lower() if protocols else scheme
    # The last address is the proxy's own word; those before it are the client's.
    return _address(stated.decode("latin-1").rpartition(",")[2]) or address, last if last == "https" else "http"


def from_web_process(scope: Scope) -> tuple[str, str]:
    """The client's address and scheme as the web process states them."""
    stated = dict(scope["headers"])
    return stated.get(CLIENT, b"").decode("latin-1"), stated.get(SCHEME, b"http").decode("latin-1")


def foreign(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers without those that only a proxy or the web process may send, and without names with an underscore,
    which WSGI cannot tell from the same with a hyphen."""
    ours = (CLIENT, SCHEME)
    return [(n, v) for n, v in headers if n not in ours and not n.startswith(b"x-forwarded-") and b"_" not in n]


def target(scope: Scope) -> tuple[str, str]:
    """Path and query, percent-encoded, without the scheme and host that a request to a proxy begins with."""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if not path.startswith("/"):
        path = urlsplit(path).path or "/"
    return path, query


def decoded(path: str) -> str:
    """WSGI's form of a path: its bytes as Latin-1."""
    return unquote_to_bytes(path).decode("latin-1")


def environ_of(scope: Scope, body: RequestBody | None, client: tuple[str, str]) -> dict[str, Any]:
    """`client`: address and scheme. `body`: None before it is read."""
    path, query = target(scope)
    server = scope["server"] or ("localhost", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": decoded(path),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1] or 80),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": client[1],
        "wsgi.input": body.file if body else io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in foreign(scope["headers"]):
        _add(environ, name, value.decode("latin-1"))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ | {"CONTENT_LENGTH": str(body.length if body else 0)}


def _add(environ: dict[str, Any], name: bytes, value: str) -> None:
    key = name.decode("latin-1").upper().replace("-", "_")
    key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
    if key in environ and name not in _ONCE:
        environ[key] += ("; " if name == b"cookie" else ",") + value
    else:
        environ.setdefault(key, value)


def _address(stated: str) -> str:
    """An address, also with a port or in brackets; "" for anything else."""
    stated = stated.strip()
    if stated.startswith("["):
        stated = stated[1:].partition("]")[0]
    elif stated.count(":") == 1:
        stated = stated.partition(":")[0]
    try:
        return str(ipaddress.ip_address(stated))
    except ValueError:
        return ""
