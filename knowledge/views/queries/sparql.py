"""The SPARQL page: YASGUI with scripts, a plain form without them, and the results for both."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from knowledge.graphs.rdf import sparql_guard, sparql_store
from knowledge.graphs.units import StoreUnavailable
from knowledge.middleware import policy
from knowledge.models import SavedQuery
from knowledge.ontology.vocabulary import PREFIXES
from knowledge.views.access import READ, SAVE_QUERY, page
from knowledge.views.queries import graph_data, saved_queries, shown_answers
from knowledge.views.queries.example_entities import related
from knowledge.views.queries.shown_answers import ResultCell, ShownAnswer, cell
from knowledge.views.queries.sparql_examples import about_entity, examples

MOST_ROWS = 5000
LONGEST_ANSWER = 8 << 20  # bytes; larger ones are given by the API

JSON = "application/sparql-results+json"
TABLES = {"json": JSON, "csv": "text/csv", "tsv": "text/tab-separated-values", "xml": "application/sparql-results+xml"}
TRIPLES = {"turtle": "text/turtle", "ntriples": "application/n-triples", "jsonld": "application/ld+json"}
ENDINGS = {"text/csv": "csv", JSON: "json", "text/turtle": "ttl", "application/n-triples": "nt"}


class NoSparqlAnswer(Exception):
    """The query has no answer; the message is a sentence for the user."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@page(READ)
def sparql(request: HttpRequest) -> HttpResponse:
    """GET shows the form filled from `query` or `example` without running it; POST runs the query."""
    if request.method != "POST":
        return _form(request, _initial(request))
    query, form = request.POST.get("query", ""), request.POST.get("format", "")
    if form == "graph":
        return _graph(request, query)
    try:
        answer = _answer(query, form, request.headers.get("Accept", ""))
    except NoSparqlAnswer as error:
        if form == "" and "text/html" not in request.headers.get("Accept", ""):
            return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
        return _form(request, query, error=str(error), status=error.status)
    if form == "html":
        return _form(request, query, answer=_shown(answer))
    response = HttpResponse(answer.body, content_type=answer.media_type)
    if answer.truncated:
        response.headers["X-Truncated"] = str(MOST_ROWS)
    if form:
        ending = ENDINGS.get(answer.media_type.split(";")[0], "txt")
        response.headers["Content-Disposition"] = f'attachment; filename="answer.{ending}"'
    return response


def _graph(request: HttpRequest, query: str) -> HttpResponse:
    """The result as a graph, above its table."""
    try:
        answer = _answer(query, "", "")
    except NoSparqlAnswer as error:
        return _form(request, query, error=str(error), status=error.status)
    if answer.media_type.split(";")[0] == JSON:
        graph = graph_data.of_bindings(json.loads(answer.body))
    else:
        graph = graph_data.of_triples(answer.body)
    return _form(request, query, answer=_shown(answer), graph=graph if graph["nodes"] else None)


def _initial(request: HttpRequest) -> str:
    if saved := saved_queries.chosen(request, SavedQuery.Language.SPARQL):
        return saved.text
    if query := request.GET.get("query"):
        return query[: sparql_guard.LONGEST]
    if entity := request.GET.get("entity"):
        try:
            return about_entity(uuid.UUID(entity))
        except ValueError:
            pass
    offered = examples(related()[0])
    return {one.key: one.text for one in offered}.get(request.GET.get("example", ""), offered[0].text)


def _answer(query: str, form: str, accept: str) -> sparql_store.SparqlAnswer:
    try:
        triples = sparql_guard.check(query) in ("construct", "describe")
        media = _media_type(TRIPLES if triples else TABLES, form, accept)
        return sparql_store.query(query, settings.SPARQL_SECONDS, MOST_ROWS, media, LONGEST_ANSWER)
    except sparql_guard.QueryRefused as error:
        raise NoSparqlAnswer(str(error), 400) from error
    except sparql_store.SparqlFailed as error:
        raise NoSparqlAnswer(str(error), 422) from error
    except StoreUnavailable as error:
        raise NoSparqlAnswer(f"{error} See the status page for details.", 503) from error


def _media_type(offered: dict[str, str], form: str, accept: str) -> str:
    """The media type that the form requests, else the first that the client accepts, else the first offered."""
    if form in offered:
        return offered[form]
    accepted = [part.split(";")[0].strip() for part in accept.split(",")]
    return next((media for media in accepted if media in offered.values()), next(iter(offered.values())))


def _form(
    request: HttpRequest,
    query: str,
    answer: ShownAnswer | None = None,
    error: str = "",
    status: int = 200,
    graph: graph_data.Graph | None = None,
) -> HttpResponse:
    context = {
        "query": query,
        "answer": answer,
        "graph": graph,
        "saved": saved_queries.seen_by(request, SavedQuery.Language.SPARQL),
        "chosen": saved_queries.chosen(request, SavedQuery.Language.SPARQL),
        "may_save": request.user.has_perm(SAVE_QUERY),
        "language": "sparql",
        "error": error,
        "examples": examples(related()[0]),
        "endpoint": reverse("sparql"),
        "seconds": settings.SPARQL_SECONDS,
        "limit": MOST_ROWS,
        "prefixes": sorted(PREFIXES.items()),
        "shortened": json.dumps(PREFIXES | {kind: f"{settings.BASE_IRI}id/{kind}/" for kind in ("entity", "post")}),
    }
    response = render(request, "queries/sparql.html", context, status=status)
    # YASGUI's editor sets styles on its own elements; its script still comes from a file.
    response.headers["Content-Security-Policy"] = policy(style_src="'self' 'unsafe-inline'")
    return response


def _shown(answer: sparql_store.SparqlAnswer) -> ShownAnswer:
    if answer.media_type.split(";")[0] != JSON:
        return shown_answers.words("Triples", answer.body.decode("utf-8", "replace"))
    result: dict[str, Any] = json.loads(answer.body)
    if "boolean" in result:
        return shown_answers.words("Answer", "Yes" if result["boolean"] else "No")
    columns, bindings = result["head"]["vars"], result["results"]["bindings"]
    counted = f"More than {MOST_ROWS}" if answer.truncated else str(len(bindings))
    rows = ([_cell(row.get(name)) for name in columns] for row in bindings)
    return shown_answers.table(columns, rows, len(bindings), counted)


def _cell(term: dict[str, str] | None) -> ResultCell:
    if term is None:
        return cell("")
    value = term["value"]
    if term["type"] == "uri":
        if value.startswith(f"{settings.BASE_IRI}id/"):
            path = value.removeprefix(settings.BASE_IRI)
            return cell(path.removeprefix("id/"), f"/{path}", own=True)
        return cell(_short(value), value if value.startswith(("http://", "https://")) else "")
    if term.get("datatype", "").endswith("#anyURI") and value.startswith(("http://", "https://")):
        return cell(value, value)
    return cell(value, language=term.get("xml:lang", ""))


def _short(iri: str) -> str:
    for name, beginning in PREFIXES.items():
        if iri.startswith(beginning) and len(iri) > len(beginning):
            return f"{name}:{iri.removeprefix(beginning)}"
    return iri
