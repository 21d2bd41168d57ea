"""Who may see a page: one decorator names the permission, and a test holds every address to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme

View = Callable[..., HttpResponseBase]

READ = "extraction.view_post"
SEE_FEEDS = "extraction.view_feed"
ADD_FEED = "extraction.add_feed"
CHANGE_FEED = "extraction.change_feed"
DELETE_FEED = "extraction.delete_feed"
ERASE = "extraction.delete_post"
REVIEW = "knowledge.add_review"
MERGE = "knowledge.add_merge"
RETRY = "extraction.change_reading"
ASK_CYPHER = "knowledge.ask_cypher"
SAVE_QUERY = "knowledge.add_savedquery"
MAKE_TOKEN = "kgbuilder.add_apitoken"  # noqa: S105
SEE_TOKENS = "kgbuilder.view_apitoken"
REVOKE_TOKENS = "kgbuilder.delete_apitoken"
TRAIN = "training.add_trainingrun"
PROMOTE = "extraction.add_deployment"

SENTENCES = {
    ADD_FEED: "Adding feeds is for editors.",
    CHANGE_FEED: "Changing feeds is for editors.",
    DELETE_FEED: "Removing feeds and samples is for admins.",
    ERASE: "Erasing posts is for admins.",
    REVIEW: "Accepting and rejecting statements is for editors.",
    MERGE: "Merging entities is for editors.",
    RETRY: "Reading again is for editors.",
    ASK_CYPHER: "Asking in Cypher is for those whom an admin has given that permission; SPARQL is open to all readers.",
    SAVE_QUERY: "Keeping queries is for people with an account here.",
    MAKE_TOKEN: "Tokens are for people with an account here.",
    TRAIN: "Training is for admins.",
    PROMOTE: "Promoting a checkpoint is for admins.",
}


def page(permission: str) -> Callable[[View], View]:
    """Let in who holds `permission`; anybody, for reading, where PUBLIC_READING says so."""

    def decorate(view: View) -> View:
        @login_not_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if permission == READ and settings.PUBLIC_READING:
                return view(request, *args, **kwargs)
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path() if request.method == "GET" else came_from(request))
            if not request.user.has_perm(permission):
                raise PermissionDenied(SENTENCES.get(permission, "Your account may not see this page."))
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def came_from(request: HttpRequest, default: str = "/") -> str:
    """The address of the page on this site that a form was sent from, for going back to it."""
    referrer = request.headers.get("referer", "")
    if not url_has_allowed_host_and_scheme(referrer, {request.get_host()}, require_https=request.is_secure()):
        return default
    parts = urlsplit(referrer)
    return parts.path + (f"?{parts.query}" if parts.query else "")
