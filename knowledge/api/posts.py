"""Posts: sent, listed, and one with what was read in it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest
from ninja import Query, Router, Status

from extraction.feeds import submission
from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.models import Post, Reading, Sighting
from kgbuilder.celery import ring, ring_projectors
from kgbuilder.models import ApiToken
from knowledge.api import pagination, schemas
from knowledge.api.auth import PREFIX, Token
from knowledge.api.problems import RequestProblem, not_there
from knowledge.api.serializers import entity_ref, relation
from knowledge.models import Mention, Review
from knowledge.record import audit_log, projection_queue
from knowledge.views.posts import index as listed
from knowledge.views.posts.quintuples import Quintuple, quintuples_of

router = Router(tags=["posts"])
_ERASED = {"responses": {"410": {"description": "the post was erased here"}}}


@router.post(
    "",
    auth=Token("write"),
    response={201: schemas.SubmittedPost, 200: schemas.SubmittedPost},
    summary="Send a post",
    openapi_extra=_ERASED,
)
def send_post(request: HttpRequest, sent: schemas.NewPost) -> Any:
    """Takes a post as a feed's item is taken. It is read within seconds, as soon as a reader is free.

    The same `id` of the same `source` is the same post: sent unchanged nothing happens, with other words they become
    its next version. 201 for a new post, 200 for a known one. 410: it, or the very same words, had been erased here.
    """
    found = sent.model_dump(exclude={"source"})
    try:
        with transaction.atomic():
            taken = submission.take(sent.source, submission.Sending(**found))
            if taken.touched:
                projection_queue.mark_posts([taken.post])
    except submission.NotTaken as error:
        raise RequestProblem(422, str(error)) from error
    except submission.Erased as error:
        raise RequestProblem(410, str(error)) from error
    post = taken.post
    if taken.new or taken.changed:
        token: ApiToken = request.auth  # type: ignore[attr-defined]
        what = "post sent" if taken.new else "sent post changed"
        audit_log.note(
            token.by, what, str(post.public_id), None, {"token": str(token.public_id), "source": sent.source}
        )
        ring("read")
        ring("fetch")
        ring_projectors()
    answer = {
        "id": post.public_id,
        "new": taken.new,
        "changed": taken.changed,
        "state": post.state,
        "address": f"{PREFIX}posts/{post.public_id}",
    }
    return Status(201 if taken.new else 200, answer)


@router.get("", auth=Token("read"), response=schemas.Posts, summary="List posts")
def list_posts(request: HttpRequest, wanted: Query[schemas.PostFilter]) -> Any:
    """The newest first, by their time of publication."""
    pagination.refuse_unknown(request, schemas.PostFilter)
    rows, following = pagination.page(listed.with_parts(filtered(wanted)), listed.KEY, wanted.after, wanted.limit)
    return {"items": rows_of(rows), "next": following}


def filtered(wanted: schemas.PostFilter) -> QuerySet[Post]:
    if wanted.mentions and wanted.mentions not in ENTITY_TYPES:
        raise RequestProblem(422, f"`mentions` takes an entity type: {', '.join(ENTITY_TYPES)}.")
    if wanted.relation and wanted.relation not in RELATIONS:
        raise RequestProblem(422, f"There is no relation {wanted.relation!r}; /api/v1/vocabulary lists them.")
    form = {"q": wanted.q, "state": "" if wanted.state == "live" else wanted.state, "publisher": wanted.publisher}
    form |= {"type": wanted.mentions, "relation": wanted.relation}
    found = listed.filtered(form)
    if wanted.feed is not None:
        found = found.filter(Exists(Sighting.objects.filter(post=OuterRef("pk"), feed=wanted.feed)))
    if wanted.since is not None:
        found = found.filter(published_at__gte=wanted.since)
    if wanted.until is not None:
        found = found.filter(published_at__lt=wanted.until)
    return found


def rows_of(found: list[Post]) -> list[dict[str, Any]]:
    """Posts, from `listed.with_parts`, as rows of a list."""
    return [_row(row.post, row.title) | _counts(row) for row in listed.rows(found, "")]


def _counts(row: listed.PostListItem) -> dict[str, int]:
    return {"mentions": row.mentions, "statements": row.statements}


def _row(post: Post, title: str) -> dict[str, Any]:
    return {
        "id": post.public_id,
        "title": title,
        "link": post.link,
        "publisher": post.publisher,
        "published": post.published_at,
        "state": post.state,
        "language": post.current_version.language if post.current_version else "",
    }


@router.get(
    "/{uuid:post_id}", auth=Token("read"), response=schemas.PostShown, summary="One post", openapi_extra=_ERASED
)
def show_post(request: HttpRequest, post_id: UUID) -> Any:
    """Its words as they were read, with mentions, statements and readings. 410: it was erased."""
    post = _with_parts().filter(public_id=post_id).first()
    if post is None:
        raise not_there("post")
    if post.state == Post.State.ERASED:
        raise RequestProblem(410, "This post was erased here and cannot be added again.")
    # What was read, not what was fetched last: an edit's statements take over when it has been read.
    version = post.current_reading.version if post.current_reading else post.current_version
    found = quintuples_of(post, version)
    stated = [*found.counted, *found.rejected, *found.unsure]
    mentions = _mentions(post, version.text if version else "")
    return {
        **_row(post, version.title if version else post.link),
        "mentions": len(mentions),
        "statements": len(found.counted),
        "version": version.ordinal if version else None,
        "text": version.text if version else "",
        "title_end": version.title_end if version else 0,
        "mentioned": mentions,
        "stated": [_stated(quintuple) for quintuple in stated],
        "readings": _readings(post),
    }


def _with_parts() -> QuerySet[Post]:
    in_force = Review.objects.filter(withdrawn_at__isnull=True)
    ends = in_force.select_related("statement__head__canonical", "statement__tail__canonical")
    return Post.objects.select_related("current_version", "current_reading__version").prefetch_related(
        Prefetch("reviews", ends)
    )


def _mentions(post: Post, text: str) -> list[dict[str, Any]]:
    if post.current_reading_id is None:
        return []
    rows = Mention.objects.filter(reading=post.current_reading_id)
    return [
        {
            "start": row.start,
            "end": row.end,
            "text": text[row.start : row.end],
            "type": row.type,
            "score": row.score,
            "entity": entity_ref(row.entity.canonical or row.entity),
        }
        for row in rows.select_related("entity__canonical").order_by("start", "end", "pk")
    ]


def _stated(quintuple: Quintuple) -> dict[str, Any]:
    return {
        "id": quintuple.statement.public_id,
        "head": entity_ref(quintuple.head.entity),
        "head_type": quintuple.head.type,
        "relation": relation(quintuple.relation),
        "tail": entity_ref(quintuple.tail.entity),
        "tail_type": quintuple.tail.type,
        "score": quintuple.score,
        "counts": quintuple.counts,
        "review": quintuple.review.verdict if quintuple.review else None,
        "places": [
            {
                "head": {"start": row.head_mention.start, "end": row.head_mention.end},
                "tail": {"start": row.tail_mention.start, "end": row.tail_mention.end},
                "score": row.score,
            }
            for row in (place.assertion for place in quintuple.places)
        ],
    }


def _readings(post: Post) -> list[dict[str, Any]]:
    if post.current_version_id is None:
        return []
    rows = Reading.objects.filter(version=post.current_version_id)
    return [
        {
            "version": row.version.ordinal,
            "checkpoint": row.checkpoint.name,
            "stage": row.stage,
            "read": row.read_at,
            "current": row.pk == post.current_reading_id,
            "missing": row.missing,
            "declined": row.declined_message,
        }
        for row in rows.select_related("version", "checkpoint").order_by("pk")
    ]
