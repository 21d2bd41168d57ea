"""Access to linked data: by a session, as to pages, or by a token of the API with the scope `read`."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

from knowledge.api import problems
from knowledge.api.auth import Token
from knowledge.api.problems import RequestProblem
from knowledge.views.access import READ, View, page

_TOKEN = Token("read")
_HTML = {"text/html", "application/xhtml+xml", "text/*"}


def linked_data(view: View) -> View:
    """Restrict a view as `page(READ)` does, and open it to tokens. A program gets a problem, not the sign-in page."""
    as_page = page(READ)(view)

    @login_not_required
    @wraps(as_page)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if by_token(request):
                _TOKEN(request)
            elif is_program(request) and not (request.user.is_authenticated or settings.PUBLIC_READING):
                _TOKEN.authenticate(request, "")
            response = as_page(request, *args, **kwargs)
        except RequestProblem as error:
            response = problems.answer(error)
        except Http404 as error:
            if not is_program(request):
                raise
            response = problems.of(error, request)
        patch_vary_headers(response, ["Accept", "Authorization", "Cookie"])
        return response

    return answered


def by_token(request: HttpRequest) -> bool:
    """Whether a token is sent. Another scheme, such as Basic, is for a proxy in front of the product."""
    return request.headers.get("Authorization", "").partition(" ")[0].lower() == "bearer"


def is_program(request: HttpRequest) -> bool:
    """Whether the client names no page among what it accepts; every browser does. With a token it is a program."""
    kinds = {part.partition(";")[0].strip().lower() for part in request.headers.get("Accept", "").split(",")}
    return by_token(request) or not kinds & _HTML
