"""The property graph in Neo4j, by its official driver: managed transactions, rows in batches, every write repeatable.

`KgbuilderStore` is a node of ours: it holds the store's identity, and each write takes its lock, so that an earlier
projector's late request waits for it and is then refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import neo4j
from django.conf import settings
from neo4j.exceptions import AuthError, ClientError, DatabaseError, DriverError, Neo4jError, TransientError

from knowledge.graphs.neo4j import rows as neo4j_rows
from knowledge.graphs.neo4j.rows import LABELS, Row, mention_line, node_line, relationship_line
from knowledge.graphs.units import EntityUnit, PostUnit, StatementUnit, StoreRefused, StoreUnavailable, Triple, Unit

WRITE_SECONDS = 60.0
CONNECT_SECONDS = 5.0
TOGETHER = 2000  # rows in one UNWIND
DELETED_AT_ONCE = 5000
FULLTEXT = "entity_names"
_NOT_THIS_UNIT = ("Neo.ClientError.Transaction", "Neo.ClientError.Security", "Neo.ClientError.Database")
_TOO_MUCH = "Neo.TransientError.General.MemoryPoolOutOfMemoryError"

_LOCK = """
MERGE (s:KgbuilderStore {id: 'graph'})
SET s.fence = CASE WHEN coalesce(s.fence, 0) < $fence THEN $fence ELSE coalesce(s.fence, 0) END
RETURN s.fence AS fence"""
_ENTITIES = f"""
UNWIND $rows AS row
MERGE (n:Entity {{id: row.id}})
SET n = row.properties
REMOVE n:{":".join(LABELS)}
SET n:$(row.label)"""
_POSTS = "UNWIND $rows AS row MERGE (p:Post {id: row.id}) SET p = row.properties"
_UNMENTION = """
UNWIND $rows AS row
MATCH (p:Post {id: row.id})-[m:MENTIONS]->(e:Entity)
WHERE NOT e.id IN row.mentions
DELETE m"""
_MENTION = """
UNWIND $rows AS row
MATCH (p:Post {id: row.id})
UNWIND row.mentions AS id
MERGE (e:Entity {id: id})
MERGE (p)-[:MENTIONS]->(e)"""
_UNSHOW = "UNWIND $rows AS id MATCH (n:PictureRegion {post: id}) DETACH DELETE n"
_UNPICTURE = "UNWIND $rows AS id MATCH (n:Picture {post: id}) DETACH DELETE n"
_PICTURES = """
UNWIND $rows AS row
MATCH (p:Post {id: row.post})
MERGE (i:Picture {id: row.id})
SET i = row.properties
MERGE (p)-[:SHOWS]->(i)"""
_REGIONS = """
UNWIND $rows AS row
MATCH (i:Picture {id: row.picture})
MERGE (r:PictureRegion {id: row.id})
SET r = row.properties
MERGE (i)-[:HAS_REGION]->(r)"""
_DEPICTS = """
UNWIND $rows AS row
MATCH (r:PictureRegion {id: row.region})
MERGE (e:Entity {id: row.entity})
MERGE (r)-[d:DEPICTS]->(e)
SET d = row.properties"""
_RELATIONSHIPS = """
UNWIND $rows AS row
MERGE (h:Entity {id: row.head})
MERGE (t:Entity {id: row.tail})
MERGE (h)-[r:$(row.type) {id: row.id}]->(t)
SET r = row.properties"""
_GONE = """
UNWIND $rows AS row
MATCH (h:Entity {id: row.head})-[r:$(row.type) {id: row.id}]->(t:Entity {id: row.tail})
DELETE r"""
_DROP_ENTITIES = "UNWIND $rows AS id MATCH (n:Entity {id: id}) DETACH DELETE n"
_DROP_POSTS = "UNWIND $rows AS id MATCH (n:Post {id: id}) DETACH DELETE n"
# A transaction's memory is bounded, and each relationship that it deletes takes some kilobytes of it.
_CLEAR = (
    "MATCH (:Entity|Post|Picture|PictureRegion)-[r]->() WITH r LIMIT $most DELETE r RETURN count(*) AS count",
    "MATCH (n:Entity|Post|Picture|PictureRegion) WITH n LIMIT $most DETACH DELETE n RETURN count(*) AS count",
)
_HUBS = "UNWIND $rows AS id MATCH (n:Entity {id: id}) WHERE COUNT { (n)--() } > $most RETURN n.id AS id"
_BARE = "UNWIND $rows AS id MATCH (:Entity {id: id})-[r]-() WITH r LIMIT $most DELETE r RETURN count(*) AS count"

_STREAM_ENTITIES = "MATCH (n:Entity) RETURN n.id AS id, labels(n) AS labels, properties(n) AS properties"
_STREAM_POSTS = "MATCH (n:Post) RETURN n.id AS id, labels(n) AS labels, properties(n) AS properties"
_STREAM_MENTIONS = "MATCH (p:Post)-[:MENTIONS]->(e) RETURN p.id AS post, e.id AS entity"


def _picture_queries(of_one_post: bool) -> tuple[str, ...]:
    """The queries for the nodes of pictures and regions and for the relationships that begin at them, each with the id
    of its post: of all posts, or of the post $id, by the indexes over ids."""
    kinds = (("Picture", "", "post"), ("PictureRegion", "", "post"), ("Post", ":SHOWS", "id"))
    chosen = {kind: f"(n:{kind} {{{by}: $id}})" if of_one_post else f"(n:{kind})" for kind, _, by in kinds}
    nodes = [
        f"MATCH {chosen[kind]} RETURN n.post AS post, labels(n) AS labels, properties(n) AS properties"
        for kind in ("Picture", "PictureRegion")
    ]
    edges = [
        f"MATCH {chosen[kind]}-[r{only}]->(b) RETURN n.{by} AS post, n.id AS start, type(r) AS type, b.id AS end, "
        "properties(r) AS properties"
        for kind, only, by in kinds
    ]
    return (*nodes, *edges)


_STREAM_RELATIONSHIPS = """
MATCH (h:Entity)-[r]->(t:Entity)
RETURN h.id AS head, type(r) AS type, t.id AS tail, properties(r) AS properties"""
_RELATIONSHIPS_BETWEEN = """
UNWIND $rows AS row
MATCH (h:Entity {id: row.head})-[r:$(row.type)]->(t:Entity {id: row.tail})
RETURN h.id AS head, type(r) AS type, t.id AS tail, properties(r) AS properties"""


@cache
def driver(url: str, user: str, password: str) -> neo4j.Driver:
    """The driver, one for each server and user in a process: it has a connection pool and is shared by all threads."""
    return neo4j.GraphDatabase.driver(
        url,
        auth=(user, password) if password else None,
        user_agent="kgbuilder",
        connection_timeout=CONNECT_SECONDS,
        connection_acquisition_timeout=CONNECT_SECONDS,
        max_transaction_retry_time=CONNECT_SECONDS,
        max_connection_lifetime=600,
        liveness_check_timeout=30,
        notifications_min_severity="OFF",
        telemetry_disabled=True,
    )


class Neo4jStore:
    """A `Store`. Every method raises StoreUnavailable where the server does not answer, or not as it should."""

    shows_support = True

    def __init__(self, url: str, user: str, password: str, database: str = "") -> None:
        self._driver, self._database = driver(url, user, password), database or None
        self.fence = 0
        self._prepared = False

    @classmethod
    def from_settings(cls) -> Neo4jStore:
        return cls(settings.NEO4J_URL, settings.NEO4J_USER, settings.NEO4J_PASSWORD, settings.NEO4J_DATABASE)

    def replace(self, units: Sequence[Unit]) -> None:
        """Raises StoreRefused where the server does not accept them; then none was written."""
        self._prepare()
        steps = {query: rows for query, rows in _steps(units) if rows}
        if dropped := steps.get(_DROP_ENTITIES):
            self._thin_out(dropped)
        if steps:
            self._write(list(steps.items()))

    def _thin_out(self, dropped: list[Any]) -> None:
        """Delete the relationships of entities with very many, some at a time, before the entities are deleted."""
        hubs = [row["id"] for row in self.rows(_HUBS, rows=dropped, most=DELETED_AT_ONCE)]
        while hubs and self._write([(_BARE, hubs)], most=DELETED_AT_ONCE):
            pass

    def clear(self, earlier_base: str = "") -> None:
        """Delete entities and posts; whatever else the database holds stays."""
        for query in _CLEAR:
            while self._write([(query, [])], most=DELETED_AT_ONCE):
                pass
        with self._session() as session:
            session.execute_write(_run, "MATCH (s:KgbuilderStore) REMOVE s.identity", {})

    def identity(self) -> str:
        rows = self.rows("MATCH (s:KgbuilderStore {id: 'graph'}) RETURN s.identity AS identity")
        return next((row["identity"] or "" for row in rows), "")

    def set_identity(self, identity: str) -> None:
        self._prepare()
        query = "MERGE (s:KgbuilderStore {id: 'graph'}) SET s.identity = $identity"
        with self._session() as session:
            session.execute_write(_run, query, {"identity": identity})

    def rows(self, query: str, **parameters: Any) -> list[Row]:
        """All rows of one of the product's own queries."""
        with self._session(neo4j.READ_ACCESS) as session:
            found: list[Row] = session.execute_read(_run, query, parameters)
            return found

    def entities(self) -> Iterator[tuple[str, str]]:
        """The id and the line of every entity in the store. Others may write meanwhile."""
        return ((row["id"], node_line(row["labels"], row["properties"])) for row in self._stream(_STREAM_ENTITIES))

    def posts(self) -> Iterator[tuple[str, str]]:
        """The id of a post and a line, for every post and each of its mentions."""
        for row in self._stream(_STREAM_POSTS):
            yield row["id"], node_line(row["labels"], row["properties"])
        for row in self._stream(_STREAM_MENTIONS):
            yield row["post"], mention_line(row["post"], row["entity"])
        for query in _picture_queries(of_one_post=False):
            for row in self._stream(query):
                yield row["post"], _picture_line(row)

    def relationships(self) -> Iterator[tuple[Row, str]]:
        """Every relationship between entities, as row and as line."""
        for row in self._stream(_STREAM_RELATIONSHIPS):
            yield row, relationship_line(row["head"], row["type"], row["tail"], row["properties"])

    def lines_of(self, unit: Unit) -> set[str]:
        """The lines of a unit that the store holds now."""
        if isinstance(unit, StatementUnit):
            return self.lines_between((*unit.present, *unit.gone))
        kind = neo4j_rows.POST if isinstance(unit, PostUnit) else neo4j_rows.ENTITY
        query = f"MATCH (n:{kind} {{id: $id}}) RETURN labels(n) AS labels, properties(n) AS properties"
        found = {node_line(row["labels"], row["properties"]) for row in self.rows(query, id=str(unit.key))}
        if isinstance(unit, PostUnit):
            query = "MATCH (:Post {id: $id})-[:MENTIONS]->(e) RETURN e.id AS entity"
            mentions = Counter(mention_line(str(unit.key), row["entity"]) for row in self.rows(query, id=str(unit.key)))
            seen = (row for query in _picture_queries(of_one_post=True) for row in self.rows(query, id=str(unit.key)))
            mentions += Counter(_picture_line(row) for row in seen)
            found |= mentions.keys() | {f"{line} once more" for line, count in mentions.items() if count > 1}
        return found

    def lines_between(self, triples: Sequence[Triple]) -> set[str]:
        """The relationships of these triples' types between their ends, whatever their ids."""
        rows = [
            {"head": str(one.head), "type": neo4j_rows.relationship_type(one.relation), "tail": str(one.tail)}
            for one in triples
        ]
        return {
            relationship_line(row["head"], row["type"], row["tail"], row["properties"])
            for row in self.rows(_RELATIONSHIPS_BETWEEN, rows=rows)
        }

    def remove_relationships(self, kind: str, ends: tuple[str, str]) -> None:
        """Delete every relationship of a type between two entities, where the record has no statement."""
        query = "MATCH (:Entity {id: $head})-[r:$($type)]->(:Entity {id: $tail}) DELETE r"
        with self._session() as session:
            session.execute_write(_run, query, {"head": ends[0], "type": kind, "tail": ends[1]})

    def remove_nodes(self, kind: str, key: str) -> None:
        """Delete the nodes with this id, which the record lacks."""
        with self._session() as session:
            for query in (_UNSHOW, _UNPICTURE, _DROP_POSTS) if kind == "post" else (_DROP_ENTITIES,):
                session.execute_write(_run, query, {"rows": [key]})

    def _stream(self, query: str, **parameters: Any) -> Iterator[Row]:
        with self._session(neo4j.READ_ACCESS, fetch_size=5000) as session:
            for record in session.run(query, parameters):
                yield record.data()

    def _write(self, steps: Sequence[tuple[str, list[Any]]], **parameters: Any) -> int:
        """All steps in one transaction, once it is this projector's turn; the last step's `count`, if it has one."""
        fence = self.fence

        @neo4j.unit_of_work(timeout=WRITE_SECONDS)
        def work(transaction: neo4j.ManagedTransaction) -> int:
            if fence:
                held = transaction.run(_LOCK, fence=fence).single(strict=True)["fence"]
                if held > fence:
                    raise StoreUnavailable("A later projector has begun to write to Neo4j.")
            last: list[Row] = []
            for query, rows in steps:
                for start in range(0, max(len(rows), 1), TOGETHER):
                    last = transaction.run(query, rows=rows[start : start + TOGETHER], **parameters).data()
            return int(last[0]["count"]) if last and "count" in last[0] else 0

        with self._session() as session:
            return session.execute_write(work)

    def _prepare(self) -> None:
        """Create the constraints and indexes that are missing."""
        if self._prepared:
            return
        present = {row["name"] for row in self.rows("SHOW CONSTRAINTS YIELD name RETURN name")}
        present |= {row["name"] for row in self.rows("SHOW INDEXES YIELD name RETURN name")}
        missing = [definition for name, definition in _schema().items() if name not in present]
        with self._session() as session:
            for definition in missing:
                session.run(definition).consume()
        self._prepared = True

    @contextmanager
    def _session(self, access: str = neo4j.WRITE_ACCESS, **options: Any) -> Iterator[neo4j.Session]:
        with (
            translated(),
            self._driver.session(database=self._database, default_access_mode=access, **options) as session,
        ):
            yield session


