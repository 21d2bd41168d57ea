"""The review queue: the statements of posts that no editor has judged, by what a verdict on them is worth.

The worth is the uncertainty of the confidence times what hangs on the statement: whether it could harm somebody, how
much its entities are linked, whether it contradicts others, and how rarely its relation was reviewed. To rank every
assertion would take long where there are millions: the least certain are taken by an index, of all relations and of the
sensitive ones, and ranked. Statements on which editors are divided come first, for those who have not judged them.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from extraction.labels import RELATIONS
from extraction.models import Post
from knowledge.models import Assertion, Review, ReviewHold, ReviewSkip, Statement
from knowledge.ontology import values
from knowledge.record import current

HELD = timedelta(minutes=10)
SKIPPED = timedelta(days=1)
AT_ONCE = 150  # rows on either side of even odds, of all relations and of the sensitive ones
LEAST_UNCERTAINTY = 0.1  # also of what is certain: a harmful statement at 99 % is worth a look
RARE = 20  # verdicts on a relation below which each tells much
MUCH_LINKED = 50
DIVIDED = "editors are divided on it"
SENSITIVE = tuple(sorted(key for key, kind in RELATIONS.items() if kind.sensitive))
# Relations with one value at most: two different ones contradict each other.
SINGLE = ("father", "mother", "date_of_birth", "date_of_death", "place_of_birth", "place_of_death", "capital")


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which statements an editor wants: of a feed, by its id; of a relation; about an entity, by its id."""

    feed: int | None = None
    relation: str = ""
    entity: int | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A statement of a post that is worth a verdict, with the reasons in words for the editor."""

    post: int
    statement: int
    worth: float
    reasons: tuple[str, ...]


def offers(editor: int, wanted: QueueFilter = QueueFilter()) -> list[Offer]:  # frozen
    """What the queue has for an editor, the most worthwhile first; not all of it."""
    rows = {(row.post, row.statement_id): row for row in _candidates(editor, wanted)}
    ranked = sorted(_ranked(list(rows.values())), key=lambda one: (-one.worth, one.post, one.statement))
    return [*_disputed(editor, wanted), *ranked]


def reasons(post: int, statement: int) -> tuple[str, ...]:
    """Why a verdict on this statement of this post is worth something."""
    rows = _open(QueueFilter()).filter(reading__current_of=post, statement=statement)
    best = rows.select_related("statement__head", "statement__tail").order_by("-score").first()
    if best is not None:
        return next(_ranked([best])).reasons
    divided = current.active_reviews().filter(post=post, statement=statement, outcome=Review.Outcome.DISPUTED)
    return (DIVIDED,) if divided.exists() else ()


def waiting(wanted: QueueFilter = QueueFilter()) -> int:
    """How many assertions wait for a verdict."""
    return _open(wanted).count()


def take(editor: int, wanted: QueueFilter = QueueFilter()) -> Offer | None:
    """Hold the next statement for an editor, who gives up the one held before; None where there is nothing."""
    release(editor)
    return next((one for one in offers(editor, wanted) if hold(editor, one.post, one.statement)), None)


def hold(editor: int, post: int, statement: int) -> bool:
    """Hold one statement, unless another editor looks at it."""
    now = timezone.now()
    held = ReviewHold.objects.filter(post=post, statement=statement)
    if held.filter(Q(by=editor) | Q(until__lt=now)).update(by=editor, until=now + HELD):
        return True
    try:
        with transaction.atomic():
            ReviewHold.objects.create(post_id=post, statement_id=statement, by_id=editor, until=now + HELD)
    except IntegrityError:
        return False
    return True


def held_by(editor: int) -> ReviewHold | None:
    """What an editor looks at: also after the time is over, while nobody else took it."""
    rows = ReviewHold.objects.filter(by=editor).select_related("post__current_reading__version", "statement")
    return rows.order_by("-until").first()


def release(editor: int) -> None:
    ReviewHold.objects.filter(by=editor).delete()


def skip(editor: int, post: int, statement: int) -> None:
    """Offer a statement to other editors first."""
    now = {"at": timezone.now()}
    ReviewSkip.objects.update_or_create(post_id=post, statement_id=statement, by_id=editor, defaults=now)


def _open(wanted: QueueFilter) -> QuerySet[Any]:
    """The assertions of live posts on whose statement no editor has a verdict there, with `post`."""
    rows = current.with_ends(Assertion.objects.filter(reading__current_of__state=Post.State.LIVE), "statement__")
    rows = current.of_entities(rows)
    judged = current.active_reviews().filter(post=OuterRef("reading__current_of"), statement=OuterRef("statement"))
    free = _wanted(rows.exclude(Exists(judged)), wanted, "reading__current_of__sightings__feed")
    result: QuerySet[Any] = free.annotate(post=F("reading__current_of"))
    return result


def _wanted(rows: QuerySet[Any], wanted: QueueFilter, feed: str) -> QuerySet[Any]:
    if wanted.feed is not None:
        rows = rows.filter(**{feed: wanted.feed})
    if wanted.relation:
        rows = rows.filter(statement__relation=wanted.relation)
    if wanted.entity is not None:
        members = list(current.members([wanted.entity]))
        rows = rows.filter(Q(statement__head__in=members) | Q(statement__tail__in=members))
    return rows


def _candidates(editor: int, wanted: QueueFilter) -> Iterator[Any]:
    """The least certain assertions: from even odds upwards and downwards, also of the sensitive relations alone."""
    others = ReviewHold.objects.filter(post=OuterRef("reading__current_of"), statement=OuterRef("statement"))
    skipped = ReviewSkip.objects.filter(
        post=OuterRef("reading__current_of"),
        statement=OuterRef("statement"),
        by=editor,
        at__gt=timezone.now() - SKIPPED,
    )
    free = _open(wanted).exclude(Exists(others.filter(until__gte=timezone.now()).exclude(by=editor)))
    free = free.exclude(Exists(skipped)).select_related("statement__head", "statement__tail")
    for rows in (free, free.filter(relation__in=SENSITIVE)):
        for found in (
            rows.filter(score__gte=0.5).order_by("score", "pk")[:AT_ONCE],
            rows.filter(score__lt=0.5).order_by("-score", "pk")[:AT_ONCE],
        ):
            for row in found:
                ends = (row.statement.head.type, row.statement.tail.type)
                if values.is_shown(row.relation, *ends) and row.statement.head_id != row.statement.tail_id:
                    yield row


def _ranked(rows: Sequence[Any]) -> Iterator[Offer]:
    links, reviewed, contested = _links(rows), _reviewed(), _contested(rows)
    for row in rows:
        stakes, reasons = 1.0, []
        if RELATIONS[row.relation].sensitive:
            stakes += 2
            reasons.append("could harm somebody if it is wrong")
        if row.statement_id in contested:
            stakes += 1
            reasons.append("contradicts another statement")
        linked = max(links[row.statement.head_id], links[row.statement.tail_id])
        stakes += min(1.0, math.log2(1 + linked) / 8)
        if linked >= MUCH_LINKED:
            reasons.append("about a much-linked entity")
        if reviewed[row.relation] < RARE:
            stakes += 0.5
            reasons.append("its relation was rarely reviewed")
        uncertainty = max(4 * row.score * (1 - row.score), LEAST_UNCERTAINTY)
        if uncertainty > 0.75:
            reasons.append("the reader is uncertain")
        yield Offer(row.post, row.statement_id, uncertainty * stakes, tuple(reasons))


def _links(rows: Sequence[Any]) -> Counter[int]:
    """The number of statements of each end."""
    ends = {end for row in rows for end in (row.statement.head_id, row.statement.tail_id)}
    found: Counter[int] = Counter()
    for end in ("head", "tail"):
        counted = Statement.objects.filter(**{f"{end}__in": ends}).values_list(end).annotate(n=Count("pk")).order_by()
        found.update(dict(counted))
    return found


def _reviewed() -> Counter[str]:
    counted = current.active_reviews().values_list("statement__relation").annotate(n=Count("pk")).order_by()
    return Counter(dict(counted))


def _contested(rows: Iterable[Any]) -> set[int]:
    """The statements of relations with one value whose head has another supported one."""
    single = {(row.statement.head_id, row.relation) for row in rows if row.relation in SINGLE}
    heads = {head for head, _ in single}
    others = Statement.objects.filter(head__in=heads, relation__in=SINGLE)
    by_head: dict[tuple[int, str], set[int]] = defaultdict(set)
    found = list(others.values_list("pk", "head", "relation", "tail"))
    supported = current.supported_among(pk for pk, *_ in found)
    for pk, head, relation, tail in found:
        if pk in supported:
            by_head[head, relation].add(tail)
    return {pk for pk, head, relation, tail in found if by_head[head, relation] - {tail}}


def _disputed(editor: int, wanted: QueueFilter) -> Iterator[Offer]:
    disputed = current.active_reviews().filter(outcome=Review.Outcome.DISPUTED, post__state=Post.State.LIVE)
    own = current.active_reviews().filter(post=OuterRef("post"), statement=OuterRef("statement"), by=editor)
    rows = _wanted(disputed.exclude(Exists(own)), wanted, "post__sightings__feed").order_by("post", "statement")
    skipped = ReviewSkip.objects.filter(
        post=OuterRef("post"), statement=OuterRef("statement"), by=editor, at__gt=timezone.now() - SKIPPED
    )
    for post, statement in rows.exclude(Exists(skipped)).values_list("post", "statement").distinct():
        yield Offer(post, statement, math.inf, (DIVIDED,))
