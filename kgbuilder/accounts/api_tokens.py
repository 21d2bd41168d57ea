"""API tokens: created in a person's name, shown once, stored as a hash, with no more rights than their owner.

A token has 256 random bits, so its plain SHA-256 reveals nothing about it and no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from kgbuilder.models import ApiToken
from knowledge.record import audit_log

BEGINNING = "kgb_"
MOST = 50  # active tokens of one person
LONGEST_NAME = 100
LONGEST_DAYS = 3650
SEEN_AGAIN = timedelta(minutes=1)  # the last use is written no oftener


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token with this scope may do, and the permission that its owner needs for it."""

    key: str
    says: str
    permission: str


SCOPES = {
    scope.key: scope
    for scope in (
        Scope("read", "Read and search posts, entities and statements", "extraction.view_post"),
        Scope("query", "Query the graph in SPARQL", "extraction.view_post"),
        Scope("export", "Export the graph", "extraction.view_post"),
        Scope("extract", "Analyse text without storing it", "extraction.view_post"),
        Scope("write", "Send posts to be analysed and stored", "extraction.add_feed"),
    )
}


class NoToken(ValueError):
    """The token cannot be created; the message is a sentence for the person who requested it."""


def make(by: User, name: str, scopes: Collection[str], days: int | None = None) -> tuple[ApiToken, str]:
    """Creates a token; returns it with its text, which is not stored. `days`: its lifetime; None: until it is revoked.

    Raises NoToken.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or "\0" in name:
        raise NoToken(f"Enter a name of at most {LONGEST_NAME} characters.")
    if not scopes or not set(scopes) <= SCOPES.keys():
        raise NoToken(f"Choose at least one scope: {', '.join(SCOPES)}.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise NoToken(f"A token expires after 1 to {LONGEST_DAYS} days.")
    for key in scopes:
        if not by.has_perm(SCOPES[key].permission):
            raise NoToken(
                f"A token can do no more than its owner, and {by.get_username()} may not: {SCOPES[key].says}."
            )
    text = BEGINNING + secrets.token_urlsafe(32)
    with transaction.atomic():
        if active().filter(by=by).count() >= MOST:
            raise NoToken(f"You already have {MOST} active tokens. Revoke one first.")
        token = ApiToken.objects.create(
            name=name,
            by=by,
            beginning=text[: len(BEGINNING) + 6],
            digest=_digest(text),
            scopes=[key for key in SCOPES if key in scopes],
            ends_at=timezone.now() + timedelta(days=days) if days else None,
        )
        audit_log.note(by, "token made", str(token.public_id), None, {"scopes": token.scopes, "days": days})
    return token, text


def revoke(token: ApiToken, by: audit_log.Who) -> bool:
    """Revokes the token. False: it had been revoked already."""
    with transaction.atomic():
        revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        if revoked:
            audit_log.note(by, "token revoked", str(token.public_id), {"scopes": token.scopes})
    return bool(revoked)


def active() -> QuerySet[ApiToken]:
    """The active tokens: neither revoked nor expired, and of an active account."""
    holds = Q(ends_at=None) | Q(ends_at__gt=timezone.now())
    return ApiToken.objects.filter(holds, revoked_at=None, by__is_active=True)


def found(text: str) -> ApiToken | None:
    """The active token with this text, with its owner; its use is recorded."""
    if not text.startswith(BEGINNING) or len(text) > 200:
        return None
    token = active().select_related("by").filter(digest=_digest(text)).first()
    if token is None:
        return None
    now = timezone.now()
    if token.used_at is None or now - token.used_at > SEEN_AGAIN:
        ApiToken.objects.filter(pk=token.pk).update(used_at=now)
    return token


def allows(token: ApiToken, scope: str) -> bool:
    """Whether the token has the scope and its owner still has the permission for it."""
    return scope in token.scopes and token.by.has_perm(SCOPES[scope].permission)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class Pace:
    """A token bucket per key, in this process: limits requests a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[int, tuple[float, float]] = {}

    def wait(self, key: int, per_minute: int, now: float | None = None) -> float:
        """0 if the request may be made; else the seconds until the next one, and this one is not counted."""
        now = time.monotonic() if now is None else now
        with self._lock:
            left, at = self._left.get(key, (float(per_minute), now))
            left = min(float(per_minute), left + (now - at) * per_minute / 60)
            granted = left >= 1
            self._left[key] = (left - 1 if granted else left, now)
            return 0.0 if granted else (1 - left) * 60 / per_minute
