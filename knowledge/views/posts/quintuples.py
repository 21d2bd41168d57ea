"""The statements of a post: its assertions grouped by statement, their places, and editors' verdicts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from extraction.models import Post, PostVersion
from knowledge.models import Assertion, Entity, Review, Statement
from knowledge.record import current, thresholds
from knowledge.recording import reviews
from knowledge.views.posts.highlight import quoted

CHANGED = 0.01  # the smallest difference of scores that is shown


@dataclass(frozen=True)
class End:
    """A head or tail in the post: its words, the extracted type, and its present entity."""

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


@dataclass
class Quintuple:
    """One statement of a post. `score`: of its best assertion; None where only an accepting review supports it."""

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
    active: list[Quintuple] = field(default_factory=list)
    rejected: list[Quintuple] = field(default_factory=list)
    below_threshold: list[Quintuple] = field(default_factory=list)
    lost: list[Review] = field(default_factory=list)


def quintuples_of(post: Post, version: PostVersion | None) -> Quintuples:
    """The statements of a post, by state; each list starts with the highest confidence.

    The active reviews of the post must have been prefetched.
    """
    verdicts = {_triple_of(review.statement): review for review in post.reviews.all()}
    by_triple = {triple: _extracted(rows, version) for triple, rows in _by_triple(post).items()} if version else {}
    if any(quintuple.without_image is not None for quintuple in by_triple.values()):
        limits = thresholds.active()
        for quintuple in by_triple.values():
            quintuple.threshold = limits.get(quintuple.relation, limits[thresholds.DEFAULT])
    for triple, review in verdicts.items():
        if triple in by_triple:
            by_triple[triple].review = review
        elif review.verdict == Review.Verdict.ACCEPT and not review.lost and version:
            by_triple[triple] = _reviewed(review, version)
    result = Quintuples(lost=[review for triple, review in verdicts.items() if review.lost and triple not in by_triple])
    for quintuple in sorted(by_triple.values(), key=lambda q: -(1.0 if q.score is None else q.score)):
        if quintuple.review and quintuple.review.verdict == Review.Verdict.REJECT:
            result.rejected.append(quintuple)
        elif quintuple.active or (quintuple.review and not quintuple.review.lost):
            result.active.append(quintuple)
        else:
            result.below_threshold.append(quintuple)
    return result


Triple = tuple[int, str, int]


def _by_triple(post: Post) -> dict[Triple, list[Any]]:
    """The current reading's assertions by their present triple; those whose ends were merged into one are left out."""
    rows = Assertion.objects.filter(reading=post.current_reading_id).select_related(
        "statement", "head_mention__entity__canonical", "tail_mention__entity__canonical"
    )
    active = set(current.assertions().filter(reading=post.current_reading_id).values_list("pk", flat=True))
    by_triple: dict[Triple, list[Any]] = defaultdict(list)
    for row in current.with_ends(rows, "statement__").order_by("-score", "pk"):
        if row.head_now != row.tail_now:
            row.active = row.pk in active
            by_triple[row.head_now, row.relation, row.tail_now].append(row)
    return by_triple


def _extracted(rows: list[Any], version: PostVersion) -> Quintuple:
    best = rows[0]
    return Quintuple(
        statement=best.statement,
        head=_end(best.head_mention, version),
        tail=_end(best.tail_mention, version),
        relation=best.relation,
        score=best.score,
        active=any(row.active for row in rows),
        places=[_place(row, version) for row in rows],
        without_image=best.score_without_image,
    )


def _end(mention: Any, version: PostVersion) -> End:
    words = " ".join(version.text[mention.start : mention.end].split())
    return End(words, mention.type, mention.entity.canonical or mention.entity)


def _place(row: Any, version: PostVersion) -> ShownAssertion:
    ends = [(m.start, m.end) for m in (row.head_mention, row.tail_mention)]
    return ShownAssertion(row, row.head_mention_id, row.tail_mention_id, quoted(version.text, ends))


def _reviewed(review: Review, version: PostVersion) -> Quintuple:
    """A statement that no reading extracts any more but an acceptance supports: the text still contains its words."""
    accepted, statement = review.quintuple, review.statement
    head, tail = (end.canonical or end for end in (statement.head, statement.tail))
    return Quintuple(
        statement=statement,
        head=End(accepted["head"], accepted["head_type"], head),
        tail=End(accepted["tail"], accepted["tail_type"], tail),
        relation=statement.relation,
        score=None,
        active=True,
        review=review,
        quote=_reviewed_words(review, version),
    )


def _reviewed_words(review: Review, version: PostVersion) -> SafeString | None:
    starts = {end: reviews.find(version.text, quote) for end, quote in review.quotes.items()}
    ends = [(at, at + len(review.quotes[end]["exact"])) for end, at in starts.items() if at is not None]
    return quoted(version.text, ends) if len(ends) == 2 else None


def _triple_of(statement: Statement) -> Triple:
    head, tail = (end.canonical_id or end.pk for end in (statement.head, statement.tail))
    if statement.relation in current.SYMMETRIC and head > tail:
        head, tail = tail, head
    return head, statement.relation, tail
