"""Wikidata as a source: candidates and their data by its API, names of the values of facts by SPARQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from knowledge.sources import sparql_client, wikidata_json
from knowledge.sources.cached_client import Remote, ServiceResponse, Unanswered
from knowledge.sources.protocol import EntityDetails, Known, KnownFact
from knowledge.sources.wikidata_json import is_item

NAME = "Wikidata"
MOST = 10  # candidates: each comes with all its claims
LONGEST_NAME = 200  # code points, of 250 that the API takes
ENTITY = "http://www.wikidata.org/entity/"
DIRECT = "http://www.wikidata.org/prop/direct/"
OF_ITS_KIND = ("P31", "P106", "P279")  # Wikidata's properties used as categories: instance of, occupation, subclass of
MOST_ROWS = 1000
_BUSY = frozenset({"maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError"})


@dataclass(frozen=True, slots=True)
class Wikidata:
    """A `Source` and an `Encyclopedia` over Wikidata's services at `api` and `query`."""

    remote: Remote
    api: str
    query: str
    name: str = "wikidata"

    def search(self, name: str, limit: int) -> list[str]:
        words = " ".join(name.split())
        if not words or len(words) > LONGEST_NAME:
            return []
        question = {"action": "wbsearchentities", "search": words, "language": "en", "uselang": "en", "type": "item"}
        found: list[str] = self._ask(question | {"limit": str(min(limit, MOST))}, _ids)
        return found

    def describe(self, ids: Sequence[str]) -> dict[str, Known]:
        wanted = [one for one in dict.fromkeys(ids) if is_item(one)]
        found: dict[str, Known] = {}
        for start in range(0, len(wanted), MOST):
            question = {"action": "wbgetentities", "ids": "|".join(wanted[start : start + MOST]), "languages": "en"}
            props = {"props": "labels|aliases|descriptions|claims|sitelinks"}
            entities = self._ask(question | props, _entities)
            found |= {key: _known(row) for key, row in entities.items()}
        return found

    def about(self, target: str) -> EntityDetails:
        """Its facts with English names of their values, and its classes and occupations as categories."""
        known = self.describe([target]).get(target)
        if known is None:
            return EntityDetails()
        rows = sparql_client.select(self.remote, "the Wikidata Query Service", self.query, _labels_query(target))
        labels = {
            (row["p"].removeprefix(DIRECT), row["v"].removeprefix(ENTITY)): row["label"]
            for row in rows
            if {"p", "v", "label"} <= row.keys()
        }
        facts = tuple(
            KnownFact(fact.property, fact.value, labels.get((fact.property, fact.value), fact.label))
            for fact in known.facts
        )
        kinds = (fact.label for fact in facts if fact.property in OF_ITS_KIND and fact.label)
        return EntityDetails(facts, tuple(dict.fromkeys(kinds)), "", known.links)

    def _ask(self, question: dict[str, str], read: Any) -> Any:
        # maxlag: be refused while their databases lag, as their etiquette asks of programs.
        common = {"format": "json", "formatversion": "2", "maxlag": "5"}
        address = f"{self.api}?{urlencode(question | common)}"
        return self.remote.ask(NAME, address, "application/json", lambda answer: read(_object(answer)))


def _labels_query(target: str) -> str:
    return (
        "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> "
        f"SELECT ?p ?v ?label WHERE {{ <{ENTITY}{target}> ?p ?v . ?v rdfs:label ?label . "
        f'FILTER(LANG(?label) = "en" && STRSTARTS(STR(?p), "{DIRECT}")) }} LIMIT {MOST_ROWS}'
    )


def _object(answer: ServiceResponse) -> dict[str, Any]:
    """The API's answer as an object. Its errors come with status 200; they are raised as Unanswered."""
    found = json.loads(answer.content)
    if not isinstance(found, dict):
        raise TypeError("it is no object")
    error = found.get("error") or next(iter(found.get("errors") or []), None)
    if error:
        code = str(error.get("code", ""))
        message = " ".join(str(error.get("info") or error.get("text") or code).split())[:300]
        raise Unanswered(f"It reports: {message}", status=0 if code in _BUSY else 400)
    return found


def _ids(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["search"] if is_item(one["id"])]


def _entities(found: dict[str, Any]) -> dict[str, Any]:
    """The entities by the requested id, which is an older one where the item was merged into another."""
    rows = {key: wikidata_json.known(entity) for key, entity in found["entities"].items() if is_item(key)}
    return {key: asdict(row) | {"links": dict(row.links)} for key, row in rows.items() if row is not None}


def _known(row: dict[str, Any]) -> Known:
    facts = tuple(KnownFact(fact["property"], fact["value"], fact["label"]) for fact in row["facts"])
    lists = {name: tuple(row[name]) for name in ("names", "types", "texts")}
    return Known(**{**row, **lists, "facts": facts})
