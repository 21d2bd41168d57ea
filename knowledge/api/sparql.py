"""SPARQL 1.1 Protocol, its query half, for clients elsewhere: GET and both forms of POST, read-only as the page is."""

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
TRIPLES = ("text/turtle", "application/n-triples", "application/rdf+xml")
PLAIN = {"application/json": TABLES[0], "application/xml": TABLES[1], "text/xml": TABLES[1]}
_FORM, _QUERY = "application/x-www-form-urlencoded", "application/sparql-query"
_DATASET = {"default-graph-uri", "named-graph-uri", "using-graph-uri", "using-named-graph-uri"}
_ANSWER = {
    200: {
        "description": "The answer. `X-Truncated` says after how many rows it was cut off.",
        "content": {kind: {"schema": {"type": "string"}} for kind in (*TABLES, *TRIPLES)},
    },
    "400": {"description": "not a query, or one that is not allowed"},
    "415": {"description": "the body is no query"},
    "406": {"description": "none of the wanted media types can be given"},
}
_ASKED = {"type": "string", "minLength": 1, "maxLength": sparql_guard.LONGEST, "examples": ["ASK { ?s ?p ?o }"]}
_PARAMETER = [{"in": "query", "name": "query", "required": True, "schema": _ASKED, "description": "The query."}]
_BODY = {
    "required": True,
    "content": {
        _QUERY: {"schema": _ASKED},
        _FORM: {"schema": {"type": "object", "required": ["query"], "properties": {"query": _ASKED}}},
    },
}


@router.get(
    "",
    auth=Token("query"),
    summary="Query in SPARQL",
    openapi_extra={"parameters": _PARAMETER, "responses": _ANSWER},
)
def ask_sparql(request: HttpRequest) -> Any:
    """SPARQL 1.1 Protocol by GET. SELECT, ASK, CONSTRUCT or DESCRIBE; no SERVICE, no update, within a limit of time."""
    return _answered(request, request.GET)


@router.post(
    "", auth=Token("query"), summary="Query in SPARQL", openapi_extra={"requestBody": _BODY, "responses": _ANSWER}
)
def post_sparql(request: HttpRequest) -> Any:
    """The same by POST: the query as the body (application/sparql-query), or as a form's field."""
    kind = (request.content_type or "").lower()
    if kind == _FORM:
        return _answered(request, request.POST)
    if kind != _QUERY:
        raise RequestProblem(415, f"A query is taken as {_QUERY} or {_FORM}.")
    try:
        text = request.body.decode()
    except UnicodeDecodeError as error:
        raise RequestProblem(400, "The query is not UTF-8.") from error
    fields = request.GET.copy()
    fields.setlist("query", [text])
    return _answered(request, fields)


def _answered(request: HttpRequest, fields: QueryDict) -> HttpResponse:
    from knowledge.graphs.rdf import sparql_store

    if "update" in fields:
        raise RequestProblem(400, "Updates are not allowed: the graph is a projection of the record.")
    if _DATASET & fields.keys():
        raise RequestProblem(400, "A query's graphs are named within it (FROM, GRAPH), not beside it.")
    queries = fields.getlist("query")
    if len(queries) != 1 or not queries[0].strip():
        raise RequestProblem(400, "Send one query, in the field `query`.")
    try:
        triples = sparql_guard.check(queries[0]) in ("construct", "describe")
        media_type = wanted(request.headers.get("Accept", ""), TRIPLES if triples else TABLES)
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


def wanted(accept: str, offered: tuple[str, ...]) -> str:
    """The media type of `offered` that a client prefers, the first if it does not say. Raises RequestProblem."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        kind, *options = (one.strip().lower() for one in part.split(";"))
        if kind:
            weights[PLAIN.get(kind, kind)] = _weight(options)
    if not weights:
        return offered[0]

    def liked(kind: str) -> float:
        general = weights.get(f"{kind.split('/')[0]}/*", weights.get("*/*", 0.0))
        return weights.get(kind, general)

    best = max(offered, key=liked)
    if not liked(best) > 0:
        raise RequestProblem(406, f"This answer is given as {', '.join(offered)}.")
    return best


def _weight(options: list[str]) -> float:
    said = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return min(max(float(said), 0.0), 1.0)
    except ValueError:
        return 0.0
