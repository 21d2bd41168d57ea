"""Facts of DBpedia's ontology, as facts under Wikidata's properties, for properties that match one of our relations.

Only properties with the same meaning in both ontologies are mapped. `dbo:parent` is neither father nor mother,
`dbo:nationality` not citizenship, `dbo:leader` not one office: they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from extraction.labels import RELATIONS
from knowledge.sources.protocol import DBO, KnownFact
from knowledge.sources.wikidata_json import is_item

ONTOLOGY = "http://dbpedia.org/ontology/"
ENTITY = "http://www.wikidata.org/entity/"
MOST = 100  # facts of one entity
LONGEST = 400

# By relation, so that adding a relation shows what it is compared with.
_PROPERTIES: dict[str, tuple[str, ...]] = {
    "author": ("author",),
    "award_received": ("award",),
    "capital": ("capital",),
    "cast_member": ("starring",),
    "chairperson": ("chairman",),
    "child": ("child",),
    "composer": ("musicComposer",),
    "conflict": ("battle",),
    "continent": ("continent",),
    "country": ("country",),
    "country_of_citizenship": ("citizenship",),
    "creator": ("creator",),
    "date_of_birth": ("birthDate",),
    "date_of_death": ("deathDate",),
    "developer": ("developer",),
    "director": ("director",),
    "dissolved": ("dissolutionDate",),
    "educated_at": ("almaMater",),
    "employer": ("employer",),
    "ethnic_group": ("ethnicGroup",),
    "father": ("father",),
    "founded_by": ("foundedBy", "founder"),
    "genre": ("genre",),
    "headquarters_location": ("headquarter",),
    "inception": ("foundingDate",),
    "influenced_by": ("influencedBy",),
    "league": ("league",),
    "manufacturer": ("manufacturer",),
    "member_of_political_party": ("party",),
    "member_of_sports_team": ("team",),
    "military_branch": ("militaryBranch",),
    "mother": ("mother",),
    "notable_work": ("notableWork",),
    "official_language": ("officialLanguage",),
    "original_network": ("network",),
    "owned_by": ("owner",),
    "parent_organization": ("parentCompany",),
    "place_of_birth": ("birthPlace",),
    "place_of_death": ("deathPlace",),
    "platform": ("computingPlatform",),
    "producer": ("producer",),
    "product": ("product",),
    "publication_date": ("releaseDate",),
    "publisher": ("publisher",),
    "record_label": ("recordLabel",),
    "religion": ("religion",),
    "residence": ("residence",),
    "series": ("series",),
    "sibling": ("sibling",),
    "spouse": ("spouse",),
    "subsidiary": ("subsidiary",),
}
PROPERTIES: dict[str, str] = {
    name: str(RELATIONS[relation].property) for relation, named in _PROPERTIES.items() for name in named
}
_DATE = re.compile(r"-?\d{4}-\d{2}-\d{2}")


def query(item: str) -> str:
    """The query for the facts on a Wikidata item, in the columns that `facts` takes."""
    properties = " ".join(f"dbo:{name}" for name in PROPERTIES)
    return (
        f"SELECT ?p ?v ?w ?label WHERE {{ VALUES ?p {{ {properties} }} ?r owl:sameAs <{ENTITY}{item}> ; ?p ?v "
        f'OPTIONAL {{ ?v owl:sameAs ?w FILTER(STRSTARTS(STR(?w), "{ENTITY}Q")) }} '
        "OPTIONAL { ?v rdfs:label ?label FILTER(LANG(?label) = 'en') } } LIMIT 400"
    )


def facts(rows: Iterable[dict[str, str]]) -> tuple[KnownFact, ...]:
    """The facts that can be compared: those that lead to a Wikidata item, and dates."""
    return tuple(dict.fromkeys(_facts(rows)))[:MOST]


def _facts(rows: Iterable[dict[str, str]]) -> Iterator[KnownFact]:
    for row in sorted(rows, key=lambda row: (row.get("p", ""), row.get("v", ""))):
        name = row.get("p", "").removeprefix(ONTOLOGY)
        item, value = row.get("w", "").removeprefix(ENTITY), row.get("v", "")
        if name not in PROPERTIES:
            continue
        if is_item(item):
            yield KnownFact(PROPERTIES[name], item, " ".join(row.get("label", "").split())[:LONGEST], DBO + name)
        elif _DATE.fullmatch(value):
            # In Wikidata's format, so that the same date is the same fact.
            yield KnownFact(PROPERTIES[name], f"{value}T00:00:00Z", "", DBO + name)
