"""The data and protocols of knowledge sources. No Django, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class SourceUnavailable(Exception):
    """The source did not answer, or not as it should; the message names it and what to do. Try again later."""


DBO = "dbo:"
WIKIDATA, DBPEDIA = "Wikidata", "DBpedia"  # for people


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact of a source: `property` is Wikidata's (P…), `value` another entity's id (Q…) or a literal.

    `source_property`: the source's own property where it is not Wikidata's (dbo:…).
    """

    property: str
    value: str
    label: str = ""
    source_property: str = ""


def source_of(source_property: str) -> str:
    """The source of a fact, by its `source_property`."""
    return DBPEDIA if source_property.startswith(DBO) else WIKIDATA


@dataclass(frozen=True, slots=True)
class Known:
    """An entry of a knowledge source. `id` is Wikidata's; `types` are keys of `labels.ENTITY_TYPES`, perhaps none.

    `popularity` only orders: how many Wikipedias have an article, or how many texts name it. `links` are
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
    """Details of a source on one entity. `categories` are names for people; `links` are addresses elsewhere."""

    facts: tuple[KnownFact, ...] = ()
    categories: tuple[str, ...] = ()
    abstract: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


class Encyclopedia(Protocol):
    """A source of details on linked entities."""

    name: str

    def about(self, target: str) -> EntityDetails:
        """Details on the entity with this Wikidata id; empty where it is not known. Raises SourceUnavailable."""


class Source(Protocol):
    """A source of candidates. Every method raises SourceUnavailable."""

    name: str

    def search(self, name: str, limit: int) -> Sequence[str]:
        """Ids of entities that may have the name `name`: exact matches first, each group by popularity."""

    def describe(self, ids: Sequence[str]) -> Mapping[str, Known]:
        """The entries with these ids; an id that the source does not have is left out."""
