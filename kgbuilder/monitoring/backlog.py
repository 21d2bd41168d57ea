"""The length of the queues, from the record alone: for the status page, the metrics and the notices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet

from extraction.models import Feed, Post, PostVersion, Reading
from extraction.readings import reading_requests
from knowledge.models import Projection
from knowledge.record.projection_queue import store_names

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue: how many rows are `due`, since when the oldest, and how many were done in an hour (None: unknown)."""

    name: str
    what: str
    due: int
    oldest: datetime | None
    done: int | None


def lanes(now: datetime) -> list[Waiting]:
    """Every queue whose work is rows of the record."""
    since = now - HOUR
    feeds = Feed.objects.filter(state=Feed.State.ACTIVE, due_at__lte=now)
    posts = Post.objects.filter(state=Post.State.LIVE, due_at__lte=now)
    reading = Reading.objects.filter(stage__in=(Reading.Stage.LINK, Reading.Stage.READ), due_at__lte=now)
    found = [
        Waiting("poll", "Feeds to poll", *_due(feeds), Feed.objects.filter(polled_at__gte=since).count()),
        Waiting(
            "fetch", "Article pages to fetch", *_due(posts), PostVersion.objects.filter(fetched_at__gte=since).count()
        ),
        Waiting("read", "Posts to analyse", *_due(reading), Reading.objects.filter(read_at__gte=since).count()),
    ]
    for store in store_names():
        stale = Projection.objects.filter(store=store, done__lt=F("wanted"))
        found.append(
            Waiting(
                f"project.{store}",
                f"Graph updates for {'Neo4j' if store == 'neo4j' else 'the RDF store'}",
                *_due(stale),
                None,
            )
        )
    return found


def posts_by_state() -> dict[str, int]:
    """Posts by state, each once: withdrawn, erased; of the live ones unfetched, or the state of the current version."""
    counts = dict(Post.objects.values_list("state").annotate(n=Count("pk")).order_by())
    live = Post.objects.filter(state=Post.State.LIVE)
    present = Q(current_reading__version=F("current_version"))
    readings = Reading.objects.filter(version=OuterRef("current_version"), stage=Reading.Stage.FAILED)
    failed = reading_requests.in_production(readings)
    found = {
        "unfetched": live.filter(current_version__isnull=True).count(),
        "read": live.filter(present, current_reading__stage=Reading.Stage.DONE).count(),
        "declined": live.filter(present, current_reading__stage=Reading.Stage.DECLINED).count(),
        "failed": live.filter(Exists(failed)).exclude(present).count(),
    }
    found["unread"] = max(counts.get(Post.State.LIVE, 0) - sum(found.values()), 0)
    return found | {str(state): counts.get(state, 0) for state in (Post.State.WITHDRAWN, Post.State.ERASED)}


def units_waiting() -> dict[str, int]:
    """Stale graph updates by store."""
    stale = Projection.objects.filter(done__lt=F("wanted")).values_list("store").annotate(n=Count("pk")).order_by()
    return dict.fromkeys(store_names(), 0) | dict(stale)


def _due(rows: QuerySet[Any]) -> tuple[int, datetime | None]:
    found = rows.aggregate(n=Count("pk"), oldest=Min("due_at"))
    return found["n"], found["oldest"]
