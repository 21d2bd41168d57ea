"""The page of a post: its text with the mentions marked, pictures, statements, and editors' verdicts."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.files.storage import default_storage
from django.db.models import Prefetch, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from extraction.labels import ENTITY_TYPES
from extraction.models import Post, PostImage, PostVersion, Reading, Sighting
from extraction.posts import feed_settings
from extraction.readings import reading_requests
from kgbuilder.celery import ring, ring_projectors
from knowledge.models import Mention, MentionCorrection, Review, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import audit_log, current
from knowledge.recording import reviews
from knowledge.recording.claims import same_triple
from knowledge.views.access import READ, RETRY, REVIEW, page
from knowledge.views.posts import attention, depictions, facts, highlight, images
from knowledge.views.posts.progress import deployed, missing_sentences, progress_of
from knowledge.views.posts.quintuples import quintuples_of
from knowledge.views.qualifiers import value_meaning

PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif")


@page(READ)
def post(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    post = get_object_or_404(with_parts(), public_id=public_id)
    if post.state == Post.State.ERASED:
        return render(request, "posts/erased.html", {"post": post}, status=410)
    # The analysed version, not the last fetched one: an edit's statements are shown once it has been analysed.
    version = post.current_reading.version if post.current_reading else post.current_version
    mentions = _mentions(post.current_reading)
    quintuples = quintuples_of(post, version)
    pictures = images.shown_pictures(post)
    depictions.add_depicted(post, pictures)
    images.join(quintuples.every, pictures)
    images.add_heats(post, version, mentions, pictures)
    grids = images.grids_of(post, pictures)
    facts.join(quintuples.every)
    context = {
        "post": post,
        "version": version,
        "progress": progress_of(post, deployed()),
        "missing": missing_sentences(post.current_reading.missing) if post.current_reading else [],
        "unfetched": _unfetched(post, version),
        "pictures": pictures,
        "matrices": [attention.matrix(grid, version.text) for grid in grids] if version else [],
        "pairings": images.pairings(quintuples.every, pictures, grids),
        "facts": facts.shown_facts(post.current_reading),
        "sightings": list(post.sightings.all()),
        "history": list(post.versions.prefetch_related("readings__checkpoint").defer("text").order_by("-ordinal")),
        "quintuples": quintuples,
        "corrections": _corrections(post),
        "types": _types(mentions),
        "duplicates": _duplicates(post, version),
        **_text(version, mentions),
    }
    return render(request, "posts/detail.html", context)


def with_parts() -> QuerySet[Post]:
    active = Review.objects.filter(withdrawn_at__isnull=True).select_related(
        "by", "statement__head__canonical", "statement__tail__canonical", "claimant__canonical", "replaced_by"
    )
    return Post.objects.select_related("current_version", "current_reading__version").prefetch_related(
        Prefetch("images", PostImage.objects.order_by("position", "id")),
        Prefetch("sightings", Sighting.objects.select_related("feed").order_by("first_seen", "id")),
        Prefetch("current_version__readings", Reading.objects.select_related("checkpoint").order_by("id")),
        Prefetch("reviews", active),
    )


def _mentions(reading: Reading | None) -> list[Mention]:
    if reading is None:
        return []
    return list(reading.mentions.select_related("entity__canonical").order_by("start", "end", "id"))


def _text(version: PostVersion | None, mentions: list[Mention]) -> dict[str, object]:
    """The title and the paragraphs, with the offsets of these, as HTML with the mentions marked."""
    if version is None:
        return {"title": "", "paragraphs": []}
    spans = [_span(mention) for mention in mentions]
    parts = highlight.paragraphs(version.text, version.title_end)
    marked = highlight.marked_parts(version.text, parts, spans)
    return {
        "title": highlight.marked(version.text, 0, version.title_end, spans),
        "paragraphs": list(zip((start for start, _ in parts), marked, strict=True)),
    }


def _span(mention: Mention) -> highlight.MarkedMention:
    entity = mention.entity.canonical or mention.entity
    is_value = mention.type in VALUE_TYPES
    return highlight.MarkedMention(
        id=mention.pk,
        start=mention.start,
        end=mention.end,
        type=mention.type,
        address="" if is_value else reverse("entity", args=[entity.public_id]),
        label=value_meaning(entity) if is_value else entity.label,
        form=mention.form,  # type: ignore[arg-type]
    )


def _unfetched(post: Post, version: PostVersion | None) -> str:
    """The error of the last fetch of the article page, unless the state of the post already shows it."""
    if version is None or post.state != Post.State.LIVE:
        return ""
    if post.error == feed_settings.FEED_TEXT_ALONE:
        return f"This is the text of the feed item. {post.error}"
    source = (
        "This is the text of the feed item: the article page could not be fetched." if version.source == "feed" else ""
    )
    return f"{source} {f'Last fetch of the article page: {post.error}' if post.error else ''}".strip()


def _types(mentions: list[Mention]) -> list[tuple[str, str, int]]:
    """The legend: each type extracted here, its label and its number of mentions."""
    counts = {key: sum(mention.type == key for mention in mentions) for key in ENTITY_TYPES}
    return [(key, ENTITY_TYPES[key].plural, count) for key, count in counts.items() if count]


def _corrections(post: Post) -> list[MentionCorrection]:
    """The active corrections of mentions, the latest first."""
    held = post.mention_corrections.filter(withdrawn_at__isnull=True)
    return list(held.select_related("by", "entity__canonical").order_by("-pk"))


def _duplicates(post: Post, version: PostVersion | None) -> list[Post]:
    """Posts of other publishers whose current text is the same."""
    if version is None or not version.text_hash:
        return []
    same = Post.objects.filter(current_version__text_hash=version.text_hash, state=Post.State.LIVE).exclude(pk=post.pk)
    return list(same.select_related("current_version").order_by("published_at")[:20])


@page(REVIEW)
@require_POST
def review(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Record or undo an editor's verdict on one statement of the post."""
    post = get_object_or_404(Post, public_id=public_id, state=Post.State.LIVE)
    statement = get_object_or_404(Statement, public_id=_uuid(request.POST.get("statement", "")))
    verdict = request.POST.get("verdict", "")
    anchor = "s"
    try:
        judged = _apply(post, statement, verdict, request)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        denied = judged.factuality == current.DENIED
        messages.success(request, _message(verdict, denied))
        anchor = "d" if denied else anchor
        ring_projectors()
    return redirect(f"{reverse('post', args=[public_id])}#{anchor}-{statement.public_id}")


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise Http404("This statement does not exist.") from error


