"""A clock that is set back: plans follow it, and nothing waits for the former time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from extraction import reading
from extraction.models import Host, Reading
from kgbuilder import clock
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
    assert reading.claim("a", 1) == [], "it would wait for an hour"
    assert clock.follow() == HOUR
    for row, planned in ((post, "lease_until"), (feed, "due_at"), (host, "next_request_at")):
        before: datetime = getattr(row, planned)
        row.refresh_from_db()
        assert getattr(row, planned) == before - HOUR
    past.refresh_from_db()
    assert past.due_at == NOW - 2 * HOUR
    assert len(reading.claim("a", 1)) == 1
    assert not clock.follow(), "once"
