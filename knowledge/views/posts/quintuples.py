"""The statements of a post: its assertions grouped by statement, their places, and editors' verdicts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from extraction.labels import RELATIONS
from extraction.models import Post, PostVersion
from extraction.schema import Factuality
from knowledge.models import Assertion, Entity, Review, Statement
from knowledge.ontology.review_states import ReviewState
from knowledge.record import current, thresholds
from knowledge.record.outcomes import review_state
from knowledge.recording import quotes
from knowledge.views.posts.highlight import quoted
from knowledge.views.qualifiers import CLAIMANT, ShownQualifiers, qualifiers_of, reviewed_qualifiers, shown_value

CHANGED = 0.01  # the smallest difference of scores that is shown


@dataclass(frozen=True)
class End:
    """A head or tail in the post: its words, the extracted type, and its present entity.

    Of a pronoun or nominal the entity's name stands for the words; of a time the days that it means are with them.
    """

    words: str
    type: str
    entity: Entity


@dataclass(frozen=True)
class ShownAssertion:
    """One place of a statement. `head` and `tail` are ids of mentions, which are anchors in the text."""

    assertion: Assertion
    head: int
    tail: int
    quote: SafeString
    qualifiers: ShownQualifiers


@dataclass
class Quintuple:
    """One statement of a post, or a denial of one. `score`: of its best assertion; None where only an accepting review
    supports it."""

    statement: Statement
    head: End
    tail: End
    relation: str
    score: float | None
    active: bool
    review: Review | None = None
    places: list[ShownAssertion] = field(default_factory=list)
    quote: SafeString | None = None
    """The reviewed words, where no reading has their place."""
    regions: list[Any] = field(default_factory=list)
    """The picture regions that are its evidence, the highest weight first."""
    without_image: float | None = None
    threshold: float = 0.0
    repeated_facts: list[Any] = field(default_factory=list)
    """The facts that the reader was shown and that it only repeats."""
    factuality: Factuality = "stated"
    reviewable: bool = True
    """False for a denial of what the post also asserts: a verdict then is about the assertion."""
    verdicts: list[Review] = field(default_factory=list)
    """The active verdicts of all editors; `review` is the one that decides, or the latest of a dispute."""

    @property
    def places_by_qualifiers(self) -> list[tuple[ShownQualifiers, list[ShownAssertion]]]:
        """The places that say the same of it together, so that a claimant and a time are written once."""
        groups: dict[ShownQualifiers, list[ShownAssertion]] = {}
        for place in self.places:
            groups.setdefault(place.qualifiers, []).append(place)
        return list(groups.items())

    @property
    def disputed(self) -> bool:
        return bool(self.review and self.review.outcome == Review.Outcome.DISPUTED)

    @property
    def held(self) -> bool:
        """Whether it is out of the graph until an editor decides, because it could harm somebody."""
        return RELATIONS[self.relation].sensitive and not self.active and self.review is None

    @property
    def review_state(self) -> ReviewState:
        return review_state(self.review)

    @property
    def qualifiers(self) -> ShownQualifiers:
        """Those of the editor's own claim, which has no assertion."""
        return reviewed_qualifiers(self.review) if self.review else ShownQualifiers()

    @property
    def picture(self) -> str:
        """The effect of the picture: "only" (inactive without it), "raised", "lowered"; "" for none."""
        if self.score is None or self.without_image is None or abs(self.score - self.without_image) < CHANGED:
            return ""
        if self.without_image < self.threshold <= self.score:
            return "only"
        return "raised" if self.score > self.without_image else "lowered"


@dataclass
class Quintuples:
    """The statements of a post by state; `denied`: what its text says is not so, which is evidence against them."""

    active: list[Quintuple] = field(default_factory=list)
    rejected: list[Quintuple] = field(default_factory=list)
    disputed: list[Quintuple] = field(default_factory=list)
    below_threshold: list[Quintuple] = field(default_factory=list)
    denied: list[Quintuple] = field(default_factory=list)
    lost: list[Review] = field(default_factory=list)

    @property
    def every(self) -> list[Quintuple]:
        return [*self.active, *self.disputed, *self.rejected, *self.below_threshold, *self.denied]


def quintuples_of(post: Post, version: PostVersion | None) -> Quintuples:
    """The statements of a post, by state; each list starts with the highest confidence.

    The active reviews of the post must have been prefetched.
    """
    by_cell = {cell: _extracted(rows, version) for cell, rows in _by_cell(post).items()} if version else {}
    if any(quintuple.without_image is not None for quintuple in by_cell.values()):
        limits = thresholds.active()
        for quintuple in by_cell.values():
            quintuple.threshold = limits.get(quintuple.relation, limits[thresholds.DEFAULT])
    result = Quintuples()
    for verdicts in _by_triple(post).values():
        if not _join(by_cell, verdicts, version):
            result.lost += [one for one in verdicts if one.lost]
    for (*triple, denied), quintuple in by_cell.items():
        quintuple.reviewable = not denied or (*triple, False) not in by_cell
    for quintuple in sorted(by_cell.values(), key=lambda q: -(1.0 if q.score is None else q.score)):
        _list_of(quintuple, result).append(quintuple)
    return result


def _by_triple(post: Post) -> dict[Cell, list[Review]]:
    groups: dict[Cell, list[Review]] = defaultdict(list)
    for review in sorted(post.reviews.all(), key=lambda one: one.pk):
        groups[(*_cell_of(review)[:3], False)].append(review)
    return groups


