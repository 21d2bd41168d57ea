"""Request readings: the one place that makes readings due, and that supersedes queued ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from extraction import leases
from extraction.models import Checkpoint, Deployment, Post, PostVersion, Reading, RegionSet

TOGETHER = 500  # readings in one statement
WAITING = (Reading.Stage.READ, Reading.Stage.LINK)


class Why(StrEnum):
    """Why a reading is requested: the first of a version, or another one with more inputs than the last.

    It is part of the name of the reading's inputs, with the time unless it is the first.
    """

    FIRST = "text"
    AGAIN = "again"
    FACTS = "facts"


def request(versions: Iterable[int], checkpoint: Checkpoint, why: Why = Why.FIRST) -> int:
    """Make a reading of each of these versions by `checkpoint` due now; returns how many.

    None for a version whose text was pruned, nor where one is queued already: that one gets all inputs that exist when
    its turn comes. A first reading that was superseded in the queue is due again.
    """
    ids, now = sorted(set(versions)), timezone.now()
    inputs = why.value if why is Why.FIRST else f"{why} {now:%Y-%m-%d %H:%M:%S}"
    readings, requested = Reading.objects.filter(checkpoint=checkpoint), 0
    existing = readings.filter(Q(inputs=inputs) | Q(stage__in=WAITING), version=OuterRef("pk"))
    for start in range(0, len(ids), TOGETHER):
        readable = PostVersion.objects.filter(pk__in=ids[start : start + TOGETHER], pruned_at__isnull=True)
        if why is Why.FIRST:
            superseded = readings.filter(stage=Reading.Stage.DROPPED, version__in=readable)
            requested += superseded.update(stage=checkpoint.first_stage, due_at=now, attempts=0)
        chosen = readable.exclude(Exists(existing)).order_by("pk")
        rows = [
            Reading(version=one, checkpoint=checkpoint, inputs=inputs, stage=checkpoint.first_stage, due_at=now)
            for one in chosen.only("pk")
        ]
        Reading.objects.bulk_create(rows, ignore_conflicts=True)
        requested += len(rows)
    return requested


def request_first(version: PostVersion) -> None:
    """Request the deployed checkpoint's reading of a version. Without a deployment there is none yet."""
    deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    if deployed is not None:
        request([version.pk], deployed.checkpoint)


def request_missing(
    checkpoint: Checkpoint, *, again: bool = True, since: datetime | None = None, chunk: int = 1000
) -> int:
    """Request `checkpoint`'s reading of live posts' current versions where it has none, in chunks; returns how many.

    Of every post; with `since` only of those published then or later; without `again` of none that has been analysed
    before. A post whose current version has not been analysed is always included.
    """
    posts = Post.objects.filter(state=Post.State.LIVE, current_version__pruned_at__isnull=True)
    unread = Q(current_reading__isnull=True) | ~Q(current_reading__version=F("current_version"))
    if not again:
        posts = posts.filter(unread)
    elif since is not None:
        posts = posts.filter(unread | Q(published_at__gte=since))
    own = Reading.objects.filter(checkpoint=checkpoint, version=OuterRef("current_version"))
    missing = posts.filter(current_version__isnull=False)
    missing = missing.filter(~Exists(own) | Exists(own.filter(stage=Reading.Stage.DROPPED)))
    requested, last = 0, 0
    while versions := list(missing.filter(pk__gt=last).order_by("pk").values_list("pk", "current_version_id")[:chunk]):
        requested += request([version for _, version in versions], checkpoint)
        last = versions[-1][0]
    return requested


def request_lacking(parts: Collection[str], checkpoint: Checkpoint) -> int:
    """Request another reading of every post whose current one lacked one of these inputs; returns how many."""
    rows = Reading.objects.filter(current_of__isnull=False, checkpoint=checkpoint).exclude(missing=[])
    lacking = rows.filter(version=F("version__post__current_version")).values_list("version", "missing")
    return request([version for version, missing in lacking if set(missing) & set(parts)], checkpoint, Why.AGAIN)


def request_after_pictures(checkpoint: Checkpoint, since: datetime | None = None) -> int:
    """Request another reading of every post that was analysed before regions were detected in one of its pictures;
    returns how many. `since`: only for regions detected then or later."""
    detected = RegionSet.objects.filter(
        sha256=OuterRef("version__post__images__sha256"), seen_at__gt=OuterRef("read_at"), error=""
    ).exclude(regions=[])
    if since is not None:
        detected = detected.filter(seen_at__gte=since)
    rows = Reading.objects.filter(
        current_of__state=Post.State.LIVE, checkpoint=checkpoint, version=F("version__post__current_version")
    )
    late = rows.exclude(version__post__images__sha256="").filter(Exists(detected))
    return request(late.values_list("version", flat=True), checkpoint, Why.AGAIN)


def in_production(readings: QuerySet[Reading]) -> QuerySet[Reading]:
    """Those by the deployed checkpoint, of live posts' current versions: only these say how far a post is."""
    deployed = Deployment.objects.filter(active=True).values("checkpoint")
    return readings.filter(
        checkpoint__in=deployed, version__post__state=Post.State.LIVE, version=F("version__post__current_version")
    )


def retry(readings: QuerySet[Reading]) -> int:
    """Make failed readings due now, without their attempts and errors; returns how many."""
    return readings.filter(stage=Reading.Stage.FAILED).update(
        stage=Reading.Stage.READ, attempts=0, error="", due_at=timezone.now(), **leases.NO_LEASE
    )


def supersede(readings: QuerySet[Reading]) -> int:
    """Supersede those of the readings that are queued; returns how many. A worker that holds one loses its lease."""
    return readings.filter(stage__in=WAITING).update(stage=Reading.Stage.DROPPED, **leases.NO_LEASE)
