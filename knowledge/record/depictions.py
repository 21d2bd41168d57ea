"""The depictions of live posts, which of them are active, and editors' verdicts on them.

A depiction is active when its reading is its post's current one, the post is live, and a network's score reaches the
active threshold of `depicts` or an editor has confirmed it; never where an editor rejects it. One that is grounded, by
an entity's type and a region's class alone, is only a suggestion, which an editor makes active: that a region shows a
person says nothing about which. A verdict refers to a post, an entity and a region of a picture: it holds for every
reading that joins the entity (as merges stand) to mostly that region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from extraction.models import Post
from knowledge.models import Depiction, DepictionReview, Entity
from knowledge.record import audit_log, projection_queue, thresholds

SAME = 0.5  # overlap from which two boxes are one region of a picture
Box = Sequence[float]


class NothingToJudge(ValueError):
    """The post's current reading does not hold that depiction."""


@dataclass(frozen=True, slots=True)
class ReviewedDepiction:
    """A depiction, the entity that stands for its mention's entity now, and the active verdict on it."""

    depiction: Depiction
    entity: Entity
    review: DepictionReview | None
    counts: bool


def of_posts(ids: Collection[int]) -> dict[int, list[ReviewedDepiction]]:
    """By post id, the depictions of its current reading, the most confident first, including those not active."""
    found: dict[int, list[ReviewedDepiction]] = defaultdict(list)
    for one in _judged(_of_live_posts().filter(reading__current_of__in=ids)):
        found[one.depiction.reading.version.post_id].append(one)
    return found


def of_entities(members: Collection[int], most: int = 200) -> list[ReviewedDepiction]:
    """The active depictions of these entities, the newest posts first; at most `most` are examined."""
    rows = _of_live_posts().filter(mention__entity__in=members)
    newest = rows.order_by("-reading__version__post__published_at", "-score", "pk")[:most]
    return [one for one in _judged(newest) if one.counts]


def review(given: Depiction, verdict: DepictionReview.Verdict | str, by: audit_log.Who) -> DepictionReview:
    """Activate a verdict; an earlier one on the same region and entity is withdrawn. Raises NothingToJudge."""
    with transaction.atomic():
        post, one = _held(given)
        _withdraw(one, post)
        created = DepictionReview.objects.create(
            post=post,
            entity=one.entity,
            picture=given.picture,
            image=given.image,
            box=given.box,
            verdict=DepictionReview.Verdict(verdict),
            by_id=by.pk if by else None,
        )
        _mark(post, one, by, created.verdict)
    return created


def withdraw(given: Depiction, by: audit_log.Who) -> None:
    """Undo the verdict on a depiction; where there is none, nothing happens. Raises NothingToJudge."""
    with transaction.atomic():
        post, one = _held(given)
        if _withdraw(one, post):
            _mark(post, one, by, None)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(wide, 0.0) * max(high, 0.0)
    both = one[2] * one[3] + other[2] * other[3] - common
    return common / both if both > 0 else float(list(one) == list(other))


def _of_live_posts() -> QuerySet[Depiction]:
    live = Depiction.objects.filter(reading__current_of__state=Post.State.LIVE, mention__removed_by__isnull=True)
    return live.select_related("mention__entity__canonical", "reading__version__post").order_by("-score", "pk")


def _judged(rows: Iterable[Depiction]) -> list[ReviewedDepiction]:
    found = list(rows)
    if not found:
        return []
    posts = {row.reading.version.post_id for row in found}
    held: dict[int, list[DepictionReview]] = defaultdict(list)
    for given in _active_reviews(posts).select_related("entity", "by"):
        held[given.post_id].append(given)
    threshold = thresholds.of(thresholds.active(), thresholds.DEPICTS)
    reviewed = []
    for row in found:
        entity = row.mention.entity.canonical or row.mention.entity
        about = next((one for one in held[row.reading.version.post_id] if _is_about(one, row, entity)), None)
        accepted = about is not None and about.verdict == DepictionReview.Verdict.ACCEPT
        compared = about is None and not row.grounded and row.score >= threshold
        reviewed.append(ReviewedDepiction(row, entity, about, accepted or compared))
    return reviewed


def _active_reviews(posts: Collection[int]) -> QuerySet[DepictionReview]:
    return DepictionReview.objects.filter(post__in=posts, withdrawn_at__isnull=True).order_by("-pk")


def _is_about(given: DepictionReview, row: Depiction, entity: Entity) -> bool:
    same = given.picture == row.picture if given.picture or row.picture else given.image == row.image
    stands = given.entity.canonical_id or given.entity_id
    return same and stands == entity.pk and overlap(given.box, row.box) >= SAME


def _held(given: Depiction) -> tuple[Post, ReviewedDepiction]:
    """The post, locked, and the depiction as it stands in its current reading."""
    post = Post.objects.select_for_update(no_key=True).filter(current_reading=given.reading_id).first()
    if post is None:
        raise NothingToJudge("This depiction no longer exists: the post was analysed again. Reload the page.")
    one = next(iter(_judged(_of_live_posts().filter(pk=given.pk))), None)
    if one is None:
        raise NothingToJudge("This post was withdrawn, so its pictures cannot be reviewed.")
    return post, one


def _withdraw(one: ReviewedDepiction, post: Post) -> bool:
    if one.review is None:
        return False
    ids = [given.pk for given in _active_reviews([post.pk]).select_related("entity") if _same(given, one)]
    return bool(DepictionReview.objects.filter(pk__in=ids).update(withdrawn_at=timezone.now()))


def _same(given: DepictionReview, one: ReviewedDepiction) -> bool:
    return _is_about(given, one.depiction, one.entity)


def _mark(post: Post, one: ReviewedDepiction, by: audit_log.Who, verdict: str | None) -> None:
    projection_queue.mark(projection_queue.Kind.POST, [post.public_id])
    before = one.review.verdict if one.review else None
    audit_log.note(by, "depiction judged", f"{post.public_id} {one.entity.public_id}", before, verdict)
