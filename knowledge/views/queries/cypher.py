"""The Cypher page: a query with parameters, and its result as a table, graph, CSV or JSON."""

from __future__ import annotations

import json
import secrets
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from knowledge.graphs.neo4j import cypher_guard
from knowledge.graphs.neo4j.rows import LABELS, TYPES
from knowledge.graphs.rdf import sparql_guard
from knowledge.graphs.units import StoreUnavailable
from knowledge.middleware import policy
from knowledge.models import SavedQuery
from knowledge.views.access import ASK_CYPHER, SAVE_QUERY, page
from knowledge.views.queries import saved_queries, shown_answers
from knowledge.views.queries.cypher_examples import EXAMPLES, filled
from knowledge.views.queries.shown_answers import ResultCell, ShownAnswer, cell

MOST_ROWS = 5000
PROPERTIES = "id name names key same_as title url publisher language published posts scores score support accepted"
PROPERTIES += " review_state reviewed_by reviewed_at"


class NoCypherAnswer(Exception):
    """The query has no answer; the message is a sentence for the user."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@page(ASK_CYPHER)
def cypher(request: HttpRequest) -> HttpResponse:
    """GET shows the form filled from `query`, `saved` or `example` without running it; POST runs the query."""
    if request.method != "POST":
        return _form(request, *_initial(request))
    query, parameters, form = (request.POST.get(name, "") for name in ("query", "parameters", "format"))
    try:
        answer = _answer(query, parameters)
    except NoCypherAnswer as error:
        if form in ("csv", "json"):
            return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
        return _form(request, query, parameters, error=str(error), status=error.status)
    if form == "csv":
        return _download(answer.as_csv(), "text/csv; charset=utf-8", "csv", answer.truncated)
    if form == "json":
        body = json.dumps(answer.as_json(), ensure_ascii=False)
        return _download(body, "application/json", "json", answer.truncated)
    return _form(request, query, parameters, answer=answer)


def _download(body: str, media_type: str, ending: str, truncated: bool) -> HttpResponse:
    response = HttpResponse(body, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="answer.{ending}"'
    if truncated:
        response.headers["X-Truncated"] = str(MOST_ROWS)
    return response


def _initial(request: HttpRequest) -> tuple[str, str]:
    if saved := saved_queries.chosen(request, SavedQuery.Language.CYPHER):
        return saved.text, _shown_parameters(saved.parameters)
    if query := request.GET.get("query"):
        return query[: cypher_guard.LONGEST], request.GET.get("parameters", "")[: cypher_guard.LONGEST]
    examples = {example.key: example for example in EXAMPLES}
    example = examples.get(request.GET.get("example", ""), EXAMPLES[0])
    return example.text, _shown_parameters(filled(example))


def _shown_parameters(parameters: dict[str, Any]) -> str:
    return json.dumps(parameters, ensure_ascii=False) if parameters else ""


def _answer(query: str, parameters: str) -> Any:
    from knowledge.graphs.neo4j import queries as console

    try:
        values = cypher_guard.parameters(parameters)
        return console.query(query, values, settings.CYPHER_SECONDS, MOST_ROWS)
    except sparql_guard.QueryRefused as error:
        raise NoCypherAnswer(str(error), 400) from error
    except console.CypherFailed as error:
        raise NoCypherAnswer(str(error), 422) from error
    except StoreUnavailable as error:
        raise NoCypherAnswer(str(error), 503) from error


def _form(
    request: HttpRequest, query: str, parameters: str, answer: Any = None, error: str = "", status: int = 200
) -> HttpResponse:
    from knowledge.views.queries import graph_data

    nonce = secrets.token_urlsafe(16)
    graph = graph_data.of_cypher(answer) if answer else None
    context = {
        "query": query,
        "parameters": parameters,
        "answer": _shown(answer) if answer else None,
        "graph": graph if graph and graph["nodes"] else None,
        "error": error,
        "configured": bool(settings.NEO4J_URL),
        "examples": [(example, _shown_parameters(filled(example))) for example in EXAMPLES],
        "saved": saved_queries.seen_by(request, SavedQuery.Language.CYPHER),
        "chosen": saved_queries.chosen(request, SavedQuery.Language.CYPHER),
        "may_save": request.user.has_perm(SAVE_QUERY),
        "language": "cypher",
        "seconds": settings.CYPHER_SECONDS,
        "limit": MOST_ROWS,
        "nonce": nonce,
        "words": _words(),
        "labels": LABELS,
    }
    response = render(request, "queries/cypher.html", context, status=status)
    # The editor creates styles at run time and marks them with the nonce; some browsers set styles on edited text.
    styles = {"style_src": f"'self' 'nonce-{nonce}'", "style_src_attr": "'unsafe-inline'"}
    response.headers["Content-Security-Policy"] = policy(**styles)
    return response


def _words() -> list[dict[str, str]]:
    """The words that the editor completes."""
    keywords = "MATCH OPTIONAL WHERE RETURN WITH UNWIND CALL YIELD ORDER BY LIMIT SKIP DISTINCT AND OR NOT IN AS UNION"
    words = [{"label": word, "type": "keyword"} for word in keywords.split()]
    words += [{"label": label, "type": "class"} for label in ("Entity", "Post", *LABELS)]
    words += [{"label": kind, "type": "type"} for kind in ("MENTIONS", *TYPES)]
    words += [{"label": name, "type": "property"} for name in PROPERTIES.split()]
    words += [{"label": name, "type": "function"} for name in sorted(cypher_guard.FUNCTIONS) if "." not in name]
    return words


def _shown(answer: Any) -> ShownAnswer:
    counted = f"More than {MOST_ROWS}" if answer.truncated else str(len(answer.rows))
    rows = ([_cell(value, answer) for value in row] for row in answer.rows)
    return shown_answers.table(answer.columns, rows, len(answer.rows), counted)


def _cell(value: Any, answer: Any) -> ResultCell:
    from knowledge.graphs.neo4j.answers import text_of
    from knowledge.views.queries import graph_data

    if isinstance(value, dict) and value.keys() == {"node"}:
        node = answer.nodes[value["node"]]
        href = graph_data.page_of(node["id"], "post" if "Post" in node["labels"] else "entity")
        return cell(node["name"], href, own=True)
    if isinstance(value, dict) and value.keys() == {"relationship"}:
        edge = answer.edges.get(value["relationship"])
        return cell(edge["type"].replace("_", " ").lower() if edge else "")
    text = text_of(value)
    if text.startswith(("http://", "https://")) and not any(sign.isspace() for sign in text):
        return cell(text, text)
    return cell(text)
