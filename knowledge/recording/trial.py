"""Recording on trial: extractions are written to the record as those of posts are, and all of it is taken back."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from extraction.models import Checkpoint, Post, PostVersion
from extraction.schema import Claimed, Document, Extraction
from knowledge.recording import recorder


def record(checkpoint: Checkpoint, extractions: Iterable[Extraction]) -> None:
    """Record extractions by `checkpoint` as those of new posts, in a transaction that is rolled back.

    Raises Unplannable, or the database's error, for one that cannot be recorded. Nothing is kept in either case.
    """
    with transaction.atomic():
        try:
            for extraction in extractions:
                recorder.record(_claimed(checkpoint, extraction.text), extraction)
        finally:
            transaction.set_rollback(True)


def _claimed(checkpoint: Checkpoint, text: str) -> Claimed:
    """A reading of a new post with this text, as a worker holds it."""
    now, name = timezone.now(), uuid.uuid4().hex
    post = Post.objects.create(link=f"https://trial.invalid/{name}", published_at=now, seen_at=now)
    version = PostVersion.objects.create(
        post=post,
        ordinal=1,
        text=text,
        title_end=0,
        text_hash=hashlib.sha256(text.encode()).hexdigest(),
        fetched_at=now,
    )
    Post.objects.filter(pk=post.pk).update(current_version=version)
    # Not requested of a worker, as all others are: this one is held already, and is rolled back.
    reading = version.readings.create(checkpoint=checkpoint, due_at=now, lease_token=name)
    return Claimed(reading.pk, name, Document(str(post.public_id), text))
