"""Entities: the list with search, and one entity with its names and link."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from extraction.labels import ENTITY_TYPES
from knowledge.api import pagination, schemas
from knowledge.api.auth import PREFIX, Token
from knowledge.api.problems import RequestProblem, not_found
from knowledge.api.serializers import entity_ref
from knowledge.models import Entity, Link
from knowledge.views.entities import index as listed

router = Router(tags=["entities"])
_MERGED = {"responses": {"307": {"description": "The entity was merged into the one at `Location`."}}}


@router.get("", auth=Token("read"), response=schemas.Entities, summary="List or search entities")
def list_entities(request: HttpRequest, filters: Query[schemas.EntityFilter]) -> Any:
    """The entities that live posts mention, by name. Times and numbers are values of statements and not among them."""
    pagination.refuse_unknown(request, schemas.EntityFilter)
    if filters.type and filters.type != "any" and filters.type not in ENTITY_TYPES:
        raise RequestProblem(422, f"`type` takes an entity type, {', '.join(ENTITY_TYPES)}, or `any`.")
    matching = listed.filtered(filters.q, filters.type)
    rows, following = pagination.page(matching, listed.KEY, filters.after, filters.limit)
    return {"items": rows_of(rows), "next": following}


def rows_of(entities: list[Entity]) -> list[dict[str, Any]]:
    return [
        {**entity_ref(row.entity), "names": row.names, "posts": row.posts, "statements": row.statements}
        for row in listed.rows(entities)
    ]


@router.get(
    "/{uuid:entity_id}",
    auth=Token("read"),
    response=schemas.EntityShown,
    summary="One entity",
    openapi_extra=_MERGED,
)
def show_entity(request: HttpRequest, entity_id: UUID) -> Any:
    """Its names, the entities merged into it, and its link to Wikidata. 307: it was merged into another entity."""
    entity = listed.with_pages().select_related("canonical").filter(public_id=entity_id).first()
    if entity is None:
        raise not_found("entity")
    if entity.canonical:
        return _redirect(f"{PREFIX}entities/{entity.canonical.public_id}")
    (row,) = rows_of([entity])
    merged = [entity_ref(one) for one in Entity.objects.filter(canonical=entity).order_by("pk")]
    return {**row, "merged": merged, "link": _link(entity)}


def _redirect(address: str) -> HttpResponse:
    """A temporary redirect, since merges can be undone."""
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
