"""Automatic merges of entities by their names, which an editor can undo like any merge.

Entities are merged whose names are spelt alike and whose links do not differ, and two of which an editor confirmed that
one is also known as the other. Entities that an editor has split are never merged.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from knowledge.entities import merges, names, spelling_variants
from knowledge.models import Entity, Link, Merge, Split, Statement
from knowledge.record import audit_log, current


def by_spelling(entity: Entity) -> int:
    """Merge the entity with each other of its type whose name is spelt alike; the number of merges.

    Not with one that is linked to another entry, nor with one that an editor has split from it.
    """
    merged = 0
    with transaction.atomic():
        row = Entity.objects.filter(pk=entity.pk).first()
        if row is None:
            return 0
        for found in _spelt_alike(row):
            row.refresh_from_db()
            ids = members(row, found)
            targets = Link.objects.filter(entity__in=ids).exclude(target="").values_list("target", flat=True)
            if len(set(targets)) < 2 and not parted(ids):
                merged += _merged(row, found, None)
    return merged


def by_accepted_alias(statement: Statement, by: audit_log.Who) -> int:
    """Merge the ends of a statement that one is also known as the other, which an editor accepted; how many."""
    head, tail = statement.head, statement.tail
    if head.type != tail.type or parted(members(head, tail)):
        return 0
    return _merged(head, tail, by)


def members(*entities: Entity) -> set[int]:
    """The ids of all entities that are merged with any of these now."""
    return set(current.members(one.canonical_id or one.pk for one in entities))


def parted(ids: set[int]) -> bool:
    """Whether an editor undid a merge among these or split one out of another; either decision is respected."""
    if len(ids) < 2:
        return False
    if Split.objects.filter(undone_at__isnull=True, origin__in=ids, target__in=ids).exists():
        return True
    undone = Merge.objects.filter(undone_at__isnull=False, survivor__in=ids).values_list("survivor", "former")
    return any((ids - {survivor}) & {int(pk) for pk in former} for survivor, former in undone)


def _spelt_alike(entity: Entity) -> list[Entity]:
    """The entities that stand for others whose names are spelt alike, the oldest first."""
    keys, plain = set[str](), set[str]()
    for name in entity.names.values_list("name", flat=True):
        if names.resolution_key(name, entity.type) == entity.key:
            as_stored, own = spelling_variants.sought(name)
            keys |= as_stored
            plain |= {f"{key}|{entity.type}" for key in own}
    alike = Q(key__in=plain) | Q(pk__in=Entity.objects.filter(spellings__key__in=keys).values("pk"))
    rows = Entity.objects.filter(alike, type=entity.type).exclude(pk=entity.pk)
    mine = entity.canonical_id or entity.pk
    roots = {canonical or pk for pk, canonical in rows.values_list("pk", "canonical")} - {mine}
    return list(Entity.objects.filter(pk__in=roots).order_by("pk"))


def _merged(one: Entity, other: Entity, by: audit_log.Who) -> int:
    oldest, newer = sorted((one, other), key=lambda row: row.canonical_id or row.pk)
    try:
        merges.merge(oldest, [newer], by)
    except merges.NothingToMerge:
        return 0
    return 1
