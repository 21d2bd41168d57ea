"""The review state of statements of the graph, for the pages and the API that show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from knowledge.models import Review
from knowledge.ontology.review_states import UNREVIEWED, ReviewState
from knowledge.record.current import Edge
from knowledge.views.qualifiers import Ends, ends_of


@dataclass(frozen=True)
class ShownReview:
    """What editors have made of a statement: the strongest state of its posts, their names, and the latest day.

    `by_post`: the verdict that decides in each post, by the post's id.
    """

    state: ReviewState
    by: tuple[str, ...]
    at: datetime | None
    by_post: dict[int, Review]


NOT_REVIEWED = ShownReview(UNREVIEWED, (), None, {})


def reviews_of(edges: Iterable[Edge]) -> dict[Ends, ShownReview]:
    """Of each of these statements, by its ends."""
    chosen = list(edges)
    ids = [pk for edge in chosen for pk in edge.reviews]
    rows = Review.objects.select_related("by").in_bulk(ids) if ids else {}
    return {ends_of(edge): _shown([rows[pk] for pk in edge.reviews]) for edge in chosen}


def _shown(given: list[Review]) -> ShownReview:
    if not given:
        return NOT_REVIEWED
    state: ReviewState = "corrected" if any(one.own for one in given) else "accepted"
    by = sorted({one.by.get_username() if one.by else "a former account" for one in given})
    return ShownReview(state, tuple(by), max(one.at for one in given), {one.post_id: one for one in given})
