"""Merge and split entities from their pages: possible duplicates, and editors' decisions."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from extraction.models import Post
from kgbuilder.celery import ring_projectors
from knowledge.entities import merges
from knowledge.entities.names import name_key
from knowledge.models import Entity, EntityName, Merge, Split
from knowledge.record import current
from knowledge.recording import splits
from knowledge.views.access import MERGE, page
from knowledge.views.entities.index import rows, with_pages

MOST_CANDIDATES = 6
MOST_COMPARED = 60
SHORTEST_WORD = 3
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Merged:
    """An active merge, with the entities that it merged."""

    merge: Merge
    entities: list[Entity]


def candidates(entity: Entity, names: Iterable[str]) -> list[Entity]:
    """Entities of the same type whose names share words with the names of this one, the most similar first."""
    words = {word for name in names for word in _words(name)}
    if not words:
        return []
    shared = Q()
    for word in sorted(words, key=len, reverse=True)[:8]:
        shared |= Q(key__contains=word)
    named = EntityName.objects.filter(shared).values("entity")
    similar = current.entities().filter(pk__in=named, type=entity.type).exclude(pk=entity.pk).order_by("label")
    common = {other: len(words & _words(other.label)) for other in similar[:MOST_COMPARED]}
    ranked = sorted((other for other in common if common[other]), key=lambda other: (-common[other], other.label))
    counts = affected(ranked[:MOST_CANDIDATES])
    for other in ranked[:MOST_CANDIDATES]:
        other.affected = counts[other.pk]  # type: ignore[attr-defined]
    return ranked[:MOST_CANDIDATES]


def merged_into(entity: Entity) -> list[Merged]:
    active = Merge.objects.filter(survivor=entity, undone_at__isnull=True).select_related("by").order_by("pk")
    merged = Entity.objects.filter(canonical=entity).in_bulk()
    return [
        Merged(merge, [merged[int(pk)] for pk in merge.former if int(pk) in merged and merge.former[pk] is None])
        for merge in active
    ]


@page(MERGE)
@require_POST
def merge(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Merge another entity (given by id, page address or exact name) into this one, once `sure` confirms it."""
    survivor = get_object_or_404(with_pages(), public_id=public_id)
    reference = request.POST.get("other", "").strip()
    try:
        other = referenced(reference, survivor)
        if request.POST.get("sure") != "yes" and _standing(other) != _standing(survivor):
            return _confirmation(request, survivor, other)
        merges.merge(survivor, [other], request.user)
    except (LookupError, merges.NothingToMerge) as error:
        messages.error(request, str(error.args[0]))
    else:
        ring_projectors()
        messages.success(request, f"Merged {other.label} into {survivor.label}. You can undo this below.")
    return redirect("entity", public_id)


def _confirmation(request: HttpRequest, survivor: Entity, other: Entity) -> HttpResponse:
    """The page before a merge: which entity is meant, and what the merge affects."""
    [(statements, posts)] = affected([other]).values()
    context = {"survivor": survivor, "other": other, "statements": statements, "posts": posts}
    return render(request, "entities/merge.html", context)


@page(MERGE)
@require_POST
def undo(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    survivor = get_object_or_404(Entity, public_id=public_id)
    number = request.POST.get("merge", "")
    if not number.isdecimal():
        raise Http404("This merge does not exist.")
    merges.undo(get_object_or_404(Merge, pk=int(number), survivor=survivor), request.user)
    ring_projectors()
    messages.success(request, "The merge was undone.")
    return redirect("entity", public_id)


@page(MERGE)
@require_POST
def split(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Split an entity.

    `post`: ids of the posts whose mentions belong to another entity; `other`: which one, empty for a new one.
    """
    origin = get_object_or_404(with_pages(), public_id=public_id, canonical__isnull=True)
    posts = [one for one in request.POST.getlist("post") if _UUID.fullmatch(one)]
    reference = request.POST.get("other", "").strip()
    try:
        other = referenced(reference, origin) if reference else None
        split = splits.split(origin, list(Post.objects.filter(public_id__in=posts)), other, request.user)
    except (LookupError, splits.NothingToSplit) as error:
        messages.error(request, str(error.args[0]))
        return redirect("entity", public_id)
    ring_projectors()
    messages.success(request, f"Split: these mentions now belong to {split.target.label}, no longer to {origin.label}.")
    return redirect("entity", split.target.canonical.public_id if split.target.canonical else split.target.public_id)


@page(MERGE)
@require_POST
def undo_split(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    entity = get_object_or_404(Entity, public_id=public_id)
    number = request.POST.get("split", "")
    if not number.isdecimal():
        raise Http404("This split does not exist.")
    rows = Split.objects.filter(Q(origin=entity) | Q(target=entity))
    split = get_object_or_404(rows, pk=int(number))
    splits.undo(split, request.user)
    ring_projectors()
    messages.success(request, "The split was undone.")
    return redirect("entity", split.origin.public_id)


def affected(entities: Iterable[Entity]) -> dict[int, tuple[int, int]]:
    """For each entity's id the numbers of statements in the graph and of live posts that merging it into another
    affects: those that the list of entities shows."""
    return {item.entity.pk: (item.statements, item.posts) for item in rows(list(entities))}


def _standing(entity: Entity) -> int:
    """The id of the entity that stands for this one."""
    return entity.canonical_id or entity.pk


def referenced(reference: str, survivor: Entity | None = None) -> Entity:
    """The entity with this id, page address or exact name. Raises LookupError with a sentence."""
    if match := _UUID.search(reference):
        other = Entity.objects.filter(public_id=uuid.UUID(match.group())).first()
        if other is None:
            raise LookupError("No entity has this id.")
        return other
    same = current.entities().filter(names__key=name_key(reference))
    same = (same.exclude(pk=survivor.pk) if survivor else same).distinct()[:2]
    if not reference or not same:
        raise LookupError("No other entity has exactly this name. Paste the address of its page instead.")
    if len(same) > 1:
        raise LookupError("Several entities have this name. Paste the address of the page of the one you mean.")
    return same[0]


def _words(name: str) -> set[str]:
    return {word for word in re.findall(r"\w+", name_key(name)) if len(word) >= SHORTEST_WORD}
