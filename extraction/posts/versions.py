"""Post versions: create a version with its reading, withdraw a post and revive it.

Callers hold the post's row locked, and mark the post in the same transaction where its link or state changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone

from extraction.models import Post, PostVersion, Reading, Sighting, Tombstone
from extraction.readings import reading_requests
from extraction.text.cleaning import clean

# of an erased post's feed items only the links stay
NO_TEXT = {"title": "", "text": "", "image": "", "published_text": "", "item_hash": ""}
Mark = Callable[[Iterable[Post]], None]
"""Marks the graph as stale where it shows these posts, inside the transaction that changes them. Passed in as a
parameter, because it is defined above this package: `knowledge.record.projection_queue.mark_posts`."""


def text_hash(text: str) -> str:
    """A hash that is the same for texts with the same words in the same order, whatever their white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def new_version(
    post: Post, title: str, body: str, source: str, *, language: str = "", fetched_at: datetime | None = None
) -> PostVersion | None:
    """Create a version of a post, its current one from now on, with its reading, due now. None where the text is that
    of its present version, or empty. A text whose `language` is corrected is read again, as a version of its own.

    `source`: "page", "feed" for the feed's own text, "sent" for a text sent through the API. The queued readings of
    older versions are superseded.
    """
    title, body = " ".join(clean(title).split()), clean(body).strip()
    text = f"{title}\n\n{body}".strip()
    present = post.current_version
    if not text or (present is not None and _same(present, text) and not _in_other_language(present, language)):
        return None
    with transaction.atomic():
        last = post.versions.aggregate(last=models.Max("ordinal"))["last"] or 0
        version = PostVersion.objects.create(
            post=post,
            ordinal=last + 1,
            text=text,
            title_end=len(title),
            language=language,
            text_hash=text_hash(text),
            source=source,
            fetched_at=fetched_at or timezone.now(),
        )
        post.current_version = version
        post.save(update_fields=["current_version"])
        reading_requests.supersede(Reading.objects.filter(version__post=post).exclude(version=version))
        reading_requests.request_first(version)
    return version


def _same(present: PostVersion, text: str) -> bool:
    """Whether a version has this text; of one that was pruned only the hash is left."""
    return present.text_hash == text_hash(text) if present.pruned_at else present.text == text


def _in_other_language(present: PostVersion, language: str) -> bool:
    """Whether a text is now given in another language than before; a region ("en-GB") makes none."""
    first, other = (tag.replace("_", "-").partition("-")[0].lower() for tag in (present.language, language))
    return bool(other) and first != other and not present.pruned_at


def was_erased(text: str) -> bool:
    """Whether an erased post had this text."""
    return Tombstone.objects.filter(text_hash=text_hash(clean(text))).exists()


def erase_unread(post: Post) -> None:
    """Erase a post without a reading, because its text was erased under another link."""
    Sighting.objects.filter(post=post).update(**NO_TEXT)
    post.state, post.state_reason = Post.State.ERASED, "Its text had been erased under another link."
    post.due_at = None
    post.save(update_fields=["state", "state_reason", "due_at"])


def withdraw(post: Post, reason: str) -> bool:
    """Withdraw a post: its assertions are no longer active and stay in the history. False: it was not live."""
    if post.state != Post.State.LIVE:
        return False
    _set_state(post, Post.State.WITHDRAWN, reason)
    return True


def revive(post: Post) -> bool:
    """Make a withdrawn post live again, with its assertions. False: it was not withdrawn."""
    if post.state != Post.State.WITHDRAWN:
        return False
    _set_state(post, Post.State.LIVE, "")
    if post.current_version is not None:
        # a checkpoint that was deployed meanwhile has not analysed it
        reading_requests.request_first(post.current_version)
    return True


def _set_state(post: Post, state: str, reason: str) -> None:
    post.state, post.state_reason = state, reason
    post.save(update_fields=["state", "state_reason"])
