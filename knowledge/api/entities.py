"""Entities: searched, and one with its names and what it is elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from extraction.labels import ENTITY_TYPES
from knowledge.api import pagination, schemas
from knowledge.api.auth import PREFIX, Token
from knowledge.api.problems import RequestProblem, not_there
from knowledge.api.serializers import entity_ref
from knowledge.models import Entity, Link
from knowledge.views.entities import index as listed

router = Router(tags=["entities"])
_MERGED = {"responses": {"307": {"description": "The entity was merged into the one at `Location`."}}}


@router.get("", auth=Token("read"), response=schemas.Entities, summary="List or search entities")
def list_entities(request: HttpRequest, wanted: Query[schemas.EntityFilter]) -> Any:
    """Those that live posts mention, in the order of their names; without dates and figures unless asked for."""
    pagination.refuse_unknown(request, schemas.EntityFilter)
    if wanted.type and wanted.type != "any" and wanted.type not in ENTITY_TYPES:
        raise RequestProblem(422, f"`type` takes an entity type, {', '.join(ENTITY_TYPES)}, or `any`.")
    found = listed.filtered(wanted.q, wanted.type)
    rows, following = pagination.page(found, listed.KEY, wanted.after, wanted.limit)
    return {"items": rows_of(rows), "next": following}


def rows_of(found: list[Entity]) -> list[dict[str, Any]]:
    return [
        {**entity_ref(row.entity), "names": row.names, "posts": row.posts, "statements": row.statements}
        for row in listed.rows(found)
    ]


@router.get(
    "/{uuid:entity_id}",
    auth=Token("read"),
    response=schemas.EntityShown,
    summary="One entity",
    openapi_extra=_MERGED,
)
def show_entity(request: HttpRequest, entity_id: UUID) -> Any:
    """Its names, what was merged into it, and what it is in Wikidata. 307: it was merged into another."""
    entity = Entity.objects.select_related("canonical").filter(public_id=entity_id).first()
    if entity is None:
        raise not_there("entity")
    if entity.canonical:
        return elsewhere(f"{PREFIX}entities/{entity.canonical.public_id}")
    (row,) = rows_of([entity])
    merged = [entity_ref(one) for one in Entity.objects.filter(canonical=entity).order_by("pk")]
    return {**row, "merged": merged, "link": _link(entity)}


def elsewhere(address: str) -> HttpResponse:
    """Merges may be undone: what leads to the survivor now may not do so for ever."""
    return HttpResponse(status=307, headers={"Location": address})


def _link(entity: Entity) -> dict[str, Any] | None:
    from knowledge.graphs import unit_builder

    link = Link.objects.filter(entity=entity).first()
    if link is None or (link.looked_up_at is None and link.by_id is None):
        return None
    (unit,) = unit_builder.entities([entity.public_id])
    return {
        "wikidata": link.target or None,
        "label": link.label,
        "description": link.description,
        "sure": link.sure,
        "same_as": list(unit.content.same if unit.content else ()),
        "decided_by_editor": link.by_id is not None,
    }
