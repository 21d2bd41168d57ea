"""The review state of statements in both graphs, the export and the API."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.test import Client

from extraction.models import Post
from knowledge.graphs import export, unit_builder
from knowledge.graphs.neo4j import rows
from knowledge.graphs.rdf import quads
from knowledge.graphs.units import ReviewContent
from knowledge.models import Statement
from knowledge.ontology.vocabulary import NAMESPACE
from knowledge.record import projection_queue
from knowledge.recording import reviews
from knowledge.recording.claims import Change
from tests import records
from tests.factories import make_user

pytestmark = pytest.mark.django_db

TEXT = "Ann married Bob and moved to Rome. Ann works for Shell."
NAMES = [("Ann", "person"), ("Bob", "person"), ("Rome", "location"), ("Shell", "organization")]
RELATIONS = [("Ann", "spouse", "Bob"), ("Ann", "residence", "Rome"), ("Ann", "employer", "Shell")]


@pytest.fixture
def post() -> Post:
    """One statement accepted by ann, one corrected by her, one that nobody has looked at."""
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, RELATIONS)
    made.refresh_from_db()
    ann = make_user("editor", "ann")
    reviews.review(made, Statement.objects.get(relation="spouse"), "accept", ann)
    reviews.correct(made, Statement.objects.get(relation="residence"), Change(factuality="planned"), ann)
    return made


def states(post: Post) -> dict[str, ReviewContent]:
    [unit] = unit_builder.posts([post.public_id])
    assert unit.content
    return {one.triple.relation: one.review for one in unit.content.assertions}


def test_an_assertion_says_what_editors_have_made_of_it_and_who_and_when(post: Post) -> None:
    found = states(post)
    assert {relation: one.state for relation, one in found.items()} == {
        "spouse": "accepted",
        "residence": "corrected",
        "employer": "unreviewed",
    }
    assert found["spouse"].by == ("ann",) and found["spouse"].at is not None
    assert found["employer"] == ReviewContent()


def test_rdf_has_the_state_of_every_assertion(post: Post) -> None:
    [unit] = unit_builder.posts([post.public_id])
    written = list(quads.quads(unit))
    shown = [str(one.object).strip("<>") for one in written if one.predicate.value == f"{NAMESPACE}reviewState"]
    assert sorted(shown) == [f"{NAMESPACE}{name}" for name in ("Accepted", "Corrected", "Unreviewed")]
    assert sum(one.predicate.value == f"{NAMESPACE}reviewedBy" for one in written) == 2


def test_neo4j_has_it_on_the_relationship(post: Post) -> None:
    keys = list(Statement.objects.values_list("public_id", flat=True))
    units = unit_builder.statements(keys, with_support=True)
    found = {row["type"]: row["properties"] for unit in units for row in rows.relationship_rows(unit)}
    assert found["SPOUSE"]["review_state"] == "accepted" and found["SPOUSE"]["reviewed_by"] == ["ann"]
    assert found["RESIDENCE"]["review_state"] == "corrected"
    assert found["EMPLOYER"]["review_state"] == "unreviewed" and "reviewed_by" not in found["EMPLOYER"]


def test_the_export_has_it(post: Post) -> None:
    out = io.BytesIO()
    export.write(out, "csv")
    read = {row["relation"]: row for row in csv.DictReader(io.StringIO(out.getvalue().decode()))}
    assert (read["residence"]["review_state"], read["residence"]["reviewed_by"]) == ("corrected", "ann")
    assert (read["employer"]["review_state"], read["employer"]["reviewed_at"]) == ("unreviewed", "")


def test_what_names_an_editor_is_written_again_when_the_name_changes(post: Post) -> None:
    records.settle()
    projection_queue.mark_reviewed_by([User.objects.get(username="ann").pk])
    statements = {name for kind, name in records.marked() if kind == "statement"}
    assert statements == {"Ann spouse Bob", "Ann residence Rome"}
    assert ("post", post.link) in records.marked()


def test_the_page_of_an_entity_shows_it_with_each_statement(client: Client, post: Post) -> None:
    client.force_login(make_user("viewer"))
    html = client.get(f"/entities/{records.entity('Ann').public_id}/").content.decode()
    assert html.count('class="review-state unreviewed"') == 1
    assert 'class="review-state accepted"' in html and 'class="review-state corrected"' in html
    assert "accepted by ann" in html and "corrected by ann" in html
