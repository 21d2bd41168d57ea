"""The processes of a DATA_DIR: the lock that admits one supervisor, and the list of its processes for all to read."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

ENDS_WITHIN_SECONDS = 10.0


class AlreadyRunning(Exception):
    """Another supervisor holds the folder; the message names its process."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A process of the product. `born` distinguishes it from a later process with the same id."""

    name: str
    pid: int
    born: str
    ready: bool
    since: float
    deaths: int


def lock(folder: Path) -> IO[str]:
    """Locks `folder` until the file that is returned is closed or the process ends; raises `AlreadyRunning`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "up.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise AlreadyRunning(holder) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def held(folder: Path) -> bool:
    """Whether a supervisor runs in `folder`."""
    try:
        with lock(folder):
            return False
    except AlreadyRunning:
        return True


def write(folder: Path, entries: Iterable[Entry]) -> None:
    draft = folder / "parts.draft"
    draft.write_text(json.dumps([asdict(entry) for entry in entries]))
    draft.replace(folder / "parts.json")


def read(folder: Path) -> list[Entry]:
    """The processes that the folder's supervisor last named; some may be gone."""
    try:
        return [Entry(**row) for row in json.loads((folder / "parts.json").read_text())]
    except (OSError, ValueError, TypeError):
        return []


def alive(entry: Entry) -> bool:
    return born(entry.pid) == entry.born


def born(pid: int) -> str:
    """When the process began, in the operating system's own form; empty where there is none or it is a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in ("Z", "X") else fields[19]
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()


def end_stale(folder: Path) -> list[str]:
    """Kills the processes of a dead supervisor and waits for them; returns their names."""
    stale = [entry for entry in read(folder) if alive(entry)]
    for entry in stale:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(entry.pid, signal.SIGKILL)
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while any(alive(entry) for entry in stale) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [entry.name for entry in stale]
