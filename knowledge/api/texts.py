"""Analyse a text without recording it: a reader, not the web process, does it, so clients send and then fetch."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from extraction.models import Deployment, TextToRead
from extraction.readings import text_requests
from kgbuilder.celery import ring
from kgbuilder.models import ApiToken
from knowledge.api import schemas
from knowledge.api.auth import PREFIX, Token
from knowledge.api.problems import RequestProblem, not_found

router = Router(tags=["texts"])
POLL_SECONDS = 2


@router.post("", auth=Token("extract"), response={202: schemas.TextAsked}, summary="Analyse a text")
def ask_text(request: HttpRequest, response: HttpResponse, text: schemas.Text) -> Any:
    """Queue a text for the readers. Poll the `address` of the response until its `state` is no longer `waiting`.

    Only the text and its result are stored, for a day, for you alone. 429: 20 texts of yours are queued already.
    """
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    if not Deployment.objects.filter(active=True).exists():
        raise RequestProblem(503, "No checkpoint is deployed yet. An admin can promote one on the training pages.")
    try:
        row = text_requests.enqueue(token.by_id, text.text, text.title)
    except text_requests.TooManyQueued as error:
        raise RequestProblem(429, str(error), {"Retry-After": str(POLL_SECONDS)}) from error
    ring("read")
    response.headers["Location"] = _address(row)
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return Status(202, _written(row))


@router.get("/{uuid:text_id}", auth=Token("extract"), response=schemas.TextAsked, summary="Quintuples of a text")
def show_text(request: HttpRequest, response: HttpResponse, text_id: UUID) -> Any:
    """The result, once it is available: mentions and quintuples in the form of `manage.py read --json`."""
    token: ApiToken = request.auth  # type: ignore[attr-defined]
    row = TextToRead.objects.filter(public_id=text_id, by=token.by_id).first()
    if row is None:
        raise not_found("text of yours")
    if row.state == TextToRead.State.WAITING:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return _written(row)


def _address(row: TextToRead) -> str:
    return f"{PREFIX}texts/{row.public_id}"


def _written(row: TextToRead) -> dict[str, Any]:
    answer = row.answer and {**row.answer, "id": str(row.public_id)}
    fields = {"id": row.public_id, "state": row.state, "address": _address(row)}
    return {**fields, "error": row.error if row.state == TextToRead.State.FAILED else "", "answer": answer}
