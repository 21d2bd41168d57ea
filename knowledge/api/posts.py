"""Posts: send one, list them, and get one with its mentions, statements and readings."""

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
from knowledge.api.problems import RequestProblem, not_found
from knowledge.api.serializers import entity_ref, qualifiers, relation, statement_end
from knowledge.models import Mention, Review
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import audit_log, current, projection_queue
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
    """Send a post, which is processed like a feed item and analysed as soon as a reader is free.

    The same `id` of the same `source` is the same post: unchanged, nothing happens; a changed text becomes its next
    version. 201 for a new post, 200 for a known one. 410: the post, or one with the same text, was erased.
    """
    fields = sent.model_dump(exclude={"source"})
    try:
        with transaction.atomic():
            submitted = submission.submit(sent.source, submission.Submission(**fields))
            if submitted.touched:
                projection_queue.mark_posts([submitted.post])
    except submission.InvalidSubmission as error:
        raise RequestProblem(422, str(error)) from error
    except submission.AlreadyErased as error:
        raise RequestProblem(410, str(error)) from error
    post = submitted.post
    if submitted.new or submitted.changed:
        token: ApiToken = request.auth  # type: ignore[attr-defined]
        what = "post sent" if submitted.new else "sent post changed"
        audit_log.note(
            token.by, what, str(post.public_id), None, {"token": str(token.public_id), "source": sent.source}
        )
        ring("read")
        ring("fetch")
        ring_projectors()
    answer = {
        "id": post.public_id,
        "new": submitted.new,
        "changed": submitted.changed,
        "state": post.state,
        "address": f"{PREFIX}posts/{post.public_id}",
    }
    return Status(201 if submitted.new else 200, answer)


@router.get("", auth=Token("read"), response=schemas.Posts, summary="List posts")
def list_posts(request: HttpRequest, filters: Query[schemas.PostFilter]) -> Any:
    """By publication time, the newest first."""
    pagination.refuse_unknown(request, schemas.PostFilter)
    rows, following = pagination.page(listed.with_parts(filtered(filters)), listed.KEY, filters.after, filters.limit)
    return {"items": rows_of(rows), "next": following}


def filtered(filters: schemas.PostFilter) -> QuerySet[Post]:
    if filters.mentions and filters.mentions not in ENTITY_TYPES:
        raise RequestProblem(422, f"`mentions` takes an entity type: {', '.join(ENTITY_TYPES)}.")
    if filters.relation and filters.relation not in RELATIONS:
        raise RequestProblem(422, f"There is no relation {filters.relation!r}; /api/v1/vocabulary lists them.")
    form = {"q": filters.q, "state": "" if filters.state == "live" else filters.state, "publisher": filters.publisher}
    form |= {"type": filters.mentions, "relation": filters.relation, "factuality": filters.factuality or ""}
    posts = listed.filtered(form)
    if filters.feed is not None:
        posts = posts.filter(Exists(Sighting.objects.filter(post=OuterRef("pk"), feed=filters.feed)))
    if filters.since is not None:
        posts = posts.filter(published_at__gte=filters.since)
    if filters.until is not None:
        posts = posts.filter(published_at__lt=filters.until)
    return posts


def rows_of(posts: list[Post]) -> list[dict[str, Any]]:
    """Posts, from `listed.with_parts`, as rows of a list."""
    return [_row(row.post, row.title) | _counts(row) for row in listed.rows(posts, "")]


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
    """The text of a post as it was analysed, with mentions, statements and readings. 410: it was erased."""
    post = _with_parts().filter(public_id=post_id).first()
    if post is None:
        raise not_found("post")
    if post.state == Post.State.ERASED:
        raise RequestProblem(410, "This post was erased here and cannot be added again.")
    # The analysed version, not the last fetched one: an edit's statements are shown once it has been analysed.
    version = post.current_reading.version if post.current_reading else post.current_version
    quintuples = quintuples_of(post, version)
    mentions = _mentions(post, version.text if version else "")
    return {
        **_row(post, version.title if version else post.link),
        "mentions": len(mentions),
        "statements": len(quintuples.active),
        "version": version.ordinal if version else None,
        "text": version.text if version else "",
        "title_end": version.title_end if version else 0,
        "mentioned": mentions,
        "stated": [_stated(one) for one in quintuples.every if one.factuality != current.DENIED],
        "denied": [_stated(one) for one in quintuples.every if one.factuality == current.DENIED],
        "readings": _readings(post),
    }


def _with_parts() -> QuerySet[Post]:
    active = Review.objects.filter(withdrawn_at__isnull=True)
    reviews = active.select_related("statement__head__canonical", "statement__tail__canonical")
    return Post.objects.select_related("current_version", "current_reading__version").prefetch_related(
        Prefetch("reviews", reviews)
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
            "form": row.form,
            "score": row.score,
            "entity": None if row.type in VALUE_TYPES else entity_ref(row.entity.canonical or row.entity),
        }
        for row in rows.select_related("entity__canonical").order_by("start", "end", "pk")
    ]


def _stated(quintuple: Quintuple) -> dict[str, Any]:
    return {
        "id": quintuple.statement.public_id,
        "head": statement_end(quintuple.head.entity),
        "head_type": quintuple.head.type,
        "relation": relation(quintuple.relation),
        "tail": statement_end(quintuple.tail.entity),
        "tail_type": quintuple.tail.type,
        "score": quintuple.score,
        "counts": quintuple.active,
        "review": quintuple.review.verdict if quintuple.review else None,
        "review_state": quintuple.review_state,
        "factuality": quintuple.factuality,
        "places": [
            {
                "head": {"start": row.head_mention.start, "end": row.head_mention.end},
                "tail": {"start": row.tail_mention.start, "end": row.tail_mention.end},
                "score": row.score,
                **qualifiers(row),
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
