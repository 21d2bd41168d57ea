"""Details that services add to a linked entity: facts with names, categories, an abstract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from knowledge.sources.protocol import Encyclopedia, EntityDetails, KnownFact, SourceUnavailable

FACTS, CATEGORIES = 200, 60


@dataclass(frozen=True, slots=True)
class Learned:
    """`about`: the details of all services that answered. `away`: why the others did not, a sentence for each."""

    about: EntityDetails = field(default_factory=EntityDetails)
    away: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.about != EntityDetails()


def learn(target: str, encyclopedias: Sequence[Encyclopedia]) -> Learned:
    """Request details from all of them; one that is unavailable does not stop the others."""
    found, away = EntityDetails(), []
    for one in encyclopedias if target else ():
        try:
            found = _both(found, one.about(target))
        except SourceUnavailable as error:
            away.append(str(error))
    return Learned(found, tuple(away))


def with_names(known: Iterable[Sequence[str]], learned: Iterable[KnownFact]) -> list[list[str]]:
    """Facts as rows of property, value, label, and for another source than Wikidata its `KnownFact.source_property`:
    those of `known`, named where possible, then new ones. A fact of both sources counts as Wikidata's."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    rows = [(row[0], row[1], row[2], source_property_of(row)) for row in known]
    rows += ((one.property, one.value, one.label, one.source_property) for one in learned)
    for name, value, label, own in rows:
        before = found.get((name, value))
        found[name, value] = (before[0] or label, before[1] and own) if before else (label, own)
    return [[*fact, label, *([own] if own else [])] for fact, (label, own) in found.items()][:FACTS]


def source_property_of(row: Sequence[str]) -> str:
    """The source's own property of a fact as a link stores it; rows had three values before DBpedia was added."""
    return row[3] if len(row) > 3 else ""


def _both(one: EntityDetails, other: EntityDetails) -> EntityDetails:
    return replace(
        one,
        facts=(*one.facts, *(fact for fact in other.facts if fact not in one.facts)),
        categories=tuple(dict.fromkeys((*one.categories, *other.categories)))[:CATEGORIES],
        abstract=one.abstract or other.abstract,
        links={**other.links, **one.links},
    )
