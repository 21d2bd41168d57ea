"""The posts that support a triple now, with their scores: for the stores that show them with the triple."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Value
from django.db.models.functions import Coalesce

from extraction.schema import FACTUALITIES, Factuality
from knowledge.graphs.units import AmountContent, ReviewContent, TimeContent, TripleSupport
from knowledge.ontology.review_states import ReviewState
from knowledge.record import current

Ends = tuple[int, str, int]
MOST_ROWS, TOGETHER = 20_000, 500
Best = dict[UUID, float | None]


def rows_of_triples(forms: Collection[Ends], members: Mapping[int, int]) -> list[int] | None:
    """The statement rows of these triples now, whichever of their ends' merged entities they name; None where there
    are too many to list.

    Each by its three columns, which one index has: a query by either end alone would read all statements of an entity
    with very many, again for each chunk of its graph updates.
    """
    under: dict[int, list[int]] = defaultdict(list)
    for member, survivor in members.items():
        under[survivor].append(member)
    triples: set[Ends] = set()
    for head, relation, tail in forms:
        triples |= {(h, relation, t) for h in under[head] for t in under[tail]}
        if len(triples) > MOST_ROWS:
            return None
    triples |= {(t, relation, h) for h, relation, t in triples if relation in current.SYMMETRIC}
    ordered, found = sorted(triples), list[int]()
    for start in range(0, len(ordered), TOGETHER):
        some = ordered[start : start + TOGETHER]
        values = ", ".join(["(%s, %s, %s)"] * len(some))
        with connection.cursor() as cursor:
            sql = f"SELECT id FROM knowledge_statement WHERE (head_id, relation, tail_id) IN (VALUES {values})"  # noqa: S608
            cursor.execute(sql, [part for triple in some for part in triple])
            found += [row[0] for row in cursor.fetchall()]
    return found


def of(forms: Collection[Ends], only: Collection[int] | None = None) -> dict[Ends, TripleSupport]:
    """The support of these triples, by ids of entities, where they have any; `only`: the statement rows to search."""
    if not forms:
        return {}
    wanted = set(forms)
    rows: dict[str, Iterable[Any]] = {"statement__in": only or ()}
    if only is None:
        heads = current.members(end for head, _, tail in wanted for end in (head, tail))
        relations = {relation for _, relation, _ in wanted}
        rows = {"statement__head__in": heads, "statement__tail__in": heads, "statement__relation__in": relations}
    found: dict[Ends, _Found] = defaultdict(_Found)
    active = current.assertions().filter(**rows).order_by("pk")
    for head, relation, tail, *columns in active.values_list(*_COLUMNS):
        ends = (head, relation, tail)
        if ends in wanted:
            found[ends].add(_AssertionRow(*columns))
    upheld = current.accepting().filter(**rows).order_by()
    for head, relation, tail, own, by, at, *columns in upheld.values_list(*_OF_REVIEW):
        ends = (head, relation, tail)
        if ends in wanted:
            found[ends].accept(_AssertionRow(*columns), own)
            found[ends].reviewed(own, by, at)
    return {ends: one.support() for ends, one in found.items()}


@dataclass(frozen=True, slots=True)
class _AssertionRow:
    """What one active assertion adds to the support of its triple, in the order of `_COLUMNS`."""

    post: UUID
    score: float
    factuality: Factuality
    claimant: UUID | None
    when_words: str
    when_earliest: date | None
    when_latest: date | None
    amount_words: str
    amount_value: float | None
    amount_unit: str

    def rank(self) -> tuple[int, float]:
        return FACTUALITIES.index(self.factuality), -self.score


@dataclass(slots=True)
class _Found:
    """The support of a triple, as it is found."""

    posts: Best = field(default_factory=dict)
    accepted: bool = False
    claimants: set[UUID] = field(default_factory=set)
    corrected: bool = False
    reviewers: set[str] = field(default_factory=set)
    reviewed_at: datetime | None = None
    dated: _AssertionRow | None = None
    counted: _AssertionRow | None = None

    def add(self, assertion: _AssertionRow) -> None:
        self.posts[assertion.post] = max(assertion.score, self.posts.get(assertion.post) or 0.0)
        self._qualify(assertion)

    def _qualify(self, assertion: _AssertionRow) -> None:
        if assertion.claimant:
            self.claimants.add(assertion.claimant)
        if assertion.when_words and (self.dated is None or assertion.rank() < self.dated.rank()):
            self.dated = assertion
        if assertion.amount_words and (self.counted is None or assertion.rank() < self.counted.rank()):
            self.counted = assertion

    def accept(self, claim: _AssertionRow, own: bool) -> None:
        """`own`: the claim is the editor's, so that its qualifiers are this post's."""
        self.accepted = True
        self.posts.setdefault(claim.post, None)
        if own:
            self._qualify(claim)

    def reviewed(self, own: bool, by: str | None, at: datetime) -> None:
        self.corrected |= own
        self.reviewers |= {by} if by else set()
        self.reviewed_at = max(at, self.reviewed_at or at)

    def review(self) -> ReviewContent:
        """Corrected where any post's claim is an editor's own."""
        if not self.accepted:
            return ReviewContent()
        state: ReviewState = "corrected" if self.corrected else "accepted"
        return ReviewContent(state, tuple(sorted(self.reviewers)), self.reviewed_at)

    def support(self) -> TripleSupport:
        posts, when, sum_ = sorted(self.posts), self.dated, self.counted
        return TripleSupport(
            tuple(posts),
            tuple(self.posts[post] for post in posts),
            self.accepted,
            tuple(sorted(self.claimants)),
            TimeContent(when.when_words, when.when_earliest, when.when_latest) if when else TimeContent(),
            AmountContent(sum_.amount_words, sum_.amount_value, sum_.amount_unit) if sum_ else AmountContent(),
            self.review(),
        )


_CLAIMANT = Coalesce("claimant__entity__canonical__public_id", "claimant__entity__public_id")
_COLUMNS: tuple[Any, ...] = ("head_now", "statement__relation", "tail_now", "reading__version__post__public_id")
_COLUMNS += ("score", "factuality", _CLAIMANT, "when_words", "when_earliest", "when_latest")
_COLUMNS += ("amount_words", "amount_value", "amount_unit")
_OF_REVIEW: tuple[Any, ...] = ("head_now", "statement__relation", "tail_now", "own")
_OF_REVIEW += ("by__username", "at", "post__public_id")
_OF_REVIEW += (Value(1.0), "factuality", Coalesce("claimant__canonical__public_id", "claimant__public_id"))
_OF_REVIEW += _COLUMNS[7:]
