"""Entities that are one by their names, made one: as an editor would merge them, to be undone like that.

Those whose names are spelt alike, where nothing known of them says otherwise; two that an editor confirmed to be called
by both names. What an editor has parted is never joined.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from knowledge.entities import merges, names, spelling_variants
from knowledge.models import Entity, Link, Merge, Split, Statement
from knowledge.record import audit_log, current


def by_spelling(entity: Entity) -> int:
    """Makes the entity one with each other of its type whose name is spelt alike; how many went into another.

    Not with one that is linked to something else, nor with one that somebody has parted from it.
    """
    joined = 0
    with transaction.atomic():
        row = Entity.objects.filter(pk=entity.pk).first()
        if row is None:
            return 0
        for found in _spelt_alike(row):
            row.refresh_from_db()
            ids = members(row, found)
            targets = Link.objects.filter(entity__in=ids).exclude(target="").values_list("target", flat=True)
            if len(set(targets)) < 2 and not parted(ids):
                joined += _joined(row, found, None)
    return joined


def by_word(statement: Statement, by: audit_log.Who) -> int:
    """As above, for the ends of a statement that one is also called as the other, which an editor confirmed."""
    head, tail = statement.head, statement.tail
    if head.type != tail.type or parted(members(head, tail)):
        return 0
    return _joined(head, tail, by)


def members(*entities: Entity) -> set[int]:
    """The ids of all that is one with any of these now."""
    return set(current.members(one.canonical_id or one.pk for one in entities))


def parted(ids: set[int]) -> bool:
    """Whether an editor took a merge among these back, or split one out of another: whoever did that knew better."""
    if len(ids) < 2:
        return False
    if Split.objects.filter(undone_at__isnull=True, origin__in=ids, target__in=ids).exists():
        return True
    undone = Merge.objects.filter(undone_at__isnull=False, survivor__in=ids).values_list("survivor", "former")
    return any((ids - {survivor}) & {int(pk) for pk in former} for survivor, former in undone)


def _spelt_alike(entity: Entity) -> list[Entity]:
    """Those that stand for the others that are spelt alike, the oldest first."""
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


def _joined(one: Entity, other: Entity, by: audit_log.Who) -> int:
    oldest, newer = sorted((one, other), key=lambda row: row.canonical_id or row.pk)
    try:
        merges.merge(oldest, [newer], by)
    except merges.NothingToMerge:
        return 0
    return 1
