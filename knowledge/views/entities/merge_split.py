"""Making entities one from their pages, and several again: what might be the same, and an editor's decision."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from extraction.models import Post
from kgbuilder.celery import ring_projectors
from knowledge.entities import merges
from knowledge.entities.names import name_key
from knowledge.models import Entity, EntityName, Merge, Split, Statement
from knowledge.record import current
from knowledge.recording import splits
from knowledge.views.access import MERGE, page
from knowledge.views.entities.index import UNNAMED

MOST_CANDIDATES = 6
LOOKED_AT = 60
SHORTEST_WORD = 3
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Merged:
    """A merge in force, with the entities that it took in."""

    merge: Merge
    entities: list[Entity]


def candidates(entity: Entity, names: Iterable[str]) -> list[Entity]:
    """Entities of the same type that share words with the names of this one, the most alike first."""
    words = {word for name in names for word in _words(name)}
    if not words or entity.type in UNNAMED:
        return []
    shared = Q()
    for word in sorted(words, key=len, reverse=True)[:8]:
        shared |= Q(key__contains=word)
    named = EntityName.objects.filter(shared).values("entity")
    found = current.entities().filter(pk__in=named, type=entity.type).exclude(pk=entity.pk).order_by("label")
    alike = {other: len(words & _words(other.label)) for other in found[:LOOKED_AT]}
    ranked = sorted((other for other in alike if alike[other]), key=lambda other: (-alike[other], other.label))
    counts = touched(ranked[:MOST_CANDIDATES])
    for other in ranked[:MOST_CANDIDATES]:
        other.touched = counts[other.pk]  # type: ignore[attr-defined]
    return ranked[:MOST_CANDIDATES]


def merged_into(entity: Entity) -> list[Merged]:
    in_force = Merge.objects.filter(survivor=entity, undone_at__isnull=True).select_related("by").order_by("pk")
    taken = Entity.objects.filter(canonical=entity).in_bulk()
    return [
        Merged(merge, [taken[int(pk)] for pk in merge.former if int(pk) in taken and merge.former[pk] is None])
        for merge in in_force
    ]


@page(MERGE)
@require_POST
def merge(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Makes another entity (its id, its page's address or its exact name) one with this one."""
    survivor = get_object_or_404(Entity, public_id=public_id)
    said = request.POST.get("other", "").strip()
    try:
        other = _named(said, survivor)
        if not _UUID.search(said):
            return _asked_first(request, survivor, other)
        merges.merge(survivor, [other], request.user)
    except (LookupError, merges.NothingToMerge) as error:
        messages.error(request, str(error.args[0]))
    else:
        ring_projectors()
        messages.success(request, f"Merged {other.label} into {survivor.label}. You can undo this below.")
    return redirect("entity", public_id)


def _asked_first(request: HttpRequest, survivor: Entity, other: Entity) -> HttpResponse:
    """Before a merge by name: which entity that is, and what is touched."""
    [(statements, posts)] = touched([other]).values()
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
    """`post`: the public ids of posts whose mentions are another entity's; `other`: which, or nothing for a new one."""
    origin = get_object_or_404(Entity, public_id=public_id, canonical__isnull=True)
    wanted = [one for one in request.POST.getlist("post") if _UUID.fullmatch(one)]
    said = request.POST.get("other", "").strip()
    try:
        other = _named(said, origin) if said else None
        made = splits.split(origin, list(Post.objects.filter(public_id__in=wanted)), other, request.user)
    except (LookupError, splits.NothingToSplit) as error:
        messages.error(request, str(error.args[0]))
        return redirect("entity", public_id)
    ring_projectors()
    messages.success(request, f"Split: these mentions now belong to {made.target.label}, no longer to {origin.label}.")
    return redirect("entity", made.target.canonical.public_id if made.target.canonical else made.target.public_id)


@page(MERGE)
@require_POST
def undo_split(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    entity = get_object_or_404(Entity, public_id=public_id)
    number = request.POST.get("split", "")
    if not number.isdecimal():
        raise Http404("This split does not exist.")
    rows = Split.objects.filter(Q(origin=entity) | Q(target=entity))
    made = get_object_or_404(rows, pk=int(number))
    splits.undo(made, request.user)
    ring_projectors()
    messages.success(request, "The split was undone.")
    return redirect("entity", made.origin.public_id)


def touched(entities: Iterable[Entity]) -> dict[int, tuple[int, int]]:
    """Of each entity's id: how many statements and how many live posts a merge of it into another changes."""
    members = current.members([entity.pk for entity in entities])
    ends = {end: Coalesce(f"{end}__canonical_id", f"{end}_id") for end in ("head", "tail")}
    heads = Statement.objects.filter(head__in=members).annotate(one=ends["head"])
    # A statement between what is one entity now is counted by its head alone.
    tails = Statement.objects.filter(tail__in=members).annotate(one=ends["tail"]).exclude(one=ends["head"])
    statements: Counter[int] = Counter()
    for rows in (heads, tails):
        statements.update(dict(rows.values_list("one").annotate(n=Count("pk")).order_by()))
    mentioned = (
        current.mentions().filter(entity__in=members).annotate(one=Coalesce("entity__canonical_id", "entity_id"))
    )
    posts = dict(mentioned.values_list("one").annotate(n=Count("reading", distinct=True)).order_by())
    return {pk: (statements[pk], posts.get(pk, 0)) for pk in set(members.values())}


def _named(said: str, survivor: Entity) -> Entity:
    """Raises LookupError with a sentence."""
    if found := _UUID.search(said):
        other = Entity.objects.filter(public_id=uuid.UUID(found.group())).first()
        if other is None:
            raise LookupError("No entity has this id.")
        return other
    same = current.entities().filter(names__key=name_key(said)).exclude(pk=survivor.pk).distinct()[:2]
    if not said or not same:
        raise LookupError("No other entity has exactly this name. Paste the address of its page instead.")
    if len(same) > 1:
        raise LookupError("Several entities have this name. Paste the address of the page of the one you mean.")
    return same[0]


def _words(name: str) -> set[str]:
    return {word for word in re.findall(r"\w+", name_key(name)) if len(word) >= SHORTEST_WORD}
