"""Queries that mean harm, in both languages, against the real servers: none writes, none reaches out, none outlives its
limit, and others are served meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from neo4j.exceptions import Neo4jError
from pytest_django import Settings

from knowledge.graphs.neo4j import cypher_guard, ended_queries, queries, query_process
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.rdf import sparql_guard, sparql_store
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.graphs.units import StoreUnavailable
from tests.knowledge.graphs.sparql_server.test_server import Listener
from tests.patience import PATIENCE_S
from tests.servers.neo4j import Neo4jServer
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = pytest.mark.integration

SECONDS = 2.0
GRACE = PATIENCE_S

# Refused as text. `%s` is an address on which somebody listens.
CYPHER_REFUSED = [
    "CREATE (n:Entity {id: 'x'})",
    "MATCH (n) DETACH DELETE n",
    "MATCH (n) SET n.name = 'x' RETURN n",
    "MATCH (n) /* RETURN n */ SET /**/ n.name = 'x'",
    "MATCH (n) // RETURN n\nREMOVE n:Entity",
    "MERGE (n:Entity {id: 'x'}) RETURN n",
    "MATCH (n) RETURN n; MATCH (m) DETACH DELETE m",
    "MATCH (n) FOREACH (x IN [1] | CREATE (:X))",
    "MATCH (n) CALL { WITH n CREATE (:X) } IN TRANSACTIONS RETURN 1",
    "MATCH (n) CALL (n) { DELETE n } RETURN 1",
    "CREATE INDEX x FOR (n:Entity) ON (n.name)",
    "DROP CONSTRAINT kgbuilder_entity_id",
    "CREATE USER eve SET PASSWORD 'evil'",
    "LOAD CSV FROM '%s' AS row RETURN row",
    "load\ncsv FROM '%s' AS row RETURN row",
    "LOAD /* */ CSV WITH HEADERS FROM '%s' AS row RETURN row",
    "MATCH (n) LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",
    "MATCH (n) CALL { LOAD CSV FROM '%s' AS row RETURN row } RETURN row",
    r"LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",
    "WITH 1 AS x LOAD CSV FROM '%s' AS row RETURN row",
    "SHOW SETTINGS",
    "SHOW USERS",
    "SHOW TRANSACTIONS YIELD transactionId RETURN transactionId",
    "TERMINATE TRANSACTIONS 'neo4j-transaction-1'",
    "USE system SHOW USERS",
    "CALL dbms.listConfig() YIELD name, value RETURN name, value",
    "CALL dbms.killConnections(['bolt-1'])",
    "CALL db.clearQueryCaches()",
    "CALL db.index.fulltext.createNodeIndex('x', ['Entity'], ['name'])",
    "CALL `dbms`.`listConfig`() YIELD name RETURN name",
    "CALL dbms . listConfig () YIELD name RETURN name",
    "CALL/**/dbms.listConfig",
    "CALL apoc.load.json('%s') YIELD value RETURN value",
    "CALL apoc.cypher.runWrite('CREATE (n)', {})",
    "RETURN apoc.text.regexGroups('a', 'b')",
    "MATCH (n) WHERE apoc.load.json('%s') IS NOT NULL RETURN n",
    "MATCH (n:Entity) WHERE n.name =~ '(.*a){30}' RETURN n",
    "RETURN 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' =~ '(a+)+$'",
    "RETURN reduce(s = 'x', i IN [1,2,3] | s + s)",
    "RETURN size(range(1, 1000000000))",
    "UNWIND range(1, 1000000000) AS i RETURN sum(i)",
    "UNWIND `range`(1, 1000000000) AS i RETURN sum(i)",
    "UNWIND RaNgE /* */ (1, 1000000000) AS i RETURN sum(i)",
    r"UNWIND r\u0061nge(1, 1000000000) AS i RETURN sum(i)",
    r"RETURN 'a\u0027 =~ \u0027(a+)+$'",
    r"RETURN 1 // \u000a MATCH (n) DETACH DELETE n",
    r"MATCH (`n\u0060) DETACH DELETE n //`) RETURN 1",
    r"\u0043REATE (n)",
    "RETURN replace('aaaaaaaaaa', 'a', 'aaaaaaaaaa')",
    "WITH 'aaaaaaaaaaaaaaaa' AS s " + "WITH s+s AS s " * 30 + "RETURN size(s)",
    "WITH ['aaaaaaaaaaaaaaaa'] AS s " + "WITH s+s AS s " * 30 + "RETURN size(s)",
    "MATCH (n) WITH collect(n) AS l RETURN any(a IN l WHERE any(b IN l WHERE any(c IN l WHERE a.id = b.id + c.id)))",
    "MATCH (n), (m) WITH collect(n.id + m.id) AS l RETURN [x IN l | x + x]",
    "MATCH (n) WITH collect(n.id) AS l, collect(n.id) AS m RETURN size([x IN $list WHERE l = m])",
    "MATCH p = (a)-[*]-(b) RETURN size([n IN nodes(p) WHERE n IN nodes(p)])",
    "MATCH p = (a)-[*]-(b) RETURN all(n IN nodes(p) WHERE single(m IN nodes(p) WHERE n = m))",
    "MATCH (n) RETURN [x IN $list | left($text, 9000)]",
    "PROFILE MATCH (n) DETACH DELETE n",
    "EXPLAIN MATCH (n) RETURN n",
    "CYPHER runtime=slotted MATCH (n) RETURN n",
    "MATCH (n) RETURN n\u00a0// \u2028 DETACH DELETE n",
    "MATCH (n) // \u2028 DETACH DELETE n\nRETURN n",
    "MATCH (n)\u200bRETURN n",
    "MATCH (n) WHERE " + " OR ".join(f"(n.a = {i} AND n.b = {i})" for i in range(60)) + " RETURN n",
    "RETURN " + "(" * 200 + "1" + ")" * 200,
    "MATCH " + ", ".join(f"(n{i})-->(m{i})" for i in range(700)) + " RETURN 1",
    "RETURN 'unclosed",
    "RETURN 1 /* unclosed",
    "",
    ";",
]
# Planned by the server if they came so far: its plan gives them away.
CYPHER_PLANS = [
    "LOAD CSV FROM '%s' AS row RETURN row",
    "MATCH (n) DETACH DELETE n",
    "CREATE (n:Entity {id: 'x'})",
    "MERGE (n:Entity {id: 'x'}) RETURN n",
    "MATCH (n) SET n.name = 'x'",
    "SHOW SETTINGS YIELD name RETURN name",
    "SHOW TRANSACTIONS YIELD transactionId RETURN transactionId",
    "TERMINATE TRANSACTIONS 'neo4j-transaction-1'",
    "CALL dbms.listConfig() YIELD name RETURN name",
    "CALL dbms.killConnections(['bolt-1'])",
    "FOREACH (x IN [1] | CREATE (:X))",
    "MATCH (n) CALL (n) { DELETE n } RETURN 1",
]
# Let through, and ended by a limit or answered within it.
CYPHER_ENDED = [
    # No equality: the server would join by it and be done in a second.
    "MATCH (a), (b), (c), (d) WHERE a.id + b.id < c.id + d.id RETURN count(*)",
    "MATCH (a), (b), (c) RETURN a.id + b.id + c.id AS x ORDER BY x",
    "MATCH (a), (b), (c) RETURN size(collect(a.id + b.id + c.id))",
    "MATCH (a), (b), (c) WITH DISTINCT a.id + b.id + c.id AS x RETURN count(x)",
    "MATCH p = (a)-[*]-(b) RETURN count(p)",
    "MATCH p = (a)-[*]-(b) WHERE none(n IN nodes(p) WHERE n.name = 'x') RETURN p ORDER BY length(p) DESC LIMIT 1",
    "MATCH (a:Entity), (b:Entity) WHERE a.id < b.id MATCH p = allShortestPaths((a)-[*]-(b)) RETURN count(p)",
    "MATCH (a:Entity {id: '1'}), (b:Entity {id: '2'}) MATCH p = shortestPath((a)-[*]-(b)) WHERE length(p) > 9 RETURN p",
    "MATCH (a)-[]-{1,30}(b) RETURN count(*)",
    "MATCH (a)--+(b) RETURN count(*)",
    "MATCH (a), (b), (c), (d) RETURN a, b, c, d",
    "UNWIND $list AS a UNWIND $list AS b UNWIND $list AS c UNWIND $list AS d RETURN sum(a * b * c * d)",
    "CALL db.index.fulltext.queryNodes('entity_names', '/((a|b)*c){200}/') YIELD node RETURN count(node)",
    "WITH $text + $text AS s, $text + $text + 'b' AS t RETURN s CONTAINS t",
    "MATCH (a), (b) RETURN [x IN $list | a.name] AS names, b",
]
LIST = {"list": list(range(900)), "text": "a" * 9000}

SPARQL_REFUSED = [
    "INSERT DATA { <urn:a> <urn:b> 1 }",
    "DELETE WHERE { ?s ?p ?o }",
    "CLEAR ALL",
    "SELECT * { ?s ?p ?o } ; DROP ALL",
    "PREFIX x: <urn:x> INSERT { ?s ?p 1 } WHERE { ?s ?p ?o }",
    "# SELECT * { ?s ?p ?o }\nDROP ALL",
    r"\u0044ROP ALL",
    "SELECT * { SERVICE <%s> { ?s ?p ?o } }",
    r"SELECT * { \u0053ERVICE SILENT <%s> { ?s ?p ?o } }",
    "LOAD <%s>",
]
SPARQL_ENDED = [
    "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }",
    "SELECT ?c ?f ?i { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?i ?f ?c",
    "SELECT (COUNT(*) AS ?n) { ?a (<urn:p>|!<urn:p>)* ?b . ?c (<urn:p>|^<urn:p>)* ?d . ?e (<urn:p>/<urn:p>)* ?f }",
    "SELECT * { ?s ?p ?o . ?a ?b ?c . ?d ?e ?f FILTER regex(str(?s), '(.*a){30}') }",
    "SELECT ?x { ?s ?p ?o . ?a ?b ?c . ?d ?e ?f BIND (CONCAT(STR(?s), STR(?a), STR(?d)) AS ?x) } ORDER BY ?x",
    "SELECT (GROUP_CONCAT(?x) AS ?y) { ?s ?p ?o . ?a ?b ?c . ?d ?e ?f BIND (CONCAT(STR(?s), STR(?a)) AS ?x) }",
]


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture(scope="module")
def full(neo4j_server: Neo4jServer) -> Neo4jStore:
    """Entities and so many relationships that no search through all paths ends."""
    store = neo4j_server.store()
    store._prepare()
    with store._session() as session:
        session.run("MATCH (n) DETACH DELETE n").consume()
        session.run(
            "UNWIND range(1, 400) AS i CREATE (:Entity {id: toString(i), name: 'name ' + i, names: ['name ' + i]})"
        ).consume()
        session.run(
            "MATCH (a:Entity), (b:Entity) WHERE a.id < b.id AND rand() < 0.06 "
            "CREATE (a)-[:SPOUSE {id: a.id + '-' + b.id}]->(b)"
        ).consume()
    return store


@pytest.fixture
def neo4j(full: Neo4jStore, neo4j_server: Neo4jServer, settings: Settings) -> Neo4jStore:
    settings.NEO4J_URL = neo4j_server.url
    return full


def content(store: Neo4jStore) -> Any:
    count = "RETURN count(*) AS n, sum(size(keys(x))) AS k"
    return store.rows(f"MATCH (x) {count}") + store.rows(f"MATCH ()-[x]->() {count}")


@pytest.mark.neo4j
@pytest.mark.parametrize("query", CYPHER_REFUSED)
def test_harmful_cypher_is_not_sent(
    neo4j: Neo4jStore, listener: Listener, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was sent")

    monkeypatch.setattr(queries, "_asked", never)
    with pytest.raises(sparql_guard.QueryRefused):
        queries.query(query.replace("%s", listener.address), LIST, SECONDS, 100)


@pytest.mark.neo4j
@pytest.mark.parametrize("query", CYPHER_PLANS)
def test_a_harmful_plan_is_refused_by_itself(neo4j: Neo4jStore, listener: Listener, query: str) -> None:
    before = content(neo4j)
    driver, database = neo4j._driver, neo4j._database
    with pytest.raises((sparql_guard.QueryRefused, Neo4jError)), driver.session(database=database) as session:
        cypher_guard.check_plan(query_process.plan(session, query.replace("%s", listener.address), {}, SECONDS))
    assert content(neo4j) == before
    assert listener.knocks == 0


@pytest.mark.neo4j
@pytest.mark.parametrize("query", CYPHER_ENDED)
def test_no_cypher_outlives_its_limit_and_others_are_served(neo4j: Neo4jStore, query: str) -> None:
    before = content(neo4j)
    began, ended = time.monotonic(), []

    def ask() -> None:
        try:
            queries.query(query, LIST, SECONDS, 1000)
        except (queries.CypherFailed, sparql_guard.QueryRefused) as error:
            ended.append(str(error))
        ended.append(f"{time.monotonic() - began:.1f}")

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    served = queries.query("MATCH (e:Entity) RETURN count(e)", {}, SECONDS + GRACE, 10)
    assert served.rows == [[400]]
    thread.join(timeout=SECONDS + GRACE)
    assert not thread.is_alive(), "it outlived its limit"
    assert content(neo4j) == before
    running = neo4j.rows("SHOW TRANSACTIONS YIELD metaData, status RETURN metaData.app AS app, status")
    assert [row for row in running if row["app"]] == [], "the server goes on with it"


# What the text's check refuses and Neo4j does not end; here the deadline has to hold without that check.
UNENDED = [
    f"RETURN {'NOT ' * 2400}true",
    f"MATCH (n) RETURN n{'.a' * 4000}",
    "UNWIND $p AS a UNWIND $p AS b WITH collect(a) AS x, collect(b) AS y WITH {a:x,c:y||[]} AS m "
    "RETURN size([z IN m.a WHERE m.a = m.c])",
]


@pytest.mark.neo4j
@pytest.mark.parametrize("query", UNENDED)
def test_a_query_that_the_server_does_not_end_gives_its_place_back(
    neo4j: Neo4jStore, settings: Settings, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    settings.CYPHER_AT_ONCE = 1
    with monkeypatch.context() as patched:
        patched.setattr(cypher_guard, "check", lambda text: text)
        with pytest.raises((queries.CypherFailed, StoreUnavailable)):
            queries.query(query, {"p": list(range(4000))}, SECONDS, 10)
    assert queries.query("RETURN 1 AS n", {}, SECONDS + GRACE, 10).rows == [[1]]
    assert ended_queries.still_running() <= 1


@pytest.mark.neo4j
def test_more_queries_than_may_run_or_wait_are_turned_away(neo4j: Neo4jStore, settings: Settings) -> None:
    settings.CYPHER_AT_ONCE = 1
    errors: list[str] = []

    def ask() -> None:
        try:
            queries.query(CYPHER_ENDED[0], {}, 1.0, 10)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.startswith("StoreUnavailable: Other queries keep") for one in errors) >= 2, errors
    assert sum(one.startswith("CypherFailed: The query exceeded its time limit") for one in errors) >= 1, errors


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(seconds=SECONDS) as running:
        links = "".join(f"<urn:{i}a> <urn:p> <urn:{i * j % 300}a> .\n" for i in range(300) for j in range(4))
        running.store().update(f"INSERT DATA {{ {links} }}")
        yield running


@pytest.fixture
def sparql(server: Server, settings: Settings) -> SparqlStore:
    settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = server.socket, TOKEN
    return server.store()


@pytest.mark.parametrize("query", SPARQL_REFUSED)
def test_harmful_sparql_is_not_answered(sparql: SparqlStore, server: Server, listener: Listener, query: str) -> None:
    before = sparql.select("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")
    text = query.replace("%s", listener.address)
    with pytest.raises(sparql_guard.QueryRefused):
        sparql_store.query(text, SECONDS, 100)
    with server.client() as client:
        assert client.post("/query", data={"query": text}).status_code in (400, 403), "the server refuses it too"
    assert sparql.select("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }") == before
    assert listener.knocks == 0


@pytest.mark.parametrize("query", SPARQL_ENDED)
def test_no_sparql_outlives_its_limit_and_others_are_served(sparql: SparqlStore, query: str) -> None:
    ended: list[str] = []

    def ask() -> None:
        try:
            sparql_store.query(query, SECONDS, 1000)
        except (sparql_store.SparqlFailed, sparql_guard.QueryRefused) as error:
            ended.append(str(error))
        ended.append("done")

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    assert b"true" in sparql_store.query("ASK { ?s ?p ?o }", SECONDS + GRACE, 10).body
    thread.join(timeout=SECONDS + GRACE)
    assert not thread.is_alive(), "it outlived its limit"
