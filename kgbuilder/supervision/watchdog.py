"""Leases by which a worker announces how long it may be busy, so that the supervisor can end one that hangs.

Neither a solo nor a thread pool of Celery obeys time limits. So the work writes the moment at which its lease runs out
into a file, and removes it when it is done; a process whose file lies in the past is killed and started again, and
its work is claimed anew by lease. Moments are on the monotonic clock, which all processes of one boot share.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lease(folder: Path, name: str, seconds: float) -> Iterator[Callable[[], None]]:
    """While the block runs, `name` (a process of the product) is considered alive for at most `seconds`; the yielded
    callable restarts the count."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{os.getpid()}.{threading.get_ident()}.lease"

    def alive() -> None:
        path.write_text(str(time.monotonic() + seconds))

    alive()
    try:
        yield alive
    finally:
        path.unlink(missing_ok=True)


def overdue(folder: Path, name: str, pid: int) -> bool:
    """Whether any lease of the process `pid` under `name` has run out. Those of other processes bind nobody: a killed
    supervisor leaves them behind."""
    now = time.monotonic()
    return any(_until(path) < now for path in folder.glob(f"{name}.{pid}.*.lease"))


def forget(folder: Path, name: str) -> None:
    """Removes the leases of a dead process."""
    for path in folder.glob(f"{name}.*.lease"):
        path.unlink(missing_ok=True)


def _until(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return float("inf")  # just removed, or just being written


class AtStart:
    """Runs steps with a worker's name once in this process, before any of its threads continues."""

    def __init__(self, *steps: Callable[[str], object]) -> None:
        self._steps = steps
        self._done = False
        self._lock = threading.Lock()

    def __call__(self, worker: str) -> None:
        with self._lock:
            if not self._done:
                for step in self._steps:
                    step(worker)
                self._done = True
