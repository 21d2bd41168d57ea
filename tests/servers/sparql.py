"""Bundled SPARQL servers for tests: started as the product starts them, ended with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from knowledge.graphs.rdf.sparql_store import BUNDLED, SparqlStore

TOKEN = "token-for-tests"


@dataclass
class Server:
    """A running server. `kill` ends it as a power cut would, `start` starts it again on the same store."""

    folder: Path
    seconds: float
    children: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "sparql.sock"

    def start(self) -> None:
        command = [sys.executable, "-m", "knowledge.graphs.sparql_server.server"]
        command += ["--store", str(self.folder / "graph"), "--socket", str(self.socket)]
        command += ["--seconds", str(self.seconds), "--children", str(self.children)]
        environ = os.environ | {"SPARQL_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == b"ready\n", f"the server did not start: {line!r}"

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(how)
        status = self.process.wait()
        self.process.stdout.close()
        self.process = None
        return status

    def client(self, token: str = TOKEN) -> httpx.Client:
        return httpx.Client(
            base_url=BUNDLED,
            transport=httpx.HTTPTransport(uds=str(self.socket)),
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def store(self) -> SparqlStore:
        return SparqlStore(f"{BUNDLED}/ask", f"{BUNDLED}/update", TOKEN, self.socket)


@contextlib.contextmanager
def serving(seconds: float = 120.0, children: int = 2) -> Iterator[Server]:
    # Not pytest's own folder: a socket's path may have no more than some hundred characters.
    with tempfile.TemporaryDirectory(prefix="kg-") as folder:
        server = Server(Path(folder), seconds, children)
        server.start()
        try:
            yield server
        finally:
            if server.process is not None:
                server.end(signal.SIGKILL)
