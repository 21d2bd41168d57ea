"""The names of entities, kept up as they are read, and how else the name may be spelt that leads to each."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q
from django.utils import timezone

from knowledge.entities import names, spelling_variants
from knowledge.models import Entity, EntityName, EntitySpelling, Link

Spoken = tuple[str, str]  # name, language


def keep(entities: Mapping[str, Entity], spoken: Mapping[str, set[Spoken]]) -> None:
    """Adds the names that entities, by their keys, were called; their labels follow."""
    rows = EntityName.objects.filter(entity__in=[entity.pk for entity in entities.values()], source="text")
    known = set(rows.values_list("entity", "name", "language"))
    new = {
        key: unknown
        for key in sorted(spoken)
        if (unknown := sorted(one for one in spoken[key] if (entities[key].pk, *one) not in known))
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
    for key, unknown in new.items():
        entity = entities[key]
        label = names.best({entity.label, *(name for name, _ in unknown)})
        if label != entity.label:
            Entity.objects.filter(pk=entity.pk).update(label=label)


def spellings(key: str, entity_type: str, called: set[str]) -> frozenset[str]:
    """Of the names of an entity with this key those that lead to it count: a part of a longer name leads elsewhere."""
    leading = (name for name in called if names.resolution_key(name, entity_type) == key)
    return frozenset[str]().union(*map(spelling_variants.stored, leading))


def spelt(name: str) -> Q:
    """Those of Entity that have this name, or one that may be spelt so, as a whole."""
    stored, plain = spelling_variants.sought(name)
    named = EntityName.objects.filter(key__in={names.name_key(name), *plain}).values("entity")
    return Q(pk__in=named) | Q(pk__in=EntitySpelling.objects.filter(key__in=stored).values("entity"))


def _keep_spellings(called: Mapping[Entity, set[str]]) -> None:
    """What is spelt in a new way is looked up again, for it may be another entity's name."""
    found = {entity: spellings(entity.key, entity.type, said) for entity, said in called.items()}
    known = set(EntitySpelling.objects.filter(entity__in=found).values_list("entity", "key"))
    new = [(entity.pk, key) for entity, keys in found.items() for key in sorted(keys) if (entity.pk, key) not in known]
    if new:
        rows = [EntitySpelling(entity_id=pk, key=key) for pk, key in new]
        EntitySpelling.objects.bulk_create(rows, ignore_conflicts=True)
        done = Link.objects.filter(entity__in={pk for pk, _ in new}, due_at__isnull=True)
        # In one order, as all rows are locked here: two workers never wait for each other.
        held = list(done.order_by("pk").select_for_update().values_list("pk", flat=True))
        Link.objects.filter(pk__in=held).update(due_at=timezone.now())
