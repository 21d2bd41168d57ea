"""API tokens: people create and revoke their own; admins see and revoke all."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from kgbuilder.accounts import api_tokens
from kgbuilder.models import ApiToken
from knowledge.views.access import MAKE_TOKEN, REVOKE_TOKENS, SEE_TOKENS, page

MOST_SHOWN = 500
DAYS = ((30, "30 days"), (90, "90 days"), (365, "one year"), (0, "never"))
DEFAULT_DAYS = 90


@page(MAKE_TOKEN)
@never_cache
def tokens(request: HttpRequest) -> HttpResponse:
    return _shown(request)


@page(MAKE_TOKEN)
@never_cache
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Create a token and show it once, in this response: a redirect or session would have to store it."""
    user = _user(request)
    scopes, days = request.POST.getlist("scope"), request.POST.get("days", "")
    name = request.POST.get("name", "")
    try:
        if days not in {str(number) for number, _ in DAYS}:
            raise api_tokens.NoToken("Choose when the token expires.")
        created, text = api_tokens.make(user, name, scopes, int(days) or None)
    except api_tokens.NoToken as error:
        return _shown(request, status=400, error=str(error), name=name[: api_tokens.LONGEST_NAME], chosen=scopes)
    # Reloading this page would send the form again and create another token; browsers ask before they do so.
    return _shown(request, created=created, text=text)


@page(MAKE_TOKEN)
@require_POST
def revoke(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.select_related("by"), public_id=public_id)
    if token.by_id != request.user.pk and not request.user.has_perm(REVOKE_TOKENS):
        raise Http404
    if api_tokens.revoke(token, _user(request)):
        messages.success(request, f"“{token.name}” was revoked. Programs that use it are refused from now on.")
    else:
        messages.info(request, f"“{token.name}” had already been revoked.")
    return redirect("tokens")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "the decorator requires a signed-in user"
    return request.user


def _shown(request: HttpRequest, status: int = 200, **also: object) -> HttpResponse:
    rows = ApiToken.objects.select_related("by").order_by("-made_at", "-pk")
    if not request.user.has_perm(SEE_TOKENS):
        rows = rows.filter(by=request.user.pk)
    now = timezone.now()
    listed = [
        {
            "token": row,
            "own": row.by_id == request.user.pk,
            "state": _state(row, now),
        }
        for row in rows[:MOST_SHOWN]
    ]
    offered = [(scope, request.user.has_perm(scope.permission)) for scope in api_tokens.SCOPES.values()]
    context = {
        "rows": listed,
        "everybody": request.user.has_perm(SEE_TOKENS),
        "may_revoke": request.user.has_perm(REVOKE_TOKENS),
        "scopes": offered,
        "days": DAYS,
        "default_days": DEFAULT_DAYS,
        "address": request.build_absolute_uri(reverse("api_vocabulary")),
        **also,
    }
    return render(request, "accounts/tokens.html", context, status=status)


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at:
        return "revoked"
    if token.ends_at and token.ends_at <= now:
        return "ended"
    return "active" if token.by.is_active else "account disabled"
