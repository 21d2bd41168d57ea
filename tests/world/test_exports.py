"""What people report of exports: cells that spreadsheets run, accents in Excel, labels in Gephi."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from kgbuilder.accounts import api_tokens
from knowledge.graphs import export
from knowledge.graphs.neo4j.queries import CypherAnswer
from knowledge.graphs.spreadsheets import harmless
from tests import records
from tests.factories import make_user

NAMES = ["@narendramodi", "-Acme Ltd", "+44 Group", "Peña Nieto"]
G = "{http://graphml.graphdrawing.org/xmlns}"


@pytest.fixture
def graph(db: None) -> None:
    records.checkpoint()
    pairs = list(pairwise(NAMES))
    text = " ".join(f"{head} wed {tail}." for head, tail in pairs)
    records.read(records.post(text), [(name, "person") for name in NAMES], [(a, "spouse", b) for a, b in pairs])


def written(form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    export.write(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *(
            (one, f"'{one}")
            for one in ("=1+1", "@a", "-Acme", "+44 20", "\t=1", "\r=1", " =1+1", "＝1", "-1+2", "-inf x")
        ),
        *((one, one) for one in ("Acme", "-3.5", "+1", "-1e-05", "a=b", "", "'=1")),
        *((one, one) for one in (-3, 0.5, True)),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_becomes_text(cell: Any, expected: Any) -> None:
    assert list(harmless([cell])) == [expected]


def test_names_that_look_like_formulas_are_harmless_in_the_export(graph: None) -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv").decode())))
    names = {row[end] for row in rows for end in ("head", "tail")}
    assert names == {"'@narendramodi", "'-Acme Ltd", "'+44 Group", "Peña Nieto"}
    assert all(float(row["score"]) > 0 for row in rows)


def test_an_answer_of_the_cypher_page_is_harmless_too() -> None:
    answer = CypherAnswer(["=name", "n"], [["@a", -3], ["-b", -0.5]])
    assert list(csv.reader(io.StringIO(answer.as_csv()))) == [["'=name", "n"], ["'@a", "-3"], ["'-b", "-0.5"]]


def test_excel_is_shown_that_the_file_is_utf_8_where_it_is_asked_for(graph: None) -> None:
    _, token = api_tokens.make(make_user("viewer"), "for a test", ["export"])
    program = Client(headers={"Authorization": f"Bearer {token}"})

    def body(address: str) -> bytes:
        response: Any = program.get(f"/api/v1/exports/{address}")
        assert response.status_code == 200
        return b"".join(response.streaming_content)

    plain, excel = body("csv"), body("csv?excel=true")
    assert plain == written("csv") and plain.startswith(b"head_id") and excel == b"\xef\xbb\xbf" + plain
    assert "Peña Nieto" in excel.decode("utf-8-sig")
    assert program.get("/api/v1/exports/turtle?excel=true").status_code == 422


def test_the_command_writes_for_excel(graph: None, tmp_path: Any) -> None:
    call_command("export_graph", format="csv", excel=True, output=tmp_path / "graph.csv")
    assert (tmp_path / "graph.csv").read_bytes() == b"\xef\xbb\xbf" + written("csv")
    with pytest.raises(CommandError, match="csv alone"):
        call_command("export_graph", format="turtle", excel=True)


def test_gephi_finds_the_labels_of_nodes_and_edges(graph: None) -> None:
    root = ElementTree.fromstring(written("graphml"))
    keys = {(key.get("for"), key.get("attr.name")): key.get("id") for key in root.iter(f"{G}key")}
    ids = [key.get("id") for key in root.iter(f"{G}key")]
    assert len(set(ids)) == len(ids)

    def values(kind: str) -> set[str | None]:
        wanted = keys[kind, "label"]
        return {data.text for one in root.iter(f"{G}{kind}") for data in one if data.get("key") == wanted}

    assert values("node") == set(NAMES) and values("edge") == {"spouse"}
