"""Queues graph updates: a plain upsert in the transaction that changes what they show.

A row of Projection counts up: `wanted` is raised here, and the projector sets `done` to the `wanted` that it had read
before it built the update. So marks that come together make one projection, and one that comes during a projection is
kept. Code that marks several kinds marks posts, then statements, then entities: with one order for all, transactions
that touch the same rows wait for each other without a deadlock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from extraction.models import Post
from knowledge.models import Entity, Mention, Projection, Review, Statement

Kind = Projection.Kind
CHUNK = 500

_INSERT = "INSERT INTO knowledge_projection (store, kind, key, wanted, done, due_at, attempts, error) "
# A graph update that is marked again is retried at once, whatever its last failure was.
_COUNT_UP = (
    " ON CONFLICT (store, kind, key) DO UPDATE SET wanted = knowledge_projection.wanted + 1, due_at = excluded.due_at"
)


def store_names() -> tuple[str, ...]:
    """The stores that are set up here: Neo4j only where it has an address."""
    return ("rdf", "neo4j") if settings.NEO4J_URL else ("rdf",)


def mark(kind: Projection.Kind, keys: Iterable[UUID]) -> None:
    """Raise `wanted` of these graph updates in every store; missing rows are created.

    In the keys' order, so that two workers with common rows wait for each other without a deadlock.
    """
    for store in store_names():
        ordered = sorted(set(keys))
        for start in range(0, len(ordered), CHUNK):
            _upsert(store, kind, ordered[start : start + CHUNK])


def mark_rows(kind: Projection.Kind, rows: QuerySet[Any]) -> None:
    """As `mark`, for every row of a query over Post, Entity or Statement: one INSERT … SELECT, however many."""
    keys = rows.order_by().values("public_id").distinct()
    try:
        sql, params = keys.query.sql_with_params()
    except EmptyResultSet:
        return
    for store in store_names():
        select = f"SELECT %s, %s, marked.public_id, 1, 0, %s, 0, '' FROM ({sql}) AS marked WHERE true ORDER BY 3"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(_INSERT + select + _COUNT_UP, [store, kind.value, _now(), *params])


def mark_everything(store: str, kind: Projection.Kind, rows: QuerySet[Any]) -> None:
    """Make the graph update of each of these rows stale in one store, whether it has a row there or not."""
    sql, params = rows.order_by().values("public_id").query.sql_with_params()
    select = f"SELECT %s, %s, marked.public_id, 1, 0, %s, 0, '' FROM ({sql}) AS marked WHERE true"  # noqa: S608
    # `wanted` stays: a projector that is about to mark it done does so for the state that it read.
    again = " ON CONFLICT (store, kind, key) DO UPDATE SET done = 0, due_at = excluded.due_at"
    with connection.cursor() as cursor:
        cursor.execute(_INSERT + select + again, [store, kind.value, _now(), *params])


def mark_posts(posts: Iterable[Post]) -> None:
    """Mark the posts and all that their current readings and reviews touch, when posts are withdrawn or restored.

    Call it inside the transaction that changes the posts.
    """
    ids = [post.pk for post in posts]
    mark(Kind.POST, Post.objects.filter(pk__in=ids).values_list("public_id", flat=True))
    mark_rows(Kind.STATEMENT, statements_of_posts(ids))
    mark_rows(Kind.ENTITY, entities_of_posts(ids))


def mark_reviewed_by(editors: Iterable[int]) -> None:
    """Mark what names these accounts as editors of verdicts, when one gets another name or is deleted."""
    given = Review.objects.filter(by__in=list(editors), withdrawn_at__isnull=True)
    mark_rows(Kind.POST, Post.objects.filter(pk__in=given.values("post")))
    mark_rows(Kind.STATEMENT, Statement.objects.filter(pk__in=given.values("statement")))


def statements_of_posts(ids: list[int]) -> QuerySet[Statement]:
    read = Q(assertions__reading__current_of__in=ids)
    return Statement.objects.filter(read | Q(reviews__post__in=ids))


def entities_of_posts(ids: list[int]) -> QuerySet[Entity]:
    """The entities that the posts' current readings mention and that their reviews are about, with the survivors that
    stand for them."""
    mentioned = Mention.objects.filter(reading__current_of__in=ids).values("entity")
    reviewed = Statement.objects.filter(reviews__post__in=ids)
    found = Q(pk__in=mentioned) | Q(pk__in=reviewed.values("head")) | Q(pk__in=reviewed.values("tail"))
    return with_survivors(Entity.objects.filter(found))


def with_survivors(entities: QuerySet[Entity]) -> QuerySet[Entity]:
    stand_for = entities.filter(canonical__isnull=False).values("canonical")
    return Entity.objects.filter(Q(pk__in=entities.values("pk")) | Q(pk__in=stand_for))


def in_order(unit: Projection) -> tuple[int, UUID]:
    """The order in which all code locks rows of Projection: posts, statements, entities, each by their keys."""
    return (Kind.POST, Kind.STATEMENT, Kind.ENTITY).index(Kind(unit.kind)), unit.key


def stale(store: str) -> QuerySet[Projection]:
    """The graph updates of a store that are not projected yet."""
    return Projection.objects.filter(store=store, done__lt=F("wanted"))


def _upsert(store: str, kind: Projection.Kind, keys: list[UUID]) -> None:
    now, field = _now(), Projection._meta.get_field("key")
    values = ", ".join(["(%s, %s, %s, 1, 0, %s, 0, '')"] * len(keys))
    params = [part for key in keys for part in (store, kind.value, field.get_db_prep_value(key, connection), now)]
    with connection.cursor() as cursor:
        cursor.execute(f"{_INSERT}VALUES {values}{_COUNT_UP}", params)


def _now() -> Any:
    return Projection._meta.get_field("due_at").get_db_prep_value(timezone.now(), connection)
