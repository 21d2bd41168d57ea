"""Maintains the names of entities as posts are read, and the other spellings by which an entity is found."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q
from django.utils import timezone

from knowledge.entities import names, spelling_variants
from knowledge.models import Entity, EntityName, EntitySpelling, Link

NameAndLanguage = tuple[str, str]  # name, language


def keep(
    entities: Mapping[str, Entity],
    names_by_key: Mapping[str, set[NameAndLanguage]],
    labels: Mapping[str, set[str]],
) -> None:
    """Add the names by which texts mention entities, by the entities' keys, and update their labels.

    `labels`: those of the names that are fit for a label: "Russian" may mean Russia and not name it.
    """
    rows = EntityName.objects.filter(entity__in=[entity.pk for entity in entities.values()], source="text")
    known = set(rows.values_list("entity", "name", "language"))
    new = {
        key: unknown
        for key in sorted(names_by_key)
        if (unknown := sorted(one for one in names_by_key[key] if (entities[key].pk, *one) not in known))
    }
    EntityName.objects.bulk_create(
        [
            EntityName(entity=entities[key], name=name, key=names.name_key(name), language=language, source="text")
            for key, unknown in new.items()
            for name, language in unknown
        ],
        ignore_conflicts=True,
    )
    _keep_spellings({entities[key]: {name for name, _ in unknown} for key, unknown in new.items()})
    for key, found in labels.items():
        entity = entities[key]
        label = entity.label if entity.named else names.best({entity.label, *found})
        if label != entity.label:
            Entity.objects.filter(pk=entity.pk).update(label=label)


def spellings(key: str, entity_type: str, known: set[str]) -> frozenset[str]:
    """The stored spellings of those names that resolve to this key: a part of a longer name leads elsewhere. An editor
    may have given another type than that of the key."""
    read = key.rpartition("|")[2].partition("@")[0] or entity_type
    leading = (name for name in known if names.resolution_key(name, read) == key)
    return frozenset[str]().union(*map(spelling_variants.stored, leading))


def spelt(name: str) -> Q:
    """The condition on Entity for this name or another spelling of it, as a whole."""
    stored, plain = spelling_variants.sought(name)
    named = EntityName.objects.filter(key__in={names.name_key(name), *plain}).values("entity")
    return Q(pk__in=named) | Q(pk__in=EntitySpelling.objects.filter(key__in=stored).values("entity"))


def _keep_spellings(new_names: Mapping[Entity, set[str]]) -> None:
    """Add spellings. An entity with a new spelling is linked again, for it may be another entity's name."""
    found = {entity: spellings(entity.key, entity.type, added) for entity, added in new_names.items()}
    known = set(EntitySpelling.objects.filter(entity__in=found).values_list("entity", "key"))
    new = [(entity.pk, key) for entity, keys in found.items() for key in sorted(keys) if (entity.pk, key) not in known]
    if new:
        rows = [EntitySpelling(entity_id=pk, key=key) for pk, key in new]
        EntitySpelling.objects.bulk_create(rows, ignore_conflicts=True)
        done = Link.objects.filter(entity__in={pk for pk, _ in new}, due_at__isnull=True)
        # In one order, as all code locks these rows: two workers cannot deadlock.
        held = list(done.order_by("pk").select_for_update().values_list("pk", flat=True))
        Link.objects.filter(pk__in=held).update(due_at=timezone.now())
