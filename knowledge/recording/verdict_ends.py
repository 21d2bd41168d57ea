"""Which statement a verdict is on, as the entities of a post's words change by splits, corrections and readings.

An editor's own claim follows the words of its ends. A verdict on what was extracted follows the assertions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from knowledge.entities import partings
from knowledge.models import Assertion, Entity, Mention, Review, Statement
from knowledge.record import current
from knowledge.recording.quotes import find
from knowledge.recording.statement_rows import statements_of

Spans = Mapping[tuple[int, int], int]
PartingsByPost = Mapping[int, Mapping[int, int]]


def settle(posts: Iterable[int]) -> set[int]:
    """Move the active verdicts in these posts to the statements that they are on now; the ids of statements touched.

    Inside a transaction that holds the posts' rows; the caller marks the graph updates and decides outcomes again.
    """
    ids = set(posts)
    parted = partings.of_posts(ids)
    return _follow_assertions(ids, parted) | _follow_words(ids, parted)


def _follow_words(posts: set[int], parted: PartingsByPost) -> set[int]:
    """Own claims: to the statements between the entities that their words mean."""
    held = current.active_reviews().filter(post__in=posts, own=True).order_by("pk")
    rows = list(held.select_related("statement", "post__current_reading__version"))
    spans = _spans({given.post_id for given in rows})
    touched: set[int] = set()
    for given in rows:
        ends = [_meant_by_words(given, end, spans, parted) for end in ("head", "tail")]
        if ends[0] != ends[1]:
            [statement] = statements_of([(ends[0], given.statement.relation, ends[1])])
            touched |= _move([given], statement)
    return touched


def entities_of(statements: Iterable[int]) -> set[int]:
    """The ends of these statements."""
    pairs = Statement.objects.filter(pk__in=list(statements)).values_list("head", "tail")
    return {end for pair in pairs for end in pair}


def _move(given: Sequence[Review], statement: int) -> set[int]:
    """Put the verdicts on one statement on another, unless one of their editors has judged that too."""
    was = given[0].statement_id
    held = Review.objects.filter(post=given[0].post_id, statement=statement, withdrawn_at__isnull=True)
    if was == statement or held.filter(by__in=[one.by_id for one in given if one.by_id]).exists():
        return set()
    # What they decide there is not known yet, and only one may.
    moved = Review.objects.filter(pk__in=[one.pk for one in given])
    moved.update(statement=statement, outcome=Review.Outcome.AGREES)
    return {was, statement}


def _spans(posts: Iterable[int]) -> Mapping[int, Spans]:
    """Of each post the entity of the mention at each place of its current reading."""
    found: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
    rows = Mention.objects.filter(reading__current_of__in=list(posts)).order_by("score", "pk")
    for post, start, end, entity in rows.values_list("reading__current_of", "start", "end", "entity"):
        found[post][start, end] = entity
    return found


def _meant_by_words(given: Review, end: str, spans: Mapping[int, Spans], parted: PartingsByPost) -> int:
    """The entity of the mention at the place of the words, else the one that they led to, through splits."""
    quote: dict[str, Any] = given.quotes[end]
    reading = given.post.current_reading
    place = find(reading.version.text, quote) if reading else None
    if place is not None:
        entity = spans.get(given.post_id, {}).get((place, place + len(quote["exact"])))
        if entity is not None:
            return entity
    # The entity may have been erased since, with the posts that mentioned it; the statement keeps its ends.
    known = Entity.objects.filter(pk=quote["entity"]).exists()
    now = partings.follow(parted[given.post_id], int(quote["entity"]))
    return now if known else int(getattr(given.statement, f"{end}_id"))


def _follow_assertions(posts: set[int], parted: PartingsByPost) -> set[int]:
    """Where no assertion of the post makes a verdict's statement any more, and one makes it with the entities that are
    meant now, the verdicts are on that statement."""
    asserted = Assertion.everything.filter(reading__version__post__in=posts).order_by()
    by_post: dict[int, set[int]] = defaultdict(set)
    for post, statement in asserted.values_list("reading__version__post", "statement").distinct():
        by_post[post].add(statement)
    groups: dict[tuple[int, int], list[Review]] = defaultdict(list)
    held = current.active_reviews().filter(post__in=posts, own=False).order_by("pk")
    for given in held.select_related("statement"):
        if given.statement_id not in by_post[given.post_id]:
            groups[given.post_id, given.statement_id].append(given)
    by_id = Statement.objects.in_bulk({pk for post, _ in groups for pk in by_post[post]})
    touched: set[int] = set()
    for (post, _), group in groups.items():
        meant = _meant(group[0], [by_id[pk] for pk in sorted(by_post[post])], parted[post])
        touched |= _move(group, meant) if meant is not None else set()
    return touched


def _meant(review: Review, stated: Sequence[Statement], parted: Mapping[int, int]) -> int | None:
    """The one statement of the post that differs from the review's only by entities of a split, active or undone."""
    was = review.statement
    alike = [one.pk for one in stated if one.relation == was.relation and _one_end(one, was)]
    followed = (partings.follow(parted, was.head_id), partings.follow(parted, was.tail_id))
    exact = [one.pk for one in stated if one.relation == was.relation and (one.head_id, one.tail_id) == followed]
    found = exact or alike
    return found[0] if len(found) == 1 else None


def _one_end(one: Statement, was: Statement) -> bool:
    return bool({one.head_id, one.tail_id} & {was.head_id, was.tail_id})
