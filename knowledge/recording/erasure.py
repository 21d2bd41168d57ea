"""Erasure of posts: their texts, pictures, readings and everything that only they supported.

A withdrawn post keeps its history; an erased one keeps a row in the state erased, with its links and the hashes of its
texts: neither a feed that lists it again nor its text under another link brings it back. Removing (the samples)
deletes that row too. Statements and entities that nothing supports any more stay as bare ids, without a name, until
the stores have deleted them; then `sweep` deletes the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Length, Substr

from extraction.models import Feed, Post, PostImage, RegionSet, Sighting, Tombstone
from knowledge.entities import name_index, names
from knowledge.models import (
    Assertion,
    DepictionReview,
    Entity,
    EntityName,
    EntitySpelling,
    Mention,
    MentionCorrection,
    Merge,
    Projection,
    Review,
    Statement,
)
from knowledge.record import audit_log, projection_queue
from knowledge.recording import judged_posts

SHORTEST_KNOWN = 200  # code points: shorter texts ("Live updates") are alike by chance


def erase(post: Post, by: audit_log.Who, reason: str = "") -> None:
    """Erase a post: its content is deleted from the record now, from the graph once its updates are projected."""
    with transaction.atomic():
        held = Post.objects.select_for_update(no_key=True).get(pk=post.pk)
        _leave_tombstones(held)
        _take_out(held)
        # The feed's text is deleted too, and the item's hash: the row alone keeps the feed from bringing the post back.
        held.sightings.update(title="", text="", image="", item_hash="")
        Post.objects.filter(pk=held.pk).update(
            state=Post.State.ERASED,
            state_reason=reason or "erased",
            due_at=None,
            current_version=None,
            error="",
            # A fetch that is under way finds its lease gone, and writes nothing.
            lease_token="",
            lease_until=None,
        )
        audit_log.note(by, "post erased", str(held.public_id))


def _leave_tombstones(post: Post) -> None:
    """Keep the hashes of texts long enough not to be equal by chance. A pruned version keeps its full text's hash."""
    long = post.versions.annotate(length=Length("text")).filter(length__gte=SHORTEST_KNOWN)
    Tombstone.objects.bulk_create(
        [Tombstone(post=post, text_hash=digest) for digest in set(long.values_list("text_hash", flat=True))],
        ignore_conflicts=True,
    )


def remove_samples(by: audit_log.Who = None) -> int:
    """Delete the sample feed and all that came of it; the number of posts. A post that other feeds list too stays."""
    feeds = list(Feed.objects.filter(sample=True))
    elsewhere = Sighting.objects.filter(post=OuterRef("pk")).exclude(feed__in=feeds)
    posts = Post.objects.filter(Q(sample=True) | Q(sightings__feed__in=feeds)).exclude(Exists(elsewhere)).distinct()
    removed = 0
    # The feed first: a poll that comes in between would bring its posts back.
    Feed.objects.filter(pk__in=[feed.pk for feed in feeds]).update(state=Feed.State.PAUSED, due_at=None)
    for pk in list(posts.values_list("pk", flat=True)):
        with transaction.atomic():
            post = Post.objects.select_for_update().filter(pk=pk).first()
            if post is not None:
                _take_out(post)
                post.delete()
                removed += 1
    with transaction.atomic():
        Sighting.objects.filter(feed__in=feeds).delete()
        Feed.objects.filter(pk__in=[feed.pk for feed in feeds]).delete()
        audit_log.note(by, "samples removed", "samples", removed, 0)
    return removed


def _take_out(post: Post) -> None:
    """Delete a post's content and the names of entities that only it has; mark the graph updates of all it touched."""
    versions = post.versions.values_list("pk", flat=True)
    mentions = Mention.everything.filter(reading__version__in=versions)
    entities = set(mentions.values_list("entity", flat=True))
    named = Q(assertions__reading__version__in=versions) | Q(reviews__post=post)
    statements = set(Statement.objects.filter(named).values_list("pk", flat=True))
    ends = Statement.objects.filter(pk__in=statements).values_list("head", "tail")
    entities |= {end for pair in ends for end in pair}
    entities |= set(post.mention_corrections.exclude(entity=None).values_list("entity", flat=True))
    _mark(post, statements, entities)
    Post.objects.filter(pk=post.pk).update(current_reading=None, current_version=None)
    _delete_pictures(post)
    transaction.on_commit(partial(judged_posts.forget, {str(post.public_id)}))
    Assertion.everything.filter(reading__version__in=versions).delete()
    mentions.delete()
    Review.objects.filter(post=post).delete()
    DepictionReview.objects.filter(post=post).delete()
    MentionCorrection.objects.filter(post=post).delete()
    post.versions.all().delete()
    _drop_names(entities)
    _blank_entities(entities)


def _mark(post: Post, statements: set[int], entities: set[int]) -> None:
    """Mark the post, its statements and entities: the projector finds them without support and deletes them."""
    projection_queue.mark(projection_queue.Kind.POST, [post.public_id])
    projection_queue.mark_rows(projection_queue.Kind.STATEMENT, Statement.objects.filter(pk__in=statements))
    projection_queue.mark_rows(
        projection_queue.Kind.ENTITY, projection_queue.with_survivors(Entity.objects.filter(pk__in=entities))
    )


