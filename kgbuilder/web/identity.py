"""Whose request it is, for counting: a person, a token, or an address. Rights are checked by the views."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections

from kgbuilder.accounts import api_tokens, login_limits


def counted(environ: dict[str, Any]) -> Mapping[str, int]:
    """The names under which a request to the consoles is counted, each with how many it may have open at once."""
    close_old_connections()
    request = WSGIRequest({**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"})
    address = login_limits.network_of(request)
    who = _token(request) or _person(request) or f"address {address}"
    return {who: settings.CONSOLES_PER_PERSON, f"network {address}": settings.CONSOLES_PER_ADDRESS}


def signed_in(environ: dict[str, Any]) -> bool:
    """Whether the request has the session of a person."""
    close_old_connections()
    return bool(_person(WSGIRequest({**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"})))


def _person(request: WSGIRequest) -> str:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    user = SessionStore(key).get(SESSION_KEY) if key else None
    return f"person {user}" if user else ""


def _token(request: WSGIRequest) -> str:
    """The token's owner and the token count alike: several tokens give one person no more."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return ""
    digest = hashlib.sha256(text.strip().encode("utf-8", "replace")).hexdigest()
    owner = api_tokens.active().filter(digest=digest).values_list("by_id", flat=True).first()
    return f"person {owner}" if owner else ""
