"""What may be asked in Cypher, as text: the queries that are tried on the real server too, and harmless ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.graphs.neo4j import cypher_guard
from knowledge.graphs.rdf import sparql_guard
from knowledge.views.queries.cypher_examples import EXAMPLES
from tests.knowledge.graphs.test_hostile_queries import CYPHER_ENDED, CYPHER_REFUSED

GOOD = [
    *(example.text for example in EXAMPLES),
    *CYPHER_ENDED,
    "MATCH (n) RETURN n;",
    "match (n:Entity {name: 'O\\'Brien'}) return count(*) // how many",
    "MATCH (n) WHERE n.name = 'caf\\u00e9' AND NOT n.name CONTAINS 'CREATE' RETURN n.set, n.`load`",
    "MATCH (n:Person|Organization) WHERE n.name IN $names RETURN n { .name, .id } AS n ORDER BY n.name SKIP 5 LIMIT 5",
    "MATCH (a)-[r:MEMBER_OF*1..3]->(b) RETURN [n IN nodes($p) WHERE 'Person' IN labels(n) | n.name]",
    "OPTIONAL MATCH (a)-[r]->() RETURN CASE WHEN r.score > 0.5 THEN 'sure' ELSE 'unsure' END AS how",
    "MATCH p = SHORTEST 1 (a:Person)-[]-+(b:Person) RETURN p",
    "CALL db.labels() YIELD label RETURN label",
    "MATCH (a) CALL (a) { MATCH (a)-->(b) RETURN count(b) AS n } RETURN a.name, n",
    "RETURN a.name + ' (' + b.name + ')'",
]


# None of these ends at the server's limit of time: found on Neo4j 5.26.
BOMBS = [
    f"MATCH (n) WHERE {' XOR '.join(f'n.p{i}' for i in range(25))} RETURN n LIMIT 1",
    f"MATCH (n) WHERE {' XOR '.join(f'n.p{i}' for i in range(5))} RETURN n LIMIT 1",
    f"RETURN {'NOT ' * 2400}true",
    f"MATCH (n) RETURN n{'.a' * 4000}",
    f"MATCH (n) RETURN n.a{'[0]' * 3000}",
    f"MATCH (n) RETURN keys(n){'[0]' * 3000}",
    f"RETURN {'='.join(['1'] * 3000)}",
    f"RETURN {'- ' * 3000}1",
    f"RETURN 1{' IS NULL' * 1000}",
    f"MATCH (n{':A' * 3000}) RETURN n",
    f"RETURN {' < '.join(['1'] * 500)}",
    "WITH [1,1] AS l,[1,1] AS k "
    + "".join(f"WITH [{','.join(['l'] * 10)}] AS l,[{','.join(['k'] * 10)}] AS k " for _ in range(12))
    + "RETURN l = k",
    "WITH [1] AS l " + f"WITH [{','.join(['l'] * 10)}] AS l " * 7 + "RETURN l",
    "WITH [1] AS l " + "WITH [l, l] AS l " * 30 + "RETURN l",
    "WITH [1] AS l " + "WITH [[l], [l]] AS l " * 30 + "RETURN l",
    "WITH {x: 1} AS m " + "WITH {a: m, b: m} AS m " * 30 + "RETURN m",
    "WITH {x: 1} AS m " + "WITH {x: [m.x, m.x, m.x]} AS m " * 12 + "RETURN m",
    "WITH {x: 1} AS m " + "WITH m { .*, a: m, b: m } AS m " * 30 + "RETURN m",
    "WITH 'aaaaaaaa' AS a " + f"WITH {'||'.join(['a'] * 10)} AS a " * 8 + "RETURN a",
    "WITH [1] AS a " + "WITH a || a AS a " * 30 + "RETURN a",
    "UNWIND $p AS a UNWIND $p AS b WITH collect(a) AS x, collect(b) AS y WITH {a:x,c:y||[]} AS m "
    "RETURN size([z IN m.a WHERE m.a = m.c])",
    "UNWIND $p AS a WITH collect(a) AS x WITH {l: x} AS m, $s AS s RETURN size([x IN m.l WHERE s CONTAINS $t])",
    "MATCH (n) WITH n, {c: $p, d: $p} AS m RETURN [z IN n.aliases WHERE m.c = m.d]",
    "MATCH " + ", ".join(f"(a{i})--(a{j})" for i in range(14) for j in range(i)) + " RETURN count(*)",
]
LARGE_AND_HARMLESS = [
    "MATCH (n:Person) RETURN {id: n.id, name: n.name, type: n.type, url: n.url, links: n.links, at: n.at, x: n.x} AS n",
    "MATCH (n)-[r]->(m) WHERE n.name CONTAINS 'a' AND m.name STARTS WITH 'b' AND NOT r.score < 0.5 RETURN [n, r, m]",
    "MATCH (a)-[:X]->(b)-[:X]->(c)-[:X]->(d)-[:X]->(e)-[:X]->(f) WHERE a <> f XOR b = e RETURN a, f",
    "MATCH (n) RETURN [x IN n.aliases WHERE x <> n.name], n.aliases[0], [n.id, n.name, n.type] ORDER BY n.name LIMIT 5",
    f"MATCH (n) WHERE {' OR '.join(f'n.id = {i}' for i in range(40))} RETURN n",
    f"MATCH (n) WHERE n.id IN [{', '.join(map(str, range(500)))}] RETURN n",
]


@pytest.mark.parametrize("query", BOMBS)
def test_what_no_limit_of_the_server_ends_is_refused(query: str) -> None:
    with pytest.raises(sparql_guard.QueryRefused):
        cypher_guard.check(query)


@pytest.mark.parametrize("query", LARGE_AND_HARMLESS)
def test_an_ordinary_large_query_is_accepted(query: str) -> None:
    assert cypher_guard.check(query) == query


@pytest.mark.parametrize("query", GOOD)
def test_a_harmless_query_is_accepted(query: str) -> None:
    assert cypher_guard.check(query) == query.removesuffix(";")


@pytest.mark.parametrize("query", CYPHER_REFUSED)
def test_a_harmful_query_is_refused_with_a_sentence(query: str) -> None:
    with pytest.raises(sparql_guard.QueryRefused, match=r"\.$|: no limit ends|may "):
        cypher_guard.check(query)


@given(st.text(max_size=60), st.sampled_from(["'%s'", '"%s"', "`%s`", "/* %s */", "// %s\n"]))
def test_nothing_hides_a_function_after_it(inner: str, around: str) -> None:
    """What stands in a string, a quoted name or a comment must never hide what follows it."""
    escaped = "".join(sign for sign in inner if sign.isalnum() or sign in " .,:-")
    with pytest.raises(sparql_guard.QueryRefused):
        cypher_guard.check(f"RETURN {around % escaped} , range(1, 9)")


@given(st.text(alphabet="MATCHreduce()[]{}'\"`\\u/*|=~+$.:; \n\u00e9\u2028", max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        cypher_guard.check(f"RETURN {text}")
    except sparql_guard.QueryRefused:
        return
    assert "~" not in text.replace("'", "").split("//")[0] or any(sign in text for sign in "'\"`/")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"a": ["\\u0000"]}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": ' + "[" * 900 + "]" * 900 + "}",
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_parameters_that_no_database_takes_are_refused(text: str) -> None:
    with pytest.raises(sparql_guard.QueryRefused):
        cypher_guard.parameters(text)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert cypher_guard.parameters('{"a": "\\ud83d\\ude00", "b": "\\\\u0000 in words"}')["a"] == "\U0001f600"


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": 99999999999999999999}', '{"a": "' + "x" * 20_000 + '"}', "1"])
def test_parameters_are_an_object_of_bounded_size(text: str) -> None:
    with pytest.raises(sparql_guard.QueryRefused):
        cypher_guard.parameters(text)


def test_parameters_are_read() -> None:
    assert cypher_guard.parameters(' {"a": [1, "é", {"b": null}]} ') == {"a": [1, "é", {"b": None}]}
    assert cypher_guard.parameters(" ") == {}


def plan(*operators: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in reversed(operators):
        found = {"operatorType": f"{name}@neo4j", "args": {}, "children": [found] if found else []}
    return found


def test_a_plan_may_have_only_operators_that_read() -> None:
    cypher_guard.check_plan(plan("ProduceResults", "Projection", "Expand(All)", "NodeByLabelScan"))
    for name in ("LoadCSV", "Create", "DetachDelete", "ShowSettings", "TransactionForeach", "Foreach", "NewInTown"):
        with pytest.raises(sparql_guard.QueryRefused, match=name):
            cypher_guard.check_plan(plan("ProduceResults", name))
    with pytest.raises(sparql_guard.QueryRefused, match="no plan"):
        cypher_guard.check_plan(None)


def test_a_plan_may_call_only_procedures_on_the_list() -> None:
    called = plan("ProduceResults", "ProcedureCall")
    called["children"][0]["args"] = {"Details": "dbms.listConfig() :: (name)"}  # type: ignore[index]
    with pytest.raises(sparql_guard.QueryRefused, match=r"dbms\.listconfig"):
        cypher_guard.check_plan(called)
