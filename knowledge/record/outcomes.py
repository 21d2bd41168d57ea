"""What verdicts count where several editors have judged a statement in a post.

Each editor has one vote, the latest verdict. The majority decides, by its latest verdict. While as many editors accept
as reject, the statement is disputed: it is not in the graph as far as this post supports it, until another editor
decides or one of them takes the verdict back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import F

from knowledge.models import Review
from knowledge.ontology.review_states import UNREVIEWED, ReviewState
from knowledge.record import current

Outcome = Review.Outcome


def settle(posts: Iterable[int]) -> None:
    """Decide again for every statement that has a verdict in these posts.

    Inside a transaction that holds the posts' rows; the caller marks the graph updates.
    """
    groups: dict[tuple[int, int, str, int], list[Any]] = defaultdict(list)
    held = current.active_reviews().filter(post__in=list(posts)).order_by("pk")
    for given in current.with_ends(held.annotate(relation=F("statement__relation")), "statement__"):
        groups[given.post_id, given.head_now, given.relation, given.tail_now].append(given)
    changed: dict[Outcome, list[int]] = defaultdict(list)
    for group in groups.values():
        for given, outcome in zip(group, outcomes(group), strict=True):
            if given.outcome != outcome:
                changed[outcome].append(given.pk)
    # What decides last: a statement in a post has one deciding verdict at any time.
    for outcome in (Outcome.DISPUTED, Outcome.OVERRULED, Outcome.AGREES, Outcome.DECIDES):
        Review.objects.filter(pk__in=changed[outcome]).update(outcome=outcome)


def outcomes(group: Sequence[Review]) -> list[Outcome]:
    """The outcome of each of the active verdicts on one statement in one post, which are in the order of their ids."""
    votes = {given.by_id: given.verdict for given in group}
    accept = sum(verdict == Review.Verdict.ACCEPT for verdict in votes.values())
    if 2 * accept == len(votes):
        return [Outcome.DISPUTED] * len(group)
    winner = Review.Verdict.ACCEPT if 2 * accept > len(votes) else Review.Verdict.REJECT
    decides = max(given.pk for given in group if given.verdict == winner)
    return [
        Outcome.OVERRULED if given.verdict != winner else Outcome.DECIDES if given.pk == decides else Outcome.AGREES
        for given in group
    ]


def review_state(decisive: Review | None) -> ReviewState:
    """Of a statement in a post, by the verdict that decides there, or by any of those that are divided."""
    if decisive is None:
        return UNREVIEWED
    if decisive.outcome == Outcome.DISPUTED:
        return "disputed"
    if decisive.verdict == Review.Verdict.REJECT:
        return "rejected"
    return "corrected" if decisive.own else "accepted"
