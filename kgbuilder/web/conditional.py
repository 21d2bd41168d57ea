"""HEAD, ETag and conditional requests on every address that takes GET."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

# A form's token is written anew into each page, and the editor's nonce into each policy: no other content.
_FRESH = re.compile(rb'(name="csrfmiddlewaretoken" value="|data-nonce="|nonce-)[\w-]+')


class ConditionalAnswers:
    """Answers HEAD as GET without the body, gives whole answers an ETag, and answers 304 to who has the same."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        head = request.method == "HEAD"
        if head:
            request.method = "GET"
        response = self.get_response(request)
        if request.method == "GET" and response.status_code == 200:
            response = _conditional(request, response)
        if head:
            request.method = "HEAD"
            response = _without_body(response)
        return response


def _conditional(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, HttpResponse) and not response.streaming and not response.has_header("ETag"):
        response.headers["ETag"] = _etag(request, response)
    etag = response.headers.get("ETag")
    return get_conditional_response(request, etag=etag, response=response) or response  # type: ignore[arg-type]


def _etag(request: HttpRequest, response: HttpResponse) -> str:
    """Of the content, the secret behind its forms' tokens, and what it may vary by. Weak: tokens differ in bytes."""
    content = hashlib.sha256(_FRESH.sub(rb"\1", response.content))
    for part in (str(request.META.get("CSRF_COOKIE", "")), response.headers.get("Content-Type", "")):
        content.update(f"\n{part}".encode())
    return f'W/"{content.hexdigest()[:32]}"'


def _without_body(response: HttpResponseBase) -> HttpResponseBase:
    """The head alone, with the length that the body would have."""
    if isinstance(response, HttpResponse) and not response.streaming:
        response.headers.setdefault("Content-Length", str(len(response.content)))
        response.content = b""
    return response
