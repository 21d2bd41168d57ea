"""The tools: what assistants may ask, each with the scope of the API that it needs."""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from pydantic import Field

from kgbuilder.models import ApiToken
from knowledge.api import entities, schemas, search, statements
from knowledge.api.assistants import citations
from knowledge.api.assistants.calls import answered
from knowledge.api.problems import RequestProblem, not_found
from knowledge.api.serializers import entity_ref, relation
from knowledge.graphs.rdf import sparql_guard
from knowledge.graphs.units import StoreUnavailable
from knowledge.models import Entity
from knowledge.record import paths
from knowledge.record.current import Edge
from knowledge.views.access import ASK_CYPHER, REFUSALS

MOST_ROWS = 200
MOST_CLAIMS = 20
MOST_SUPPORT = 3  # assertions of a claim; the page of each post has the rest

Id = Annotated[UUID, Field(description="The `id` of an entity, as `search_graph` returns it.")]
Count = Annotated[int, Field(ge=1, le=MOST_CLAIMS, description="How many, at most.")]
Query = Annotated[str, Field(min_length=1, max_length=sparql_guard.LONGEST)]


def search_graph(q: Annotated[str, Field(min_length=1, max_length=200)], limit: Count = 10) -> str:
    """Find entities by name and posts by their words. Begin here: the other tools take the ids of entities."""

    def work(request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        found = search.search(request, search.Search(q=q, limit=limit))
        return {
            "entities": [_named(row) for row in found["entities"]],
            "posts": [{**row, "page": citations.page_of("post", row["id"])} for row in found["posts"]],
        }

    return answered("read", work)


def show_entity(id: Id, limit: Count = 10) -> str:
    """An entity with its names, its link to Wikidata, and its claims, each with its sources and their words."""

    def work(request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        found = entities.show_entity(request, id)
        if isinstance(found, HttpResponse):  # merged: `Location` leads to the entity that it was merged into
            found = entities.show_entity(request, UUID(found.headers["Location"].rsplit("/", 1)[1]))
        return {**_named(found), **_claims(request, _filters(entity=found["id"], limit=limit))}

    return answered("read", work)


def find_claims(
    one: Annotated[UUID | None, Field(description="The id of an entity at either end.")] = None,
    other: Annotated[UUID | None, Field(description="The id of the entity at the other end.")] = None,
    relation: Annotated[str, Field(max_length=60, description="The key of a relation; see kgbuilder://schema.")] = "",
    limit: Count = 10,
    after: Annotated[str, Field(max_length=20, description="`next` of the previous answer.")] = "",
) -> str:
    """The claims between two entities, of one entity, or of a relation, with the words of the posts and addresses."""

    def work(request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        if not (one or relation):
            raise RequestProblem(422, "Give `one`, an entity, or `relation`, or both.")
        if not other:
            filters = _filters(entity=one, relation=relation, limit=limit, after=after)
            return _claims(request, filters)
        if not one:
            raise RequestProblem(422, "`other` needs `one`, the entity at the other end.")
        return _claims_between(request, one, other, relation, limit)

    return answered("read", work)


def find_paths(one: Id, other: Id) -> str:
    """The shortest paths between two entities. Use find_claims for the sources of a step."""

    def work(request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        found = paths.between(_entity(one), _entity(other))
        return {
            "paths": [[_step(edge) for edge in path] for path in found.paths],
            "whole": found.whole,
            "note": f"Paths have at most {paths.LONGEST} steps; `whole` is false where the search was cut short.",
        }

    return answered("read", work)


def query_sparql(query: Query) -> str:
    """Query the graph in SPARQL 1.1 (SELECT or ASK), read-only. Select addresses of posts (schema:url) to cite them."""
    from knowledge.graphs.rdf import sparql_store

    def work(request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        try:
            if sparql_guard.check(query) in ("construct", "describe"):
                raise RequestProblem(400, "Use SELECT or ASK here: CONSTRUCT and DESCRIBE are on the page /sparql/.")
            answer = sparql_store.query(query, settings.SPARQL_SECONDS, MOST_ROWS)
        except (sparql_guard.QueryRefused, sparql_store.SparqlFailed, StoreUnavailable) as error:
            raise _refused(error) from error
        result = json.loads(answer.body)
        cite = {"page": citations.console("sparql"), "truncated": answer.truncated}
        if "boolean" in result:
            return {"answer": result["boolean"], **cite}
        rows = [{name: cell["value"] for name, cell in row.items()} for row in result["results"]["bindings"]]
        return {"columns": result["head"]["vars"], "rows": rows, **cite}

    return answered("query", work)


def query_cypher(query: Query, parameters: dict[str, Any] | None = None) -> str:
    """Query the graph in Cypher, read-only, where Neo4j is set up; the owner of the token needs the permission."""

    def work(request: HttpRequest, token: ApiToken) -> dict[str, Any]:
        from knowledge.graphs.neo4j import cypher_guard
        from knowledge.graphs.neo4j import queries as console

        if not token.by.has_perm(ASK_CYPHER):
            raise RequestProblem(403, REFUSALS[ASK_CYPHER])
        try:
            values = cypher_guard.parameters(json.dumps(parameters or {}))
            answer = console.query(query, values, settings.CYPHER_SECONDS, MOST_ROWS)
        except (sparql_guard.QueryRefused, console.CypherFailed, StoreUnavailable) as error:
            raise _refused(error) from error
        return {**answer.as_json(), "page": citations.console("cypher")}

    return answered("query", work)


TOOLS = (search_graph, show_entity, find_claims, find_paths, query_sparql, query_cypher)


def _refused(error: Exception) -> RequestProblem:
    return RequestProblem(503 if isinstance(error, StoreUnavailable) else 422, str(error))


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "page": citations.page_of("entity", row["id"])}


def _entity(public_id: UUID) -> Entity:
    entity = Entity.objects.select_related("canonical").filter(public_id=public_id).first()
    if entity is None:
        raise not_found("entity")
    return entity.canonical or entity


def _step(edge: Edge) -> dict[str, Any]:
    ends = {end: _named(entity_ref(entity)) for end, entity in (("head", edge.head), ("tail", edge.tail))}
    return {**ends, "relation": relation(edge.relation), "posts": edge.posts, "factuality": edge.factuality}


def _filters(**given: Any) -> schemas.StatementFilter:
    return schemas.StatementFilter.model_validate(given)


def _claims(request: HttpRequest, filters: schemas.StatementFilter) -> dict[str, Any]:
    found = statements.list_statements(request, filters)
    return {"claims": [_claim(request, row["id"]) for row in found["items"]], "next": found["next"]}


def _claims_between(request: HttpRequest, one: UUID, other: UUID, key: str, limit: int) -> dict[str, Any]:
    """Those in both directions; the API lists a pair by its head and tail."""
    found: dict[UUID, None] = {}
    for head, tail in ((one, other), (other, one)):
        filters = _filters(head=head, tail=tail, relation=key, limit=limit)
        found |= dict.fromkeys(row["id"] for row in statements.list_statements(request, filters)["items"])
    return {"claims": [_claim(request, each) for each in list(found)[:limit]], "next": None}


def _claim(request: HttpRequest, public_id: UUID) -> dict[str, Any]:
    shown = statements.show_statement(request, public_id)
    ends = {end: _named(shown[end]) for end in ("head", "tail")}
    sources = {key: citations.supports(shown[key], MOST_SUPPORT) for key in ("support", "against")}
    return {**shown, **ends, **sources}