def _join(by_cell: dict[Cell, Quintuple], verdicts: list[Review], version: PostVersion | None) -> bool:
    """Add the verdicts on one triple to what is shown of it; False where nothing is shown of it."""
    decisive = next((one for one in verdicts if one.outcome == Review.Outcome.DECIDES), verdicts[-1])
    cell = _cell_of(decisive)
    supports = decisive.verdict == Review.Verdict.ACCEPT and not decisive.lost and version is not None
    if decisive.own and supports and decisive.outcome != Review.Outcome.DISPUTED:
        # In the place of what was extracted, whether that is denied or not.
        for denied in (True, False):
            by_cell.pop((*cell[:3], denied), None)
    if cell not in by_cell and version is not None and (supports or _claimed(verdicts)):
        by_cell[cell] = _reviewed(next((one for one in (decisive, *verdicts) if not one.lost), decisive), version)
    if cell not in by_cell:
        return False
    by_cell[cell].review, by_cell[cell].verdicts = decisive, verdicts
    return True


def _claimed(verdicts: list[Review]) -> bool:
    """Whether an editor's claim stands among verdicts, with its words in the text: it is shown, also if overruled."""
    return any(one.verdict == Review.Verdict.ACCEPT and one.own and not one.lost for one in verdicts)


def _list_of(quintuple: Quintuple, result: Quintuples) -> list[Quintuple]:
    if quintuple.disputed:
        return result.disputed
    if quintuple.review and quintuple.review.verdict == Review.Verdict.REJECT:
        return result.rejected
    if not quintuple.active and not (quintuple.review and not quintuple.review.lost):
        return result.below_threshold
    return result.denied if quintuple.factuality == current.DENIED else result.active


Cell = tuple[int, str, int, bool]
"""A triple, and whether it is denied: a post may assert a statement in one sentence and deny it in another."""


def _by_cell(post: Post) -> dict[Cell, list[Any]]:
    """The current reading's assertions by their present triple; those whose ends were merged into one are left out."""
    rows = Assertion.objects.filter(reading=post.current_reading_id).select_related(
        "statement", "head_mention__entity__canonical", "tail_mention__entity__canonical", CLAIMANT
    )
    active = {
        pk
        for support in (current.assertions(), current.denials())
        for pk in support.filter(reading=post.current_reading_id).values_list("pk", flat=True)
    }
    by_cell: dict[Cell, list[Any]] = defaultdict(list)
    for row in current.with_ends(rows, "statement__").order_by("-score", "pk"):
        if row.head_now != row.tail_now and not _of_removed(row):
            row.active = row.pk in active
            by_cell[row.head_now, row.relation, row.tail_now, row.factuality == current.DENIED].append(row)
    return by_cell


def _of_removed(row: Any) -> bool:
    """Whether an editor has marked that one of its ends is no entity."""
    ends = (row.head_mention.entity, row.tail_mention.entity)
    return any((entity.canonical or entity).removed for entity in ends)


def _extracted(rows: list[Any], version: PostVersion) -> Quintuple:
    best, active = rows[0], [row for row in rows if row.active]
    return Quintuple(
        statement=best.statement,
        head=_end(best.head_mention, version),
        tail=_end(best.tail_mention, version),
        relation=best.relation,
        score=best.score,
        active=bool(active),
        places=[_place(row, version) for row in rows],
        without_image=best.score_without_image,
        factuality=current.strongest(row.factuality for row in active or rows),
    )


def _end(mention: Any, version: PostVersion) -> End:
    entity = mention.entity.canonical or mention.entity
    words = " ".join(version.text[mention.start : mention.end].split())
    named = shown_value(words, entity) if mention.form == "name" else entity.label
    return End(named, mention.type, entity)


def _place(row: Any, version: PostVersion) -> ShownAssertion:
    ends = [(m.start, m.end) for m in (row.head_mention, row.tail_mention)]
    quote = quoted(version.text, ends)
    return ShownAssertion(row, row.head_mention_id, row.tail_mention_id, quote, qualifiers_of(row))


def _reviewed(review: Review, version: PostVersion) -> Quintuple:
    """A statement that no reading extracts any more but an acceptance supports: the text still contains its words."""
    accepted, statement = review.quintuple, review.statement
    head, tail = (end.canonical or end for end in _as_stated(review))
    return Quintuple(
        statement=statement,
        head=End(accepted["head"], accepted["head_type"], head),
        tail=End(accepted["tail"], accepted["tail_type"], tail),
        relation=statement.relation,
        score=None,
        active=True,
        review=review,
        factuality=review.factuality,  # type: ignore[arg-type]
        quote=_reviewed_words(review, version),
    )


def _as_stated(review: Review) -> tuple[Entity, Entity]:
    """Head and tail in the order of the text; the row of a symmetric relation has its ends ordered by id."""
    head, tail = review.statement.head, review.statement.tail
    flipped = review.statement.relation in current.SYMMETRIC and review.quotes["head"].get("entity") == tail.pk
    return (tail, head) if flipped else (head, tail)


def _reviewed_words(review: Review, version: PostVersion) -> SafeString | None:
    starts = {end: quotes.find(version.text, quote) for end, quote in review.quotes.items()}
    ends = [(at, at + len(review.quotes[end]["exact"])) for end, at in starts.items() if at is not None]
    return quoted(version.text, ends) if len(ends) == 2 else None


def _cell_of(review: Review) -> Cell:
    statement = review.statement
    head, tail = (end.canonical_id or end.pk for end in (statement.head, statement.tail))
    if statement.relation in current.SYMMETRIC and head > tail:
        head, tail = tail, head
    return head, statement.relation, tail, review.factuality == current.DENIED
