"""Whether this web process is well: it renews its lease while it is, and gives its place to a fresh one if it is not.

The supervisor ends a process whose lease runs out: one that is stopped, or whose event loop does not turn. A process
with a hung thread, or one that has grown, ends by itself: it takes no more connections, finishes what it answers, and
is started again; the others go on meanwhile.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kgbuilder.supervision import watchdog
from kgbuilder.supervision.parts import run_folder
from kgbuilder.web.application_threads import ThreadPool

logger = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
HUNG_SECONDS = 300.0  # longer than any request works without giving a piece of its answer
MOST_GROWTH = 96 << 20  # bytes of memory beyond those of its first minute


class Vitality:
    """Checked every second by the event loop."""

    def __init__(self, part: str, pools: Sequence[ThreadPool], growth: int = MOST_GROWTH) -> None:
        self._pools, self._growth = pools, growth
        self._lease = ExitStack()
        self._renew = self._lease.enter_context(watchdog.lease(run_folder(), part, LEASE_SECONDS))
        self._at_rest = 0
        self._checks = 0

    def check(self) -> bool:
        """Renews the lease; True where the process should end."""
        self._renew()
        self._checks += 1
        hung = sum(pool.hung(HUNG_SECONDS) for pool in self._pools)
        if hung:
            logger.warning("%d requests have hung for %.0f seconds; this process starts again.", hung, HUNG_SECONDS)
            return True
        if any(pool.busy() for pool in self._pools):
            return False
        return self._grown()

    def _grown(self) -> bool:
        """Whether it holds much more memory at rest than at first, after the allocator has given back what it can."""
        now = memory()
        if self._at_rest == 0 or self._checks < 60:
            self._at_rest = max(self._at_rest, now)
        if now < self._at_rest + self._growth:
            return False
        give_back_memory()
        if memory() < self._at_rest + self._growth:
            return False
        logger.warning("This process has grown to %d MB; it starts again.", memory() >> 20)
        return True


def memory() -> int:
    """Bytes of this process that lie in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def give_back_memory() -> None:
    """Returns freed memory to the system: glibc keeps it otherwise."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
