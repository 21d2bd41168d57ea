"""Depictions: in the pictures of a post, on the page of an entity, and editors' verdicts on them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from extraction.models import Post, PostImage
from kgbuilder.celery import ring_projectors
from knowledge.models import Depiction, DepictionReview
from knowledge.record import depictions
from knowledge.record.depictions import ReviewedDepiction
from knowledge.views.access import REVIEW, page
from knowledge.views.posts.images import ShownPicture, picture_of, region_of

MOST_FRAMES = 12


@dataclass(frozen=True)
class ShownDepiction:
    """A depiction in a picture of the post: the region's key on the page and the mention's anchor."""

    reviewed: ReviewedDepiction
    key: str
    label: str
    mention: int


@dataclass(frozen=True)
class Frame:
    """A picture that shows the entity, with the region in per cent of its size, for drawing at any scale."""

    reviewed: ReviewedDepiction
    post: Post
    image: PostImage
    x: float
    y: float
    width: float
    height: float


def add_depicted(post: Post, pictures: Sequence[ShownPicture]) -> None:
    """Add to each picture its depictions: active or reviewed ones, and apart from these those below the threshold.

    An entity is listed once a region, by its mention with the highest confidence; a verdict holds for all of them. A
    region that a later detector no longer finds is added to the picture.
    """
    listed = set[tuple[int, str, int]]()
    for one in depictions.of_posts([post.pk]).get(post.pk, []):
        row = one.depiction
        shown = picture_of({"picture": row.picture, "image": row.image}, pictures)
        if shown is not None and shown.image.width:
            region = region_of(shown, {"box": row.box, "class": row.label, "score": row.score})
            if (this := (shown.image.pk, region.key, one.entity.pk)) not in listed:
                listed.add(this)
                group = shown.depicted if one.counts or one.review else shown.possibly_depicted
                group.append(ShownDepiction(one, region.key, region.name, row.mention_id))


def frames(members: Iterable[int]) -> list[Frame]:
    """The pictures that show an entity or one merged into it; the newest posts first, each picture once."""
    shown = depictions.of_entities(list(members))
    posts = {one.depiction.reading.version.post_id: one.depiction.reading.version.post for one in shown}
    images = PostImage.objects.filter(post__in=posts).exclude(sha256="").order_by("position", "pk")
    by_post: dict[int, list[PostImage]] = {pk: [] for pk in posts}
    for each in images:
        by_post[each.post_id].append(each)
    frames: dict[int, Frame] = {}
    for one in shown:
        row, post = one.depiction, one.depiction.reading.version.post
        pictures = by_post[post.pk]
        if row.picture:
            chosen = [image for image in pictures if image.sha256 == row.picture][:1]
        else:
            chosen = pictures[row.image : row.image + 1]
        if chosen and chosen[0].pk not in frames and len(frames) < MOST_FRAMES:
            image = chosen[0]
            frames[image.pk] = Frame(one, post, image, *(round(100 * side, 2) for side in row.box))
    return list(frames.values())


@page(REVIEW)
@require_POST
def judge(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Record or undo an editor's verdict on a depiction."""
    post = get_object_or_404(Post, public_id=public_id, state=Post.State.LIVE)
    rows = Depiction.objects.filter(reading__version__post=post)
    row = get_object_or_404(rows, public_id=_uuid(request.POST.get("depiction", "")))
    verdict = request.POST.get("verdict", "")
    try:
        message = _apply(row, verdict, request)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, message)
        ring_projectors()
    return redirect(f"{reverse('post', args=[public_id])}#d-{row.public_id}")


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def _apply(row: Depiction, verdict: str, request: HttpRequest) -> str:
    if verdict == "withdraw":
        depictions.withdraw(row, request.user)
        return "The verdict was undone. The confidence decides again."
    if verdict not in DepictionReview.Verdict.values:
        raise ValueError("A verdict is accept, reject or withdraw.")
    depictions.review(row, verdict, request.user)
    if verdict == DepictionReview.Verdict.ACCEPT:
        return "Accepted."
    return "Rejected: the region no longer depicts the entity."
