"""A post's words over time: a new version and its reading, withdrawal, return. Callers hold the post's row locked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone

from extraction.feeds.sightings import NO_WORDS
from extraction.models import Deployment, Post, PostVersion, Reading, Sighting, Tombstone
from extraction.text.cleaning import clean

Mark = Callable[[Iterable[Post]], None]
"""Marks the graph's units that posts touch, in the caller's transaction: `knowledge.recording.recorder.mark_posts`."""


def mark_nothing(posts: Iterable[Post]) -> None:
    """For who has no graph to keep in step."""


def text_hash(text: str) -> str:
    """The same for two texts of the same words in the same order: white space alone makes no reprint another text."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def new_version(
    post: Post, title: str, body: str, source: str, *, language: str = "", fetched_at: datetime | None = None
) -> PostVersion | None:
    """Make a version of a post, its current one from now on, with its reading, due now. None: the words are those of
    its present version, or there are none.

    `source`: "page", "feed" for the feed's own words, "sent" for what a program gave us. An older version's
    reading that still waits is dropped.
    """
    title, body = " ".join(clean(title).split()), clean(body).strip()
    text = f"{title}\n\n{body}".strip()
    present = post.current_version
    if not text or (present is not None and _same(present, text)):
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
        _drop_waiting(post, version)
        ensure_reading(version)
    return version


def _same(present: PostVersion, text: str) -> bool:
    """Whether a version says this already; one that was pruned only remembers what it said by its hash."""
    return present.text_hash == text_hash(text) if present.pruned_at else present.text == text


def was_erased(text: str) -> bool:
    """Whether an erased post said exactly this."""
    return Tombstone.objects.filter(text_hash=text_hash(clean(text))).exists()


def bury(post: Post) -> None:
    """A post that was never read and says what was erased, under another link: it is erased as it comes in."""
    Sighting.objects.filter(post=post).update(**NO_WORDS)
    post.state, post.state_reason = Post.State.ERASED, "Its text had been erased under another link."
    post.due_at = None
    post.save(update_fields=["state", "state_reason", "due_at"])


def ensure_reading(version: PostVersion) -> None:
    """The deployed checkpoint's reading of a version, due now if it is new. Without a deployment there is none yet."""
    active = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    if active is not None and version.pruned_at is None:
        checkpoint = active.checkpoint
        Reading.objects.bulk_create(
            [Reading(version=version, checkpoint=checkpoint, stage=checkpoint.first_stage, due_at=timezone.now())],
            ignore_conflicts=True,
        )


def withdraw(post: Post, reason: str, mark: Mark) -> bool:
    """Take what a post supports out of the graph; it stays in the history. False: it was not live."""
    if post.state != Post.State.LIVE:
        return False
    _set_state(post, Post.State.WITHDRAWN, reason, mark)
    return True


def revive(post: Post, mark: Mark) -> bool:
    """A withdrawn post that is there again supports what it supported. False: it was not withdrawn."""
    if post.state != Post.State.WITHDRAWN:
        return False
    _set_state(post, Post.State.LIVE, "", mark)
    if post.current_version is not None:
        # a checkpoint that was deployed meanwhile has not read it
        ensure_reading(post.current_version)
    return True


def _set_state(post: Post, state: str, reason: str, mark: Mark) -> None:
    with transaction.atomic():
        post.state, post.state_reason = state, reason
        post.save(update_fields=["state", "state_reason"])
        mark([post])


def _drop_waiting(post: Post, version: PostVersion) -> None:
    waiting = (Reading.Stage.READ, Reading.Stage.LINK)
    Reading.objects.filter(version__post=post, stage__in=waiting).exclude(version=version).update(
        stage=Reading.Stage.DROPPED, lease_token="", lease_until=None
    )
