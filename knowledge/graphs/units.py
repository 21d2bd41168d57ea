"""The data that a graph store is given, and the protocol of a store. Units are graph updates as data: a store knows
nothing of the tables.

Each unit is replaced whole, in one transaction of the store, so that no query sees half of one; a unit without content
is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from extraction.schema import Factuality
from knowledge.ontology.review_states import UNREVIEWED, ReviewState
from knowledge.ontology.values import Value


class StoreUnavailable(Exception):
    """The store did not answer, or could not: everything waits. The message names the store and what to do."""


class StoreRefused(Exception):
    """The store does not accept this unit; others may continue."""


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class KnownContent:
    """The sources' data on an entity, which is `target` in Wikidata. `facts`: property (P…), value (another entity's
    id, or words), the value's name, "" where it is not known, and the property of another source than Wikidata (dbo:…).
    """

    target: str
    description: str = ""
    abstract: str = ""
    categories: tuple[str, ...] = ()
    facts: tuple[tuple[str, str, str, str], ...] = ()
    sources: tuple[str, ...] = ("Wikidata",)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of a triple with the facts of `source` on `target`, one of its ends: Wikidata's id or an address.

    `standing`: known, or conflict where the source has `value` instead, an entity's id or words, called `name`.
    """

    standing: str
    source: str
    target: str
    value: str
    name: str


@dataclass(frozen=True, slots=True)
class EntityContent:
    """An entity as the graph shows it: with its names, or, once merged, as a pointer to its survivor.

    `same`: its addresses in Wikidata and DBpedia. `known`: the data of these sources. `values`: the values that
    statements give it.
    """

    label: str
    type: str
    names: tuple[Name, ...] = ()
    survivor: UUID | None = None
    same: tuple[str, ...] = ()
    known: KnownContent | None = None
    values: tuple[StatedValue, ...] = ()
    description: str = ""  # an editor's


@dataclass(frozen=True, slots=True, order=True)
class StatedValue:
    """A time or a number that a relation gives an entity; `factuality`: its strongest support."""

    relation: str
    factuality: Factuality
    value: Value


@dataclass(frozen=True, slots=True, order=True)
class Triple:
    """A statement between entities that stand for themselves; once for a symmetric relation, in either order."""

    head: UUID
    relation: str
    tail: UUID


@dataclass(frozen=True, slots=True)
class EvidenceSpan:
    """The place of a mention, in code points of the version's text, and the type that was read there."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class RegionContent:
    """A region of the post's picture of that number: x, y, width, height as shares of the upright picture, and its
    class."""

    image: int
    box: tuple[float, float, float, float]
    label: str


@dataclass(frozen=True, slots=True)
class DepictionContent:
    """The claim that a region shows an entity that stands for itself. `text` is the mention's place."""

    key: UUID
    entity: UUID
    region: RegionContent
    score: float
    text: EvidenceSpan
    accepted: bool = False
    grounded: bool = False


