"""The audit log: a row for every change that a person or a command made, with the values before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from knowledge.models import Event

if TYPE_CHECKING:
    from extraction.feeds.subscriptions import Imported, Subscribed

Who = AbstractBaseUser | AnonymousUser | None


def note(by: Who, what: str, subject: str, before: Any = None, after: Any = None) -> Event:
    """Records one change. `subject` is a public id; `before` and `after` hold ids and numbers, never a post's text:
    the text of an erased post would survive here. Call it in the change's own transaction.
    """
    return Event.objects.create(by_id=by.pk if by else None, what=what, subject=subject, before=before, after=after)


def note_subscribed(by: Who, done: Subscribed) -> None:
    """Records what a subscription changed, if anything; of credentials only the fact that they changed."""
    subject = str(done.feed.pk)
    if done.new:
        note(by, "feed added", subject)
    if done.resumed_from:
        note(by, "feed retry", subject, done.resumed_from, done.feed.state)
    if done.new_credentials:
        note(by, "feed credentials", subject)


def note_imported(by: Who, done: Imported) -> None:
    for one in done.subscribed:
        note_subscribed(by, one)
