"""Monitors the product: records heartbeats of components without a database, and detects problems for the admins."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from extraction.models import Deployment, Feed
from kgbuilder.models import Heartbeat, Notice
from kgbuilder.monitoring import backlog
from kgbuilder.supervision import heartbeat
from knowledge.graphs.stores import open_store
from knowledge.graphs.units import StoreUnavailable
from knowledge.record.projection_queue import store_names

logger = logging.getLogger(__name__)

FEED_FAILS = timedelta(days=1)
STORE_AWAY = timedelta(seconds=60)
PART_SILENT = timedelta(minutes=5)
NEEDED_PARTS = ("web", "io", "reader", "beat")
MOST_FEEDS = 200  # notices of feeds at once: without a network all of them fail


@dataclass(frozen=True, slots=True)
class Condition:
    """A problem that stands now. `subject` distinguishes it from others of its kind."""

    kind: Notice.Kind
    subject: str
    says: str


def record_stores() -> None:
    """Writes the heartbeats of the stores that answer."""
    for name in store_names():
        try:
            facts = _health(name)
        except StoreUnavailable as error:
            logger.info("The store %s does not answer: %s", name, error)
            continue
        up = timedelta(seconds=float(facts.get("up_seconds", 0)))
        host, writes = str(facts.get("host", ""))[:255] or socket.gethostname(), int(facts.get("writes", 0))
        began_at = timezone.now() - up
        heartbeat.write_row(_part(name), host, int(facts.get("pid", 0)), "", began_at, writes)


def _health(name: str) -> dict[str, Any]:
    """Raises StoreUnavailable. A store without a health check is available if it can be opened."""
    ask = getattr(open_store(name), "health", None)
    found = ask() if ask is not None else {}
    return found if isinstance(found, dict) else {}


def _part(store: str) -> str:
    return "sparql" if store == "rdf" else f"store.{store}"


def conditions(now: datetime) -> list[Condition]:
    """Every problem that stands now."""
    return [*_feeds(now), *_lanes(now), *_stores(now), *_damaged(), *_parts(now)]


def _feeds(now: datetime) -> Iterator[Condition]:
    failing = Feed.objects.filter(state=Feed.State.ACTIVE, failures__gt=0, deleted_at__isnull=True).annotate(
        well_at=Coalesce(F("polled_at"), F("created_at"))
    )
    for feed in failing.filter(well_at__lt=now - FEED_FAILS).order_by("pk")[:MOST_FEEDS]:
        since = f"{feed.well_at:%Y-%m-%d %H:%M} UTC"
        yield Condition(Notice.Kind.FEED, str(feed.pk), f"The feed {feed} has been failing since {since}: {feed.error}")


def _lanes(now: datetime) -> Iterator[Condition]:
    late = timedelta(seconds=settings.LANE_LATE_SECONDS)
    reads = Deployment.objects.filter(active=True).exists()
    for lane in backlog.lanes(now):
        if lane.oldest is None or now - lane.oldest < late or (lane.name == "read" and not reads):
            continue
        since = f"{lane.oldest:%Y-%m-%d %H:%M} UTC"
        says = f"The queue {lane.name} is late: {lane.due} due, the oldest since {since}."
        yield Condition(Notice.Kind.LANE, lane.name, f"{says} See the status page and the logs for the cause.")


def _stores(now: datetime) -> Iterator[Condition]:
    for name in store_names():
        seen = Heartbeat.objects.filter(part=_part(name)).order_by("-seen_at").first()
        if seen is None or seen.seen_at < now - STORE_AWAY:
            since = f" since {seen.seen_at:%Y-%m-%d %H:%M} UTC" if seen else ""
            says = f"The store {name} has not responded{since}. Posts are still analysed; its graph is stale."
            yield Condition(Notice.Kind.STORE, name, says)


def _damaged() -> Iterator[Condition]:
    """Stores that were damaged and begun anew, until the operator has deleted what was set aside."""
    for name in store_names():
        try:
            names = _health(name).get("set_aside") or []
        except StoreUnavailable:
            continue
        for folder in names:
            says = (
                f"The store {name} was damaged. It was set aside as {folder} in DATA_DIR, and is filled again from the "
                "record; `manage.py check_parity` reports when it is complete. Check the disk, then delete the folder."
            )
            yield Condition(Notice.Kind.STORE, f"{name} {folder}"[:100], says)


def _parts(now: datetime) -> Iterator[Condition]:
    """Components with a heartbeat within the last day, but none recently."""
    for part in NEEDED_PARTS:
        rows = Heartbeat.objects.filter(part__regex=rf"^{part}(-[0-9]+)?$").order_by("-seen_at")
        last = rows.first()
        if last is not None and last.seen_at < now - PART_SILENT:
            says = f"No {part} process has sent a heartbeat since {last.seen_at:%Y-%m-%d %H:%M} UTC. See its log."
            yield Condition(Notice.Kind.PART, part, says)
