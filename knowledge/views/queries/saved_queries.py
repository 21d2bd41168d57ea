"""Saved queries, private or shared, of the SPARQL and the Cypher page."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from knowledge.graphs.neo4j import cypher_guard
from knowledge.graphs.rdf import sparql_guard
from knowledge.models import SavedQuery
from knowledge.record import audit_log
from knowledge.views.access import SAVE_QUERY, page

LONGEST_TITLE = 200
MOST = 200  # per person and query language


def seen_by(request: HttpRequest, language: str) -> QuerySet[SavedQuery]:
    """A person's own queries, and those that others share."""
    own = Q(by=request.user.pk) if request.user.is_authenticated else Q()
    queries = SavedQuery.objects.filter(Q(shared=True) | own if own else Q(shared=True), language=language)
    return queries.select_related("by").order_by("title", "pk")


def chosen(request: HttpRequest, language: str) -> SavedQuery | None:
    """The saved query that the address names, if the user may see it."""
    try:
        key = uuid.UUID(request.GET.get("saved", ""))
    except ValueError:
        return None
    return seen_by(request, language).filter(public_id=key).first()


@page(SAVE_QUERY)
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Save a query under its title; the user's own query with the same title is replaced."""
    language, title = request.POST.get("language", ""), " ".join(request.POST.get("title", "").split())
    if language not in SavedQuery.Language.values:
        return redirect("sparql")
    back = reverse(language)
    text, parameters = request.POST.get("query", ""), request.POST.get("parameters", "")
    try:
        error = _invalid(request, language, title, text)
        values = cypher_guard.parameters(parameters) if language == SavedQuery.Language.CYPHER else {}
    except sparql_guard.QueryRefused as refused:
        error = str(refused)
    if error:
        messages.error(request, error)
        return redirect(f"{back}?{urlencode({'query': text, 'parameters': parameters})}"[:8000])
    query, created = SavedQuery.objects.update_or_create(
        by_id=request.user.pk,
        language=language,
        title=title,
        defaults={"text": text, "parameters": values, "shared": request.POST.get("shared") == "1"},
    )
    audit_log.note(
        request.user, "query kept" if created else "query replaced", str(query.public_id), None, query.shared
    )
    messages.success(
        request, f"“{title}” was {'saved' if created else 'replaced'}{' and shared' if query.shared else ''}."
    )
    return redirect(f"{back}?saved={query.public_id}")


def _invalid(request: HttpRequest, language: str, title: str, text: str) -> str:
    """The reason why a query cannot be saved, or ""."""
    if not title or len(title) > LONGEST_TITLE:
        return f"Enter a name of at most {LONGEST_TITLE} characters."
    if not text.strip() or len(text) > sparql_guard.LONGEST:
        return f"A query must have 1 to {sparql_guard.LONGEST} characters."
    if SavedQuery.objects.filter(by=request.user.pk, language=language).exclude(title=title).count() >= MOST:
        return f"You already have {MOST} saved queries. Delete one first."
    return ""


@page(SAVE_QUERY)
@require_POST
def remove(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    query = get_object_or_404(SavedQuery, public_id=public_id, by=request.user.pk)
    audit_log.note(request.user, "query removed", str(query.public_id), query.shared)
    query.delete()
    messages.success(request, f"“{query.title}” was deleted.")
    return redirect(query.language)
