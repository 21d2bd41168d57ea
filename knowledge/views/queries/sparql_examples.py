"""Example queries of the SPARQL page, each for a common question about the graph."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from uuid import UUID

from knowledge.ontology.vocabulary import PREFIXES, entity_iri

NAME, LITERAL = "{name}", "{literal}"


@dataclass(frozen=True)
class ExampleQuery:
    """`{name}` in a title and `{literal}` in a text stand for the name of an entity of the graph."""

    key: str
    title: str
    text: str


def _query(used: str, body: str) -> str:
    lines = [f"PREFIX {name}: <{PREFIXES[name]}>" for name in used.split()]
    return "\n".join([*lines, "", body.strip()]) + "\n"


EXAMPLES = (
    ExampleQuery(
        "employers",
        "Employees and employers",
        _query(
            "kg rdfs",
            """
SELECT ?person ?name ?employer ?organization WHERE {
  ?person kg:employer ?employer ; rdfs:label ?name .
  ?employer rdfs:label ?organization .
}
ORDER BY ?organization ?name
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "sources",
        "Statements with their sources and confidence",
        _query(
            "kg rdf rdfs schema prov",
            """
SELECT ?head ?relation ?tail ?factuality ?score ?headline ?link WHERE {
  GRAPH ?post {
    ?assertion a rdf:Statement ; rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ; prov:wasDerivedFrom ?post ;
      kg:factuality ?f .
    OPTIONAL { ?assertion kg:score ?score }
    ?post schema:headline ?headline .
    OPTIONAL { ?post schema:url ?link }
  }
  ?s rdfs:label ?head . OPTIONAL { ?o rdfs:label ?label } BIND (COALESCE(?label, STR(?o)) AS ?tail)
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
  BIND (STRAFTER(STR(?f), "#") AS ?factuality)
}
ORDER BY DESC(?score)
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "connected",
        "Which entities are related, and by which posts",
        _query(
            "kg rdf rdfs schema",
            """
SELECT ?person ?relation ?other ?who ?whom ?score ?headline WHERE {
  ?person ?relation ?other ; a kg:Person ; rdfs:label ?who .
  ?other rdfs:label ?whom .
  GRAPH ?post {
    ?assertion rdf:subject ?person ; rdf:predicate ?relation ; rdf:object ?other .
    ?post schema:headline ?headline .
    OPTIONAL { ?assertion kg:score ?score }
  }
}
ORDER BY ?who ?whom
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "claims",
        "Statements about {name}, with their sources",
        _query(
            "kg rdf rdfs schema",
            """
SELECT ?head ?relation ?tail ?publisher ?headline ?link WHERE {
  ?about rdfs:label ?name . FILTER (STR(?name) = {literal})
  GRAPH ?post {
    { ?assertion rdf:subject ?about } UNION { ?assertion rdf:object ?about }
    ?assertion rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o .
    ?post schema:headline ?headline .
    OPTIONAL { ?post schema:publisher ?publisher }
    OPTIONAL { ?post schema:url ?link }
  }
  ?s rdfs:label ?head . OPTIONAL { ?o rdfs:label ?label } BIND (COALESCE(?label, STR(?o)) AS ?tail)
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
}
ORDER BY ?publisher ?head
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "alleged",
        "What is planned or alleged, by whom and for when",
        _query(
            "kg rdf rdfs schema",
            """
SELECT ?head ?relation ?tail ?factuality ?claimant ?earliest ?latest ?headline WHERE {
  GRAPH ?post {
    ?assertion rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ; kg:factuality ?f .
    OPTIONAL { ?assertion kg:claimedBy ?by }
    OPTIONAL { ?assertion kg:whenEarliest ?earliest }
    OPTIONAL { ?assertion kg:whenLatest ?latest }
    ?post schema:headline ?headline .
  }
  FILTER (?f != kg:Stated)
  ?s rdfs:label ?head . OPTIONAL { ?o rdfs:label ?label } BIND (COALESCE(?label, STR(?o)) AS ?tail)
  OPTIONAL { ?by rdfs:label ?claimant }
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
  BIND (STRAFTER(STR(?f), "#") AS ?factuality)
}
ORDER BY ?earliest ?head
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "contradicted",
        "Statements that conflict with Wikidata",
        _query(
            "kg rdf rdfs schema dcterms",
            """
SELECT ?head ?relation ?tail ?source ?known ?headline ?link WHERE {
  GRAPH ?comparison {
    ?comparison kg:standing kg:InConflict ; kg:knownName ?known ; dcterms:source ?source ;
      kg:comparedSubject ?s ; kg:comparedRelation ?p ; kg:comparedObject ?o .
  }
  GRAPH ?post {
    ?assertion rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o .
    ?post schema:headline ?headline .
    OPTIONAL { ?post schema:url ?link }
  }
  ?s rdfs:label ?head . OPTIONAL { ?o rdfs:label ?label } BIND (COALESCE(?label, STR(?o)) AS ?tail)
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
}
ORDER BY ?head ?relation
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "steps",
        "Paths of one, two or three statements from {name}",
        _query(
            "rdf rdfs",
            """
SELECT ?a ?first ?b ?second ?c ?third ?d WHERE {
  ?a rdfs:label ?from . FILTER (STR(?from) = {literal})
  {
    ?a ?first ?b
  } UNION {
    ?a ?first ?b . ?b ?second ?c
  } UNION {
    ?a ?first ?b . ?b ?second ?c . ?c ?third ?d . FILTER (?d != ?b && ?c != ?a)
  }
  FILTER (ISIRI(?b) && ?first != rdf:type)
  FILTER (!BOUND(?c) || (ISIRI(?c) && ?second != rdf:type))
  FILTER (!BOUND(?d) || (ISIRI(?d) && ?third != rdf:type))
}
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "corroborated",
        "Statements with support from several posts",
        _query(
            "kg rdf rdfs",
            """
SELECT ?head ?relation ?tail (COUNT(DISTINCT ?post) AS ?posts) WHERE {
  GRAPH ?post { ?assertion rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ; kg:factuality kg:Stated }
  ?s rdfs:label ?head . OPTIONAL { ?o rdfs:label ?label } BIND (COALESCE(?label, STR(?o)) AS ?tail)
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
}
GROUP BY ?head ?relation ?tail
HAVING (COUNT(DISTINCT ?post) > 1)
ORDER BY DESC(?posts)
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "most",
        "The most mentioned entities",
        _query(
            "rdfs schema",
            """
SELECT ?entity ?name (COUNT(DISTINCT ?post) AS ?posts) WHERE {
  GRAPH ?post { ?post schema:mentions ?entity }
  ?entity rdfs:label ?name .
}
GROUP BY ?entity ?name
ORDER BY DESC(?posts)
LIMIT 50
""",
        ),
    ),
    ExampleQuery(
        "paths",
        "People with an organization in common",
        _query(
            "kg rdfs",
            """
SELECT DISTINCT ?one ?other ?organization WHERE {
  ?a (kg:employer|kg:member_of|kg:educated_at) ?o .
  ?b (kg:employer|kg:member_of|kg:educated_at) ?o .
  FILTER (STR(?a) < STR(?b))
  ?a rdfs:label ?one . ?b rdfs:label ?other . ?o rdfs:label ?organization .
}
LIMIT 100
""",
        ),
    ),
    ExampleQuery(
        "relations",
        "Number of statements per relation",
        _query(
            "rdf",
            """
SELECT ?relation (COUNT(*) AS ?times) WHERE {
  GRAPH ?post { ?assertion a rdf:Statement ; rdf:predicate ?p }
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
}
GROUP BY ?relation
ORDER BY DESC(?times)
""",
        ),
    ),
)


def examples(name: str) -> tuple[ExampleQuery, ...]:
    """The examples, those about one entity with this name. JSON's escapes are SPARQL's."""
    literal = json.dumps(name, ensure_ascii=False)
    return tuple(
        replace(one, title=one.title.replace(NAME, name), text=one.text.replace(LITERAL, literal)) for one in EXAMPLES
    )


def about_entity(public_id: UUID) -> str:
    """A query for all statements of one entity."""
    return _query(
        "kg rdfs",
        f"""
SELECT ?head ?relation ?tail WHERE {{
  VALUES ?entity {{ <{entity_iri(public_id)}> }}
  {{ ?entity ?p ?other . BIND (?entity AS ?s) BIND (?other AS ?o) }}
  UNION
  {{ ?other ?p ?entity . BIND (?other AS ?s) BIND (?entity AS ?o) }}
  FILTER (STRSTARTS(STR(?p), STR(kg:)))
  ?s rdfs:label ?head . OPTIONAL {{ ?o rdfs:label ?label }} BIND (COALESCE(?label, STR(?o)) AS ?tail)
  BIND (STRAFTER(STR(?p), "#") AS ?relation)
}}
ORDER BY ?relation
LIMIT 200
""",
    )