@dataclass(frozen=True, slots=True)
class TimeContent:
    """The time of an assertion: its words, and the days that they may mean; None where that side is not known."""

    words: str = ""
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True, slots=True)
class AmountContent:
    """The sum of an assertion: its words, the number, and its unit; None where the words could not be resolved."""

    words: str = ""
    value: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ReviewContent:
    """What editors have made of an assertion or a triple: by whom, and when the latest verdict was given."""

    state: ReviewState = UNREVIEWED
    by: tuple[str, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AssertionContent:
    """One assertion, or an accepting review's own support (no score, spans perhaps unknown). Ends as read.

    `value`: what the tail stands for, where that is no thing. `claimant`: the entity that claims what is alleged.
    """

    key: UUID
    triple: Triple
    score: float | None = None
    head: EvidenceSpan | None = None
    tail: EvidenceSpan | None = None
    accepted: bool = False
    without_image: float | None = None
    echo: bool = False  # a repeated fact: its reader was shown the very same fact
    regions: tuple[RegionContent, ...] = ()
    value: Value | None = None
    factuality: Factuality = "stated"
    claimant: UUID | None = None
    when: TimeContent = TimeContent()
    amount: AmountContent = AmountContent()
    review: ReviewContent = ReviewContent()


@dataclass(frozen=True, slots=True)
class PostContent:
    """A live post: its address, its time of publication, and its current reading with the checkpoint."""

    link: str
    title: str
    language: str
    published_at: datetime
    version: int
    checkpoint: str
    read_at: datetime | None
    assertions: tuple[AssertionContent, ...] = ()
    mentions: tuple[UUID, ...] = ()
    publisher: str = ""
    depictions: tuple[DepictionContent, ...] = ()


@dataclass(frozen=True, slots=True)
class PostUnit:
    key: UUID
    content: PostContent | None


@dataclass(frozen=True, slots=True)
class EntityUnit:
    key: UUID
    content: EntityContent | None


@dataclass(frozen=True, slots=True)
class TripleSupport:
    """The posts that support a triple now, with the best score of each; None where only an editor's review does.

    `claimants`: the entities that claim it. `when` and `amount` are those of the best assertion that has any: the
    strongest, then the surest.
    """

    posts: tuple[UUID, ...] = ()
    scores: tuple[float | None, ...] = ()
    accepted: bool = False
    claimants: tuple[UUID, ...] = ()
    when: TimeContent = TimeContent()
    amount: AmountContent = AmountContent()
    review: ReviewContent = ReviewContent()


@dataclass(frozen=True, slots=True)
class StatementUnit:
    """`present`: the triples in the graph now; `gone`: the triples that this statement may have been before merges.

    `support`, of each of `present`, is set only for a store that shows it. `compared`, likewise of each: None for one
    that is extracted only; empty where all are. `factualities`: of each its strongest support; empty where all are
    stated. `values`: of each what its tail stands for, None for a thing; empty where all are. A triple with a value is
    no edge of a graph but shown with its head, and is among `gone` too.
    """

    key: UUID
    present: tuple[Triple, ...]
    gone: tuple[Triple, ...]
    support: tuple[TripleSupport, ...] = ()
    compared: tuple[Comparison | None, ...] = ()
    factualities: tuple[Factuality, ...] = ()
    values: tuple[Value | None, ...] = ()

    def factuality(self, place: int) -> Factuality:
        return self.factualities[place] if self.factualities else "stated"

    def value(self, place: int) -> Value | None:
        return self.values[place] if self.values else None

    @property
    def edges(self) -> tuple[tuple[Triple, Factuality], ...]:
        """Its triples between things, with their strongest support."""
        every = enumerate(self.present)
        return tuple((triple, self.factuality(place)) for place, triple in every if self.value(place) is None)

    @property
    def comparisons(self) -> tuple[tuple[Triple, Comparison, Value | None], ...]:
        """Its triples that are known to a source or in conflict with one, with the comparison and the tail's value."""
        every = enumerate(zip(self.present, self.compared, strict=False))
        return tuple((triple, one, self.value(place)) for place, (triple, one) in every if one)


Unit = PostUnit | EntityUnit | StatementUnit


class Store(Protocol):
    """A graph store. Both methods raise StoreUnavailable; `replace` raises StoreRefused for a unit it cannot take.

    `fence` grows with each projector that takes its turn; a store that can recognises an earlier one's late request by
    it, and refuses that. `shows_support`: it needs `StatementUnit.support`.
    """

    fence: int
    shows_support: bool

    def identity(self) -> str:
        """The identity that the store keeps; "" for one that is new or was wiped."""

    def set_identity(self, identity: str) -> None:
        """Store this identity from now on."""

    def replace(self, units: Sequence[Unit]) -> None:
        """Write these units, all or none."""

    def clear(self, earlier_base: str = "") -> None:
        """Delete everything that this product wrote, also under an earlier BASE_IRI."""
