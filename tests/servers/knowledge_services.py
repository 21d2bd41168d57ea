"""Stand-ins for Wikidata (API and Query Service) and DBpedia (Lookup and SPARQL) on 127.0.0.1.

They speak as the services do: parameters, status codes, the API's errors with status 200, Lookup's lists of one, and
SPARQL 1.1 over real triples (pyoxigraph). Faults come on demand: `faults` are taken one by one, before any answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyoxigraph as ox

from tests.servers.web import Answer, WebServer, reply, running

WIKIDATA = """
@prefix wd: <http://www.wikidata.org/entity/> . @prefix wdt: <http://www.wikidata.org/prop/direct/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
wd:Q7259 wdt:P26 wd:Q3 ; wdt:P106 wd:Q170790 ; wdt:P25 wd:Q2 .
wd:Q3 rdfs:label "William King"@en, "Guillermo King"@es . wd:Q2 rdfs:label "Anne Isabella Byron"@en .
wd:Q170790 rdfs:label "mathematician"@en .
"""
DBPEDIA = """
@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix dbo: <http://dbpedia.org/ontology/> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix dbr: <http://dbpedia.org/resource/> . @prefix wd: <http://www.wikidata.org/entity/> .
dbr:Ada_Lovelace owl:sameAs wd:Q7259, <http://fr.dbpedia.org/resource/Ada_Lovelace> ; a dbo:Person ;
  rdfs:label "Ada Lovelace"@en, "Ada Lovelace"@fr ; rdfs:comment "An English mathematician."@en ;
  dbo:abstract "Ada Lovelace was an English mathematician and writer."@en ;
  dct:subject <http://dbpedia.org/resource/Category:English_mathematicians> ;
  dbo:birthDate "1815-12-10"^^<http://www.w3.org/2001/XMLSchema#date> ; dbo:birthPlace "somewhere"@en ;
  dbo:residence dbr:London ; dbo:spouse dbr:William_King ; dbo:father dbr:A_Poet, dbr:Nowhere_else ;
  dbo:birthYear "1815"^^<http://www.w3.org/2001/XMLSchema#gYear> ; dbo:wikiPageWikiLink dbr:London .
dbr:London owl:sameAs wd:Q84, <http://fr.dbpedia.org/resource/Londres> ; rdfs:label "London"@en, "Londres"@fr .
dbr:William_King owl:sameAs wd:Q3 ; rdfs:label "Will King"@en . dbr:A_Poet owl:sameAs wd:Q4 ; rdfs:label "A Poet"@en .
dbr:Charles_Babbage owl:sameAs wd:Q46633 ; a dbo:Person ; rdfs:label "Charles Babbage"@en ;
  rdfs:comment "An English polymath who met Ada Lovelace."@en .
