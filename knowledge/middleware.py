"""What holds for every request and response: the content security policy, storable values, private pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

GetResponse = Callable[[HttpRequest], HttpResponse]

_DIRECTIVES = {
    "default-src": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def policy(**changes: str) -> str:
    """A Content-Security-Policy; `style_src="…"` changes one directive."""
    directives = _DIRECTIVES | {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


class ContentSecurityPolicy:
    """Nothing from another host and no inline script. A view that needs more sets the header itself."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy())
        return response


LONGEST_NUMBER = 1000  # digits; Python refuses to convert more than 4,300
_FORM = "application/x-www-form-urlencoded"


class StorableValues:
    """Answers 400 to values that no database stores: NUL, which PostgreSQL refuses, and numbers without end."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        problem = next((wrong for value in _values(request) if (wrong := _wrong(value))), "")
        if problem and request.path_info.startswith("/api/"):
            body = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": problem}
            return JsonResponse(body, status=400, content_type="application/problem+json")  # as knowledge.api.problems
        if problem:
            return HttpResponse(f"{problem}\n", status=400, content_type="text/plain; charset=utf-8")
        return self.get_response(request)


class PrivatePages:
    """No cache keeps what a signed-in person sees, unless the view says how."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


def _values(request: HttpRequest) -> Iterator[str]:
    """The address and the fields of a request. Uploads are read by their views, which know their limits."""
    yield request.path_info
    fields = [request.GET]
    if request.method == "POST" and request.content_type == _FORM:
        fields.append(request.POST)
    for one in fields:
        for name, values in one.lists():
            yield name
            yield from (value for value in values if isinstance(value, str))


def _wrong(value: str) -> str:
    if "\0" in value:
        return "The request contains a NUL character. Remove it."
    if len(value) > LONGEST_NUMBER and value.strip().isdigit():
        return f"The request contains a number of more than {LONGEST_NUMBER} digits."
    return ""
