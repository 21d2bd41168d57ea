"""Editors' verdicts on statements in posts, their corrections, and how both follow a post through its edits.

A verdict refers to a post and a statement. It holds for every reading of the post that yields that statement, by any
row after merges. It keeps the words that were reviewed: head and tail, with the text around them. A correction is an
accepting verdict with the editor's own claim; where that is another statement, with a rejecting one on what was
extracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from extraction.models import Post
from knowledge.entities import auto_merge
from knowledge.models import Entity, Mention, Review, Statement
from knowledge.record import audit_log, current, outcomes, projection_queue
from knowledge.recording import claims, verdict_ends
from knowledge.recording.claims import Change, Claim
from knowledge.recording.quotes import find
from knowledge.recording.row_plan import ALSO_CALLED
from knowledge.recording.statement_rows import statements_of

Verdict = Review.Verdict


def review(post: Post, statement: Statement, verdict: Verdict | str, by: audit_log.Who, note: str = "") -> Review:
    """Activate a verdict; the editor's earlier one on the same triple in the same post is withdrawn.

    Accepting that an entity is also known as another merges the two. Raises NothingToReview where neither an assertion
    of the post's current reading, at any score, nor an editor makes the statement.
    """
    with transaction.atomic():
        locked = _locked(post)
        claim = claims.judged(locked, statement)
        created, former = _give(locked, statement, Verdict(verdict), claim, by, note)
        _settle(locked, [created, *former])
        was = [earlier.verdict for earlier in former]
        audit_log.note(by, "review", _subject(created), was, created.verdict)
        _merge_aliases(created, by)
    return created


def correct(post: Post, statement: Statement, change: Change, by: audit_log.Who, note: str = "") -> Review:
    """Replace a statement of the post by the editor's own claim; the accepting verdict on that. Raises NothingToReview
    and ImpossibleClaim."""
    with transaction.atomic():
        locked = _locked(post)
        claim = claims.judged(locked, statement)
        made = claims.changed(claim, change, _text(locked))
        return _state(locked, made, by, note, instead_of=(statement, claim))


def add(post: Post, ends: tuple[Mention, Mention], change: Change, by: audit_log.Who, note: str = "") -> Review:
    """State between two mentions of the current reading what was not extracted; `change` has its relation and its
    qualifiers. Raises ImpossibleClaim."""
    with transaction.atomic():
        locked = _locked(post)
        text = _text(locked)
        head, tail = (claims.end_of(mention, text) for mention in ends)
        claim = Claim(head, change.relation or "", tail)
        return _state(locked, claims.changed(claim, change, text), by, note)


def withdraw_review(given: Review, by: audit_log.Who) -> None:
    """Undo a verdict, and the other one of the same correction: the editor's verdicts that they replaced are active
    again. One that is withdrawn already stays as it is."""
    with transaction.atomic():
        post = _locked(given.post)
        both = [one for one in (given, given.replaces, getattr(given, "replaced_by", None)) if one]
        withdrawn = [_withdraw(one) for one in both]
        if not any(withdrawn):
            return
        restored = [earlier for one in both for earlier in _restored(one)]
        moved = verdict_ends.settle([post.pk]) if restored else set()
        _settle(post, [*both, *restored], moved)
        again = [one.verdict for one in restored] or None
        audit_log.note(by, "review withdrawn", _subject(given), given.verdict, again)


def follow(texts: Mapping[int, str]) -> set[int]:
    """Find the reviewed words of posts' reviews in their new texts, by the posts' ids, and return the ids of the
    statements that the reviews are about, before and after.

    Inside a transaction that holds the posts' rows; the caller marks the units.
    """
    held = list(current.active_reviews().filter(post__in=texts))
    for given in held:
        _find_words(given, texts[given.post_id])
    own = {given.post_id for given in held if given.own}
    moved = verdict_ends.settle(own)
    outcomes.settle(own)
    return {given.statement_id for given in held} | moved


def _locked(post: Post) -> Post:
    return Post.objects.select_for_update(no_key=True).get(pk=post.pk)


def _text(post: Post) -> str:
    return post.current_reading.version.text if post.current_reading else ""


def _subject(given: Review) -> str:
    return f"{given.post.public_id} {given.statement.public_id}"


def _give(
    post: Post, statement: Statement, verdict: Verdict, claim: Claim, by: audit_log.Who, note: str
) -> tuple[Review, list[Review]]:
    """Create a verdict in the place of the editor's earlier ones on the triple, which are returned too."""
    who = by.pk if by else None
    former = [one for one in claims.same_triple(post, statement) if one.by_id == who]
    for earlier in former:
        _withdraw(earlier)
    columns = claim.columns()
    if verdict == Verdict.REJECT:
        columns["own"] = False
    # Until `outcomes` has decided, it decides nothing: another editor's verdict may.
    state = {"verdict": verdict, "outcome": Review.Outcome.AGREES, "note": note, "by_id": who}
    superseded = [one.pk for one in former]
    created = Review.objects.create(post=post, statement=statement, **state, **columns, superseded=superseded)
    return created, former