"""
CLAIMS: dict[str, list[Any]] = {
    "P31": [{"entity-type": "item", "id": "Q5"}],
    "P26": [{"entity-type": "item", "id": "Q3"}],
    "P25": [{"entity-type": "item", "id": "Q2"}],
    "P106": [{"entity-type": "item", "id": "Q170790"}],
    "P569": [{"time": "+1815-12-10T00:00:00Z", "precision": 11}],
    "P570": [{"time": "+1852-01-01T00:00:00Z", "precision": 9}],
}
ITEMS: dict[str, Any] = {
    "Q7259": {
        "type": "item",
        "id": "Q7259",
        "labels": {"en": {"language": "en", "value": "Ada Lovelace"}},
        "descriptions": {"en": {"language": "en", "value": "English mathematician, worked with Charles Babbage"}},
        "aliases": {"en": [{"language": "en", "value": "Countess of Lovelace"}]},
        "claims": {
            name: [
                {"mainsnak": {"snaktype": "value", "property": name, "datavalue": {"value": v}}, "rank": "normal"}
                for v in values
            ]
            for name, values in CLAIMS.items()
        },
        "sitelinks": {f"{code}wiki": {"site": f"{code}wiki", "title": "Ada Lovelace"} for code in ("en", "fr", "de")},
    }
}
PATHS = ("/w/api.php", "/wdqs", "/lookup", "/dbpedia")


@dataclass
class Services:
    """Their addresses as settings name them; `faults` by path, each used up by one question."""

    server: WebServer
    faults: dict[str, list[Answer]] = field(default_factory=dict)

    def settings(self, knowledge: tuple[str, ...]) -> dict[str, Any]:
        names = ("WIKIDATA_API_URL", "WIKIDATA_SPARQL_URL", "DBPEDIA_LOOKUP_URL", "DBPEDIA_SPARQL_URL")
        addresses = {name: self.server.url(path) for name, path in zip(names, PATHS, strict=True)}
        return {**addresses, "KNOWLEDGE": knowledge, "FETCH_ALLOW": self.server.allow}

    def asked(self, path: str) -> int:
        return sum(urlsplit(one).path == path for one in self.server.paths())

    def break_all(self, fault: Answer, times: int = 1000) -> None:
        self.faults = {path: [fault] * times for path in PATHS}


@contextmanager
def serving() -> Iterator[Services]:
    with running() as server:
        services = Services(server)
        wikidata, dbpedia = _store(WIKIDATA), _store(DBPEDIA)
        spoken: tuple[Callable[[dict[str, str]], Answer], ...]
        spoken = (_api, lambda asked: _sparql(wikidata, asked), _lookup, lambda asked: _sparql(dbpedia, asked))
        for path, speak in zip(PATHS, spoken, strict=True):
            server.answers_any[path] = _or_fault(services, path, speak)
        yield services


def _or_fault(services: Services, path: str, speak: Callable[[dict[str, str]], Answer]) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        waiting = services.faults.get(path)
        if waiting:
            waiting.pop(0)(request)
            return
        if "kgbuilder/" not in request.headers.get("User-Agent", ""):
            reply(403, "Please set a user-agent and respect our policy.")(request)
            return
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        speak(asked)(request)

    return answer


def _json(value: Any, kind: str = "application/json; charset=utf-8") -> Answer:
    return reply(200, json.dumps(value), Content_Type=kind)


def _api(asked: dict[str, str]) -> Answer:
    if asked.get("format") != "json":
        return reply(200, "<html>the API's help</html>", Content_Type="text/html")
    if asked.get("action") == "wbsearchentities":
        if not {"search", "language", "type"} <= asked.keys():
            return _error("missingparam", 'The "search" parameter must be set.')
        return _json({"searchinfo": {"search": asked["search"]}, "search": _found(asked["search"]), "success": 1})
    if asked.get("action") == "wbgetentities":
        ids = asked.get("ids", "").split("|")
        if len(ids) > 50:
            return _error("toomanyvalues", "Too many values supplied for parameter “ids”. The limit is 50.")
        return _json({"entities": {one: ITEMS.get(one, {"id": one, "missing": ""}) for one in ids}, "success": 1})
    return _error("badvalue", 'Unrecognized value for parameter "action".')


def _found(words: str) -> list[dict[str, Any]]:
    """As wbsearchentities: labels and aliases that begin with the words, in any case."""
    found = []
    for one, item in ITEMS.items():
        names = [item["labels"]["en"]["value"], *(alias["value"] for alias in item["aliases"]["en"])]
        matched = next((name for name in names if name.casefold().startswith(words.casefold())), None)
        if matched:
            how = {"type": "label" if matched == names[0] else "alias", "language": "en", "text": matched}
            page = f"//www.wikidata.org/wiki/{one}"
            found.append({"id": one, "title": one, "url": page, "label": names[0], "match": how})
    return found


def _error(code: str, info: str) -> Answer:
    return _json({"error": {"code": code, "info": info}, "servedby": "mw1"})


def maxlag() -> Answer:
    return reply(
        200,
        json.dumps({"error": {"code": "maxlag", "info": "Waiting for a server: 6.2 seconds lagged.", "lag": 6.2}}),
        Content_Type="application/json",
        Retry_After="5",
    )


def _lookup(asked: dict[str, str]) -> Answer:
    names = {"Ada Lovelace": "Ada_Lovelace", "Charles Babbage": "Charles_Babbage"}
    docs = [
        {
            "score": ["19.3"],
            "refCount": ["12"],
            "resource": [f"http://dbpedia.org/resource/{resource}"],
            "label": [f"<B>{name}</B>"],
            "typeName": ["Person"],
        }
        for name, resource in names.items()
        if set(asked["query"].casefold().split()) & set(name.casefold().split())
    ]
    return _json({"docs": docs})


def _store(turtle: str) -> ox.Store:
    store = ox.Store()
    store.load(turtle.encode(), format=ox.RdfFormat.TURTLE)
    return store


def _sparql(store: ox.Store, asked: dict[str, str]) -> Answer:
    try:
        found = store.query(asked["query"])
    except SyntaxError as error:
        return reply(400, f"Virtuoso 37000 Error SP030: {error}", Content_Type="text/plain")
    assert isinstance(found, ox.QuerySolutions)
    body = found.serialize(format=ox.QueryResultsFormat.JSON)
    assert body is not None
    return reply(200, body, Content_Type="application/sparql-results+json; charset=utf-8")


def too_many(seconds: str = "1") -> Answer:
    return reply(429, "Rate limit exceeded", Retry_After=seconds)


def half() -> Answer:
    """Names a length and hangs up in the middle."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", "5000")
        request.end_headers()
        request.wfile.write(b'{"search": [{"id": "Q72')

    return answer


def silent(seconds: float = 3.0) -> Answer:
    """Accept the request and send nothing for longer than any client waits."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.connection.settimeout(seconds)
        try:
            request.rfile.read(1)
        except OSError:
            return

    return answer


FAULTS: dict[str, Callable[[], Answer]] = {
    "too many": lambda: too_many("3600"),
    "broken": lambda: reply(500, "Internal Server Error"),
    "unavailable": lambda: reply(503, "upstream connect error", Content_Type="text/plain"),
    "half an answer": half,
    "not JSON": lambda: reply(200, "<html>We are down for maintenance</html>", Content_Type="text/html"),
    "JSON of another kind": lambda: reply(200, "[1, 2]", Content_Type="application/sparql-results+json"),
    "JSON cut short": lambda: reply(200, '{"search": [', Content_Type="application/sparql-results+json"),
    "a redirect inwards": lambda: reply(302, "", Location="http://127.0.0.1:1/internal"),
    "silence": silent,
}
