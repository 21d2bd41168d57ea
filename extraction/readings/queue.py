"""Which readings are due, and who holds them: the read lane's claims, under leases.

A worker that dies leaves its leases behind; they run out and others claim the readings again. Deaths in a batch may be
a neighbour's fault, so a reading that was claimed twice is claimed alone from then on, and only what happens to it
alone counts against it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from extraction import leases
from extraction.models import Checkpoint, Post, Reading, RegionSet
from extraction.schema import Claimed, Document, Fact

LEASE = timedelta(minutes=10)  # at least five times the slowest batch: a lease that runs out early wastes the work
ALONE_FROM = 2  # a reading that was claimed this often is claimed without company
GIVEN_UP_AT = 5  # three deaths alone after two in company
RETRY_AFTER = timedelta(seconds=30)


def claim(worker: str, limit: int, *, checkpoint: Checkpoint | None = None) -> list[Claimed]:
    """The oldest due readings, at most `limit`, leased to `worker`; only `checkpoint`'s where one is given."""
    rows = Reading.objects.filter(stage=Reading.Stage.READ).select_related("version__post")
    if checkpoint is not None:
        rows = rows.filter(checkpoint=checkpoint)
    now = timezone.now()
    with transaction.atomic():
        _give_up(now)
        due = rows.filter(leases.is_free(now), due_at__lte=now).order_by("due_at", "pk")
        first = due.values_list("attempts", flat=True).first()
        if first is None:
            return []
        if first >= ALONE_FROM:
            limit = 1
        else:
            rows = rows.filter(attempts__lt=ALONE_FROM)
        return [_claimed(row) for row in leases.claim(rows, limit, LEASE, worker, attempts=F("attempts") + 1)]


def renew(claims: Iterable[Claimed]) -> None:
    """Holds on to the claims for a whole lease from now; those that were lost stay lost."""
    for token, ids in _by_token(claims).items():
        Reading.objects.filter(pk__in=ids, lease_token=token).update(lease_until=timezone.now() + LEASE)


def release(claims: Iterable[Claimed]) -> None:
    """Hands claims back untried: the readings are due as before, and the attempt does not count."""
    for token, ids in _by_token(claims).items():
        Reading.objects.filter(pk__in=ids, lease_token=token).update(**leases.NO_LEASE, attempts=F("attempts") - 1)


def fail(claimed: Claimed, error: BaseException | str) -> None:
    """Keeps the error with the reading. Alone too often, it fails for good until somebody retries it; else it is
    due again, later if it was alone."""
    message = str(error) if isinstance(error, str) else f"{type(error).__name__}: {error}"
    alone = claimed.attempts > ALONE_FROM
    held = Reading.objects.filter(pk=claimed.reading_id, lease_token=claimed.token)
    changes = {**leases.NO_LEASE, "error": message[:2000]}
    if claimed.attempts >= GIVEN_UP_AT:
        held.update(stage=Reading.Stage.FAILED, **changes)
    else:
        held.update(due_at=timezone.now() + (RETRY_AFTER * claimed.attempts if alone else timedelta()), **changes)


def retry(readings: QuerySet[Reading]) -> int:
    """Makes failed readings due now, with a clean sheet; how many."""
    return readings.filter(stage=Reading.Stage.FAILED).update(
        stage=Reading.Stage.READ, attempts=0, error="", due_at=timezone.now(), **leases.NO_LEASE
    )


def ensure_readings(
    checkpoint: Checkpoint, *, again: bool = True, since: datetime | None = None, chunk: int = 1000
) -> int:
    """Makes `checkpoint`'s reading of live posts' current versions due where it has none; how many. In chunks.

    Of every post; with `since` only of those published then or later; without `again` of none that has been read
    before. A post whose present version nobody has read is always due; one whose words were pruned never is.
    """
    posts = Post.objects.filter(state=Post.State.LIVE, current_version__isnull=False)
    posts = posts.filter(current_version__pruned_at__isnull=True)
    unread = Q(current_reading__isnull=True) | ~Q(current_reading__version=F("current_version"))
    if not again:
        posts = posts.filter(unread)
    elif since is not None:
        posts = posts.filter(unread | Q(published_at__gte=since))
    dropped = Reading.objects.filter(
        checkpoint=checkpoint, stage=Reading.Stage.DROPPED, version__in=posts.values("current_version")
    )
    made, last = dropped.update(stage=checkpoint.first_stage, due_at=timezone.now(), attempts=0), 0
    missing = posts.exclude(current_version__readings__checkpoint=checkpoint)
    while versions := list(missing.filter(pk__gt=last).order_by("pk").values_list("pk", "current_version_id")[:chunk]):
        now = timezone.now()
        Reading.objects.bulk_create(
            [
                Reading(version_id=version, checkpoint=checkpoint, stage=checkpoint.first_stage, due_at=now)
                for _, version in versions
            ],
            ignore_conflicts=True,
        )
        made, last = made + len(versions), versions[-1][0]
    return made


