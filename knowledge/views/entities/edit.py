"""Editors' changes of an entity, and their undo."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from kgbuilder.celery import ring_projectors
from knowledge.entities import edits
from knowledge.models import EntityEdit
from knowledge.views.access import REVIEW, page
from knowledge.views.entities.index import with_pages

_DONE = {
    EntityEdit.Kind.LABEL: "The label was changed. Later readings keep it.",
    EntityEdit.Kind.TYPE: "The type was changed. Later readings keep it.",
    EntityEdit.Kind.DESCRIPTION: "The description was changed.",
    EntityEdit.Kind.ALIAS: "The alias was added.",
    EntityEdit.Kind.NO_ALIAS: "The alias was removed. Later readings do not bring it back.",
    EntityEdit.Kind.REMOVAL: "Removed: the entity is in no graph, whatever posts mention it. You can undo this below.",
}


@page(REVIEW)
@require_POST
def edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """`kind`: what is changed; `value`: what it is to be."""
    entity = get_object_or_404(with_pages(), public_id=public_id, canonical__isnull=True)
    kind, value = request.POST.get("kind", ""), request.POST.get("value", "")
    if kind not in EntityEdit.Kind.values:
        raise Http404("There is no such change.")
    try:
        made = edits.edit(entity, kind, value, request.user, request.POST.get("note", "")[:2000])
    except edits.ImpossibleEdit as error:
        messages.error(request, str(error))
    else:
        ring_projectors()
        messages.success(request, _DONE[EntityEdit.Kind(made.kind)])
    return redirect("entity", public_id)


@page(REVIEW)
@require_POST
def undo(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    entity = get_object_or_404(with_pages(), public_id=public_id)
    number = request.POST.get("edit", "")
    if not number.isdecimal() or len(number) > 18:
        raise Http404("This change does not exist.")
    try:
        edits.undo(get_object_or_404(EntityEdit, pk=int(number), entity=entity), request.user)
    except edits.ImpossibleEdit as error:
        messages.error(request, str(error))
    else:
        ring_projectors()
        messages.success(request, "The change was undone.")
    return redirect("entity", public_id)
