"""Who is shown where: in a post's pictures, on an entity's page as the pictures of it; and editors' verdicts."""

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
    """Somebody in a picture of the post: the region's key on the page and the mention's anchor."""

    judged: ReviewedDepiction
    key: str
    label: str
    mention: int


@dataclass(frozen=True)
class Frame:
    """A picture that shows the entity, with the part in shares of a hundred, for drawing over any size of it."""

    judged: ReviewedDepiction
    post: Post
    image: PostImage
    x: float
    y: float
    width: float
    height: float


def add_depicted(post: Post, pictures: Sequence[ShownPicture]) -> None:
    """Gives each picture whom it shows, each once in a region by the surest of its mentions (a verdict is on all of
    them), and apart from these whom it might show. A region that is in no list any more is drawn."""
    told = set[tuple[int, str, int]]()
    for one in depictions.of_posts([post.pk]).get(post.pk, []):
        row = one.depiction
        shown = picture_of({"picture": row.picture, "image": row.image}, pictures)
        if shown is not None and shown.image.width:
            region = region_of(shown, {"box": row.box, "class": row.label, "score": row.score})
            if (this := (shown.image.pk, region.key, one.entity.pk)) not in told:
                told.add(this)
                of_its_kind = shown.depicted if one.counts or one.review else shown.perhaps
                of_its_kind.append(ShownDepiction(one, region.key, region.name, row.mention_id))


def frames(members: Iterable[int]) -> list[Frame]:
    """The pictures that show an entity, or what was merged into it; the newest posts first, each picture once."""
    found = depictions.of_entities(list(members))
    posts = {one.depiction.reading.version.post_id: one.depiction.reading.version.post for one in found}
    images = PostImage.objects.filter(post__in=posts).exclude(sha256="").order_by("position", "pk")
    kept: dict[int, list[PostImage]] = {pk: [] for pk in posts}
    for each in images:
        kept[each.post_id].append(each)
    made: dict[int, Frame] = {}
    for one in found:
        row, post = one.depiction, one.depiction.reading.version.post
        there = kept[post.pk]
        if row.picture:
            chosen = [image for image in there if image.sha256 == row.picture][:1]
        else:
            chosen = there[row.image : row.image + 1]
        if chosen and chosen[0].pk not in made and len(made) < MOST_FRAMES:
            image = chosen[0]
            made[image.pk] = Frame(one, post, image, *(round(100 * side, 2) for side in row.box))
    return list(made.values())


@page(REVIEW)
@require_POST
def judge(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """An editor's verdict on who is shown in a part of a post's picture, or the end of one."""
    found = get_object_or_404(Post, public_id=public_id, state=Post.State.LIVE)
    rows = Depiction.objects.filter(reading__version__post=found)
    row = get_object_or_404(rows, public_id=_uuid(request.POST.get("depiction", "")))
    verdict = request.POST.get("verdict", "")
    try:
        said = _apply(row, verdict, request)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
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
