"""Editors' changes of entities: label, type, description, aliases, and the removal of what is no entity; their undo.

A change is of the entity that stands for itself. Its key stays: readings go on resolving the same names to it, with the
label and the type that the editor gave. Undoing an earlier change below a later one of the same kind restores what was
before it only where the later one is undone too.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from extraction.labels import ENTITY_TYPES
from extraction.models import Post
from knowledge.entities import names
from knowledge.models import Entity, EntityEdit, EntityName, Mention, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import audit_log, current, projection_queue

Kind = EntityEdit.Kind
EDITOR = "editor"
LONGEST_LABEL = 400
LONGEST_DESCRIPTION = 2000


class ImpossibleEdit(ValueError):
    """The change cannot be made; the message says why."""


def edit(entity: Entity, kind: EntityEdit.Kind | str, value: str, by: audit_log.Who, note: str = "") -> EntityEdit:
    """Change an entity; `value` is the new label, type or description, or the alias. Raises ImpossibleEdit."""
    with transaction.atomic():
        row = Entity.objects.select_for_update(no_key=True).get(pk=entity.canonical_id or entity.pk)
        chosen = Kind(kind)
        given = names.shown(value) if chosen != Kind.DESCRIPTION else value.strip()[:LONGEST_DESCRIPTION]
        before = _apply(row, chosen, given)
        made = EntityEdit.objects.create(
            entity=row, kind=chosen, before=before, after=given, note=note, by_id=by.pk if by else None
        )
        _mark(row, whole=chosen in (Kind.TYPE, Kind.REMOVAL))
        audit_log.note(by, f"entity {chosen.label}", str(row.public_id), None, made.pk)
    return made


def undo(given: EntityEdit, by: audit_log.Who) -> None:
    """Give back what a change replaced. Undone already: nothing. Raises ImpossibleEdit for one below a later one."""
    with transaction.atomic():
        row = Entity.objects.select_for_update(no_key=True).get(pk=given.entity_id)
        later = row.edits.filter(kind=given.kind, undone_at__isnull=True, pk__gt=given.pk)
        if given.kind in (Kind.LABEL, Kind.TYPE, Kind.DESCRIPTION) and later.exists():
            raise ImpossibleEdit("A later change of the same kind is in effect. Undo that first.")
        if not EntityEdit.objects.filter(pk=given.pk, undone_at__isnull=True).update(undone_at=timezone.now()):
            return
        _restore(row, given)
        _mark(row, whole=given.kind in (Kind.TYPE, Kind.REMOVAL))
        audit_log.note(by, "entity change undone", str(row.public_id), given.pk, None)


def active(entity: Entity) -> list[EntityEdit]:
    """The changes of an entity that are in effect, the latest first."""
    return list(entity.edits.filter(undone_at__isnull=True).select_related("by").order_by("-pk"))


def _apply(row: Entity, kind: EntityEdit.Kind, given: str) -> Any:
    """Make the change; what its undo needs."""
    if kind == Kind.LABEL:
        if not given or len(given) > LONGEST_LABEL:
            raise ImpossibleEdit(f"A label has 1 to {LONGEST_LABEL} characters.")
        before = {"label": row.label, "named": row.named, "name": _name(row, given)}
        return _update(row, before, label=given, named=True)
    if kind == Kind.TYPE:
        if given not in ENTITY_TYPES or given in VALUE_TYPES:
            raise ImpossibleEdit("Choose one of the types of things; times and numbers are values of statements.")
        return _update(row, row.type, type=given)
    if kind == Kind.DESCRIPTION:
        return _update(row, row.description, description=given)
    if kind == Kind.REMOVAL:
        if row.removed:
            raise ImpossibleEdit("This entity is removed already.")
        return _update(row, False, removed=True)
    return _alias(row, kind, given)


def _update(row: Entity, before: Any, **columns: Any) -> Any:
    Entity.objects.filter(pk=row.pk).update(**columns)
    return before


def _alias(row: Entity, kind: EntityEdit.Kind, given: str) -> Any:
    rows = EntityName.objects.filter(entity__in=list(current.members([row.pk])), name=given)
    shown = list(rows.filter(hidden=False).values_list("pk", flat=True))
    if kind == Kind.ALIAS:
        if not given or len(given) > LONGEST_LABEL or shown:
            raise ImpossibleEdit("Give a name that the entity does not have yet.")
        hidden = list(rows.values_list("pk", flat=True))
        rows.update(hidden=False)
        return {"shown": hidden, "name": None if hidden else _name(row, given)}
    if not shown or given == row.label:
        raise ImpossibleEdit("This is no alias of the entity. Change the label instead, if it is that.")
    rows.update(hidden=True)
    return {"hidden": shown}


def _name(row: Entity, name: str) -> int | None:
    """Add a name, by which the entity is found too; its id, or None where it had the name."""
    if EntityName.objects.filter(entity=row, name=name).exists():
        return None
    return EntityName.objects.create(entity=row, name=name, key=names.name_key(name), source=EDITOR).pk


def _restore(row: Entity, given: EntityEdit) -> None:
    before: Any = given.before
    if given.kind == Kind.LABEL:
        Entity.objects.filter(pk=row.pk).update(label=before["label"], named=before["named"])
        EntityName.objects.filter(pk=before["name"], source=EDITOR).delete()
    elif given.kind in (Kind.ALIAS, Kind.NO_ALIAS):
        EntityName.objects.filter(pk__in=before.get("shown", ())).update(hidden=True)
        EntityName.objects.filter(pk__in=before.get("hidden", ())).update(hidden=False)
        EntityName.objects.filter(pk=before.get("name"), source=EDITOR).delete()
    else:
        column = {Kind.TYPE: "type", Kind.DESCRIPTION: "description", Kind.REMOVAL: "removed"}[Kind(given.kind)]
        Entity.objects.filter(pk=row.pk).update(**{column: before})


def _mark(row: Entity, *, whole: bool) -> None:
    """Mark the entity; `whole`: also its statements, their other ends, and the posts that mention it."""
    members = list(current.members([row.pk]))
    marked = Q(pk__in=members)
    if whole:
        touching = Statement.objects.filter(Q(head__in=members) | Q(tail__in=members))
        mentioned = Mention.objects.filter(entity__in=members, reading__current_of__isnull=False)
        judged = current.active_reviews().filter(statement__in=touching)
        posts = Q(pk__in=mentioned.values("reading__current_of")) | Q(pk__in=judged.values("post"))
        projection_queue.mark_rows(projection_queue.Kind.POST, Post.objects.filter(posts))
        projection_queue.mark_rows(projection_queue.Kind.STATEMENT, touching)
        marked |= Q(pk__in=touching.values("head")) | Q(pk__in=touching.values("tail"))
    rows = projection_queue.with_survivors(Entity.objects.filter(marked))
    projection_queue.mark_rows(projection_queue.Kind.ENTITY, rows)