def _delete_pictures(post: Post) -> None:
    """Delete its copies and what was detected in them, unless another post shows the same picture."""
    held = set(post.images.values_list("sha256", "file", "thumbnail"))
    post.images.all().delete()
    files = {name for _, *both in held for name in both if name}
    left = PostImage.objects.filter(Q(file__in=files) | Q(thumbnail__in=files)).values_list("file", "thumbnail")
    for name in sorted(files - {name for row in left for name in row}):
        transaction.on_commit(partial(default_storage.delete, name))
    contents = {sha256 for sha256, _, _ in held if sha256}
    contents -= set(PostImage.objects.filter(sha256__in=contents).values_list("sha256", flat=True))
    _forget_contents(contents)


def _forget_contents(contents: set[str]) -> None:
    """Delete what was detected in pictures, and the small copies that networks read."""
    detected = RegionSet.objects.filter(sha256__in=contents)
    names = {f"{sha256[:2]}/{sha256}.jpg" for sha256 in contents}
    names |= set(detected.exclude(features="").values_list("features", flat=True))
    detected.delete()
    for name in sorted(names):
        transaction.on_commit(partial(Path(settings.FEATURES_ROOT, name).unlink, missing_ok=True))


def _drop_names(entities: set[int]) -> None:
    """Delete names extracted from texts that no remaining mention has, and replace the label if it is one of them."""
    for entity in Entity.objects.filter(pk__in=entities).prefetch_related("names"):
        gone = [name for name in entity.names.all() if name.source == "text" and not _mentioned(entity, name.name)]
        left = [name for name in entity.names.all() if name not in gone]
        EntityName.objects.filter(pk__in=[name.pk for name in gone]).delete()
        kept = name_index.spellings(entity.key, entity.type, {name.name for name in left})
        EntitySpelling.objects.filter(entity=entity).exclude(key__in=kept).delete()
        if gone and left and entity.label not in {name.name for name in left}:
            Entity.objects.filter(pk=entity.pk).update(label=names.best(name.name for name in left))


def _mentioned(entity: Entity, name: str) -> bool:
    words = Substr("reading__version__text", F("start") + 1, F("end") - F("start"))
    read = Mention.everything.filter(entity=entity).annotate(words=words)
    if read.filter(words=name).exists():
        return True
    # A name is shown with its white space collapsed; a mention over a line's end is rare, so it is checked last.
    broken = read.filter(Q(words__contains="\n") | Q(words__contains="  ") | Q(words__contains="\t"))
    return any(names.shown(words) == name for words in broken.values_list("words", flat=True).iterator())


def _blank_entities(ids: set[int]) -> None:
    """Remove the names of entities that nothing mentions any more. The rows stay until the stores have deleted them;
    one that took part in a merge stays for good, so that its id continues to redirect."""
    idle = Entity.objects.filter(pk__in=ids).exclude(Exists(Mention.everything.filter(entity=OuterRef("pk"))))
    idle = idle.exclude(Exists(MentionCorrection.objects.filter(entity=OuterRef("pk"))))
    # Mentions of a split are resolved by this name when its posts are analysed again.
    idle = idle.exclude(Exists(Mention.everything.filter(resolved=OuterRef("pk"))))
    for entity in idle:
        others = EntityName.objects.filter(Q(entity__canonical=entity) | Q(entity=entity)).values_list(
            "name", flat=True
        )
        label = names.best(others) if others else "(erased)"
        Entity.objects.filter(pk=entity.pk).update(label=label, key=f"erased:{entity.public_id}")
        EntitySpelling.objects.filter(entity=entity).delete()


def sweep(statements: Sequence[UUID], entities: Sequence[UUID]) -> None:
    """Delete those of these rows that an erasure left empty and that every store has deleted."""
    with transaction.atomic():
        empty = Statement.objects.filter(public_id__in=statements).exclude(
            Exists(Assertion.everything.filter(statement=OuterRef("pk")))
        )
        empty = empty.exclude(Exists(Review.objects.filter(statement=OuterRef("pk"))))
        _delete_shown(Projection.Kind.STATEMENT, empty)
        used = Q(Exists(Mention.everything.filter(entity=OuterRef("pk"))))
        used |= Q(Exists(MentionCorrection.objects.filter(entity=OuterRef("pk"))))
        used |= Q(Exists(Statement.objects.filter(Q(head=OuterRef("pk")) | Q(tail=OuterRef("pk")))))
        used |= Q(Exists(Entity.objects.filter(canonical=OuterRef("pk"))))
        erased = Entity.objects.filter(public_id__in=entities, key__startswith="erased:", canonical__isnull=True)
        left = erased.exclude(used)
        if left.exists():
            merged = {int(pk) for row in Merge.objects.values_list("former", flat=True).iterator() for pk in row}
            merged |= set(Merge.objects.values_list("survivor", flat=True))
            _delete_shown(Projection.Kind.ENTITY, left.exclude(pk__in=merged))


def _delete_shown(kind: Projection.Kind, rows: QuerySet[Statement] | QuerySet[Entity]) -> None:
    """Delete the rows whose graph updates no store has still to do, and these updates."""
    updates = Projection.objects.filter(kind=kind)
    stale = updates.filter(key=OuterRef("public_id"), done__lt=F("wanted"))
    keys = list(rows.exclude(Exists(stale)).values_list("public_id", flat=True))
    if keys:
        rows.model.objects.filter(public_id__in=keys).delete()
        updates.filter(key__in=keys).delete()