def read_again_with(parts: Collection[str], checkpoint: Checkpoint) -> int:
    """Makes a new reading due of every post whose current one had to do without one of these parts; how many."""
    rows = Reading.objects.filter(current_of__isnull=False, checkpoint=checkpoint).exclude(missing=[])
    lacking = rows.filter(version=F("version__post__current_version")).values_list("version", "missing")
    return _read_again([version for version, missing in lacking if set(missing) & set(parts)], checkpoint)


def _read_again(versions: Sequence[int], checkpoint: Checkpoint) -> int:
    now = timezone.now()
    inputs, stage = f"again {now:%Y-%m-%d %H:%M:%S}", checkpoint.first_stage
    made = [
        Reading(version_id=version, checkpoint=checkpoint, inputs=inputs, stage=stage, due_at=now)
        for version in versions
    ]
    Reading.objects.bulk_create(made, batch_size=500)
    return len(made)


def read_again_after_pictures(checkpoint: Checkpoint, since: datetime | None = None) -> int:
    """Makes a new reading due of every post that was read before one of its pictures was looked at; how many.

    `since`: only for what was looked at then or later. Where something was seen, and unless a reading of the post's
    present version waits already: that one will be given what was seen.
    """
    seen = RegionSet.objects.filter(sha256=OuterRef("version__post__images__sha256"), seen_at__gt=OuterRef("read_at"))
    seen = seen.filter(error="").exclude(regions=[])
    if since is not None:
        seen = seen.filter(seen_at__gte=since)
    waiting = Reading.objects.filter(
        version=OuterRef("version"), checkpoint=checkpoint, stage__in=(Reading.Stage.READ, Reading.Stage.LINK)
    )
    rows = Reading.objects.filter(
        current_of__state=Post.State.LIVE, checkpoint=checkpoint, version=F("version__post__current_version")
    ).filter(version__pruned_at__isnull=True)
    late = rows.exclude(version__post__images__sha256="").filter(Exists(seen)).exclude(Exists(waiting))
    return _read_again(sorted(set(late.values_list("version", flat=True))), checkpoint)


def drop_others(checkpoint: Checkpoint) -> int:
    """Takes the readings that other checkpoints have still to make off the lane; how many."""
    stages = (Reading.Stage.READ, Reading.Stage.LINK)
    waiting = Reading.objects.filter(stage__in=stages).exclude(checkpoint=checkpoint)
    return waiting.update(stage=Reading.Stage.DROPPED, **leases.NO_LEASE)


def _give_up(now: datetime) -> None:
    """A worker that dies cannot say so: what it held alone, once too often, fails here."""
    Reading.objects.filter(leases.is_free(now), stage=Reading.Stage.READ, attempts__gte=GIVEN_UP_AT).update(
        stage=Reading.Stage.FAILED,
        **leases.NO_LEASE,
        error=f"The worker died {GIVEN_UP_AT - ALONE_FROM} times while it read this post alone. Retry it from its page "
        "after a look at the worker's log.",
    )


def _claimed(row: Reading) -> Claimed:
    version = row.version
    document = Document(
        *(str(version.post.public_id), version.text, version.title_end),
        language=version.language,
        facts=tuple(Fact(**fact) for fact in row.results["facts"]) if "facts" in row.results else None,
    )
    return Claimed(reading_id=row.pk, token=row.lease_token, document=document, attempts=row.attempts + 1)


def _by_token(claims: Iterable[Claimed]) -> dict[str, list[int]]:
    by_token: dict[str, list[int]] = {}
    for claimed in claims:
        by_token.setdefault(claimed.token, []).append(claimed.reading_id)
    return by_token
