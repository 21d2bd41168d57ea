"""Projects the record into a store: takes stale graph updates, builds each from the record's current state, writes it.

The `wanted` of an update is read before it is built and written to `done` after it was written: after a change in
between it is still stale, and is taken again. An update that the store refuses keeps its error and waits longer each
time while others continue; a store that does not answer delays all of them and counts as no attempt. One projector for
each store, by a lease in ProjectorLock: otherwise an older graph could be written last and stay. A crash at any point
only repeats work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import BigIntegerField, F, Max, Q, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from extraction import leases
from extraction.models import Post
from knowledge.entities import merges
from knowledge.graphs import unit_builder
from knowledge.graphs.stores import open_store
from knowledge.graphs.units import EntityUnit, StatementUnit, Store, StoreRefused, StoreUnavailable, Unit
from knowledge.models import Entity, Projection, ProjectorLock
from knowledge.record.current import supported_statements
from knowledge.record.projection_queue import in_order, mark_everything, stale
from knowledge.recording import erasure

logger = logging.getLogger(__name__)

CHUNK = 512  # updates built at once and in one request to the store: the record is queried once for all of them
RUN_SECONDS = 20.0  # then the task gives its thread back and is queued again
LEASE = timedelta(seconds=120)  # longer than a request to a store may take; renewed before each
LANDS_WITHIN = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(slots=True)
class Projected:
    """The counts of a run. False where there was nothing to do, or nothing could be done."""

    done: int = 0
    failed: int = 0
    unavailable: str = ""

    def __bool__(self) -> bool:
        return bool(self.done or self.failed)


def run(
    store: str,
    *,
    opened: Store | None = None,
    seconds: float = RUN_SECONDS,
    chunk: int = CHUNK,
    worker: str = "",
) -> Projected:
    """Project due graph updates of a store until none is left or the time is up. Nothing where another projector runs.

    `worker` names a slot that one living process fills at a time; see `free`.
    """
    result = Projected()
    with _holding(store, worker) as token:
        if not token:
            return result
        try:
            target = opened or open_store(store)
            # A request of an earlier run that timed out, or whose sender crashed, must not be applied after this one's.
            target.fence = _turn(store, token)
            _check_identity(store, target, token)
            until = time.monotonic() + seconds
            while _take_lease(store, token):
                merges.mark_rest(lambda: _take_lease(store, token))
                if time.monotonic() >= until:
                    break
                rows = _due(store, chunk)
                if not rows:
                    break
                _project(target, rows, result)
        except StoreUnavailable as error:
            logger.warning("The store %s is unavailable; its graph updates wait: %s", store, error)
            result.unavailable = str(error)
    return result


def start_over(store: str, opened: Store, earlier_base: str = "") -> bool:
    """Empty a store after marking everything; False while another projector runs. The caller projects afterwards.

    In this order, and in small transactions: a crash anywhere leaves stale updates, never a store that is empty
    unnoticed. Until all are projected again users see a part of the graph. Raises StoreUnavailable.
    """
    with _holding(store) as token:
        if not token:
            return False
        _mark_everything(store, token)
        opened.clear(earlier_base)
        _set_identity(store, opened)
    return True


def _check_identity(store: str, target: Store, token: str) -> None:
    """Mark everything for a store whose identity is not the stored one: it is new, was wiped or was replaced."""
    identity = target.identity()
    if identity and ProjectorLock.objects.filter(store=store, identity=identity).exists():
        return
    logger.warning("The store %s is new or was emptied: everything is projected to it.", store)
    _mark_everything(store, token)
    _set_identity(store, target)


def _mark_everything(store: str, token: str) -> None:
    for ids in _ranges(Projection.objects.filter(store=store)):
        Projection.objects.filter(store=store, pk__range=ids).update(done=0, due_at=timezone.now())
        _take_lease(store, token)
    # Statements without support are in no store, and whatever comes to support one marks it.
    shown = {"post": Post.objects.all(), "statement": supported_statements(), "entity": Entity.objects.all()}
    for kind, rows in shown.items():
        for ids in _ranges(rows.model.objects.all()):
            mark_everything(store, Projection.Kind(kind), rows.filter(pk__range=ids))
            _take_lease(store, token)


def _set_identity(store: str, target: Store) -> None:
    """Give the store a new identity. In this order: a crash in between only repeats the work."""
    identity = str(uuid4())
    target.set_identity(identity)
    ProjectorLock.objects.filter(store=store).update(identity=identity)


def forget_others(stores: Collection[str]) -> None:
    """Treat every store that is not set up now as new when it comes back: changes in the meantime are not marked."""
    ProjectorLock.objects.exclude(store__in=stores).exclude(identity="").update(identity="")


def free(worker: str) -> None:
    """End leases of an earlier process of `worker` soon. Not at once: a request that it sent may still be applied."""
    held = ProjectorLock.objects.filter(token__startswith=leases.slot(worker), until__gt=timezone.now() + LANDS_WITHIN)
    held.update(until=timezone.now() + LANDS_WITHIN)


@contextmanager
def _holding(store: str, worker: str = "") -> Iterator[str]:
    """The token of the store's lease, held during the block; "" while another projector has it."""
    token = leases.new_token(worker)
    if not _take_lease(store, token):
        yield ""
        return
    try:
        yield token
    finally:
        ProjectorLock.objects.filter(store=store, token=token).update(token="", until=None)


