"""Entity splits: in chosen posts, the mentions of an entity are assigned to another entity.

Later readings of such a post give the same: a `Parting` holds for the post, not for a reading. A mention that was
moved keeps in `resolved` the row that its name leads to; everything else is derived from that and the active partings,
so splits can be undone in any order. The statements of its assertions, and the verdicts in that post, move with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from extraction.models import Post
from knowledge.entities import names, partings
from knowledge.linking import link_queue
from knowledge.models import Assertion, Entity, EntityName, Mention, Parting, Split, Statement
from knowledge.record import audit_log, current, outcomes, projection_queue, thresholds
from knowledge.recording import verdict_ends
from knowledge.recording.statement_rows import statements_of

LONGEST_CHAIN = 50


class NothingToSplit(ValueError):
    """None of the posts mentions the entity, or the other entity is the same."""


def split(origin: Entity, posts: Sequence[Post], target: Entity | None, by: audit_log.Who) -> Split:
    """In these posts, every mention of `origin` (and of what was merged into it) means `target`; a new entity where
    that is None. Raises NothingToSplit."""
    with transaction.atomic():
        thresholds.hold()
        ids = _locked(posts)
        members = set(current.members([origin.pk]))
        mentions = Mention.objects.filter(reading__version__post__in=ids, entity__in=members)
        places = set(mentions.order_by().values_list("reading__version__post", "entity").distinct())
        if not places or (target is not None and target.pk in members):
            raise NothingToSplit(
                "Choose posts that mention this entity, and another entity (or none to create a new one)."
            )
        target = target or _new(origin, mentions)
        created = Split.objects.create(origin=origin, target=target, by_id=by.pk if by else None)
        for post, entity in sorted(places):
            _part(created, post, entity, target.pk)
        _settle({post for post, _ in places})
        posts_moved = sorted({post for post, _ in places})
        audit_log.note(by, "split", str(origin.public_id), origin.pk, {"to": target.pk, "posts": posts_moved})
    return created


def undo(given: Split, by: audit_log.Who) -> None:
    """Undo a split: its mentions mean what their names or other splits lead to. Undone already: nothing."""
    with transaction.atomic():
        thresholds.hold()
        posts = list(Post.objects.filter(partings__split=given).distinct())
        ids = _locked(posts)
        if not Split.objects.filter(pk=given.pk, undone_at__isnull=True).update(undone_at=timezone.now()):
            return
        given.partings.all().delete()
        _settle(ids)
        audit_log.note(by, "split undone", str(given.origin.public_id), given.target_id, given.origin_id)


def _locked(posts: Iterable[Post]) -> set[int]:
    rows = Post.objects.select_for_update(no_key=True).filter(pk__in=[post.pk for post in posts]).order_by("pk")
    return {row.pk for row in rows}


def _part(row: Split, post: int, entity: int, target: int) -> None:
    """Add a parting. One that reverses an earlier split's parting only deletes that."""
    if Parting.objects.filter(post=post, entity=target, target=entity).delete()[0]:
        return
    Parting.objects.update_or_create(post_id=post, entity_id=entity, defaults={"split": row, "target_id": target})


def _new(origin: Entity, mentions: Iterable[Mention]) -> Entity:
    """A new entity with the names of the mentions, of which pronouns are none. Its key is no name's: readings reach it
    only by a parting."""
    called = {names.shown(one.reading.version.text[one.start : one.end]) for one in _named(mentions)} - {""}
    label = names.best(called) if called else origin.label
    created = Entity.objects.create(type=origin.type, label=label, key=f"split:{uuid.uuid4()}")
    rows = [EntityName(entity=created, name=name, key=names.name_key(name)) for name in sorted(called or {label})]
    EntityName.objects.bulk_create(rows)
    link_queue.due([created.pk])
    return created


def _named(mentions: Iterable[Mention]) -> Iterable[Mention]:
    named = Mention.objects.filter(pk__in=[one.pk for one in mentions], form="name")
    return named.select_related("reading__version")


def _settle(posts: set[int]) -> None:
    """Apply the active partings to all mentions of the posts, their statements and verdicts."""
    parted = partings.of_posts(posts)
    moved: set[int] = set()
    touched: set[int] = set()
    rows = Mention.everything.filter(reading__version__post__in=posts).order_by("pk")
    for pk, was, resolved, post in rows.values_list("pk", "entity", "resolved", "reading__version__post"):
        origin = resolved or was
        now = partings.follow(parted[post], origin)
        if now != was:
            moved.add(pk)
            touched |= {was, now}
            Mention.objects.filter(pk=pk).update(entity=now, resolved=None if now == origin else origin)
    statements = restate(moved) | verdict_ends.settle(posts)
    touched |= verdict_ends.entities_of(statements)
    outcomes.settle(posts)
    projection_queue.mark_rows(projection_queue.Kind.POST, Post.objects.filter(pk__in=posts))
    projection_queue.mark_rows(projection_queue.Kind.STATEMENT, Statement.objects.filter(pk__in=statements))
    projection_queue.mark_rows(
        projection_queue.Kind.ENTITY, projection_queue.with_survivors(Entity.objects.filter(pk__in=touched))
    )


def restate(mentions: set[int]) -> set[int]:
    """Move assertions of moved mentions to the statement between their entities now; the statements touched."""
    ends = Q(head_mention__in=mentions) | Q(tail_mention__in=mentions) | Q(claimant__in=mentions)
    rows = list(Assertion.everything.filter(ends).select_related("head_mention", "tail_mention"))
    wanted = statements_of([(row.head_mention.entity_id, row.relation, row.tail_mention.entity_id) for row in rows])
    touched: set[int] = set()
    for row, statement in zip(rows, wanted, strict=True):
        touched |= {row.statement_id, statement}
        row.statement_id = statement
    Assertion.objects.bulk_update(rows, ["statement"], batch_size=500)
    return touched


def active(entity: Entity) -> list[Split]:
    """The active splits that moved mentions out of the entity or into it, oldest first."""
    rows = Split.objects.filter(undone_at__isnull=True).filter(Q(origin=entity) | Q(target=entity))
    return list(rows.select_related("origin", "target", "by").exclude(origin=F("target")).order_by("pk"))
