"""The query operations of the SPARQL 1.1 Protocol: GET and both forms of POST, read-only like the SPARQL page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from ninja import Router

from knowledge.api.auth import Token
from knowledge.api.problems import RequestProblem
from knowledge.graphs.rdf import sparql_guard
from knowledge.graphs.units import StoreUnavailable

router = Router(tags=["SPARQL"])

MOST_ROWS = 50_000
TABLES = (
    "application/sparql-results+json",
    "application/sparql-results+xml",
    "text/csv",
    "text/tab-separated-values",
)
TRIPLES = ("text/turtle", "application/n-triples", "application/rdf+xml", "application/ld+json")
# What general media types mean, of a table and of triples.
PLAIN = {
    "application/json": (TABLES[0], TRIPLES[3]),
    "application/xml": (TABLES[1], TRIPLES[2]),
    "text/xml": (TABLES[1], TRIPLES[2]),
}
_FORM, _QUERY = "application/x-www-form-urlencoded", "application/sparql-query"
_DATASET = {"default-graph-uri", "named-graph-uri", "using-graph-uri", "using-named-graph-uri"}
_RESPONSES = {
    200: {
        "description": "The result. `X-Truncated`: the number of rows after which it was truncated.",
        "content": {kind: {"schema": {"type": "string"}} for kind in (*TABLES, *TRIPLES)},
    },
    "400": {"description": "the query is invalid or not allowed"},
    "415": {"description": "the body is not a query"},
    "406": {"description": "none of the accepted media types is available"},
}
_QUERY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": sparql_guard.LONGEST, "examples": ["ASK { ?s ?p ?o }"]}
_PARAMETER = [{"in": "query", "name": "query", "required": True, "schema": _QUERY_SCHEMA, "description": "The query."}]
_BODY = {
    "required": True,
    "content": {
        _QUERY: {"schema": _QUERY_SCHEMA},
        _FORM: {"schema": {"type": "object", "required": ["query"], "properties": {"query": _QUERY_SCHEMA}}},
    },
}


@router.get(
    "",
    auth=Token("query"),
    summary="Query in SPARQL",
    openapi_extra={"parameters": _PARAMETER, "responses": _RESPONSES},
)
def ask_sparql(request: HttpRequest) -> Any:
    """SPARQL 1.1 Protocol by GET. SELECT, ASK, CONSTRUCT or DESCRIBE; no SERVICE, no update, within a limit of time."""
    return _result(request, request.GET)


@router.post(
    "", auth=Token("query"), summary="Query in SPARQL", openapi_extra={"requestBody": _BODY, "responses": _RESPONSES}
)
def post_sparql(request: HttpRequest) -> Any:
    """The same by POST: the query as the body (application/sparql-query) or as a form field."""
    kind = (request.content_type or "").lower()
    if kind == _FORM:
        return _result(request, request.POST)
    if kind != _QUERY:
        raise RequestProblem(415, f"Send the query as {_QUERY} or {_FORM}.")
    try:
        text = request.body.decode()
    except UnicodeDecodeError as error:
        raise RequestProblem(400, "The query is not UTF-8.") from error
    fields = request.GET.copy()
    fields.setlist("query", [text])
    return _result(request, fields)


def _result(request: HttpRequest, fields: QueryDict) -> HttpResponse:
    from knowledge.graphs.rdf import sparql_store

    if "update" in fields:
        raise RequestProblem(400, "Updates are not allowed: the graph is a projection of the record.")
    if _DATASET & fields.keys():
        raise RequestProblem(400, "Name the graphs in the query itself (FROM, GRAPH), not in parameters.")
    queries = fields.getlist("query")
    if len(queries) != 1 or not queries[0].strip():
        raise RequestProblem(400, "Send one query, in the field `query`.")
    try:
        triples = sparql_guard.check(queries[0]) in ("construct", "describe")
        media_type = preferred(request.headers.get("Accept", ""), TRIPLES if triples else TABLES)
        answer = sparql_store.query(queries[0], settings.SPARQL_SECONDS, MOST_ROWS, media_type)
    except sparql_guard.QueryRefused as error:
        raise RequestProblem(400, str(error)) from error
    except sparql_store.SparqlFailed as error:
        raise RequestProblem(422, str(error)) from error
    except StoreUnavailable as error:
        raise RequestProblem(503, str(error), {"Retry-After": "10"}) from error
    response = HttpResponse(answer.body, content_type=answer.media_type, headers={"Vary": "Accept"})
    if answer.truncated:
        response.headers["X-Truncated"] = str(MOST_ROWS)
    return response


def preferred(accept: str, offered: tuple[str, ...]) -> str:
    """The media type of `offered` that the client prefers, the first without a preference. Raises RequestProblem."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        kind, *options = (one.strip().lower() for one in part.split(";"))
        if kind:
            meant = next((one for one in PLAIN.get(kind, ()) if one in offered), kind)
            weights[meant] = max(_weight(options), weights.get(meant, 0.0))
    if not weights:
        return offered[0]

    def weight_of(kind: str) -> float:
        general = weights.get(f"{kind.split('/')[0]}/*", weights.get("*/*", 0.0))
        return weights.get(kind, general)

    best = max(offered, key=weight_of)
    if not weight_of(best) > 0:
        raise RequestProblem(406, f"The result is available as {', '.join(offered)}.")
    return best


def _weight(options: list[str]) -> float:
    weight = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return 0.0
