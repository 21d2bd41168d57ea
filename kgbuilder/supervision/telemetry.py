"""A process's log subject, counters and current stage.

All of it is kept in memory; `kgbuilder.supervision.heartbeat` writes it to the database every few seconds, and
`kgbuilder.supervision.logs` reads the subject of a line. Nothing here can fail or wait.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_subject: ContextVar[Mapping[str, object]] = ContextVar("subject", default=MappingProxyType({}))
_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()
_doing: dict[int, str] = {}

STAGE_SECONDS, STAGE_UNITS, FETCH_ERRORS = "stage_seconds", "stage_units", "fetch_errors"


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Makes log lines of the block, in this thread, name these: feed=12, post=…, reading=…, run=…."""
    token = _subject.set({**_subject.get(), **ids})
    try:
        yield
    finally:
        _subject.reset(token)


def subject() -> Mapping[str, object]:
    """The subject of the current log line."""
    return _subject.get()


def count(name: str, label: str, amount: float = 1) -> None:
    """Add to a counter that only ever grows."""
    with _lock:
        _counts[name, label] += amount  # type: ignore[assignment]  # a Counter adds floats as well


def drain() -> dict[tuple[str, str], float]:
    """What was counted since the last call, by (name, label)."""
    with _lock:
        counted: dict[tuple[str, str], float] = dict(_counts)
        _counts.clear()
    return counted


@contextmanager
def stage(name: str, description: str, units: int) -> Iterator[None]:
    """Counts the block's seconds as work of this stage on `units` items; `doing` reports the description."""
    thread, began = threading.get_ident(), time.monotonic()
    with _lock:
        outer, _doing[thread] = _doing.get(thread), description
    try:
        yield
    finally:
        with _lock:
            del _doing[thread]
            if outer is not None:
                _doing[thread] = outer
        count(STAGE_SECONDS, name, time.monotonic() - began)
        count(STAGE_UNITS, name, units)


def doing() -> str:
    """The descriptions of what this process's threads do now; empty where they wait for work."""
    with _lock:
        tally = Counter(_doing.values())
    return "; ".join(f"{what} ({n}×)" if n > 1 else what for what, n in sorted(tally.items()))
