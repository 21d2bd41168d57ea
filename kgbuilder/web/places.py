"""Counted places that several processes share: at most so many requests of a person, token or address at once.

A place is a locked byte of one file. The kernel releases it when its process ends, however that ends, so no count can
leak. Locks of one process do not exclude each other: its own places are kept in memory beside them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MOST = 1024  # places of one name


class Places:
    """The places that a file holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._file: int | None = None

    @contextmanager
    def taken(self, wanted: Mapping[str, int]) -> Iterator[str]:
        """Takes one of the places of each name, of so many; yields "", or the first name whose places are all taken."""
        held: list[int] = []
        try:
            for name, most in wanted.items():
                place = self._take(name, most)
                if place is None:
                    yield name
                    return
                held.append(place)
            yield ""
        finally:
            for place in held:
                self._give_back(place)

    def _take(self, name: str, most: int) -> int | None:
        first = int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:6], "big") * MOST
        with self._lock:
            for place in range(first, first + min(most, MOST)):
                if place not in self._taken and self._locked(place):
                    self._taken.add(place)
                    return place
        return None

    def _locked(self, place: int) -> bool:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _give_back(self, place: int) -> None:
        with self._lock:
            self._taken.discard(place)
            if self._file is not None:
                with contextlib.suppress(OSError):
                    fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
