"""Brings a store up to the record: takes the units that are behind, builds each as it stands now, replaces it.

A unit's `wanted` is read before it is built and written to `done` after it was replaced: a change in between leaves it
behind, and it is taken again. A unit that the store refuses keeps its error and waits longer each time while others go
on; a store that does not answer holds all of them up and costs no unit an attempt. One projector a store, by a lease
in ProjectorLock: otherwise an older graph could land last and stay. A death at any place only repeats work.
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

CHUNK = 512  # units built at once and in one request to the store: the record is asked once for all of them
RUN_SECONDS = 20.0  # then the lane gives its thread back and is rung again
LEASE = timedelta(seconds=120)  # longer than a request to a store may take; renewed before each
LANDS_WITHIN = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(slots=True)
class Projected:
    """What a run did. False where there was nothing to do, or nothing could be done."""

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
    """Projects due units of a store until none is left or the time is up. Another projector at work: nothing.

    `worker` names a slot that one living process fills at a time; see `free`.
    """
    result = Projected()
    with _holding(store, worker) as token:
        if not token:
            return result
        try:
            target = opened or open_store(store)
            # A request of an earlier run that timed out, or whose sender died, must not land after this one's.
            target.fence = _turn(store, token)
            _recognise(store, target, token)
            until = time.monotonic() + seconds
            while _take(store, token):
                merges.mark_rest(lambda: _take(store, token))
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
    """Empties a store after marking every unit; False while another projector is at work. Projecting is the caller's.

    In this order, and in small transactions: a death anywhere leaves units behind, never a store that is empty
    unnoticed. Until all are projected again people see a part of the graph. Raises StoreUnavailable.
    """
    with _holding(store) as token:
        if not token:
            return False
        _want_everything(store, token)
        opened.clear(earlier_base)
        _name(store, opened)
    return True


def _recognise(store: str, target: Store, token: str) -> None:
    """A store that does not call itself what it did is new, was wiped or is another: it gets everything."""
    identity = target.identity()
    if identity and ProjectorLock.objects.filter(store=store, identity=identity).exists():
        return
    logger.warning("The store %s is new or was emptied: everything is projected to it.", store)
    _want_everything(store, token)
    _name(store, target)


def _want_everything(store: str, token: str) -> None:
    for ids in _ranges(Projection.objects.filter(store=store)):
        Projection.objects.filter(store=store, pk__range=ids).update(done=0, due_at=timezone.now())
        _take(store, token)
    # Statements that nothing supports stand nowhere, and whatever comes to support one marks it.
    shown = {"post": Post.objects.all(), "statement": supported_statements(), "entity": Entity.objects.all()}
    for kind, rows in shown.items():
        for ids in _ranges(rows.model.objects.all()):
            mark_everything(store, Projection.Kind(kind), rows.filter(pk__range=ids))
            _take(store, token)


def _name(store: str, target: Store) -> None:
    """In this order: a death in between only repeats the work."""
    identity = str(uuid4())
    target.name_itself(identity)
    ProjectorLock.objects.filter(store=store).update(identity=identity)


def forget_others(stores: Collection[str]) -> None:
    """Has every store that is not set up now count as new when it comes back: what changes meanwhile is not marked."""
    ProjectorLock.objects.exclude(store__in=stores).exclude(identity="").update(identity="")


def free(worker: str) -> None:
    """Ends soon what an earlier life of `worker` left held. Not at once: a request that it had sent may still land."""
    held = ProjectorLock.objects.filter(token__startswith=leases.slot(worker), until__gt=timezone.now() + LANDS_WITHIN)
    held.update(until=timezone.now() + LANDS_WITHIN)


@contextmanager
def _holding(store: str, worker: str = "") -> Iterator[str]:
    """The store's lease for the time of the block; "" while another projector has it."""
    token = leases.new_token(worker)
    if not _take(store, token):
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
    return mine.values_list("fence", flat=True).first() or 1  # lost meanwhile: no store takes anything of this turn


def _ranges(rows: QuerySet[Any], step: int = 1000) -> Iterator[tuple[int, int]]:
    last = rows.aggregate(last=Max("pk"))["last"] or 0
    return ((start, start + step - 1) for start in range(1, last + 1, step))


def _due(store: str, chunk: int) -> list[Projection]:
    return list(stale(store).filter(due_at__lte=timezone.now()).order_by("due_at", "pk")[:chunk])


def _project(target: Store, rows: Sequence[Projection], result: Projected) -> None:
    """Replaces these units at once, or, where the store will not take them together, half by half."""
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
    """`done` becomes the `wanted` that was read before the unit was built, and never less than it is.

    In the order in which recorders mark: in any other, PostgreSQL ends one of two transactions that share two units.
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
    # Only if nobody wanted it anew meanwhile: then it is due at once.
    Projection.objects.filter(pk=row.pk, wanted=row.wanted).update(due_at=timezone.now() + wait)
    Projection.objects.filter(pk=row.pk).update(attempts=row.attempts + 1, error=message[:2000])


def _sweep(units: Sequence[Unit]) -> None:
    """Rows that an erasure left for the store's sake can go once the store shows nothing of them."""
    statements = [unit.key for unit in units if isinstance(unit, StatementUnit) and not unit.there]
    entities = [unit.key for unit in units if isinstance(unit, EntityUnit) and unit.content is None]
    if statements or entities:
        erasure.sweep(statements, entities)


def _take(store: str, token: str) -> bool:
    """Takes or renews the store's lease; False while another projector holds it."""
    now = timezone.now()
    ProjectorLock.objects.get_or_create(store=store)
    free = Q(token=token) | Q(token="") | Q(until__isnull=True) | Q(until__lt=now)
    return bool(ProjectorLock.objects.filter(free, store=store).update(token=token, until=now + LEASE))


def wait_until_even(store: str, seconds: float, *, poll_seconds: float = 0.2) -> bool:
    """Waits while units are behind that are not held up by an error; whether none is left. Another process projects."""
    until = time.monotonic() + seconds
    while stale(store).filter(attempts=0).exists() or merges.unmarked().exists():
        if time.monotonic() > until:
            return False
        time.sleep(poll_seconds)
    return True
