"""A real Neo4j, started by the command that TEST_NEO4J names, with a home of its own under a temporary folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.units import StoreUnavailable
from tests.patience import PATIENCE_S

# What docs/operators/stores.md asks an admin to set.
ADVISED = (
    "dbms.security.allow_csv_import_from_file_urls=false",
    "internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0",
    "db.memory.transaction.max=64m",
    "dbms.memory.transaction.total.max=256m",
    "db.transaction.timeout=120s",
)


@dataclass
class Neo4jServer:
    home: Path
    bolt: int = field(default_factory=lambda: free_port())
    http: int = field(default_factory=lambda: free_port())
    settings: tuple[str, ...] = ADVISED

    @property
    def url(self) -> str:
        return f"bolt://127.0.0.1:{self.bolt}"

    def start(self) -> None:
        ports = ("--bolt-port", str(self.bolt), "--http-port", str(self.http))
        chosen = [part for setting in self.settings for part in ("--set", setting)]
        error = self._command("start", *ports, *chosen)
        # On a machine with much else to do it takes longer than the command waits.
        until = time.monotonic() + PATIENCE_S
        while error and not self._answers():
            assert time.monotonic() < until, error
            time.sleep(1)

    def stop(self, *, kill: bool = False) -> None:
        error = self._command("stop", *(["--kill"] if kill else []))
        assert not error, error

    def wipe(self) -> None:
        """Takes the database away, while the server is stopped."""
        shutil.rmtree(self.home / "data")

    def store(self) -> Neo4jStore:
        return Neo4jStore(self.url, "neo4j", "")

    def _answers(self) -> bool:
        try:
            return bool(self.store().rows("RETURN 1 AS one"))
        except StoreUnavailable:
            return False

    def _command(self, action: str, *options: str) -> str:
        """Its output if it failed, else nothing."""
        command = [os.environ["TEST_NEO4J"], action, "--home", str(self.home), *options]
        # Not to a pipe: the server would keep it open.
        with (self.home.parent / "neo4j.out").open("a+") as output:
            ended = subprocess.run(command, stdout=output, stderr=output, check=False)
            output.seek(0)
            return output.read()[-2000:] if ended.returncode else ""


@contextlib.contextmanager
def serving_neo4j() -> Iterator[Neo4jServer]:
    with tempfile.TemporaryDirectory(prefix="kg-neo4j-", ignore_cleanup_errors=True) as folder:
        server = Neo4jServer(Path(folder) / "home")
        server.start()
        try:
            yield server
        finally:
            server.stop(kill=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
