"""Errors as RFC 9457 defines them: application/problem+json, with a sentence for people in `detail`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja.errors import HttpError, ValidationError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5


class RequestProblem(Exception):
    """An error that becomes the response. `headers` are those of the response; `members` extend the object."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.members = status, detail, dict(headers or {}), members


def not_found(what: str) -> RequestProblem:
    return RequestProblem(404, f"There is no {what} with this id here, or it was removed.")


def answer(problem: RequestProblem) -> HttpResponse:
    """The problem as a response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    return HttpResponse(json.dumps(body), status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers)


def of(error: BaseException, request: HttpRequest) -> HttpResponse:
    """Any exception of a view as a response; an unexpected one is logged, and its message is not sent."""
    match error:
        case RequestProblem():
            return answer(error)
        case ValidationError():
            return answer(_not_valid(error.errors))
        case HttpError():
            detail = "The body is not JSON." if error.status_code == 400 else f"{error.message}."
            return answer(RequestProblem(error.status_code, detail))
        case Http404():
            return answer(RequestProblem(404, "There is nothing at this address."))
        case RequestDataTooBig():
            return answer(RequestProblem(413, "The body is larger than a request may be."))
        case TooManyFieldsSent() | UnreadablePostError():
            return answer(RequestProblem(400, "The request's body cannot be read."))
        case OperationalError() | InterfaceError():
            detail = "The database does not respond. Try again in a few seconds."
            return answer(RequestProblem(503, detail, {"Retry-After": str(RETRY_SECONDS)}))
    logger.error("%s %s broke", request.method, request.path, exc_info=error)
    return answer(RequestProblem(500, "The server failed to process the request. See the log of the web process."))


def _not_valid(errors: Sequence[Mapping[str, Any]]) -> RequestProblem:
    """The invalid fields and their errors, without the values that were sent."""
    invalid = [{"where": ".".join(str(part) for part in e["loc"]), "says": str(e["msg"])} for e in errors]
    summary = "; ".join(f"{one['where']}: {one['says']}" for one in invalid[:5])
    return RequestProblem(422, f"The request is not valid. {summary}."[:2000], errors=invalid[:50])