def _apply(post: Post, statement: Statement, verdict: str, request: HttpRequest) -> Review:
    if verdict == "withdraw":
        held = same_triple(post, statement)
        active: Review | None = next((one for one in held if may_undo(one, request.user.pk)), None)
        if active is None:
            raise ValueError(
                "There is no verdict to undo: editors undo their own, and yours may have been undone already."
            )
        reviews.withdraw_review(active, request.user)
        return active
    if verdict not in Review.Verdict.values:
        raise ValueError("A verdict is accept, reject or withdraw.")
    return reviews.review(post, statement, Review.Verdict(verdict), request.user)


def may_undo(given: Review, who: int | None) -> bool:
    """Editors undo their own verdicts, and those of accounts that no longer exist."""
    return given.by_id in (who, None)


def _message(verdict: str, denied: bool) -> str:
    if verdict == Review.Verdict.ACCEPT:
        if denied:
            return "Accepted: this post denies the statement."
        return "Accepted: the statement is in the graph as long as the post contains these words."
    if verdict == Review.Verdict.REJECT:
        return f"Rejected: this post no longer {'denies' if denied else 'supports'} the statement."
    return "The verdict was undone. The confidence decides again."


@page(RETRY)
@require_POST
def read_again(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Make the failed readings of the post due now."""
    post = get_object_or_404(Post, public_id=public_id)
    if count := reading_requests.retry(reading_requests.in_production(Reading.objects.filter(version__post=post))):
        audit_log.note(request.user, "read again", str(public_id), None, count)
        ring("read")
        messages.success(request, "The post is queued and will be analysed again.")
    else:
        messages.info(request, "Nothing to retry: no reading of this post has failed.")
    return redirect("post", public_id)


@page(READ)
def picture(request: HttpRequest, public_id: uuid.UUID, picture_id: int, small: bool = False) -> HttpResponseBase:
    """Serve the stored copy of a picture, or its thumbnail, to those who may see the post."""
    image = get_object_or_404(PostImage, pk=picture_id, post__public_id=public_id)
    erased = image.post.state == Post.State.ERASED
    file = image.thumbnail or image.file if small else image.file
    if erased or not file or image.media_type not in PICTURES or not default_storage.exists(file):
        raise Http404("No copy of this picture is kept.")
    response = FileResponse(default_storage.open(file), content_type=image.media_type)
    response.headers["ETag"] = f'"{image.sha256}{"-small" if small else ""}"'
    # The copy is named after its content, so it never changes; it is not for shared caches.
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response
