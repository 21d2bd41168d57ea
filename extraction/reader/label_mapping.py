"""Map the labels of a network's inventory to the product's relations and entity types. No Django."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from extraction.features.targets import WIDER
from extraction.labels import REGION_RELATIONS, RELATION_MAP, RELATIONS, TYPE_MAP, Inventory


@dataclass(frozen=True)
class Meaning:
    """The product's relation that a label stands for; `turned`: its head is the label's tail. `heads` and `tails` are
    the entity types that the label permits."""

    key: str
    turned: bool
    heads: frozenset[str]
    tails: frozenset[str]


def meanings(names: Inventory, data: Sequence[str]) -> list[Meaning | None]:
    """The meaning of each relation of the inventory; None for one without a relation in the product.

    `data` names the data sets whose labels the inventory may have.
    """
    types = types_of(data)
    result: list[Meaning | None] = []
    for relation in names.relations:
        if relation.key in RELATIONS or relation.key in REGION_RELATIONS:
            result.append(Meaning(relation.key, False, relation.heads, relation.tails))
            continue
        mapped = next((RELATION_MAP[name][relation.key] for name in data if relation.key in RELATION_MAP[name]), None)
        ends = (frozenset(types.get(one, one) for one in side) for side in (relation.heads, relation.tails))
        result.append(Meaning(mapped.key, mapped.turned, *ends) if mapped else None)
    return result


def by_types(result: Sequence[Meaning | None]) -> dict[tuple[str, str], list[tuple[int, Meaning]]]:
    """For the entity types of a head and a tail, the meanings that permit them with their places in the sequence."""
    permitted: dict[tuple[str, str], list[tuple[int, Meaning]]] = {}
    for place, meaning in enumerate(result):
        if meaning is not None:
            for ends in product(_widened(meaning.heads), _widened(meaning.tails)):
                permitted.setdefault(ends, []).append((place, meaning))
    return permitted


def _widened(types: frozenset[str]) -> frozenset[str]:
    """With the types that a detector of news tells apart from these, and that the label's data set does not."""
    return types.union(*(WIDER.get(kind, ()) for kind in types))


def types_of(data: Sequence[str]) -> dict[str, str]:
    """The product's entity type for each type of these data sets."""
    return {theirs: ours for name in data for theirs, ours in TYPE_MAP.get(name, {}).items() if ours}
