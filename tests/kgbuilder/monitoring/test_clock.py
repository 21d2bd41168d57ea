"""A clock that is set back: plans follow it, and nothing waits for the former time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from celery.schedules import schedule
from django.utils import timezone

from extraction.models import Host, Reading
from extraction.readings import queue as readings_queue
from kgbuilder import celery
from kgbuilder.monitoring import clock
from knowledge.graphs import projector
from knowledge.models import Projection
from tests import records
from tests.factories import make_feed

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HOUR = timedelta(hours=1)


def test_a_clock_that_runs_moves_nothing() -> None:
    feed = make_feed(due_at=NOW + HOUR)
    for seconds in (0, 15, 30, 3600, 3560):
        assert not clock.follow(NOW + timedelta(seconds=seconds))
    feed.refresh_from_db()
    assert feed.due_at == NOW + HOUR


def test_plans_follow_a_clock_that_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    records.checkpoint()
    post = records.post("Ada Lovelace lived in London.", lease_token="x", lease_until=NOW + timedelta(minutes=3))
    feed = make_feed(due_at=NOW + timedelta(minutes=5))
    past = make_feed(due_at=NOW - 2 * HOUR)
    host = Host.objects.create(name="news.example", next_request_at=NOW + timedelta(seconds=2))
    Projection.objects.update(due_at=NOW)
    Reading.objects.update(due_at=NOW)
    assert not clock.follow(NOW)
    monkeypatch.setattr(timezone, "now", lambda: NOW - HOUR)
    assert readings_queue.claim("a", 1) == [], "it would wait for an hour"
    assert clock.follow() == HOUR
    for row, planned in ((post, "lease_until"), (feed, "due_at"), (host, "next_request_at")):
        before: datetime = getattr(row, planned)
        row.refresh_from_db()
        assert getattr(row, planned) == before - HOUR
    past.refresh_from_db()
    assert past.due_at == NOW - 2 * HOUR
    assert len(readings_queue.claim("a", 1)) == 1
    assert not clock.follow(), "once"


def test_beat_continues_after_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(celery._doorbell, "ring", rung.append)
    scheduler = celery.LaneScheduler(celery.make_app("memory://"), lazy=True)
    day, steady, back = NOW.timestamp(), 1000.0, 0.0
    every = schedule(10.0, nowfun=lambda: datetime.fromtimestamp(day - back, UTC))
    scheduler.schedule = {"poll": scheduler.Entry(name="poll", task="x", schedule=every, app=celery.app)}
    monkeypatch.setattr(time, "time", lambda: day - back)
    monkeypatch.setattr(time, "monotonic", lambda: steady)

    def seconds_pass(seconds: float) -> None:
        nonlocal day, steady
        day, steady = day + seconds, steady + seconds
        while scheduler.tick() == 0:
            pass

    seconds_pass(11)
    seconds_pass(11)
    assert rung
    back = 3600.0
    rung.clear()
    seconds_pass(1)
    seconds_pass(11)
    assert rung == ["poll"], "it would have waited for an hour"


def test_a_projectors_turn_comes_after_the_last_one_although_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = records.MemoryStore()
    projector.run("rdf", opened=store)
    before = store.fence
    monkeypatch.setattr(time, "time_ns", lambda: (before - 10**9) * 1000)
    projector.run("rdf", opened=store)
    assert store.fence == before + 1
