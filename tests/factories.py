"""Small functions that make feeds, posts, readings and people, by the same code that the product records with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone

from extraction.models import Checkpoint, Deployment, Feed, Post, PostVersion, Reading, Sighting
from extraction.readings import queue as readings_queue
from extraction.schema import Declined, ExtractedMention, Extraction, Relation
from knowledge.recording import recorder

PASSWORD = "correct horse battery"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

Named = tuple[str, str]
"""The words of a mention (their first place in the text counts, or the n-th: "words#2") and its type."""
RelationSpec = tuple[str, str, str, float]
"""A relation: the words of its head, its key, the words of its tail, its score."""

_numbers = itertools.count(1)


def make_user(group: str = "viewer", name: str = "") -> User:
    if not Group.objects.filter(name=group).exists():
        # The flush after a test with transactions takes the migration's rows too.
        groups = import_module("knowledge.migrations.0002_groups")
        groups.make_groups(apps, SimpleNamespace(connection=connection))
    user = get_user_model().objects.create_user(name or f"{group}{next(_numbers)}", password=PASSWORD)
    user.groups.add(Group.objects.get(name=group))
    return user


def make_checkpoint(threshold: float = 0.5, name: str = "test reader", active: bool = True) -> Checkpoint:
    """A checkpoint; deployed in the place of any other where `active`."""
    digest = f"{next(_numbers):064d}"
    made = Checkpoint.objects.create(
        name=name, digest=digest, system="test", path="nowhere", floor=0.05, thresholds={"default": threshold}
    )
    if active:
        Deployment.objects.filter(active=True).update(active=False)
        Deployment.objects.create(checkpoint=made)
    return made


def deployed() -> Checkpoint:
    found = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    return found.checkpoint if found else make_checkpoint()


def make_feed(title: str = "Example News", **fields: object) -> Feed:
    number = next(_numbers)
    return Feed.objects.create(**{"title": title, "url": f"https://news.example/{number}/feed.xml"} | fields)


def make_post(
    title: str = "A headline",
    body: str = "",
    *,
    feed: Feed | None = None,
    publisher: str = "news.example",
    published: datetime | None = None,
    **fields: object,
) -> Post:
    """A post with its first version; sighted in `feed` where one is given; not read yet."""
    number = next(_numbers)
    post = Post.objects.create(
        **{
            "link": f"https://{publisher}/story-{number}",
            "publisher": publisher,
            "published_at": published
            or NOON + timedelta(minutes=number % 600),  # the same day, however many there were
            "seen_at": timezone.now(),
        }
        | fields
    )
    if feed is not None:
        now = timezone.now()
        Sighting.objects.create(
            feed=feed, post=post, guid=f"guid-{number}", link=post.link, title=title, first_seen=now, last_seen=now
        )
    make_version(post, title, body)
    return post


def make_version(post: Post, title: str, body: str, language: str = "en") -> PostVersion:
    """A further version of a post, its current one from now on."""
    text = f"{title}\n\n{body}" if body else title
    version = PostVersion.objects.create(
        post=post,
        ordinal=post.versions.count() + 1,
        text=text,
        title_end=len(title),
        language=language,
        text_hash=f"{hash(text) & 0xFFFFFFFF:08x}",
        fetched_at=timezone.now(),
    )
    post.current_version = version
    post.save(update_fields=["current_version"])
    return version


def read_post(
    post: Post,
    mentions: Sequence[Named] = (),
    relations: Sequence[RelationSpec] = (),
    *,
    checkpoint: Checkpoint | None = None,
    missing: tuple[str, ...] = (),
    declined: Declined | None = None,
) -> Reading:
    """Records that the checkpoint (the deployed one) found this in the post's current version."""
    version = post.current_version
    assert version is not None, "a post without a version cannot be read"
    reader = checkpoint or deployed()
    # Older than any other, so that the claim takes this reading.
    due = datetime(2000, 1, 1, tzinfo=UTC)
    row = Reading.objects.create(version=version, checkpoint=reader, due_at=due)
    (claimed,) = readings_queue.claim("factory", 1, checkpoint=reader)
    assert claimed.reading_id == row.pk
    words = [name for name, _ in mentions]
    extraction = Extraction(
        id=str(post.public_id),
        text=version.text,
        language=version.language,
        mentions=tuple(_mention(version.text, name, entity_type) for name, entity_type in mentions),
        relations=tuple(Relation(words.index(h), words.index(t), key, score) for h, key, t, score in relations),
        missing=missing,
        declined=declined,
    )
    assert recorder.record(claimed, extraction), "the reading was not recorded"
    post.refresh_from_db()
    row.refresh_from_db()
    return row


def _mention(text: str, name: str, entity_type: str) -> ExtractedMention:
    words, _, nth = name.partition("#")
    start = -1
    for _ in range(int(nth or 1)):
        start = text.index(words, start + 1)
    return ExtractedMention(start, start + len(words), entity_type, 0.95)
