"""SPARQL queries to services: SPARQLWrapper builds the request and parses the results, `Remote` sends it."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from SPARQLWrapper import GET, JSON, SPARQLWrapper
from SPARQLWrapper.Wrapper import QueryResult

from knowledge.sources.cached_client import Remote, ServiceResponse
from knowledge.sources.protocol import SourceUnavailable

LONGEST_ADDRESS = 2000  # code points; the guarded client sends no longer one
Row = dict[str, str]
_IRI = re.compile(r"https?://[^\s<>\"{}|\\^`\x00-\x20]+")


class _Select(SPARQLWrapper):
    """Sends nothing by itself: the library's own opener would follow redirects anywhere."""

    def __init__(self, endpoint: str, query: str) -> None:
        super().__init__(endpoint, returnFormat=JSON)
        self.setMethod(GET)
        self.setOnlyConneg(True)
        self.setQuery(query)

    def url(self) -> str:
        return str(self._createRequest().full_url)

    def accept(self) -> str:
        return str(self._getAcceptHeader())

    def _query(self) -> Any:
        raise NotImplementedError("A query is sent by `select`.")


class _Response(BytesIO):
    def info(self) -> dict[str, str]:
        return {"content-type": JSON_RESULTS}


JSON_RESULTS = "application/sparql-results+json"


def select(remote: Remote, name: str, endpoint: str, query: str) -> list[Row]:
    """The values of a SELECT, by variable; what is not bound is left out. Raises SourceUnavailable."""
    request = _Select(endpoint, query)
    if len(request.url()) > LONGEST_ADDRESS:
        raise SourceUnavailable(f"{name}: the query is too long to be sent by GET.")
    rows: list[Row] = remote.ask(name, request.url(), request.accept(), _rows)
    return rows


def iri(value: str) -> str:
    """An IRI as written in a query. Raises ValueError for other text, as it comes from outside."""
    if not _IRI.fullmatch(value):
        raise ValueError(f"{value[:100]!r} is no IRI.")
    return f"<{value}>"


def _rows(answer: ServiceResponse) -> list[Row]:
    # SPARQLWrapper parses XML and RDF too, by the answer's content type; we request neither.
    if "json" not in answer.content_type.lower():
        raise ValueError(f"it has {answer.content_type[:60] or 'no type'}, and JSON was requested")
    response: Any = _Response(answer.content)  # QueryResult uses only these parts of an HTTPResponse
    found: Any = QueryResult((response, JSON)).convert()
    return [{name: _value(bound) for name, bound in row.items()} for row in found["results"]["bindings"]]


def _value(bound: dict[str, Any]) -> str:
    value = bound["value"]
    if not isinstance(value, str):
        raise TypeError("a value is no text")
    return value
