"""Merges of entities, and their undo.

`Entity.canonical` points straight at the survivor. It is derived from the active merges, oldest first, so undoing an
earlier merge under a later one is as sound as undoing the last. Mentions and statements keep the rows that they were
resolved to; new posts still resolve to those rows and are shown with the survivor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from extraction.models import Post
from knowledge.models import Assertion, Entity, Merge, Statement
from knowledge.ontology.values import VALUED
from knowledge.record import audit_log, current, outcomes, projection_queue

MARKED_AT_ONCE = 1000  # graph updates: more would keep an editor, and on SQLite everybody, waiting


class NothingToMerge(ValueError):
    """The entities are merged already, or there is only one."""


def merge(survivor: Entity, others: Sequence[Entity], by: audit_log.Who) -> Merge:
    """Merge `others` into `survivor`, with everything that was merged into them. Raises NothingToMerge."""
    with transaction.atomic():
        rows = _locked([survivor.pk, *(other.pk for other in others)])
        root = rows[survivor.pk].canonical_id or survivor.pk
        roots = {rows[other.pk].canonical_id or other.pk for other in others} - {root}
        if not roots:
            raise NothingToMerge("These entities are already merged.")
        moved = Entity.objects.filter(Q(pk__in=roots) | Q(canonical__in=roots)).order_by("pk")
        former = dict(moved.values_list("pk", "canonical"))
        pointers = {str(pk): was for pk, was in former.items()}
        created = Merge.objects.create(survivor_id=root, former=pointers, by_id=_id(by))
        Entity.objects.filter(pk__in=former).update(canonical=root)
        outcomes.settle(_judged_posts({root, *former}))
        _mark(created, {root, *former})
        audit_log.note(by, "merge", str(rows[survivor.pk].public_id), created.former, root)
    return created


def undo(given: Merge, by: audit_log.Who) -> None:
    """Undo a merge: each entity points where the merges that are still active put it. Undone already: nothing."""
    with transaction.atomic():
        if not Merge.objects.filter(pk=given.pk, undone_at__isnull=True).update(undone_at=timezone.now()):
            return
        ids = {given.survivor_id, *(int(pk) for pk in given.former)}
        rows = _locked(ids | {row.canonical_id for row in Entity.objects.filter(pk__in=ids) if row.canonical_id})
        cluster = {*rows, *Entity.objects.filter(canonical__in=rows).values_list("pk", flat=True)}
        before = dict(Entity.objects.filter(pk__in=cluster).values_list("pk", "canonical"))
        after = _replayed(cluster)
        changed = {pk for pk in before if before[pk] != after.get(pk)}
        for pk in sorted(changed):
            Entity.objects.filter(pk=pk).update(canonical=after.get(pk))
        outcomes.settle(_judged_posts(cluster))
        _mark(given, cluster)
        subject = str(given.survivor.public_id)
        was = {str(pk): before[pk] for pk in changed}
        audit_log.note(by, "merge undone", subject, was, {str(pk): after.get(pk) for pk in changed})


def _replayed(cluster: Iterable[int]) -> dict[int, int]:
    """Where the active merges put the entities of a cluster; those that stand for themselves are left out."""
    root: dict[int, int] = {}
    ids = set(cluster)
    for done in Merge.objects.filter(undone_at__isnull=True, survivor__in=ids).order_by("pk"):
        target = root.get(done.survivor_id, done.survivor_id)
        # A former pointer of null: this merge moved the entity itself; the rest only came along with one of these.
        moved = {int(pk) for pk, was in done.former.items() if was is None}
        for pk in ids:
            if root.get(pk, pk) in moved - {target}:
                root[pk] = target
    return root


def _locked(ids: Iterable[int]) -> dict[int, Entity]:
    return {row.pk: row for row in Entity.objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")}


def _mark(given: Merge, ids: set[int]) -> None:
    """Mark every graph update of these entities, also of statements that the merge turned into loops. Of very many
    statements only the entities are marked here: the projectors mark the rest before they project."""
    posts, *statements = _touched(ids)
    if sum(len(rows.values_list("pk")[: MARKED_AT_ONCE + 1]) for rows in statements) <= MARKED_AT_ONCE:
        projection_queue.mark_rows(projection_queue.Kind.POST, posts)
        for rows in statements:
            projection_queue.mark_rows(projection_queue.Kind.STATEMENT, rows)
    else:
        Merge.objects.filter(pk=given.pk).update(wanted=F("wanted") + 1)
    # A value is shown with its head, also after it was merged.
    valued = Statement.objects.filter(tail__in=ids, relation__in=VALUED).values("head")
    shown = projection_queue.with_survivors(Entity.objects.filter(pk__in=valued))
    projection_queue.mark_rows(projection_queue.Kind.ENTITY, Entity.objects.filter(Q(pk__in=ids) | Q(pk__in=shown)))


def _touched(ids: Iterable[int]) -> tuple[QuerySet[Post], QuerySet[Statement], QuerySet[Statement]]:
    """The posts that show one of these entities, the statements between them and others, and those that they claim."""
    ends = Q(head__in=ids) | Q(tail__in=ids)
    mentioned = current.mentions().filter(entity__in=ids).values("reading__current_of")
    reviewed = current.active_reviews().filter(statement__in=Statement.objects.filter(ends)).values("post")
    claimed = Assertion.objects.filter(claimant__entity__in=ids, reading__current_of__isnull=False)
    claims = current.active_reviews().filter(claimant__in=ids)
    return (
        Post.objects.filter(Q(pk__in=mentioned) | Q(pk__in=reviewed) | Q(pk__in=claims.values("post"))),
        Statement.objects.filter(ends),
        Statement.objects.filter(Q(pk__in=claimed.values("statement")) | Q(pk__in=claims.values("statement"))),
    )


def _judged_posts(ids: Iterable[int]) -> set[int]:
    """The posts with a verdict on a statement about these entities: a merge can put two verdicts on one statement."""
    about = Statement.objects.filter(Q(head__in=ids) | Q(tail__in=ids))
    return set(current.active_reviews().filter(statement__in=about).values_list("post", flat=True))


def unmarked() -> QuerySet[Merge]:
    """The merges whose graph updates are not all marked yet."""
    return Merge.objects.filter(marked__lt=F("wanted"))


def mark_rest(go_on: Callable[[], bool] = lambda: True) -> None:
    """Mark what merges left to be marked, some rows in a transaction; `go_on` is called before each. A crash, or two
    at once, only repeats work: a graph update that is marked again is projected again."""
    for given in list(unmarked().order_by("pk")):
        ids = {given.survivor_id, *(int(pk) for pk in given.former)}
        around = Entity.objects.filter(Q(canonical__in=ids) | Q(pk__in=ids)).values_list("pk", "canonical")
        ids |= {pk for pair in around for pk in pair if pk is not None}
        posts, *statements = _touched(ids)
        marked = [(projection_queue.Kind.POST, _keys(posts))]
        marked += [(projection_queue.Kind.STATEMENT, _keys(rows)) for rows in statements]
        for kind, keys in marked:
            if not _mark_in_batches(kind, keys, go_on):
                return
        Merge.objects.filter(pk=given.pk, marked__lt=given.wanted).update(marked=given.wanted)


def _keys(rows: QuerySet[Any]) -> list[UUID]:
    """All keys at once: one walk along the index of each end, instead of one for every batch."""
    return list(rows.order_by().values_list("public_id", flat=True))


def _mark_in_batches(kind: projection_queue.Kind, keys: Sequence[UUID], go_on: Callable[[], bool]) -> bool:
    for start in range(0, len(keys), MARKED_AT_ONCE):
        if not go_on():
            return False
        with transaction.atomic():
            projection_queue.mark(kind, keys[start : start + MARKED_AT_ONCE])
    return True


def _id(by: audit_log.Who) -> int | None:
    return by.pk if by else None
