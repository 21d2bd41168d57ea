"""The links and facts of the entities that stand for themselves now: each entity's own link, or else the most confident
one of those that were merged into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.linking.enrichment import source_property_of
from knowledge.models import Link

MOST_FACTS = 100  # of an entity, that graphs and comparisons see
LONGEST_VALUE = 400  # code points of a value that is no entity
Fact = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class LinkedFacts:
    """An entity's link. `facts`: property, value, name of the value, `KnownFact.source_property`; Wikidata's first."""

    target: str
    label: str
    addresses: Mapping[str, str]
    description: str
    abstract: str
    categories: tuple[str, ...]
    facts: tuple[Fact, ...]


_COLUMNS = ("entity", "target", "label", "addresses", "description", "abstract", "categories", "facts")


def links_of(members: Mapping[int, int]) -> dict[int, LinkedFacts]:
    """By the entity that stands for them (`current.members`); those that are linked to nothing are left out."""
    rows = Link.objects.filter(entity__in=members).exclude(target="").order_by("sure", "pk").values_list(*_COLUMNS)
    found: dict[int, LinkedFacts] = {}
    # The most confident last, and an entity's own after all others.
    for entity, *row in sorted(rows, key=lambda row: row[0] == members[row[0]]):
        found[members[entity]] = _linked(*row)
    return found


def _linked(
    target: str,
    label: str,
    addresses: dict[str, str],
    description: str,
    abstract: str,
    categories: list[str],
    facts: list[list[str]],
) -> LinkedFacts:
    rows = [(row[0], row[1], row[2], source_property_of(row)) for row in facts if 0 < len(row[1]) <= LONGEST_VALUE]
    ordered = dict.fromkeys(sorted(rows, key=lambda row: bool(row[3])))
    kinds = tuple(dict.fromkeys(categories))
    return LinkedFacts(target, label, addresses, description, abstract, kinds, tuple(ordered)[:MOST_FACTS])
