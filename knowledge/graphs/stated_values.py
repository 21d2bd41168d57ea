"""The values that statements give entities: graphs show them with the entity and not as nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models.functions import Coalesce

from extraction.schema import Factuality
from knowledge.graphs.units import StatedValue
from knowledge.models import Entity, Statement
from knowledge.ontology import values
from knowledge.ontology.values import Value
from knowledge.record import current


def value_of(tail: Entity) -> Value | None:
    """What a statement's tail stands for; None for a thing."""
    return values.value(tail.type, tail.key, tail.label) if tail.type in values.VALUE_TYPES else None


def of(stands_for: Mapping[int, int]) -> dict[int, tuple[StatedValue, ...]]:
    """Of these entities, each with the one that stands for it: the supported values, each once for a relation."""
    rows = Statement.objects.filter(head__in=list(stands_for), relation__in=values.VALUED)
    columns = [Coalesce(f"tail__canonical__{part}", f"tail__{part}") for part in ("type", "key", "label")]
    found: dict[int, tuple[int, str, Value]] = {}
    for pk, head, relation, kind, key, label in rows.values_list("pk", "head", "relation", *columns):
        if kind in values.VALUE_TYPES:
            found[pk] = (stands_for[head], relation, values.value(kind, key, label))
    supported = current.supported_among(found)
    by_head: dict[int, dict[tuple[str, Value], list[Factuality]]] = defaultdict(lambda: defaultdict(list))
    for pk, factuality in supported.items():
        head, relation, value = found[pk]
        by_head[head][relation, value].append(factuality)
    return {head: _stated(given.items()) for head, given in by_head.items()}


def _stated(given: Iterable[tuple[tuple[str, Value], list[Factuality]]]) -> tuple[StatedValue, ...]:
    return tuple(sorted(StatedValue(relation, current.strongest(every), value) for (relation, value), every in given))
