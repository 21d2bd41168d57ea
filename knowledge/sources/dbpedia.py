"""DBpedia as a source: candidates by its Lookup; their Wikidata items and details by SPARQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from knowledge.sources import dbpedia_facts, sparql_client
from knowledge.sources.cached_client import Remote, ServiceResponse
from knowledge.sources.protocol import DBPEDIA, EntityDetails, Known
from knowledge.sources.wikidata import ENTITY
from knowledge.sources.wikidata_json import is_item

MOST = 8  # candidates: as many addresses fit in one query
LONGEST_NAME = 150
LONGEST_TEXT, LONGEST_ABSTRACT = 400, 4000
MOST_CATEGORIES = 60
RESOURCE, CATEGORY = "http://dbpedia.org/resource/", "http://dbpedia.org/resource/Category:"
TYPES = {"Person": "person", "Place": "location", "Organisation": "organization", "Work": "miscellaneous"}

_PREFIXES = (
    "PREFIX owl: <http://www.w3.org/2002/07/owl#> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> "
    "PREFIX dbo: <http://dbpedia.org/ontology/> "
)
_ITEMS = "SELECT ?r ?w WHERE { VALUES ?r { %s } ?r owl:sameAs ?w FILTER(STRSTARTS(STR(?w), %s)) }"
# A resource has one link for each language with an article on it: as good a measure as Wikidata's sitelinks.
_KNOWN = (
    "SELECT ?w ?r ?label (SAMPLE(?c) AS ?comment) (COUNT(DISTINCT ?s) AS ?known) "
    '(GROUP_CONCAT(DISTINCT STR(?t); SEPARATOR=" ") AS ?types) WHERE { VALUES ?w { %s } '
    "?r owl:sameAs ?w, ?s ; rdfs:label ?label FILTER(LANG(?label) = 'en') "
    "OPTIONAL { ?r rdfs:comment ?c FILTER(LANG(?c) = 'en') } "
    "OPTIONAL { ?r a ?t FILTER(?t IN (dbo:Person, dbo:Place, dbo:Organisation, dbo:Work)) } } GROUP BY ?w ?r ?label"
)
_ABOUT = (
    "PREFIX dct: <http://purl.org/dc/terms/> SELECT ?r ?abstract ?comment ?category WHERE { ?r owl:sameAs %s "
    "{ ?r dbo:abstract ?abstract FILTER(LANG(?abstract) = 'en') } UNION "
    "{ ?r rdfs:comment ?comment FILTER(LANG(?comment) = 'en') } UNION { ?r dct:subject ?category } } LIMIT 200"
)


@dataclass(frozen=True, slots=True)
class DBpedia:
    """A `Source` and an `Encyclopedia` over DBpedia's services at `lookup` and `query`. Ids are Wikidata's."""

    remote: Remote
    lookup: str
    query: str
    name: str = "dbpedia"

    def search(self, name: str, limit: int) -> list[str]:
        words = " ".join(name.split())
        if not words or len(words) > LONGEST_NAME:
            return []
        question = {"query": words, "format": "JSON", "maxResults": str(min(limit, MOST))}
        address = f"{self.lookup}?{urlencode(question)}"
        found: list[str] = self.remote.ask("DBpedia Lookup", address, "application/json", _resources)
        if not found:
            return []
        values = " ".join(sparql_client.iri(one) for one in found[:MOST])
        rows = self._select(_ITEMS % (values, f'"{ENTITY}"'))
        items = {row["r"]: row["w"].removeprefix(ENTITY) for row in rows if {"r", "w"} <= row.keys()}
        return list(dict.fromkeys(items[one] for one in found if is_item(items.get(one, ""))))

    def describe(self, ids: Sequence[str]) -> dict[str, Known]:
        wanted = [one for one in dict.fromkeys(ids) if is_item(one)]
        found: dict[str, Known] = {}
        for start in range(0, len(wanted), MOST):
            values = " ".join(f"<{ENTITY}{one}>" for one in wanted[start : start + MOST])
            for row in self._select(_KNOWN % values):
                if {"w", "r", "label"} <= row.keys() and row["r"].startswith(RESOURCE):
                    known = _known(row)
                    found.setdefault(known.id, known)
        return found

    def about(self, target: str) -> EntityDetails:
        """Its abstract, its article's categories, and its facts that can be compared with ours."""
        if not is_item(target):
            return EntityDetails()
        rows = [row for row in self._select(_ABOUT % f"<{ENTITY}{target}>") if row.get("r", "").startswith(RESOURCE)]
        texts = [*_bound(rows, "abstract"), *_bound(rows, "comment")]
        names = [_readable(one) for one in _bound(rows, "category") if one.startswith(CATEGORY)]
        links = {"dbpedia": rows[0]["r"]} if rows else {}
        abstract = " ".join(texts[0].split())[:LONGEST_ABSTRACT] if texts else ""
        facts = dbpedia_facts.facts(self._select(dbpedia_facts.query(target))) if rows else ()
        return EntityDetails(facts, tuple(sorted(dict.fromkeys(names)))[:MOST_CATEGORIES], abstract, links)

    def _select(self, query: str) -> list[sparql_client.Row]:
        return sparql_client.select(self.remote, DBPEDIA, self.query, _PREFIXES + query)


def _resources(answer: ServiceResponse) -> list[str]:
    """The resources in Lookup's answer, the best first; other addresses are left out."""
    found = []
    for one in json.loads(answer.content)["docs"]:
        for resource in one["resource"][:1]:
            if _is_resource(resource):
                found.append(resource)
    return found


def _is_resource(value: Any) -> bool:
    try:
        return (
            isinstance(value, str)
            and value.startswith(RESOURCE)
            and len(value) < 150
            and bool(sparql_client.iri(value))
        )
    except ValueError:
        return False


def _known(row: sparql_client.Row) -> Known:
    types = (TYPES.get(one.rpartition("/")[2], "") for one in row.get("types", "").split())
    count = row.get("known", "")
    return Known(
        id=row["w"].removeprefix(ENTITY),
        label=row["label"][:LONGEST_TEXT],
        description=" ".join(row.get("comment", "").split())[:LONGEST_TEXT],
        names=(row["label"][:LONGEST_TEXT],),
        types=tuple(sorted({one for one in types if one})),
        popularity=int(count) if count.isdecimal() else 0,
        links={"dbpedia": row["r"]},
    )


def _readable(category: str) -> str:
    return unquote(category.removeprefix(CATEGORY)).replace("_", " ")[:LONGEST_TEXT]


def _bound(rows: Iterable[sparql_client.Row], name: str) -> list[str]:
    return [row[name] for row in rows if name in row]
