"""A publisher who means harm: a web server on this machine that serves one damaged input at a time, and a service
beside it that stands for our own network, which nothing may contact."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

KINDS = (
    "application/rss+xml",
    "application/atom+xml",
    "text/xml; charset=latin-1",
    "application/json",
    "text/html",
    "x",
    "",
)
DRIP_SECONDS = 0.2
HUGE = 64 << 20


class Publisher(ThreadingHTTPServer):
    """`content` is what /feed and /page answer, with `headers`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content = b""
        self.headers: dict[str, str] = {}
        self.picture = _picture()
        self.inside = ThreadingHTTPServer(("127.0.0.1", 0), _Inside)

    @property
    def here(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fill(self, content: bytes) -> bytes:
        """`content` with the places that it names filled in."""
        port = str(self.inside.server_port).encode()
        content = content.replace(b"HERE", self.here.encode()).replace(b"INSIDE", b"127.0.0.1:" + port)
        return content.replace(b"INPORT", port)

    def serve(self, content: bytes, dice: Random) -> None:
        self.content, self.headers = content, {"Content-Type": dice.choice(KINDS)}

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores errors: clients may close the connection."""


class _Answer(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        with suppress(OSError):
            match self.path.partition("?")[0].strip("/"):
                case "feed" | "page":
                    self._whole(self.server.content, **self.server.headers)
                case "picture":
                    self._whole(self.server.picture, **{"Content-Type": "image/jpeg"})
                case "inwards":
                    self._redirect(f"http://127.0.0.1:{self.server.inside.server_port}/")
                case "ring":
                    self._redirect("/ring")
                case "drip":
                    self._stream(b"<", DRIP_SECONDS)
                case "huge":
                    self._stream(b"<p>" + b"x" * 65533, 0)
                case _:
                    self.send_error(404)

    def _whole(self, content: bytes, **headers: str) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _stream(self, block: bytes, pause: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        for _ in range(HUGE // len(block)):
            self.wfile.write(block)
            time.sleep(pause)

    def log_message(self, *args: object) -> None:
        pass


class _Inside(_Answer):
    def do_GET(self) -> None:
        self.send_error(500)


def _picture() -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.new("RGB", (80, 80), "teal").save(written, "JPEG")
    return written.getvalue()


@contextmanager
def publishing() -> Iterator[Publisher]:
    publisher = Publisher()
    servers = (publisher, publisher.inside)
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield publisher
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
