"""Tokens of leases: who holds a row, so that a late or dead worker's result is told from the holder's."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.db.models import Q

from extraction.models import Feed, Post, TextToRead


def new_token(worker: str) -> str:
    """A token that no other lease has. `worker` names a slot that one living process fills at a time."""
    return f"{_slot(worker)}:{secrets.token_hex(8)}"


def is_free(now: datetime) -> Q:
    """The rows that nobody holds."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=now)


def free(worker: str) -> int:
    """Ends what an earlier life of `worker` left held among feeds, posts and texts; how many. Called as it starts."""
    held = {"lease_token__startswith": f"{_slot(worker)}:"}
    ended = {"lease_token": "", "lease_until": None}
    tables = (Feed, Post, TextToRead)
    return sum(table.objects.filter(**held).update(**ended) for table in tables)


def _slot(worker: str) -> str:
    return hashlib.sha256(worker.encode()).hexdigest()[:12]
