"""The list of the entities that live posts mention, searched by name and filtered by type."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django import forms
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from extraction.labels import ENTITY_TYPES
from knowledge.entities import name_index
from knowledge.entities.names import name_key
from knowledge.models import Entity, EntityName, Statement
from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import current
from knowledge.views import pagination
from knowledge.views.access import READ, page
from knowledge.views.filters import ignored

SIZE = 50
KEY = pagination.Key(fields=("key",), descending=False, parse=(str,))


class EntityFilters(forms.Form):
    q = forms.CharField(required=False, max_length=200, label="Name")
    type = forms.ChoiceField(
        required=False,
        choices=[
            ("", "All types"),
            *((t.key, t.plural) for t in ENTITY_TYPES.values() if t.key not in VALUE_TYPES),
        ],
    )


@dataclass
class EntityListItem:
    entity: Entity
    names: list[str]
    posts: int
    statements: int


@page(READ)
def entities(request: HttpRequest) -> HttpResponse:
    form = EntityFilters(request.GET)
    form.is_valid()
    filters = {name: value for name, value in getattr(form, "cleaned_data", {}).items() if value}
    row_page = pagination.page(filtered(**filters), KEY, request.GET, SIZE)
    context = {"form": form, "rows": rows(row_page.rows), "page": row_page, "filtered": bool(filters)}
    context["ignored"] = ignored(form)
    return render(request, "entities/index.html", context)


def with_pages() -> QuerySet[Entity]:
    """The entities that have a page: times and numbers are values of statements, not things."""
    return Entity.objects.exclude(type__in=VALUE_TYPES)


def filtered(q: str = "", type: str = "") -> QuerySet[Entity]:
    entities = current.entities()
    if type in ENTITY_TYPES:
        entities = entities.filter(type=type)
    sought = q.replace("\0", " ")
    if words := name_key(sought).split():
        spelling_variants = Entity.objects.filter(name_index.spelt(sought)).values(now=Coalesce("canonical_id", "pk"))
        entities = entities.filter(_with_words(words) | Q(pk__in=spelling_variants))
    return entities


def _with_words(words: list[str]) -> Q:
    """Match entities with every word in some name. Not correlated: names are searched once for each word."""
    condition = Q()
    for word in words:
        named = EntityName.objects.filter(key__contains=word)
        condition &= Q(pk__in=named.values(now=Coalesce("entity__canonical_id", "entity_id")))
    return condition


def rows(entities: list[Entity]) -> list[EntityListItem]:
    """Add names and counts, including those of merged entities, in a fixed number of queries."""
    survivors = current.members(entity.pk for entity in entities)
    names: dict[int, list[str]] = defaultdict(list)
    for entity, name in (
        EntityName.objects.filter(entity__in=survivors, hidden=False).values_list("entity", "name").order_by("pk")
    ):
        names[survivors[entity]].append(name)
    now = Coalesce("entity__canonical_id", "entity_id")
    posts = dict(
        current.mentions()
        .filter(entity__in=survivors)
        .values_list(now)
        .annotate(n=Count("reading__version__post", distinct=True))
        .order_by()
    )
    statements: dict[int, set[tuple[int, str, int]]] = defaultdict(set)
    touching = current.with_ends(Statement.objects.filter(Q(head__in=survivors) | Q(tail__in=survivors)))
    triples = {pk: triple for pk, *triple in touching.values_list("pk", "head_now", "relation", "tail_now")}
    for pk in current.supported_among(triples):
        head, relation, tail = triples[pk]
        for end in (head, tail):
            statements[end].add((head, relation, tail))
    return [
        EntityListItem(e, _other_names(names[e.pk], e.label), posts.get(e.pk, 0), len(statements[e.pk]))
        for e in entities
    ]


def _other_names(names: list[str], label: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name != label]
