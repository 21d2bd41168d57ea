"""Which readings are wanted: the one place that makes readings due, and that supersedes those nobody waits for."""

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
    """Why a reading is wanted: the first of a version, or one more because it would be given more than the last one.

    It names the reading's inputs, with the time unless it is the first.
    """

    FIRST = "text"
    AGAIN = "again"
    FACTS = "facts"


def request(versions: Iterable[int], checkpoint: Checkpoint, why: Why = Why.FIRST) -> int:
    """Makes a reading of each of these versions by `checkpoint` due now; how many.

    None of a version whose text was pruned, nor where one waits already: that one is given all that there is when its
    turn comes. A first reading that was superseded while it waited is due again.
    """
    ids, now = sorted(set(versions)), timezone.now()
    inputs = why.value if why is Why.FIRST else f"{why} {now:%Y-%m-%d %H:%M:%S}"
    readings, made = Reading.objects.filter(checkpoint=checkpoint), 0
    held = readings.filter(Q(inputs=inputs) | Q(stage__in=WAITING), version=OuterRef("pk"))
    for start in range(0, len(ids), TOGETHER):
        readable = PostVersion.objects.filter(pk__in=ids[start : start + TOGETHER], pruned_at__isnull=True)
        if why is Why.FIRST:
            superseded = readings.filter(stage=Reading.Stage.DROPPED, version__in=readable)
            made += superseded.update(stage=checkpoint.first_stage, due_at=now, attempts=0)
        chosen = readable.exclude(Exists(held)).order_by("pk")
        rows = [
            Reading(version=one, checkpoint=checkpoint, inputs=inputs, stage=checkpoint.first_stage, due_at=now)
            for one in chosen.only("pk")
        ]
        Reading.objects.bulk_create(rows, ignore_conflicts=True)
        made += len(rows)
    return made


def request_first(version: PostVersion) -> None:
    """The deployed checkpoint's reading of a version. Without a deployment there is none yet."""
    deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    if deployed is not None:
        request([version.pk], deployed.checkpoint)


def request_missing(
    checkpoint: Checkpoint, *, again: bool = True, since: datetime | None = None, chunk: int = 1000
) -> int:
    """Requests `checkpoint`'s reading of live posts' current versions where it has none; how many. In chunks.

    Of every post; with `since` only of those published then or later; without `again` of none that has been read
    before. A post whose present version nobody has read is always due.
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
    made, last = 0, 0
    while versions := list(missing.filter(pk__gt=last).order_by("pk").values_list("pk", "current_version_id")[:chunk]):
        made += request([version for _, version in versions], checkpoint)
        last = versions[-1][0]
    return made


def request_lacking(parts: Collection[str], checkpoint: Checkpoint) -> int:
    """Requests another reading of every post whose current one had to do without one of these parts; how many."""
    rows = Reading.objects.filter(current_of__isnull=False, checkpoint=checkpoint).exclude(missing=[])
    lacking = rows.filter(version=F("version__post__current_version")).values_list("version", "missing")
    return request([version for version, missing in lacking if set(missing) & set(parts)], checkpoint, Why.AGAIN)


def request_after_pictures(checkpoint: Checkpoint, since: datetime | None = None) -> int:
    """Requests another reading of every post that was read before something was detected in one of its pictures; how
    many. `since`: only for what was detected then or later."""
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


def retry(readings: QuerySet[Reading]) -> int:
    """Makes failed readings due now, with a clean sheet; how many."""
    return readings.filter(stage=Reading.Stage.FAILED).update(
        stage=Reading.Stage.READ, attempts=0, error="", due_at=timezone.now(), **leases.NO_LEASE
    )


def supersede(readings: QuerySet[Reading]) -> int:
    """Takes those of the readings that still wait off the queue; how many. Whoever reads one has lost it."""
    return readings.filter(stage__in=WAITING).update(stage=Reading.Stage.DROPPED, **leases.NO_LEASE)
