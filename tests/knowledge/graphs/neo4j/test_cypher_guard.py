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