def _turn(store: str, token: str) -> int:
    """The number of this turn: greater than any before it, also where the clock was set back meanwhile.

    It is not less than the time in microseconds, which stores that outlived their record may have seen.
    """
    mine = ProjectorLock.objects.filter(store=store, token=token)
    now = Value(time.time_ns() // 1000, output_field=BigIntegerField())
    mine.update(fence=Greatest(F("fence") + 1, now))
    return mine.values_list("fence", flat=True).first() or 1  # lost meanwhile: no store accepts anything of this turn


def _ranges(rows: QuerySet[Any], step: int = 1000) -> Iterator[tuple[int, int]]:
    last = rows.aggregate(last=Max("pk"))["last"] or 0
    return ((start, start + step - 1) for start in range(1, last + 1, step))


def _due(store: str, chunk: int) -> list[Projection]:
    return list(stale(store).filter(due_at__lte=timezone.now()).order_by("due_at", "pk")[:chunk])


def _project(target: Store, rows: Sequence[Projection], result: Projected) -> None:
    """Write these graph updates at once, or, where the store does not take them together, in halves."""
    try:
        units = unit_builder.units(rows, with_support=target.shows_support)
        target.replace(units)
    except StoreUnavailable:
        raise
    except Exception as error:
        if len(rows) == 1:
            _keep_error(rows[0], error)
            result.failed += 1
            return
        half = len(rows) // 2
        _project(target, rows[:half], result)
        _project(target, rows[half:], result)
        return
    _mark_done(rows)
    result.done += len(rows)
    _sweep(units)


def _mark_done(rows: Sequence[Projection]) -> None:
    """Set `done` to the `wanted` that was read before the update was built, and never to less than it is.

    In the order in which recorders mark: otherwise two transactions that share rows could deadlock.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE knowledge_projection SET done = %s, attempts = 0, error = '' WHERE id = %s AND done < %s",
            [(row.wanted, row.pk, row.wanted) for row in sorted(rows, key=in_order)],
        )


def _keep_error(row: Projection, error: Exception) -> None:
    if not isinstance(error, StoreRefused):
        logger.exception("The graph update %s could not be built", row, exc_info=error)
    message = str(error) if isinstance(error, StoreRefused) else f"{type(error).__name__}: {error}"
    wait = min(LONGEST_WAIT, timedelta(seconds=5 * 2 ** min(row.attempts, 12)))
    # Only if it was not marked again meanwhile: then it is due at once.
    Projection.objects.filter(pk=row.pk, wanted=row.wanted).update(due_at=timezone.now() + wait)
    Projection.objects.filter(pk=row.pk).update(attempts=row.attempts + 1, error=message[:2000])


def _sweep(units: Sequence[Unit]) -> None:
    """Delete rows that an erasure left for the store, once the store holds nothing of them."""
    statements = [unit.key for unit in units if isinstance(unit, StatementUnit) and not unit.present]
    entities = [unit.key for unit in units if isinstance(unit, EntityUnit) and unit.content is None]
    if statements or entities:
        erasure.sweep(statements, entities)


def _take_lease(store: str, token: str) -> bool:
    """Take or renew the store's lease; False while another projector holds it."""
    now = timezone.now()
    ProjectorLock.objects.get_or_create(store=store)
    free = Q(token=token) | Q(token="") | Q(until__isnull=True) | Q(until__lt=now)
    return bool(ProjectorLock.objects.filter(free, store=store).update(token=token, until=now + LEASE))


def wait_until_even(store: str, seconds: float, *, poll_seconds: float = 0.2) -> bool:
    """Wait while there are stale graph updates without an error; whether none is left. Another process projects."""
    until = time.monotonic() + seconds
    while stale(store).filter(attempts=0).exists() or merges.unmarked().exists():
        if time.monotonic() > until:
            return False
        time.sleep(poll_seconds)
    return True
