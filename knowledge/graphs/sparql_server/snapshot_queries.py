"""Runs people's queries for the server: on a snapshot a second or two old, each in a child that is killed at its limit.

The engine's own interface can neither end a query nor bound its memory, and a second process may not open a live
store: hence the copy (hard links, some milliseconds) and the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.graphs.xml_characters import well_formed

CHILD = Path(__file__).with_name("query_process.py")
YOUNG_S = 1.5  # a snapshot is used this long before the next query gets a newer one
MOST_ROWS = 100_000
LONGEST_ANSWER = 64 << 20  # bytes
MEMORY = 1 << 30  # bytes of address space of a query's process
WAITING = 24  # queries, enough for a newsroom that opens the page at once. Each holds only a thread

Reading = Callable[[], contextlib.AbstractContextManager[Any]]  # the live store, while it is read


class SnapshotQueryFailed(Exception):
    """The query got no answer; the message is for its author. `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class SnapshotAnswer:
    media_type: str
    truncated: bool
    body: bytes


class Snapshots:
    """Copies of a store under one folder; each is deleted once it is neither the newest nor read."""

    def __init__(self, reading: Reading, folder: Path) -> None:
        self._reading, self._folder = reading, folder
        self._lock = threading.Lock()
        self._newest: Path | None = None
        self._made_at, self._count = 0.0, 0
        self._readers: Counter[Path] = Counter()
        self._stale = True
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def changed(self) -> None:
        """The store was written to: a snapshot may be out of date from now on."""
        self._stale = True

    @contextlib.contextmanager
    def use(self) -> Iterator[Path]:
        with self._lock:
            chosen = self._fresh()
            self._readers[chosen] += 1
        try:
            yield chosen
        finally:
            with self._lock:
                self._readers[chosen] -= 1
                self._drop_unused()

    def _fresh(self) -> Path:
        if self._newest is None or (self._stale and time.monotonic() - self._made_at > YOUNG_S):
            self._stale = False
            self._count += 1
            folder = self._folder / str(self._count)
            with self._reading() as store:
                store.backup(str(folder))
            self._newest, self._made_at = folder, time.monotonic()
            self._readers[folder] += 0
            self._drop_unused()
        return self._newest

    def _drop_unused(self) -> None:
        for folder in [one for one, readers in self._readers.items() if not readers and one != self._newest]:
            del self._readers[folder]
            shutil.rmtree(folder, ignore_errors=True)


class AdHoc:
    """Runs people's queries, `children` at a time; WAITING may wait for their turn, more are turned away."""

    def __init__(self, reading: Reading, folder: Path, children: int, seconds: float) -> None:
        self.snapshots = Snapshots(reading, folder)
        self._seconds = seconds
        self._running = threading.BoundedSemaphore(children)
        self._admitted = threading.BoundedSemaphore(children + WAITING)

    def answer(
        self, query: str, media_type: str, seconds: float, rows: int, largest: int = LONGEST_ANSWER
    ) -> SnapshotAnswer:
        """Raises SnapshotQueryFailed."""
        seconds = min(seconds, self._seconds)
        if not self._admitted.acquire(blocking=False):
            raise SnapshotQueryFailed("Too many queries are running. Try again in a few seconds.", 503)
        try:
            if not self._running.acquire(timeout=seconds):
                raise SnapshotQueryFailed("Other queries kept the server busy. Try again in a few seconds.", 503)
            try:
                with self.snapshots.use() as store:
                    rows, largest = max(1, min(rows, MOST_ROWS)), min(largest, LONGEST_ANSWER)
                    return _ask(query, media_type, seconds, rows, store, largest)
            finally:
                self._running.release()
        finally:
            self._admitted.release()


def _ask(
    query: str, media_type: str, seconds: float, rows: int, store: Path, largest: int = LONGEST_ANSWER
) -> SnapshotAnswer:
    task: dict[str, Any] = {"store": str(store), "query": query, "format": media_type, "rows": rows, "bytes": largest}
    task |= {"parent": os.getpid(), "memory": MEMORY}
    # The child gets nothing of ours: no token, no addresses. One heap: glibc reserves 128 MB of addresses for each
    # other, by chance up to the limit, where a harmless query would fail for lack of memory.
    child = subprocess.Popen(
        [sys.executable, "-I", str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
    )
    try:
        output, notes = child.communicate(json.dumps(task).encode() + b"\n", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise SnapshotQueryFailed(f"The query took longer than {seconds:g} seconds and was stopped.", 504) from None
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError, AttributeError):
                stream.close()  # type: ignore[union-attr]
    line, _, body = output.partition(b"\n")
    if child.returncode or not line:
        raise _crashed(child.returncode, notes)
    about = json.loads(line)
    if "error" in about:
        raise SnapshotQueryFailed(about["error"], about.get("status", 422))
    return SnapshotAnswer(about["type"], about["truncated"], well_formed(body, about["type"]))


def _crashed(code: int, notes: bytes) -> SnapshotQueryFailed:
    """Why a query's process ended without an answer, by what it or its engine wrote."""
    if b"memory allocation" in notes or b"MemoryError" in notes or b"bad_alloc" in notes:
        return SnapshotQueryFailed("The query exceeded its memory limit (1 GB) and was stopped.", 507)
    if b"stack overflow" in notes or -code == signal.SIGSEGV:
        return SnapshotQueryFailed("The query is nested too deeply, or its expressions are too long.", 422)
    last = notes.decode("utf-8", "replace").strip().splitlines()[-1:]
    how = f"signal {-code}" if code < 0 else "; ".join(line[:300] for line in last) or f"exit code {code}"
    return SnapshotQueryFailed(f"The engine could not answer the query ({how}).", 422)