def _state(
    post: Post,
    claim: Claim,
    by: audit_log.Who,
    note: str,
    instead_of: tuple[Statement, Claim] | None = None,
) -> Review:
    """Accept the editor's own claim; reject what it stands for, where that is another statement."""
    [row] = statements_of([(claim.head.now, claim.relation, claim.tail.now)])
    statement = Statement.objects.get(pk=row)
    touched: list[Review] = []
    rejected: Review | None = None
    if instead_of is not None and not _same_ends(instead_of[0], statement):
        rejected, former = _give(post, instead_of[0], Verdict.REJECT, instead_of[1], by, note)
        touched += [rejected, *former]
    created, former = _give(post, statement, Verdict.ACCEPT, claim, by, note)
    # Editors who agree later accept the same claim; these words are of the one who made it.
    created.quintuple["act"] = "corrected" if instead_of else "added"
    created.replaces = rejected
    created.save(update_fields=["quintuple", "replaces"])
    _settle(post, [created, *former, *touched])
    was = str(instead_of[0].public_id) if instead_of else None
    given = [claim.relation, claim.factuality, claim.when_earliest and claim.when_earliest.isoformat()]
    audit_log.note(by, "correction" if instead_of else "statement added", _subject(created), was, given)
    _merge_aliases(created, by)
    return created


def _same_ends(one: Statement, other: Statement) -> bool:
    rows = current.with_ends(Statement.objects.filter(pk__in=[one.pk, other.pk]))
    return len(set(rows.values_list("head_now", "relation", "tail_now"))) == 1


def _merge_aliases(given: Review, by: audit_log.Who) -> None:
    accepted = given.verdict == Verdict.ACCEPT and given.factuality == "stated"
    if accepted and given.statement.relation == ALSO_CALLED:
        auto_merge.by_accepted_alias(given.statement, by)


def _withdraw(given: Review) -> bool:
    changed = Review.objects.filter(pk=given.pk, withdrawn_at__isnull=True).update(withdrawn_at=timezone.now())
    return bool(changed)


def _restored(given: Review) -> Sequence[Review]:
    """Activate the verdicts that this one replaced, unless the editor has given another since."""
    earlier = list(Review.objects.filter(pk__in=given.superseded).select_related("statement", "post"))
    restored = []
    for one in earlier:
        if not any(other.by_id == one.by_id for other in claims.same_triple(one.post, one.statement)):
            state = {"withdrawn_at": None, "outcome": Review.Outcome.AGREES}
            Review.objects.filter(pk=one.pk).update(**state)
            _find_words(one, _text(one.post))
            restored.append(one)
    return restored


def _find_words(given: Review, text: str) -> None:
    lost = any(find(text, quote) is None for quote in given.quotes.values())
    if lost != given.lost:
        Review.objects.filter(pk=given.pk).update(lost=lost)


def _settle(post: Post, touched: Iterable[Review], moved: Iterable[int] = ()) -> None:
    """Decide again what counts in the post, and mark what that changes."""
    outcomes.settle([post.pk])
    _mark(post, {given.statement_id for given in touched} | set(moved))


def _mark(post: Post, statements: set[int]) -> None:
    """Mark the post, every row of the triples, and their ends: an accepting review alone can support an entity."""
    judged = Statement.objects.filter(pk__in=statements)
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
