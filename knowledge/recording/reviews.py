"""Editors' verdicts on statements in posts, and how a verdict follows a post through its edits.

A verdict refers to a post and a statement. It holds for every reading of the post that yields that statement, by any
row after merges. It keeps the words that were reviewed: head and tail, with the text around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from extraction.models import Post
from knowledge.entities import auto_merge
from knowledge.models import Assertion, Entity, Mention, Review, Statement
from knowledge.record import audit_log, current, projection_queue
from knowledge.recording.row_plan import ALSO_CALLED

AROUND = 32  # code points kept before and after the exact words
Quote = dict[str, str]


class NothingToReview(ValueError):
    """No assertion of the post's current reading makes that statement."""


def review(post: Post, statement: Statement, verdict: Review.Verdict | str, by: audit_log.Who) -> Review:
    """Activate a verdict; an earlier one on the same triple in the same post is withdrawn.

    Accepting that an entity is also known as another merges the two. Raises NothingToReview where no assertion of the
    post's current reading makes the statement, at any score.
    """
    with transaction.atomic():
        locked = Post.objects.select_for_update(no_key=True).get(pk=post.pk)
        assertion = _judged(locked, statement)
        former = list(_same(locked, statement))
        for earlier in former:
            _withdraw(earlier)
        created = Review.objects.create(
            post=locked,
            statement=statement,
            verdict=Review.Verdict(verdict),
            factuality=assertion.factuality,
            quintuple=_quintuple(assertion),
            quotes=_quotes(assertion),
            by_id=by.pk if by else None,
        )
        _mark(locked, [created, *former])
        subject = f"{locked.public_id} {statement.public_id}"
        audit_log.note(by, "review", subject, [earlier.verdict for earlier in former], created.verdict)
        accepted = created.verdict == Review.Verdict.ACCEPT and created.factuality == "stated"
        if accepted and statement.relation == ALSO_CALLED:
            auto_merge.by_accepted_alias(statement, by)
    return created


def withdraw_review(given: Review, by: audit_log.Who) -> None:
    """Undo a verdict; one that is withdrawn already stays as it is."""
    with transaction.atomic():
        post = Post.objects.select_for_update(no_key=True).get(pk=given.post_id)
        if not _withdraw(given):
            return
        _mark(post, [given])
        subject = f"{post.public_id} {given.statement.public_id}"
        audit_log.note(by, "review withdrawn", subject, given.verdict, None)


def follow(texts: Mapping[int, str]) -> set[int]:
    """Find the reviewed words of posts' reviews in their new texts, by the posts' ids, and return the ids of the
    statements that the reviews are about.

    Inside a transaction that holds the posts' rows; the caller marks the units.
    """
    held = list(current.active_reviews().filter(post__in=texts))
    for given in held:
        lost = any(find(texts[given.post_id], quote) is None for quote in given.quotes.values())
        if lost != given.lost:
            Review.objects.filter(pk=given.pk).update(lost=lost)
    return {given.statement_id for given in held}


def find(text: str, quote: Quote) -> int | None:
    """The offset of the quote's exact words in a text, at the place whose surroundings are most like the quote's.

    None where the words are gone, or stand only amid other words: at least half of what the quote has around them,
    and no more than 16 code points of it, must touch them unchanged.
    """
    exact, before, after = quote["exact"], quote["prefix"], quote["suffix"]
    needed = min(AROUND // 2, (len(before) + len(after)) // 2)
    best, place = -1, text.find(exact)
    found = None
    while place >= 0:
        alike = _alike(before[::-1], text[max(0, place - AROUND) : place][::-1])
        alike += _alike(after, text[place + len(exact) : place + len(exact) + AROUND])
        if alike > best:
            best, found = alike, place
        place = text.find(exact, place + 1)
    return found if best >= needed else None


def quote_of(text: str, start: int, end: int) -> Quote:
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return {"exact": text[start:end], "prefix": before, "suffix": after}


def _alike(left: str, right: str) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _judged(post: Post, statement: Statement) -> Assertion:
    """The best assertion of the statement's triple in the post's current reading, one that denies it only where all
    do; the threshold does not matter."""
    ends = current.with_ends(Statement.objects.filter(pk=statement.pk)).get()
    read = Assertion.objects.filter(reading=post.current_reading_id, relation=statement.relation)
    same = current.with_ends(read, "statement__").filter(head_now=ends.head_now, tail_now=ends.tail_now)
    same = same.annotate(denied=Q(factuality=current.DENIED)).order_by("denied", "-score", "pk")
    chosen: Assertion | None = same.select_related("reading__version", "head_mention", "tail_mention").first()
    if chosen is None:
        raise NothingToReview("This statement is no longer in the post: the post was analysed again. Reload the page.")
    return chosen


def _same(post: Post, statement: Statement) -> QuerySet[Review]:
    ends = current.with_ends(Statement.objects.filter(pk=statement.pk)).get()
    held = current.active_reviews().filter(post=post, statement__relation=statement.relation)
    same: QuerySet[Any] = current.with_ends(held, "statement__")
    return same.filter(head_now=ends.head_now, tail_now=ends.tail_now)


def _withdraw(given: Review) -> bool:
    changed = Review.objects.filter(pk=given.pk, withdrawn_at__isnull=True).update(withdrawn_at=timezone.now())
    return bool(changed)


def _mark(post: Post, touched: list[Review]) -> None:
    """Mark the post, every row of the triple, and its ends: an accepting review alone can support an entity."""
    judged = Statement.objects.filter(pk__in=[given.statement_id for given in touched])
    relations = set(judged.values_list("relation", flat=True))
    read = Q(assertions__reading=post.current_reading_id, relation__in=relations)
    ends = Q(pk__in=judged.values("head")) | Q(pk__in=judged.values("tail"))
    projection_queue.mark(projection_queue.Kind.POST, [post.public_id])
    projection_queue.mark_rows(
        projection_queue.Kind.STATEMENT, Statement.objects.filter(Q(pk__in=judged.values("pk")) | read)
    )
    projection_queue.mark_rows(
        projection_queue.Kind.ENTITY, projection_queue.with_survivors(Entity.objects.filter(ends))
    )


def _quintuple(assertion: Assertion) -> dict[str, Any]:
    text = assertion.reading.version.text
    head, tail = assertion.head_mention, assertion.tail_mention
    return {
        "head": text[head.start : head.end],
        "head_type": head.type,
        "tail": text[tail.start : tail.end],
        "tail_type": tail.type,
        "relation": assertion.relation,
    }


def _quotes(assertion: Assertion) -> dict[str, Quote]:
    text = assertion.reading.version.text
    ends: dict[str, Mention] = {"head": assertion.head_mention, "tail": assertion.tail_mention}
    return {name: quote_of(text, mention.start, mention.end) for name, mention in ends.items()}
