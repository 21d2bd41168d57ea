"""Access to pages: the decorator `page` names the permission of a view; a test checks it for every address."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

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

# What an editor has decided is not lost when the session has ended before it was sent.
KEPT = (REVIEW, MERGE)
LATE_FORM = "late form"
LONGEST_KEPT = 6000  # of an address

REFUSALS = {
    ADD_FEED: "Only editors can add feeds.",
    CHANGE_FEED: "Only editors can change feeds.",
    DELETE_FEED: "Only admins can remove feeds and samples.",
    ERASE: "Only admins can erase posts.",
    REVIEW: "Only editors can review and correct statements and mentions.",
    MERGE: "Only editors can merge entities.",
    RETRY: "Only editors can have posts analysed again.",
    ASK_CYPHER: "Cypher queries need a permission that an admin grants. SPARQL is open to everybody who may see posts.",
    SAVE_QUERY: "Saving queries needs an account.",
    MAKE_TOKEN: "API tokens need an account.",
    TRAIN: "Only admins can train checkpoints.",
    PROMOTE: "Only admins can promote checkpoints.",
}


def page(permission: str) -> Callable[[View], View]:
    """Restrict a view to users with `permission`; views with READ are open to all if PUBLIC_READING is set."""

    def decorate(view: View) -> View:
        @login_not_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if permission == READ and settings.PUBLIC_READING:
                return view(request, *args, **kwargs)
            if not request.user.is_authenticated:
                return redirect_to_login(_after_sign_in(request, permission))
            if not request.user.has_perm(permission):
                raise PermissionDenied(REFUSALS.get(permission, "Your account has no permission for this page."))
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def _after_sign_in(request: HttpRequest, permission: str) -> str:
    """The page to show after signing in: of a verdict or correction that came too late, the one that can still send
    it."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    form = {name: request.POST.getlist(name) for name in request.POST if name != "csrfmiddlewaretoken"}
    if request.method == "POST" and form and permission in KEPT and not request.FILES:
        kept = signing.dumps({"path": request.get_full_path(), "form": form}, salt=LATE_FORM, compress=True)
        if len(kept) <= LONGEST_KEPT:
            return f"{reverse('resume')}?{urlencode({'kept': kept})}"
    return referring_page(request)


def referring_page(request: HttpRequest, default: str = "/") -> str:
    """The address of the page of this site that sent the form, to redirect back to it."""
    referrer = request.headers.get("referer", "")
    if not url_has_allowed_host_and_scheme(referrer, {request.get_host()}, require_https=request.is_secure()):
        return default
    parts = urlsplit(referrer)
    return parts.path + (f"?{parts.query}" if parts.query else "")
