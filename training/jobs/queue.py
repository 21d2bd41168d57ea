"""The queue of training work: a trainer claims the oldest waiting row under a lease, which it renews while it lives.

A running row whose lease has run out belonged to a dead trainer: the next one claims it again and continues from its
saved state. A row is changed only by the holder of the lease's token.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from extraction import leases
from training.models import Work

LEASE = timedelta(seconds=90)
MOST_ATTEMPTS = 4  # claims without any progress between them
STOP = "stop"
State = Work.State
Kind = TypeVar("Kind", bound=Work)


def wait(rows: QuerySet[Kind] | Kind) -> None:
    """Queues the rows: from now on a trainer may claim them."""
    if isinstance(rows, Work):
        rows = type(rows)._default_manager.filter(pk=rows.pk)
    rows.update(
        state=State.WAITING, due_at=timezone.now(), wish="", error="", attempts=0, ended_at=None, lease_token=""
    )


def claim(kinds: Sequence[type[Work]], worker: str) -> Work | None:
    """Leases to `worker` the oldest waiting row of these kinds; earlier kinds come first."""
    for kind in kinds:
        with transaction.atomic():
            _settle(kind)
            rows = kind._default_manager.filter(state__in=(State.WAITING, State.RUNNING))
            started = Coalesce("started_at", timezone.now())
            tried = F("attempts") + 1
            for row in leases.claim(rows, 1, LEASE, worker, state=State.RUNNING, attempts=tried, started_at=started):
                row.refresh_from_db()
                return row
    return None


def _settle(kind: type[Work]) -> None:
    """Ends rows of dead trainers that nobody shall continue: those that were to stop, and those that die repeatedly."""
    left = kind._default_manager.filter(leases.is_free(timezone.now()), state=State.RUNNING)
    ended = {**leases.NO_LEASE, "ended_at": timezone.now()}
    left.filter(wish=STOP).update(state=State.STOPPED, wish="", **ended)
    left.filter(attempts__gte=MOST_ATTEMPTS).update(
        state=State.FAILED,
        error=f"The trainer died {MOST_ATTEMPTS} times while it worked on this. Look at its log, "
        "log/trainer.log in DATA_DIR, before you resume it.",
        **ended,
    )


def renew(work: Work, **reported: Any) -> str | None:
    """Renews the lease and saves what is reported; returns the row's wish, or None where the lease was lost."""
    mine = type(work)._default_manager.filter(pk=work.pk, lease_token=work.lease_token)
    if not mine.update(lease_until=timezone.now() + LEASE, **reported):
        return None
    return str(mine.values_list("wish", flat=True).first() or "")


def end(work: Work, state: str, error: str = "") -> bool:
    """Ends the work, or returns it to the queue with the state "waiting". False: the lease was lost."""
    over = state != State.WAITING
    return bool(
        type(work)
        ._default_manager.filter(pk=work.pk, lease_token=work.lease_token)
        .update(
            state=state,
            error=error[:4000],
            wish="",
            **leases.NO_LEASE,
            # A trainer that shuts down returns the work, and the attempt is not counted.
            attempts=F("attempts") if over else F("attempts") - 1,
            ended_at=timezone.now() if over else None,
        )
    )


def stop(rows: QuerySet[Kind]) -> int:
    """Stops work: at once where it waits, after its state is saved where it runs. Returns how many rows."""
    with transaction.atomic():
        waiting = rows.filter(state=State.WAITING).update(state=State.STOPPED, ended_at=timezone.now())
        return waiting + rows.filter(state=State.RUNNING).update(wish=STOP)


def place(work: Work) -> int:
    """How many rows wait before it in the queue."""
    waiting = type(work)._default_manager.filter(state=State.WAITING)
    return waiting.filter(Q(due_at__lt=work.due_at) | Q(due_at=work.due_at, pk__lt=work.pk)).count()
