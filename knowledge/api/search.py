"""Search in posts and entities, and the vocabulary: the entity types and relations."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.models import Post
from knowledge.api import entities, pagination, posts, schemas
from knowledge.api.auth import Token
from knowledge.api.serializers import relation
from knowledge.views.entities import index as listed_entities
from knowledge.views.posts import index as listed_posts

router = Router(tags=["search"])


class Search(Schema):
    q: schemas.Words = Field(min_length=1, max_length=200, description="Words to look for.")
    limit: int = Field(10, ge=1, le=50, description="How many of each kind, at most.")


class TypeShown(Schema):
    key: str
    label: str


class RelationShown(schemas.OntologyRelation):
    symmetric: bool


class Vocabulary(Schema):
    types: list[TypeShown]
    relations: list[RelationShown]


@router.get("/search", auth=Token("read"), response=schemas.SearchResults, summary="Search posts and entities")
def search(request: HttpRequest, filters: Query[Search]) -> Any:
    """The newest live posts that contain all words of `q`, and the entities with such a name."""
    pagination.refuse_unknown(request, Search)
    matching = listed_posts.filtered({"q": filters.q}).filter(state=Post.State.LIVE)
    newest = listed_posts.with_parts(matching).order_by("-published_at", "-id")[: filters.limit]
    named = listed_entities.filtered(filters.q).order_by("key")[: filters.limit]
    return {"posts": posts.rows_of(list(newest)), "entities": entities.rows_of(list(named))}


@router.get("/vocabulary", auth=Token("read"), response=Vocabulary, summary="Entity types and relations")
def vocabulary(request: HttpRequest) -> Any:
    """The keys in filters and responses. Their meaning never changes."""
    types = [{"key": one.key, "label": one.label} for one in ENTITY_TYPES.values()]
    return {"types": types, "relations": [relation(key) | {"symmetric": RELATIONS[key].symmetric} for key in RELATIONS]}