def _run(transaction: neo4j.ManagedTransaction, query: str, parameters: Row) -> list[Row]:
    return transaction.run(query, parameters).data()


def _steps(units: Sequence[Unit]) -> Iterator[tuple[str, list[Any]]]:
    """The steps of a write: deletions before additions, and nodes before the relationships between them."""
    statements = [unit for unit in units if isinstance(unit, StatementUnit)]
    entities = [(unit, neo4j_rows.entity_row(unit)) for unit in units if isinstance(unit, EntityUnit)]
    posts = [(unit, neo4j_rows.post_row(unit)) for unit in units if isinstance(unit, PostUnit)]
    present, shown = [row for _, row in posts if row is not None], [unit for unit, _ in posts]
    yield _GONE, [row for unit in statements for row in neo4j_rows.gone_rows(unit)]
    yield _DROP_ENTITIES, [str(unit.key) for unit, row in entities if row is None]
    yield _UNSHOW, [str(unit.key) for unit in shown]
    yield _UNPICTURE, [str(unit.key) for unit in shown]
    yield _DROP_POSTS, [str(unit.key) for unit, row in posts if row is None]
    yield _ENTITIES, [row for _, row in entities if row is not None]
    yield _POSTS, present
    yield _UNMENTION, present
    yield _MENTION, present
    yield _PICTURES, [row for unit in shown for row in neo4j_rows.picture_rows(unit)]
    yield _REGIONS, [row for unit in shown for row in neo4j_rows.region_rows(unit)]
    yield _DEPICTS, [row for unit in shown for row in neo4j_rows.depiction_rows(unit)]
    yield _RELATIONSHIPS, [row for unit in statements for row in neo4j_rows.relationship_rows(unit)]


