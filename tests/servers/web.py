"""A web server on 127.0.0.1 with answers from the test, which records its requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class WebServer:
    """`answers` by path, `answers_any` by path whatever is asked with it; `asked` are (path, headers in lower case) in
    order."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.answers_any: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                self.close_connection = True
                with suppress(OSError):  # the client hangs up, as it should where a test sends too much
                    whatever = outer.answers_any.get(self.path.partition("?")[0], reply(404))
                    outer.answers.get(self.path, whatever)(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.allow = (("127.0.0.1", self.port),)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running() -> Iterator[WebServer]:
    server = WebServer()
    try:
        yield server
    finally:
        server.close()


def reply(status: int = 200, body: bytes | str = b"", **headers: str) -> Answer:
    """A whole answer; header names are written with `_` for `-`."""
    content = body.encode() if isinstance(body, str) else body

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def conditional(body: str, etag: str, kind: str = "application/rss+xml", **headers: str) -> Answer:
    """An answer with an ETag, and 304 to a request that names it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        known = request.headers.get("If-None-Match") == etag
        whole = reply(304, "") if known else reply(200, body, Content_Type=kind, ETag=etag, **headers)
        whole(request)

    return answer
