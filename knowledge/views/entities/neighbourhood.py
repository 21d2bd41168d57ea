"""The neighbourhood of an entity: a graph that grows by clicks, the same as a table, and paths to another entity."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from knowledge.entities import name_index
from knowledge.models import Entity
from knowledge.ontology import relation_names
from knowledge.record import current, paths
from knowledge.record.current import Edge
from knowledge.views.access import READ, page
from knowledge.views.entities.index import with_pages
from knowledge.views.qualifiers import Ends, denied_in, ends_of, qualified

MOST_AT_ONCE = 60  # neighbours that one click adds
MOST_NODES = 500  # in one drawing
MOST_CHOICES = 10
LONGEST_NAME = 600

Graph = dict[str, list[dict[str, Any]]]


@page(READ)
def neighbourhood(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The entity's neighbours; with `to`, a name or a page address, the shortest paths to that entity as well."""
    entity = get_object_or_404(with_pages().select_related("canonical"), public_id=public_id)
    if entity.canonical:
        return redirect("neighbourhood", entity.canonical.public_id, permanent=False)
    near, total = _near(entity)
    target = request.GET.get("to", "").replace("\0", " ").strip()[:LONGEST_NAME]
    choices = _referenced(target) if target else []
    other = choices[0] if len(choices) == 1 else None
    shortest = paths.between(entity, other) if other else None
    drawn = [*near, *(edge for path in shortest.paths for edge in path)] if shortest else near
    denied = denied_in(drawn)
    steps = [_steps(entity, path) for path in shortest.paths] if shortest else []
    context = {
        "entity": entity,
        "edges": [(edge, denied[ends_of(edge)]) for edge in near],
        "total": total,
        "graph": graph_of([entity], drawn, denied),
        "paths": [[_key(edge) for edge in path] for path in shortest.paths] if shortest else [],
        "more": [str(entity.public_id)] if total > MOST_AT_ONCE else [],
        "to": target,
        "other": other,
        "choices": choices if len(choices) > 1 else [],
        "ways": steps,
        "whole": shortest.whole if shortest else True,
        "longest": paths.LONGEST,
        "most_nodes": MOST_NODES,
        "most_at_once": MOST_AT_ONCE,
    }
    return render(request, "entities/neighbourhood.html", context)


@page(READ)
def neighbours(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What a click on an entity adds, as JSON: the entity, its best supported neighbours, and their statements."""
    entity = get_object_or_404(with_pages().select_related("canonical"), public_id=public_id)
    entity = entity.canonical or entity
    near, total = _near(entity)
    graph = graph_of([entity], near, denied_in(near))
    more = max(0, total - MOST_AT_ONCE)
    return JsonResponse({**graph, "expanded": str(entity.public_id), "more": more})


def _near(entity: Entity) -> tuple[list[Edge], int]:
    """The statements with the best supported neighbours, and the total number of neighbours."""
    nearest, total = current.neighbours(entity, MOST_AT_ONCE)
    return [edge for other in nearest for edge in other.edges], total


def graph_of(alone: Iterable[Entity], edges: Sequence[Edge], denied: Mapping[Ends, int]) -> Graph:
    """Entities and statements in the form that the script of the page draws, each once.

    `denied`: how many posts deny each statement.
    """
    entities = {one.pk: one for edge in edges for one in (edge.head, edge.tail)} | {one.pk: one for one in alone}
    return {
        "nodes": [
            {
                "key": str(one.public_id),
                "label": one.label,
                "type": one.type,
                "href": reverse("entity", args=[one.public_id]),
                "ask": reverse("neighbours", args=[one.public_id]),
            }
            for one in entities.values()
        ],
        "edges": [
            {
                "key": key,
                "head": str(edge.head.public_id),
                "tail": str(edge.tail.public_id),
                "relation": edge.relation,
                "name": relation_names.label(edge.relation),
                "label": qualified(relation_names.label(edge.relation), edge.factuality),
                "factuality": edge.factuality,
                "denied": denied[ends_of(edge)],
                "symmetric": edge.relation in current.SYMMETRIC,
                "posts": edge.posts,
            }
            for key, edge in {_key(edge): edge for edge in edges}.items()
        ],
    }


def _key(edge: Edge) -> str:
    return f"{edge.head.public_id}|{edge.relation}|{edge.tail.public_id}"


def _steps(start: Entity, path: paths.Path) -> list[dict[str, Any]]:
    """The statements of a path in order, with the entity that each leads to."""
    steps, here = [], start
    for edge in path:
        following = edge.tail if edge.head.pk == here.pk else edge.head
        steps.append({"edge": edge, "to": following, "along": edge.head.pk == here.pk})
        here = following
    return steps


def _referenced(target: str) -> list[Entity]:
    """The entities that `target` means: by page address, otherwise by whole name, in any of its spellings."""
    for part in target.replace("?", "/").split("/"):
        try:
            row = Entity.objects.select_related("canonical").filter(public_id=uuid.UUID(part)).first()
        except ValueError:
            continue
        return [row.canonical or row] if row else []
    rows = (
        Entity.objects.filter(name_index.spelt(target)).select_related("canonical").order_by("pk")[: MOST_CHOICES * 2]
    )
    survivors = {one.pk: one for one in (row.canonical or row for row in rows)}
    present = set(current.entities().filter(pk__in=list(survivors)).values_list("pk", flat=True))
    return [one for pk, one in survivors.items() if pk in present][:MOST_CHOICES]
