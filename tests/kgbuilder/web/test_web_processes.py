"""`part web`, whole: its processes share a socket, outlive one another, and bound what strangers send."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kgbuilder.conf.environment import ROOT, SETTINGS
from kgbuilder.supervision import roster
from tests.kill.__main__ import settings_of
from tests.kill.product import wait_for
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.integration

PATHS = (
    "/healthz",
    "/readyz",
    "/sign-in/",
    "/",
    "/nothing",
    "/api/v1/posts",
    "/api/v1/sparql?query=x",
    "/static/x.css",
)
NAMES = {"web", "web-2", "consoles"}


class WebPart:
    """The component in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        settings = settings_of(folder, "", argparse.Namespace(deterministic=True))
        self.environ = {**os.environ, **{setting.name: "" for setting in SETTINGS}, **settings}
        self.port = int(settings["PORT"])
        self.log = folder / "web.txt"
        self._run = folder / "run" / socket.gethostname() / "web-1"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run(
            [*manage, "prepare", "--no-samples"], cwd=ROOT, env=self.environ, check=True, capture_output=True
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*manage, "part", "web"], cwd=ROOT, env=self.environ, stdout=log, stderr=log, process_group=0
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        wait_for(lambda: {e.name for e in self.entries() if e.ready} == NAMES, "the web processes", self.log.read_text)

    def entries(self) -> list[roster.Entry]:
        return [entry for entry in roster.read(self._run) if roster.alive(entry)]

    def entry(self, name: str) -> roster.Entry:
        wait_for(lambda: any(entry.name == name and entry.ready for entry in self.entries()), f"{name} to be ready")
        return next(entry for entry in self.entries() if entry.name == name)

    def let_lease_run_out(self, name: str) -> None:
        for lease in self._run.glob(f"{name}.*.lease"):
            lease.write_text("0")

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def response(self, *requests: str) -> bytes:
        """What the server answers to these lines of requests, until it closes."""
        with self.connection() as line:
            line.sendall("".join(f"{one}\r\nHost: localhost\r\n\r\n" for one in requests).encode())
            return _all_of(line)

    def status(self, path: str) -> int:
        with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
            return client.get(f"http://127.0.0.1:{self.port}{path}").status_code


def _all_of(line: socket.socket) -> bytes:
    found = b""
    while piece := line.recv(65536):
        found += piece
    return found


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPart]:
    part = WebPart(tmp_path_factory.mktemp("web"))
    try:
        part.start()
        yield part
    finally:
        if part.process is not None:
            for entry in part.entries():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(entry.pid, signal.SIGCONT)
            part.process.terminate()
            part.process.wait()


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_to_head_has_no_body_and_the_next_one_follows_it(web: WebPart, path: str) -> None:
    answer = web.response(
        f"HEAD {path} HTTP/1.1", f"HEAD {path} HTTP/1.1", "GET /healthz HTTP/1.1\r\nConnection: close"
    )
    assert re.fullmatch(rb"(HTTP/1\.1 \d{3} [^\r]+\r\n(?:[^\r]+\r\n)+\r\n){3}ok\n", answer), answer


def test_what_is_announced_too_long_is_refused_before_it_is_sent(web: WebPart) -> None:
    for path in ("/healthz", "/sign-in/", "/api/v1/posts", "/sparql/"):
        assert b" 413 " in web.response(f"POST {path} HTTP/1.1\r\nContent-Length: 300000000").partition(b"\r\n")[0], (
            path
        )
    assert b" 403 " in web.response("POST /training/datasets/upload/ HTTP/1.1\r\nContent-Length: 300000000")


def test_idle_and_slow_connections_keep_nobody_out(web: WebPart) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(300):
            opened.enter_context(web.connection())
        for _ in range(40):
            slow = opened.enter_context(web.connection())
            slow.sendall(b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nab")
        assert web.status("/healthz") == web.status("/sign-in/") == 200


def test_a_stopped_process_stops_nobody_and_is_started_again(web: WebPart) -> None:
    victim = web.entry("web")
    os.kill(victim.pid, signal.SIGSTOP)
    assert [web.status("/sign-in/") for _ in range(20)] == [200] * 20
    web.let_lease_run_out("web")
    wait_for(lambda: not roster.alive(victim), "the stopped process to be ended", web.log.read_text)
    assert web.entry("web").pid != victim.pid
    web.wait_until_ready()


def test_pages_are_answered_while_the_consoles_are_stopped_and_queries_once_they_are_back(web: WebPart) -> None:
    victim = web.entry("consoles")
    os.kill(victim.pid, signal.SIGSTOP)
    with web.connection() as asked:
        asked.sendall(b"GET /api/v1/sparql?query=x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert web.status("/sign-in/") == web.status("/healthz") == 200
        web.let_lease_run_out("consoles")
        answer = _all_of(asked)
    # It waited at the socket and the new process took it, or the stopped one had taken it already.
    assert answer.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 503 "))
    web.wait_until_ready()
    assert web.status("/api/v1/sparql?query=x") == 401


def test_a_restarted_process_refuses_no_connection(web: WebPart) -> None:
    for name in ("web", "web-2"):
        os.kill(web.entry(name).pid, signal.SIGTERM)
    assert [web.status("/healthz") for _ in range(20)] == [200] * 20
    web.wait_until_ready()
