"""The bundled SPARQL server's store, held open by one process: serialised and flushed writes, concurrent readers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyoxigraph

from knowledge.graphs.sparql_server import damaged_store

FLUSH_AFTER = 500  # writes; without a flush the log grows without bound, and each start and snapshot replays it
# bytes of memory since the last one; each of the engine's indexes would keep up to 64 MB of what was written
FLUSH_GROWN = 48 << 20
FLUSH_IDLE_S = 5.0
REOPEN_AFTER = 1_000  # writes; the engine's caches, one for each of its indexes, only grow while the store is open


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


class Refusal(Exception):
    """A request that is refused with an HTTP status."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class LiveStore:
    """The store with its one write lock. Readers use `reading`: a store with readers stays open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._store: pyoxigraph.Store | None = damaged_store.open_whole(folder)
        self.writes = 0
        self.on_write: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._unflushed, self._written_at, self._since_opened = 0, 0.0, 0
        self._fence, self._resident = 0, resident()
        self._door, self._readers = threading.Lock(), 0
        self.broken = threading.Event()

    @contextlib.contextmanager
    def reading(self) -> Iterator[pyoxigraph.Store]:
        """The store, to be read, and its answers with it, until the block ends. Raises Refusal where it is lost."""
        with self._door:
            if self._store is None:
                raise Refusal("503 Service Unavailable", "The graph is being reopened.")
            self._readers += 1
        try:
            yield self._store
        except RuntimeError as error:
            if not damaged_store.is_damage(error):
                raise
            self.report_damage(error)
            raise Refusal("503 Service Unavailable", "The graph is damaged and is begun anew.") from error
        finally:
            with self._door:
                self._readers -= 1

    def set_aside(self) -> list[str]:
        """The names of the damaged stores that an operator may delete."""
        return [path.name for path in damaged_store.set_aside(self._folder)]

    def report_damage(self, error: BaseException) -> None:
        """End the process, so that the next one sets the store aside."""
        with contextlib.suppress(OSError):
            damaged_store.mark(self._folder, error)
        print(f"The graph is damaged: {error}. The server exits, to begin it anew.", file=sys.stderr, flush=True)
        self.broken.set()

    def update(self, text: str, fence: int = 0) -> None:
        """One update request, one transaction. Raises SyntaxError, or Refusal for one whose sender's turn is over.

        `fence`: the sender's turn, if it takes turns. It is checked under the lock, when the request is executed, not
        when it arrives.
        """
        with self._lock:
            if 0 < fence < self._fence:
                raise Refusal("409 Conflict", "A later projector has begun to write.")
            self._fence = max(self._fence, fence)
            self._do(lambda store: store.update(text))
            self.writes += 1
            # An update counts as many writes as it carries, estimated by its size.
            self._unflushed += 1 + len(text) // 20_000
            self._written_at = time.monotonic()
            self.on_write()
            if self._unflushed >= FLUSH_AFTER or resident() - self._resident > FLUSH_GROWN:
                self._flush()

    def clear(self) -> None:
        with self._lock:
            self._do(lambda store: store.clear())
            self.writes += 1
            self.on_write()
            self._flush()

    def flush_idle(self) -> None:
        with self._lock:
            if self._unflushed and time.monotonic() - self._written_at >= FLUSH_IDLE_S:
                self._flush()

    def close(self) -> None:
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        self._do(lambda store: store.flush())
        self._since_opened += self._unflushed
        self._unflushed = 0
        if self._since_opened >= REOPEN_AFTER:
            self._reopen()
        # What was written is on disk now and its memory free; glibc by itself would keep it, more each time.
        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
            trim(0)
        self._resident = resident()

    def _do(self, work: Callable[[pyoxigraph.Store], object]) -> None:
        with self._failing(), self.reading() as store:
            work(store)

    def _reopen(self) -> None:
        """Close and open the store, which frees its caches' memory; not while there are readers."""
        with self._door, self._failing():
            # A reader's frame may hold the store a moment longer than its block: then there are more references to it
            # than ours and the call's.
            if not self._readers and sys.getrefcount(self._store) == 2:
                self._store = None
                self._store = pyoxigraph.Store(str(self._folder))
                self._since_opened = 0

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """End the process after a disk error: such a store (full, read-only) takes no writes until it is opened again,
        which the restarted process does."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            if damaged_store.is_damage(error):
                self.report_damage(error)
            print(f"The graph cannot be written: {error}. The server exits, to reopen it.", file=sys.stderr, flush=True)
            self.broken.set()
            raise Refusal("503 Service Unavailable", f"The graph cannot be written: {error}") from error
