"""What a post states: its assertions grouped to statements, an editor's verdicts, and where each stands."""

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

CHANGED = 0.01  # a difference of scores that is shown


@dataclass(frozen=True)
class End:
    """A head or tail as it stands in the post: the words, the type as read, and the entity that stands for it now."""

    words: str
    type: str
    entity: Entity


@dataclass(frozen=True)
class ShownAssertion:
    """Where a post says it. `head` and `tail` are ids of mentions, which the text carries as anchors."""

    assertion: Assertion
    head: int
    tail: int
    quote: SafeString


@dataclass
class Quintuple:
    """One statement of a post. `score` is the best place's; None where only an accepting review supports it."""

    statement: Statement
    head: End
    tail: End
    relation: str
    score: float | None
    counts: bool
    review: Review | None = None
    places: list[ShownAssertion] = field(default_factory=list)
    quote: SafeString | None = None
    """The judged words, where no reading says where they stand."""
    regions: list[Any] = field(default_factory=list)
    """The regions of pictures on which it rests, the weightiest first."""
    without_image: float | None = None
    threshold: float = 0.0
    echoes: list[Any] = field(default_factory=list)
    """The facts that the reader was shown and that it merely says again."""

    @property
    def picture(self) -> str:
        """What the picture did to it: "only" (it does not count without), "raised", "lowered"; "" for nothing."""
        if self.score is None or self.without_image is None or abs(self.score - self.without_image) < CHANGED:
            return ""
        if self.without_image < self.threshold <= self.score:
            return "only"
        return "raised" if self.score > self.without_image else "lowered"


@dataclass
class Quintuples:
    counted: list[Quintuple] = field(default_factory=list)
    rejected: list[Quintuple] = field(default_factory=list)
    unsure: list[Quintuple] = field(default_factory=list)
    lost: list[Review] = field(default_factory=list)


def quintuples_of(post: Post, version: PostVersion | None) -> Quintuples:
    """Of a post whose reviews in force have been fetched with it; each list has the surest first."""
    in_force = {_triple_of(given.statement): given for given in post.reviews.all()}
    found = {triple: _read(rows, version) for triple, rows in _by_triple(post).items()} if version else {}
    if any(quintuple.without_image is not None for quintuple in found.values()):
        limits = thresholds.active()
        for quintuple in found.values():
            quintuple.threshold = limits.get(quintuple.relation, limits[thresholds.DEFAULT])
    for triple, given in in_force.items():
        if triple in found:
            found[triple].review = given
        elif given.verdict == Review.Verdict.ACCEPT and not given.lost and version:
            found[triple] = _reviewed(given, version)
    result = Quintuples(lost=[given for triple, given in in_force.items() if given.lost and triple not in found])
    for quintuple in sorted(found.values(), key=lambda q: -(1.0 if q.score is None else q.score)):
        if quintuple.review and quintuple.review.verdict == Review.Verdict.REJECT:
            result.rejected.append(quintuple)
        elif quintuple.counts or (quintuple.review and not quintuple.review.lost):
            result.counted.append(quintuple)
        else:
            result.unsure.append(quintuple)
    return result


Triple = tuple[int, str, int]


def _by_triple(post: Post) -> dict[Triple, list[Any]]:
    """The current reading's assertions by what they say now; a statement whose ends have become one is left out."""
    rows = Assertion.objects.filter(reading=post.current_reading_id).select_related(
        "statement", "head_mention__entity__canonical", "tail_mention__entity__canonical"
    )
    counting = set(current.assertions().filter(reading=post.current_reading_id).values_list("pk", flat=True))
    by_triple: dict[Triple, list[Any]] = defaultdict(list)
    for row in current.with_ends(rows, "statement__").order_by("-score", "pk"):
        if row.head_now != row.tail_now:
            row.counting = row.pk in counting
            by_triple[row.head_now, row.relation, row.tail_now].append(row)
    return by_triple


def _read(rows: list[Any], version: PostVersion) -> Quintuple:
    best = rows[0]
    return Quintuple(
        statement=best.statement,
        head=_end(best.head_mention, version),
        tail=_end(best.tail_mention, version),
        relation=best.relation,
        score=best.score,
        counts=any(row.counting for row in rows),
        places=[_place(row, version) for row in rows],
        without_image=best.score_without_image,
    )


def _end(mention: Any, version: PostVersion) -> End:
    words = " ".join(version.text[mention.start : mention.end].split())
    return End(words, mention.type, mention.entity.canonical or mention.entity)


def _place(row: Any, version: PostVersion) -> ShownAssertion:
    ends = [(m.start, m.end) for m in (row.head_mention, row.tail_mention)]
    return ShownAssertion(row, row.head_mention_id, row.tail_mention_id, quoted(version.text, ends))


def _reviewed(given: Review, version: PostVersion) -> Quintuple:
    """A statement that no reading finds any more, and that an acceptance upholds: its words are still there."""
    said, statement = given.quintuple, given.statement
    head, tail = (end.canonical or end for end in (statement.head, statement.tail))
    return Quintuple(
        statement=statement,
        head=End(said["head"], said["head_type"], head),
        tail=End(said["tail"], said["tail_type"], tail),
        relation=statement.relation,
        score=None,
        counts=True,
        review=given,
        quote=_judged_words(given, version),
    )


def _judged_words(given: Review, version: PostVersion) -> SafeString | None:
    starts = {end: reviews.find(version.text, quote) for end, quote in given.quotes.items()}
    ends = [(at, at + len(given.quotes[end]["exact"])) for end, at in starts.items() if at is not None]
    return quoted(version.text, ends) if len(ends) == 2 else None


def _triple_of(statement: Statement) -> Triple:
    head, tail = (end.canonical_id or end.pk for end in (statement.head, statement.tail))
    if statement.relation in current.SYMMETRIC and head > tail:
        head, tail = tail, head
    return head, statement.relation, tail
