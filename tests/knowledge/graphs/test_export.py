"""The export as rows and as GraphML: support, verdicts and comparisons of each statement."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest

from knowledge.graphs import export
from knowledge.models import Link, Review, Statement
from knowledge.recording import reviews
from tests import factories, records

pytestmark = pytest.mark.django_db

TEXT = "Ada, born in 1816, wed William in London."
NAMES = [("Ada", "person"), ("1816", "time"), ("William", "person"), ("London", "location")]
TRIPLES = [("Ada", "date_of_birth", "1816"), ("Ada", "spouse", "William"), ("Ada", "residence", "London")]
NAMESPACE = {"g": "http://graphml.graphdrawing.org/xmlns"}


@pytest.fixture(autouse=True)
def linked_posts() -> None:
    records.checkpoint()
    first, second = records.post(TEXT), records.post(f"Again: {TEXT}")
    for post in (first, second):
        records.read(post, NAMES, TRIPLES)
    Link.objects.filter(entity__label="William").update(target="Q3")
    facts = [["P569", "1815-12-10T00:00:00Z", ""], ["P26", "Q3", 'William "Bill" King', "dbo:spouse"]]
    Link.objects.filter(entity__label="Ada").update(target="Q7259", facts=facts)
    by_relation = {one.relation: one for one in Statement.objects.all()}
    editor = factories.make_user("editor")
    reviews.review(first, by_relation["residence"], Review.Verdict.REJECT, editor)
    reviews.review(first, by_relation["spouse"], Review.Verdict.ACCEPT, editor)


def written(form: str) -> bytes:
    out = io.BytesIO()
    export.write(out, form)
    return out.getvalue()


EXPECTED = {
    "date_of_birth": {"accepted": "false", "rejected": "0", "posts": 2, "standing": "conflict", "known_to": "Wikidata",
                      "known_value": "1815-12-10T00:00:00Z", "known_name": "1815-12-10T00:00:00Z"},
    "spouse": {"accepted": "true", "rejected": "0", "posts": 2, "standing": "known", "known_to": "DBpedia",
               "known_value": "Q3", "known_name": 'William "Bill" King'},
    "residence": {"accepted": "false", "rejected": "1", "posts": 1, "standing": "said", "known_to": "",
                  "known_value": "", "known_name": ""},
}  # fmt: skip


def test_rows_give_the_comparison_of_each_statement() -> None:
    rows = {row["relation"]: row for row in csv.DictReader(io.StringIO(written("csv").decode()))}
    found = {
        relation: {name: row[name] for name in EXPECTED["spouse"]}
        | {"accepted": row["accepted"].lower(), "posts": len(row["posts"].split())}
        for relation, row in rows.items()
    }
    assert found == EXPECTED


def test_graphml_give_the_comparison_of_each_statement() -> None:
    root = ElementTree.fromstring(written("graphml"))
    declared = {key.get("id"): key.get("attr.type") for key in root.findall("g:key", NAMESPACE)}
    found = {}
    for edge in root.findall(".//g:edge", NAMESPACE):
        data = {one.get("key"): one.text or "" for one in edge.findall("g:data", NAMESPACE)}
        assert data.keys() <= declared.keys()
        found[data["relation"]] = {name: data.get(name, "") for name in EXPECTED["spouse"]} | {
            "posts": int(data["posts"])
        }
    assert found == {relation: EXPECTED[relation] for relation in ("spouse", "residence")}
    nodes = [
        {one.get("key"): one.text for one in node.findall("g:data", NAMESPACE)}
        for node in root.findall(".//g:node", NAMESPACE)
    ]
    assert {"label": "Ada", "name": "Ada", "type": "person", "date_of_birth": "1816"} in nodes and len(nodes) == 3
    assert (declared["standing"], declared["rejected"]) == ("string", "int")
