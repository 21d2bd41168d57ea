"""What a knowledge source says of its entities, as data. No Django, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class SourceUnavailable(Exception):
    """The source did not answer, or not as it should; the message says which and what to do. Ask again later."""


DBO = "dbo:"
WIKIDATA, DBPEDIA = "Wikidata", "DBpedia"  # for people


@dataclass(frozen=True, slots=True)
class KnownFact:
    """One statement of a source: `property` is Wikidata's (P…), `value` another entity's id (Q…) or a literal.

    `said_as`: the source's own property where it is not Wikidata's (dbo:…).
    """

    property: str
    value: str
    label: str = ""
    said_as: str = ""


def source_of(said_as: str) -> str:
    """Who says a fact, by its `said_as`."""
    return DBPEDIA if said_as.startswith(DBO) else WIKIDATA


@dataclass(frozen=True, slots=True)
class Known:
    """An entity as a source knows it. `id` is Wikidata's; `types` are keys of `labels.ENTITY_TYPES`, perhaps none.

    `popularity` only orders: how many Wikipedias have an article, or how many texts were seen to name it. `links` are
    its addresses elsewhere, by source ("dbpedia", "enwiki"). `texts` are words that describe it beside `description`.
    """

    id: str
    label: str
    description: str = ""
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    popularity: int = 0
    links: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[KnownFact, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityDetails:
    """What a source adds on one entity. `categories` are names for people; `links` are addresses elsewhere."""

    facts: tuple[KnownFact, ...] = ()
    categories: tuple[str, ...] = ()
    abstract: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


class Encyclopedia(Protocol):
    """Where more is learned of an entity that is linked already."""

    name: str

    def about(self, target: str) -> EntityDetails:
        """Of the entity with this id of Wikidata's; nothing where it is not known. Raises SourceUnavailable."""


class Source(Protocol):
    """Where candidates come from. Every method raises SourceUnavailable."""

    name: str

    def search(self, name: str, limit: int) -> Sequence[str]:
        """Ids of entities that may be called `name`: those called exactly so first, each group by popularity."""

    def describe(self, ids: Sequence[str]) -> Mapping[str, Known]:
        """What is known of these; an id that the source does not have is left out."""
