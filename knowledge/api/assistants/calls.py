"""One call of a tool: the token's scope, the answer within its size, and errors as sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connections
from django.http import HttpRequest
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError

from kgbuilder.models import ApiToken
from knowledge.api import problems
from knowledge.api.auth import Token
from knowledge.api.problems import RequestProblem

LARGEST = 40_000  # characters of an answer: assistants read it into a context of their own
Work = Callable[[HttpRequest, ApiToken], dict[str, Any]]


def answered(scope: str, work: Work) -> str:
    """The answer of `work` as JSON, if the token of this call has the scope. Raises ToolError with a sentence."""
    request = HttpRequest()
    request.method, request.path = "GET", "/mcp"
    request.META["HTTP_AUTHORIZATION"] = f"Bearer {_token()}"
    try:
        return _within_size(work(request, Token(scope)(request)))
    except ValidationError as error:
        first = error.errors()[0]
        raise ToolError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except Exception as error:
        detail = json.loads(problems.of(error, request).content)["detail"]
        raise ToolError(detail.replace("See the log of the web process.", "See the log of `manage.py mcp`.")) from error
    finally:
        connections.close_all()  # the thread of a call may not be used again


def _token() -> str:
    """Over HTTP the token of the request, over stdio that of the settings."""
    access = get_access_token()
    return access.token if access else settings.MCP_TOKEN


def _within_size(answer: dict[str, Any]) -> str:
    """The answer as JSON; its longest list is shortened until it fits, and `shortened` says so."""
    text = _json(answer)
    while len(text) > LARGEST:
        lists = {key: value for key, value in answer.items() if isinstance(value, list) and value}
        if not lists:
            raise RequestProblem(422, "The answer is too large. Ask for less, with `limit` or a narrower query.")
        longest = max(lists, key=lambda key: len(_json(lists[key])))
        kept = len(lists[longest]) // 2
        note = f"`{longest}` holds the first {kept}: all of them are too large for an answer. Ask for less at a time."
        answer = {**answer, longest: lists[longest][:kept], "shortened": note}
        text = _json(answer)
    return text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
