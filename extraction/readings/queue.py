"""The queue of readings: claims under leases, releases and failures.

The leases of a worker that died expire, and others claim the readings again. Another reading of the same batch may have
caused the crash, so a reading that was claimed twice is claimed alone from then on, and only failures alone count
against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from extraction import leases
from extraction.models import Checkpoint, Reading
from extraction.schema import Claimed, Document, Fact

LEASE = timedelta(minutes=10)  # at least five times the slowest batch: a lease that expires early wastes the work
ALONE_FROM = 2  # a reading that was claimed this often is claimed alone
GIVEN_UP_AT = 5  # three crashes alone after two in a batch
RETRY_AFTER = timedelta(seconds=30)


def claim(worker: str, limit: int, *, checkpoint: Checkpoint | None = None) -> list[Claimed]:
    """The oldest due readings, at most `limit`, leased to `worker`; only those of `checkpoint`, if given."""
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
    """Renew the leases of the claims; those that were lost stay lost."""
    for token, ids in _by_token(claims).items():
        Reading.objects.filter(pk__in=ids, lease_token=token).update(lease_until=timezone.now() + LEASE)


def release(claims: Iterable[Claimed]) -> None:
    """Release claims untried: the readings are due as before, and the attempt does not count."""
    for token, ids in _by_token(claims).items():
        Reading.objects.filter(pk__in=ids, lease_token=token).update(**leases.NO_LEASE, attempts=F("attempts") - 1)


def fail(claimed: Claimed, error: BaseException | str, *, final: bool = False) -> None:
    """Store the error with the reading. If it is `final`, or after too many attempts, it fails until somebody retries
    it; else it is due again, with a delay if it was alone."""
    message = str(error) if isinstance(error, str) else f"{type(error).__name__}: {error}"
    alone = claimed.attempts > ALONE_FROM
    held = Reading.objects.filter(pk=claimed.reading_id, lease_token=claimed.token)
    changes = {**leases.NO_LEASE, "error": message[:2000]}
    if final or claimed.attempts >= GIVEN_UP_AT:
        held.update(stage=Reading.Stage.FAILED, **changes)
    else:
        held.update(due_at=timezone.now() + (RETRY_AFTER * claimed.attempts if alone else timedelta()), **changes)


def _give_up(now: datetime) -> None:
    """Fail the readings that workers died of too often, since a dead worker cannot do it."""
    Reading.objects.filter(leases.is_free(now), stage=Reading.Stage.READ, attempts__gte=GIVEN_UP_AT).update(
        stage=Reading.Stage.FAILED,
        **leases.NO_LEASE,
        error=f"The worker died {GIVEN_UP_AT - ALONE_FROM} times while it analysed this post alone. Retry it from its "
        "page after checking the worker's log.",
    )


def _claimed(row: Reading) -> Claimed:
    version = row.version
    document = Document(
        *(str(version.post.public_id), version.text, version.title_end),
        language=version.language,
        facts=tuple(Fact(**fact) for fact in row.results["facts"]) if "facts" in row.results else None,
        published=version.post.published_at.date(),
    )
    return Claimed(reading_id=row.pk, token=row.lease_token, document=document, attempts=row.attempts + 1)


def _by_token(claims: Iterable[Claimed]) -> dict[str, list[int]]:
    by_token: dict[str, list[int]] = {}
    for claimed in claims:
        by_token.setdefault(claimed.token, []).append(claimed.reading_id)
    return by_token
