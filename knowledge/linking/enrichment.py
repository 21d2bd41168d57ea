"""What services add on an entity that is linked: facts with names, categories, an abstract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from knowledge.sources.protocol import Encyclopedia, EntityDetails, KnownFact, SourceUnavailable

FACTS, CATEGORIES = 200, 60


@dataclass(frozen=True, slots=True)
class Learned:
    """`about`: of all who answered. `away`: why the others did not, a sentence for each; ask again later."""

    about: EntityDetails = field(default_factory=EntityDetails)
    away: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.about != EntityDetails()


def learn(target: str, encyclopedias: Sequence[Encyclopedia]) -> Learned:
    """Asks them all; one that is away holds up no other."""
    found, away = EntityDetails(), []
    for one in encyclopedias if target else ():
        try:
            found = _both(found, one.about(target))
        except SourceUnavailable as error:
            away.append(str(error))
    return Learned(found, tuple(away))


def with_names(known: Iterable[Sequence[str]], learned: Iterable[KnownFact]) -> list[list[str]]:
    """Facts as rows of property, value, label, and where it is not Wikidata's who says it how (`KnownFact.said_as`):
    those of `known`, named where they can be, then what is new. What both sources say Wikidata says."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    told = [(row[0], row[1], row[2], said_as(row)) for row in known]
    for name, value, label, how in [*told, *((one.property, one.value, one.label, one.said_as) for one in learned)]:
        before = found.get((name, value))
        found[name, value] = (before[0] or label, before[1] and how) if before else (label, how)
    return [[*fact, label, *([how] if how else [])] for fact, (label, how) in found.items()][:FACTS]


def said_as(kept: Sequence[str]) -> str:
    """Of a fact as a link keeps it; before DBpedia's came, rows had three values."""
    return kept[3] if len(kept) > 3 else ""


def _both(one: EntityDetails, other: EntityDetails) -> EntityDetails:
    return replace(
        one,
        facts=(*one.facts, *(fact for fact in other.facts if fact not in one.facts)),
        categories=tuple(dict.fromkeys((*one.categories, *other.categories)))[:CATEGORIES],
        abstract=one.abstract or other.abstract,
        links={**other.links, **one.links},
    )
