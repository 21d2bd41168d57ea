"""Claim due rows under leases, so that the result of a late worker is distinguished from the holder's.

The leases of a worker that died expire, or `free` ends them when its successor starts.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.apps import apps
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from extraction.models import Leased

Row = TypeVar("Row", bound=models.Model)
NO_LEASE: dict[str, Any] = {"lease_token": "", "lease_until": None}


def claim(
    rows: QuerySet[Row],
    limit: int,
    lease: timedelta,
    worker: str | None = None,
    *,
    choose: Callable[[list[Row]], list[Row]] | None = None,
    **changes: Any,
) -> list[Row]:
    """The rows that are longest due, at most `limit`, claimed for the time of `lease`; they carry their new lease.

    Without a `worker` they are not leased but postponed by `lease`: this suffices where doing the work twice does no
    harm, and it is the only way for a table without leases. `choose` takes some of the due rows while all of them are
    locked; `changes` are written to those that are claimed.
    """
    now = timezone.now()
    rows = rows.filter(due_at__lte=now)
    if worker is None:
        claimed: dict[str, Any] = {"due_at": now + lease}
    else:
        rows = rows.filter(is_free(now))
        claimed = {"lease_token": new_token(worker), "lease_until": now + lease}
    with transaction.atomic():
        # SQLite has no row locks; there the transaction is the only writer. `of`: joined rows are not locked.
        due = rows.order_by("due_at", "pk").select_for_update(skip_locked=True, of=("self",))
        chosen = list(due[:limit])
        if choose is not None:
            chosen = choose(chosen)
        rows.model._default_manager.filter(pk__in=[row.pk for row in chosen]).update(**claimed, **changes)
    for row in chosen:
        for name, value in claimed.items():
            setattr(row, name, value)
    return chosen


def free(worker: str) -> int:
    """End the leases that an earlier process of `worker` left, in every table; returns how many. Called as it
    starts."""
    tables = [model for model in apps.get_models() if issubclass(model, Leased)]
    held = {"lease_token__startswith": slot(worker)}
    return sum(table._default_manager.filter(**held).update(**NO_LEASE) for table in tables)


def new_token(worker: str) -> str:
    """A token that no other lease has. `worker` names a slot that one process fills at a time."""
    return slot(worker) + secrets.token_hex(8)


def slot(worker: str) -> str:
    """The prefix of all tokens of `worker`, also of its earlier processes."""
    return f"{hashlib.sha256(worker.encode()).hexdigest()[:12]}:"


def is_free(now: datetime) -> Q:
    """The rows without a valid lease."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=now)
