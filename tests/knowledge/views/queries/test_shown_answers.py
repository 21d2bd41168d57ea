"""A result's page stays small, whatever the query returns; what is cut is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from knowledge.graphs.rdf.sparql_store import JSON, SparqlAnswer
from knowledge.views.queries import graph_data, shown_answers, sparql
from knowledge.views.queries.shown_answers import LONGEST_CELL, LONGEST_PAGE, MOST_COLUMNS, MOST_SHOWN, cell, table


def answer(columns: list[str], *rows: dict[str, Any]) -> SparqlAnswer:
    return SparqlAnswer(JSON, json.dumps({"head": {"vars": columns}, "results": {"bindings": rows}}).encode(), False)


def literal(text: str) -> dict[str, str]:
    return {"type": "literal", "value": text}


def test_a_long_cell_is_cut_and_a_long_link_is_no_link() -> None:
    assert cell("<" * 10**7).text == "<" * LONGEST_CELL + "…"
    long = "http://a.example/" + "b" * 10**6
    assert cell(long, long).href == ""
    assert cell("http://a.example/", "http://a.example/").href == "http://a.example/"
    assert cell("x" * LONGEST_CELL).text == "x" * LONGEST_CELL


def test_rows_are_shown_as_far_as_the_page_holds_them() -> None:
    rows = [[cell("x" * LONGEST_CELL) for _ in range(10)] for _ in range(MOST_SHOWN)]
    shown = table([str(n) for n in range(10)], rows, len(rows), "500")
    assert shown.rows is not None
    assert 0 < len(shown.rows) * 10 * LONGEST_CELL <= LONGEST_PAGE
    assert shown.title == f"500 rows, the first {len(shown.rows)} of them here"


def test_many_columns_are_cut() -> None:
    shown = table([str(n) for n in range(5000)], [[cell("") for _ in range(5000)]], 1, "1")
    assert shown.rows is not None
    assert len(shown.columns) == len(shown.rows[0]) == MOST_COLUMNS
    assert shown.title == f"1 row, and the first {MOST_COLUMNS} of 5000 columns"


def test_a_small_result_is_shown_whole() -> None:
    shown = sparql._shown(answer(["a", "b"], {"a": literal("x"), "b": literal("y")}, {"a": literal("z")}))
    assert shown.title == "2 rows"
    assert shown.rows == [[cell("x"), cell("y")], [cell("z"), cell("")]]


def test_triples_are_cut_too() -> None:
    shown = shown_answers.words("Triples", "x" * (LONGEST_PAGE + 1))
    assert len(shown.text) == LONGEST_PAGE + 1
    assert shown.title == "Triples, the first 1,000,000 characters of them here"


@pytest.mark.django_db
def test_a_drawing_leaves_long_iris_out_and_bounds_its_lines() -> None:
    long = "http://a.example/" + "b" * 10**6
    nodes = [f"http://a.example/{n}" for n in range(graph_data.MOST_NODES)]
    triples = [(head, "to", tail) for head in nodes[:20] for tail in nodes if head != tail]
    drawn = graph_data._graph([(long, "to", nodes[0]), *triples], {nodes[0]: "n" * 10**6})
    assert {node["key"] for node in drawn["nodes"]} <= set(nodes)
    assert len(drawn["edges"]) == graph_data.MOST_EDGES
    assert max(len(node["name"]) for node in drawn["nodes"]) == graph_data.LONGEST_NAME + 1
