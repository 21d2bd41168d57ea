"""The product under test: `manage.py up` in a folder of its own, and its processes as the roster names them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kgbuilder.conf.environment import ROOT
from kgbuilder.supervision import roster

PATIENCE_SECONDS = 600.0  # without any progress: as long as a worker's lease; a busy machine may need some of it


class Stuck(Exception):
    """An expected event did not happen; the message names it."""


class Product:
    """Starts, kills and stops the product. `environ` holds its settings, `options` those of `up`."""

    def __init__(self, folder: Path, environ: Mapping[str, str], options: tuple[str, ...] = ("--no-samples",)) -> None:
        self.folder = folder
        self.options = options
        self.environ = {**os.environ, **environ}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "terminal.txt").open("ab") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "up", *self.options],
                cwd=ROOT,
                env=self.environ,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `manage.py` command with the same settings."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False)

    def ready(self, name: str) -> roster.Entry | None:
        for entry in roster.read(self.folder / "run"):
            if entry.name == name and entry.ready and roster.alive(entry):
                return entry
        return None

    def wait_until_ready(self, name: str) -> roster.Entry:
        found: list[roster.Entry] = []

        def seen() -> bool:
            found.extend(filter(None, [self.ready(name)]))
            return bool(found) or self.process_ended()

        wait_for(seen, f"{name} to get ready")
        if not found:
            raise Stuck(f"`up` has ended by itself; see {self.folder / 'terminal.txt'}")
        return found[0]

    def process_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill_part(self, name: str) -> None:
        """kill -9, once it runs; returns when it is gone."""
        entry = self.wait_until_ready(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(entry.pid, signal.SIGKILL)
        wait_for(lambda: not roster.alive(entry), f"{name} to die")

    def kill_supervisor(self) -> int:
        """kill -9 of `up`; how many of its processes were left after its guard had time to end them."""
        assert self.process is not None
        entries = roster.read(self.folder / "run")
        self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + 5
        while any(map(roster.alive, entries)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return sum(map(roster.alive, entries))

    def stop(self) -> int:
        """Ctrl-C; how many of its processes were left."""
        assert self.process is not None
        entries = roster.read(self.folder / "run")
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        return sum(map(roster.alive, entries))

    def abandon(self) -> None:
        """After a failure: leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        roster.end_stale(self.folder / "run")


def wait_for(holds: Callable[[], bool], what: str, progress: Callable[[], object] = lambda: None) -> None:
    """Waits while there is progress; raises Stuck when nothing has changed for long."""
    last, since = progress(), time.monotonic()
    while not holds():
        time.sleep(0.1)
        now = progress()
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > PATIENCE_SECONDS:
            raise Stuck(f"Waited in vain for {what}; the last state was {last}")
