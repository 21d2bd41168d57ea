"""What an entity is elsewhere: shown on its page with every candidate, and decided there by editors."""

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
from knowledge.sources.protocol import source_of
from knowledge.sources.wikidata_json import is_item
from knowledge.views.access import MERGE, page

WIKIDATA_PAGE = "https://www.wikidata.org/wiki/"
MOST_FACTS = 60
_TOLD = {one.property: one.label for one in RELATIONS.values() if one.property and one.match == "exact"}


@dataclass(frozen=True)
class Elsewhere:
    """The entity's link as its page shows it. `state`: linked, none (of the candidates) or waiting."""

    link: Link
    state: str
    address: str
    candidates: list[dict[str, Any]]
    facts: list[FactInWords]


@dataclass(frozen=True)
class FactInWords:
    """One of its facts in words: the relation's label, the value's name or the value, who says so."""

    property: str
    value: str
    source: str


def elsewhere(entity: Entity) -> Elsewhere | None:
    """None for what is never looked up, and for an entity of before links."""
    link = Link.objects.filter(entity=entity).select_related("by").first()
    if link is None or entity.type in link_queue.UNLINKED:
        return None
    state = "linked" if link.target else "waiting" if link.looked_up_at is None and not link.by_id else "none"
    candidates = [{**one, "address": WIKIDATA_PAGE + one["id"]} for one in link.candidates]
    address = WIKIDATA_PAGE + link.target if link.target else ""
    return Elsewhere(link, state, address, candidates, _facts(link.facts) if link.target else [])


def _facts(rows: list[list[str]]) -> list[FactInWords]:
    """Those that can be told in words: of a property that we know, with a name or a plain value."""
    found = []
    for row in rows:
        name, value, label = row[:3]
        if name in _TOLD and (label or not is_item(value)):
            found.append(
                FactInWords(_TOLD[name], label or value.removesuffix("T00:00:00Z"), source_of(source_property_of(row)))
            )
    return found[:MOST_FACTS]


@page(MERGE)
@require_POST
def decide(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`target`: a candidate's id, or nothing for none of them."""
    entity = get_object_or_404(Entity, public_id=public_id)
    try:
        link_queue.decide(entity, request.POST.get("target", ""), request.user)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        ring_projectors()
        messages.success(request, "The link was saved. The graph is updated within seconds.")
    return redirect("entity", public_id)
