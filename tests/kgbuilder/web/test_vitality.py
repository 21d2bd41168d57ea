"""A web process renews its lease while it is well, and asks to be replaced when it has grown or hangs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgbuilder.supervision import watchdog
from kgbuilder.web import vitality
from kgbuilder.web.vitality import LEASE_SECONDS, MOST_GROWTH, Vitality


class Threads:
    """A pool as it is seen from outside."""

    def __init__(self) -> None:
        self.working, self.stuck = 0, 0

    def busy(self) -> int:
        return self.working

    def hung(self, seconds: float) -> int:
        return self.stuck


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    """Bytes of memory, and how many of them the allocator can give back."""
    amount = [100 << 20, 0]

    def give_back() -> None:
        amount[0] -= amount[1]

    monkeypatch.setattr(vitality, "run_folder", lambda: tmp_path)
    monkeypatch.setattr(vitality, "memory", lambda: amount[0])
    monkeypatch.setattr(vitality, "give_back_memory", give_back)
    yield amount


def of(threads: Threads) -> Vitality:
    return Vitality("web", [threads])  # type: ignore[list-item]


def test_its_lease_is_known_to_the_supervisor_and_renewed(
    held: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = of(Threads())
    now = watchdog.time.monotonic()
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now + LEASE_SECONDS + 60)
    assert watchdog.overdue(tmp_path, "web", os.getpid())
    assert not one.check()
    assert not watchdog.overdue(tmp_path, "web", os.getpid())


def test_memory_that_cannot_be_given_back_replaces_it_at_rest(held: list[int]) -> None:
    threads = Threads()
    one = of(threads)
    for _ in range(60):
        assert not one.check()
    held[:] = [held[0] + MOST_GROWTH, 50 << 20]
    assert not one.check(), "what it can give back is given back"
    held[:] = [held[0] + MOST_GROWTH, 0]
    threads.working = 1
    assert not one.check(), "it answers first"
    threads.working = 0
    assert one.check()


def test_a_hung_thread_replaces_it(held: list[int]) -> None:
    threads = Threads()
    one = of(threads)
    threads.working, threads.stuck = 8, 1
    assert one.check()