def _schema() -> dict[str, str]:
    """Constraints and indexes by name. Uniqueness is all that the Community edition has."""
    nodes = {"entity": "Entity", "post": "Post", "store": "KgbuilderStore"}
    nodes |= {"picture": "Picture", "region": "PictureRegion"}
    definitions = {
        f"kgbuilder_{name}_id": f"CREATE CONSTRAINT kgbuilder_{name}_id IF NOT EXISTS "
        f"FOR (n:{kind}) REQUIRE n.id IS UNIQUE"
        for name, kind in nodes.items()
    }
    for kind, key in neo4j_rows.TYPES.items():
        definitions[f"kgbuilder_{key}_id"] = (
            f"CREATE CONSTRAINT kgbuilder_{key}_id IF NOT EXISTS FOR ()-[r:{kind}]-() REQUIRE r.id IS UNIQUE"
        )
    for name in ("picture", "region"):
        definitions[f"kgbuilder_{name}_post"] = (
            f"CREATE INDEX kgbuilder_{name}_post IF NOT EXISTS FOR (n:{nodes[name]}) ON (n.post)"
        )
    definitions["kgbuilder_entity_key"] = "CREATE INDEX kgbuilder_entity_key IF NOT EXISTS FOR (n:Entity) ON (n.key)"
    definitions[FULLTEXT] = f"CREATE FULLTEXT INDEX {FULLTEXT} IF NOT EXISTS FOR (n:Entity) ON EACH [n.name, n.names]"
    return definitions


def _picture_line(row: Row) -> str:
    if "labels" in row:
        return node_line(row["labels"], row["properties"])
    return relationship_line(row["start"], row["type"], row["end"], row["properties"])


@contextmanager
def translated() -> Iterator[None]:
    """Translate the driver's errors: StoreUnavailable, or StoreRefused where only these units are the cause."""
    try:
        yield
    except AuthError as error:
        raise StoreUnavailable("Neo4j does not accept NEO4J_USER and NEO4J_PASSWORD.") from error
    except (ClientError, DatabaseError, TransientError) as error:
        raise _classified(error) from error
    except (Neo4jError, DriverError, OSError) as error:
        raise StoreUnavailable(f"Neo4j at {settings.NEO4J_URL} does not respond ({type(error).__name__}).") from error


def _classified(error: Neo4jError) -> Exception:
    code, message = error.code or "", (error.message or str(error))[:500]
    refused = code == _TOO_MUCH or code.startswith(("Neo.ClientError", "Neo.DatabaseError.Statement"))
    if refused and not code.startswith(_NOT_THIS_UNIT):
        return StoreRefused(f"Neo4j refused it ({code}): {message}")
    return StoreUnavailable(f"Neo4j could not do it now ({code}): {message}")
