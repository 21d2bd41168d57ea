"""The link of an entity: shown on its page with all candidates, and decided there by editors."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from extraction.labels import RELATIONS
from kgbuilder.celery import ring_projectors
from knowledge.linking import link_queue
from knowledge.linking.enrichment import source_property_of
from knowledge.models import Entity, Link
from knowledge.ontology.values import VALUE_TYPES
from knowledge.sources.protocol import source_of
from knowledge.sources.wikidata_json import is_item
from knowledge.views.access import MERGE, page

WIKIDATA_PAGE = "https://www.wikidata.org/wiki/"
MOST_FACTS = 60
_PROPERTY_LABELS = {one.property: one.label for one in RELATIONS.values() if one.property and one.match == "exact"}


@dataclass(frozen=True)
class ShownLink:
    """The entity's link as its page shows it. `state`: linked, none (no match) or waiting."""

    link: Link
    state: str
    address: str
    candidates: list[dict[str, Any]]
    facts: list[FactAsText]


@dataclass(frozen=True)
class FactAsText:
    """One of its facts as text: the label of the property, the name of the value or the value, and the source."""

    property: str
    value: str
    source: str


def shown_link(entity: Entity) -> ShownLink | None:
    """None for types that are never linked, and for entities that were created before linking existed."""
    link = Link.objects.filter(entity=entity).select_related("by").first()
    if link is None or entity.type in VALUE_TYPES:
        return None
    state = "linked" if link.target else "waiting" if link.looked_up_at is None and not link.by_id else "none"
    candidates = [{**one, "address": WIKIDATA_PAGE + one["id"]} for one in link.candidates]
    address = WIKIDATA_PAGE + link.target if link.target else ""
    return ShownLink(link, state, address, candidates, _facts(link.facts) if link.target else [])


def _facts(rows: list[list[str]]) -> list[FactAsText]:
    """The facts that can be shown as text: of a known property, with a name or a plain value."""
    facts = []
    for row in rows:
        name, value, label = row[:3]
        if name in _PROPERTY_LABELS and (label or not is_item(value)):
            shown = label or value.removesuffix("T00:00:00Z")
            facts.append(FactAsText(_PROPERTY_LABELS[name], shown, source_of(source_property_of(row))))
    return facts[:MOST_FACTS]


@page(MERGE)
@require_POST
def decide(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Record an editor's decision. `target`: a candidate's id, or empty for no match."""
    entity = get_object_or_404(Entity, public_id=public_id)
    try:
        link_queue.decide(entity, request.POST.get("target", ""), request.user)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        ring_projectors()
        messages.success(request, "The link was saved. The graph is updated within seconds.")
    return redirect("entity", public_id)
