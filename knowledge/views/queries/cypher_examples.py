"""Example queries of the Cypher page, with the names of entities in the record as parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from knowledge.entities import names
from knowledge.views.queries.example_entities import related


@dataclass(frozen=True)
class CypherExample:
    """`parameters`: those that are filled with names from the record: `name`, `one`, `other`."""

    key: str
    title: str
    text: str
    parameters: tuple[str, ...] = ()


EXAMPLES = (
    CypherExample(
        "connected",
        "Which entities are related, and by which posts",
        """MATCH (a:Person)-[r]->(b:Entity)
UNWIND r.posts AS id
MATCH (post:Post {id: id})
RETURN a.name AS who, type(r) AS how, b.name AS whom, r.factuality AS factuality, r.score AS score,
       collect(post.title) AS posts
ORDER BY size(posts) DESC, score DESC
LIMIT 50
""",
    ),
    CypherExample(
        "claims",
        "Statements about an entity, with their sources",
        """CALL db.index.fulltext.queryNodes('entity_names', $name) YIELD node, score
WITH node AS e ORDER BY score DESC LIMIT 3
MATCH (e)-[r]-(:Entity)
UNWIND r.posts AS id
MATCH (post:Post {id: id})
RETURN startNode(r).name AS head, type(r) AS relation, endNode(r).name AS tail,
       r.factuality AS factuality, post.publisher AS publisher, post.title AS headline, post.url AS url
ORDER BY post.published DESC
LIMIT 100
""",
        ("name",),
    ),
    CypherExample(
        "alleged",
        "What is planned or alleged, by whom and for when",
        """MATCH (a:Entity)-[r]->(b:Entity)
WHERE r.factuality <> 'stated'
OPTIONAL MATCH (by:Entity) WHERE by.id IN r.claimed_by
RETURN a.name AS head, type(r) AS relation, b.name AS tail, r.factuality AS factuality, collect(by.name) AS claimants,
       r.when_earliest AS earliest, r.when_latest AS latest, r.amount AS amount, r.amount_unit AS unit
ORDER BY earliest, head
LIMIT 100
""",
    ),
    CypherExample(
        "contradicted",
        "Statements that conflict with Wikidata",
        """MATCH (a:Entity)-[r]->(b:Entity)
WHERE r.standing = 'conflict'
UNWIND r.posts AS id
MATCH (post:Post {id: id})
RETURN a.name AS head, type(r) AS relation, b.name AS tail, r.known_to AS source, r.known_fact AS known,
       post.title AS headline, post.url AS url
ORDER BY head, relation
LIMIT 100
""",
    ),
    CypherExample(
        "path",
        "The shortest path between two entities",
        """MATCH (a:Entity {key: $one}), (b:Entity {key: $other})
WHERE a <> b
MATCH p = shortestPath((a)-[*..8]-(b))
WHERE all(n IN nodes(p) WHERE n:Entity)
RETURN p, [r IN relationships(p) | type(r)] AS relations
""",
        ("one", "other"),
    ),
    CypherExample(
        "neighbourhood",
        "All entities within two statements of one",
        """MATCH (e:Entity {key: $one})
MATCH p = (e)-[*1..2]-(x:Entity)
WHERE all(n IN nodes(p) WHERE n:Entity)
RETURN p
LIMIT 100
""",
        ("one",),
    ),
    CypherExample(
        "corroborated",
        "Statements with support from several posts",
        """MATCH (a:Entity)-[r]->(b:Entity)
WHERE r.support > 1
RETURN a.name AS head, type(r) AS relation, b.name AS tail, r.support AS posts, r.score AS score
ORDER BY posts DESC, score DESC
LIMIT 100
""",
    ),
    CypherExample(
        "together",
        "Entities mentioned together without a statement between them",
        """MATCH (a:Person)<-[:MENTIONS]-(post:Post)-[:MENTIONS]->(b:Person)
WHERE a.id < b.id AND NOT EXISTS { (a)-[]-(b) }
RETURN a.name AS one, b.name AS other, count(post) AS posts
ORDER BY posts DESC
LIMIT 50
""",
    ),
)


def filled(example: CypherExample) -> dict[str, Any]:
    """Parameters for which the example has results: the ends of a statement in the record."""
    if not example.parameters:
        return {}
    one, other = related()
    values = {"name": one, "one": names.name_key(one), "other": names.name_key(other)}
    return {name: values[name] for name in example.parameters}
