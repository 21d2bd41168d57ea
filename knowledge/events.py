"""Who changed what, when, from what to what: a row for every change that a person or a command made."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from knowledge.models import Event

Who = AbstractBaseUser | AnonymousUser | None


def note(by: Who, what: str, subject: str, before: Any = None, after: Any = None) -> Event:
    """Keeps one change. `subject` is a public id; `before` and `after` hold ids and numbers, never a post's words:
    an erased post's would live on here. Call it in the change's own transaction.
    """
    return Event.objects.create(by_id=by.pk if by else None, what=what, subject=subject, before=before, after=after)
