"""Authentication of the API: tokens, scopes and rate limits, and their description in the OpenAPI schema.

Only bearer tokens are accepted, never cookies: no other site can make a browser send requests in a user's name, so no
CSRF token is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.security import HttpBearer

import kgbuilder
from kgbuilder.accounts import api_tokens
from kgbuilder.models import ApiToken
from knowledge.api import problems
from knowledge.api.problems import RequestProblem

View = Callable[..., HttpResponseBase]
PREFIX = "/api/v1/"
_pace = api_tokens.Pace()
_PROBLEMS = {"401": "the token is missing or not valid", "403": "the token lacks the scope", "429": "too many requests"}


class Token(HttpBearer):
    """Accept a token that has the scope, and set the user of the request to its owner."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> ApiToken:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        return self.authenticate(request, text.strip() if kind.lower() == "bearer" else "")

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        """The token's row. Raises RequestProblem: 401, 403 or 429."""
        if not token:
            ask = {"WWW-Authenticate": 'Bearer realm="kgbuilder"'}
            raise RequestProblem(
                401, "Send a token as `Authorization: Bearer …`. Create a token on the page /tokens/.", ask
            )
        row = api_tokens.found(token)
        if row is None:
            ask = {"WWW-Authenticate": 'Bearer realm="kgbuilder", error="invalid_token"'}
            raise RequestProblem(401, "The token is not valid: it is mistyped, has expired or was revoked.", ask)
        if wait := _pace.wait(row.pk, settings.API_PER_MINUTE):
            detail = f"A token may make {settings.API_PER_MINUTE} requests a minute. Wait and retry."
            raise RequestProblem(429, detail, {"Retry-After": str(ceil(wait))})
        if not api_tokens.allows(row, self.scope):
            ask = {"WWW-Authenticate": f'Bearer realm="kgbuilder", error="insufficient_scope", scope="{self.scope}"'}
            raise RequestProblem(403, _lacking(row, self.scope), ask)
        request.user = row.by
        return row


class Api(NinjaAPI):
    """An API whose responses and schema describe errors as problems of RFC 9457."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """The schema, with the problems of each operation and the scope that it requires."""
        schema = super().get_openapi_schema(path_prefix=PREFIX)
        schema["components"]["schemas"]["Problem"] = _PROBLEM
        scopes = self._scopes()
        for operations in schema["paths"].values():
            for operation in operations.values():
                operation["x-scope"] = scopes[operation["operationId"]]
                _add_problems(operation)
        return schema

    def _scopes(self) -> dict[str, str]:
        """The scope of each operation, by its id."""
        bound = (router.path_operations.values() for router in self._get_bound_routers())
        operations = [one for views in bound for view in views for one in view.operations]
        return {self.get_openapi_operation_id(one): _scope(one) for one in operations}

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The name of the function, which generated clients use as the name of the method."""
        return operation.view_func.__name__

    def on_exception(self, request: HttpRequest, exc: Any) -> Any:
        return problems.of(exc, request)


def _scope(operation: Operation) -> str:
    (auth,) = operation.auth_callbacks
    assert isinstance(auth, Token), f"{operation.view_func.__name__} requires no token: give it auth=Token(scope)"
    return auth.scope


def guarded(view: View) -> View:
    """Wrap a view of the API: no sign-in page, no CSRF token, and errors as JSON problems."""

    @login_not_required
    @csrf_exempt
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Exception as error:
            response = problems.of(error, request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = {"Allow": response.headers.get("Allow", "")}
            response = problems.answer(RequestProblem(405, f"This address takes {allowed['Allow']}.", allowed))
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    answered.api = True  # type: ignore[attr-defined]
    return answered


def nothing(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """The response for unknown addresses below that of the API."""
    return problems.answer(
        RequestProblem(404, "There is nothing at this address. /api/v1/openapi.json lists all addresses.")
    )


def patterns(api: NinjaAPI) -> list[URLPattern]:
    """The URL patterns of the API, each guarded, without the root page of Ninja."""
    patterns: list[URLPattern] = []
    for pattern in api.urls[0]:
        assert isinstance(pattern, URLPattern)
        if pattern.name == "api-root" or not pattern.name:
            continue
        pattern.name = f"api_{pattern.name.replace('-', '_')}"
        pattern.callback = guarded(pattern.callback)
        patterns.append(pattern)
    return patterns


def _lacking(token: ApiToken, scope: str) -> str:
    if scope not in token.scopes:
        return f"This token lacks the scope `{scope}` ({api_tokens.SCOPES[scope].says}). Create one that has it."
    return f"{token.by.get_username()}, whose token this is, may not: {api_tokens.SCOPES[scope].says}."


_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: the error, with a sentence for people in `detail`.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "For 422: the invalid fields and their errors.",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "says": {"type": "string"}},
            },
        },
    },
}
_CONTENT = {"content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _add_problems(operation: dict[str, Any]) -> None:
    descriptions = dict(_PROBLEMS)
    if operation.get("parameters") or operation.get("requestBody"):
        descriptions["422"] = "a field has an invalid value"
    if operation.get("requestBody"):
        descriptions |= {"400": "the body cannot be parsed", "413": "the body is too large"}
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        descriptions["404"] = "no such object"
    responses = {str(status): response for status, response in operation["responses"].items()}
    for status, description in {**descriptions, "503": "a component is unavailable"}.items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400":
            response.update(_CONTENT)
    operation["responses"] = responses


def info() -> dict[str, Any]:
    """The arguments of `NinjaAPI` that describe this API."""
    return {
        "title": "kgbuilder",
        "version": kgbuilder.VERSION,
        "description": "Send posts, get statements. Every request needs a token: `Authorization: Bearer kgb_…`.",
    }
