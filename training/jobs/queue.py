"""Who does which piece of work: a trainer claims the oldest waiting row under a lease, and holds on while it lives.

A row that runs and whose lease has run out was a dead trainer's: the next one takes it up again, from its saved state.
What is done to a row counts only while the lease's token is still on it.
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
GIVEN_UP_AT = 4  # claims without any progress between them
STOP = "stop"
State = Work.State
Kind = TypeVar("Kind", bound=Work)


def wait(rows: QuerySet[Kind] | Kind) -> None:
    """Puts work into the queue: from now on a trainer may claim it."""
    if isinstance(rows, Work):
        rows = type(rows)._default_manager.filter(pk=rows.pk)
    rows.update(
        state=State.WAITING, due_at=timezone.now(), wish="", error="", attempts=0, ended_at=None, lease_token=""
    )


def claim(kinds: Sequence[type[Work]], worker: str) -> Work | None:
    """The oldest work of these kinds that nobody does, leased to `worker`; kinds that come first go first."""
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
    """What a dead trainer left behind and nobody shall go on with: what was to stop, and what dies again and again."""
    left = kind._default_manager.filter(leases.is_free(timezone.now()), state=State.RUNNING)
    ended = {**leases.NO_LEASE, "ended_at": timezone.now()}
    left.filter(wish=STOP).update(state=State.STOPPED, wish="", **ended)
    left.filter(attempts__gte=GIVEN_UP_AT).update(
        state=State.FAILED,
        error=f"The trainer died {GIVEN_UP_AT} times while it worked on this. Look at its log, "
        "log/trainer.log in DATA_DIR, before you resume it.",
        **ended,
    )


def renew(work: Work, **reported: Any) -> str | None:
    """Holds on for another lease and keeps what is reported; what a person wishes now. None: the lease was lost."""
    mine = type(work)._default_manager.filter(pk=work.pk, lease_token=work.lease_token)
    if not mine.update(lease_until=timezone.now() + LEASE, **reported):
        return None
    return str(mine.values_list("wish", flat=True).first() or "")


def end(work: Work, state: str, error: str = "") -> bool:
    """The work is over, or goes back to the queue where `state` says that it waits. False: the lease was lost."""
    over = state != State.WAITING
    return bool(
        type(work)
        ._default_manager.filter(pk=work.pk, lease_token=work.lease_token)
        .update(
            state=state,
            error=error[:4000],
            wish="",
            **leases.NO_LEASE,
            # A trainer that is told to leave hands work back untried.
            attempts=F("attempts") if over else F("attempts") - 1,
            ended_at=timezone.now() if over else None,
        )
    )


def stop(rows: QuerySet[Kind]) -> int:
    """Asks for an end: at once where it waits, after its state is saved where it runs. How many were asked."""
    with transaction.atomic():
        waiting = rows.filter(state=State.WAITING).update(state=State.STOPPED, ended_at=timezone.now())
        return waiting + rows.filter(state=State.RUNNING).update(wish=STOP)


def place(work: Work) -> int:
    """How many wait before it in the queue."""
    waiting = type(work)._default_manager.filter(state=State.WAITING)
    return waiting.filter(Q(due_at__lt=work.due_at) | Q(due_at=work.due_at, pk__lt=work.pk)).count()
