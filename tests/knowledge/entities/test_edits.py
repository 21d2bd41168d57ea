"""Editors' changes of entities: label, type, description, aliases, removal; in both graphs, and undone."""

from __future__ import annotations

import pytest
from django.test import Client

from extraction.models import Post
from knowledge.entities import edits
from knowledge.graphs import unit_builder
from knowledge.graphs.neo4j import rows
from knowledge.graphs.rdf import quads
from knowledge.models import Entity, EntityName, Event
from knowledge.record import current
from tests import records
from tests.factories import make_user

pytestmark = pytest.mark.django_db

TEXT = "Jacobin hired Ann. Jacobin magazine said so."
NAMES = [("Jacobin", "location"), ("Ann", "person")]


@pytest.fixture
def post() -> Post:
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, [("Ann", "employer", "Jacobin")])
    made.refresh_from_db()
    return made


def jacobin() -> Entity:
    return Entity.objects.get(key="jacobin|location")


def graph() -> list[object]:
    posts = list(Post.objects.values_list("public_id", flat=True))
    entities = list(Entity.objects.order_by("pk").values_list("public_id", flat=True))
    statements = list(current.Statement.objects.order_by("pk").values_list("public_id", flat=True))
    shown = unit_builder.statements(statements, with_support=True)
    return [*unit_builder.posts(posts), *unit_builder.entities(entities), *shown]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("label", "Jacobin (magazine)"),
        ("type", "organization"),
        ("description", "An American magazine"),
        ("alias", "Jacobin Mag"),
        ("removal", ""),
    ],
)
def test_a_change_is_in_the_graph_and_its_undo_gives_the_graph_back(post: Post, kind: str, value: str) -> None:
    before = graph()
    records.settle()
    made = edits.edit(jacobin(), kind, value, None)
    assert graph() != before
    assert "entity" in {marked for marked, _ in records.marked()}
    edits.undo(made, None)
    assert graph() == before
    assert [one.what.startswith("entity ") for one in Event.objects.all()] == [True, True]


def test_a_label_and_a_type_hold_in_later_readings(post: Post) -> None:
    edits.edit(jacobin(), "label", "The Jacobin", None)
    edits.edit(jacobin(), "type", "organization", None)
    other = records.post("JACOBIN and Jacobin again.")
    records.read(other, [("Jacobin", "location")])
    assert (jacobin().label, jacobin().type) == ("The Jacobin", "organization")
    assert jacobin().mentions.count() == 3
    assert "The Jacobin" in set(jacobin().names.values_list("name", flat=True))


def test_a_removed_alias_is_not_brought_back_by_a_reading(post: Post) -> None:
    edits.edit(jacobin(), "alias", "Jacobin Mag", None)
    edits.edit(jacobin(), "no alias", "Jacobin Mag", None)
    entity = jacobin()
    EntityName.objects.create(entity=entity, name="the Jacobin", key="the jacobin", language="en")
    edits.edit(entity, "no alias", "the Jacobin", None)
    [unit] = unit_builder.entities([entity.public_id])
    assert unit.content and {one.name for one in unit.content.names} == {"Jacobin"}


def test_what_was_removed_is_in_no_list_and_no_graph_also_of_later_posts(post: Post) -> None:
    made = edits.edit(jacobin(), "removal", "", None)
    later = records.post("Ann left Jacobin.")
    records.read(later, [("Jacobin", "location"), ("Ann", "person")], [("Ann", "employer", "Jacobin")])
    assert records.supported_triples() == set()
    assert jacobin() not in current.entities()
    assert not current.mentions().filter(entity=jacobin()).exists()
    edits.undo(made, None)
    assert records.supported_triples() == {("Ann", "employer", "Jacobin")}
    [edge] = current.statements_of(jacobin())
    assert edge.posts == 2


def test_description_and_aliases_are_written_to_both_stores(post: Post) -> None:
    edits.edit(jacobin(), "description", "A magazine", None)
    [unit] = unit_builder.entities([jacobin().public_id])
    assert any("A magazine" in str(one.object) for one in quads.quads(unit))
    row = rows.entity_row(unit)
    assert row and row["properties"]["description"] == "A magazine"


@pytest.mark.parametrize(
    ("kind", "value"), [("label", " "), ("type", "time"), ("alias", "Jacobin"), ("no alias", "Nix")]
)
def test_impossible_changes_are_refused_with_a_sentence(post: Post, kind: str, value: str) -> None:
    with pytest.raises(edits.ImpossibleEdit):
        edits.edit(jacobin(), kind, value, None)


def test_an_earlier_change_is_undone_after_the_later_one(post: Post) -> None:
    first = edits.edit(jacobin(), "label", "One", None)
    second = edits.edit(jacobin(), "label", "Two", None)
    with pytest.raises(edits.ImpossibleEdit, match="later change"):
        edits.undo(first, None)
    edits.undo(second, None)
    edits.undo(first, None)
    assert jacobin().label == "Jacobin" and not jacobin().named


def test_editors_change_an_entity_on_its_page(client: Client, post: Post) -> None:
    client.force_login(make_user("editor", "edith"))
    address = f"/entities/{jacobin().public_id}/"
    html = client.post(f"{address}edit/", {"kind": "removal", "note": "a verb"}, follow=True).content.decode()
    assert "it is no entity, and in no graph" in html and "a verb" in html and "by edith" in html
    edit = jacobin().edits.get()
    assert (
        "The change was undone." in client.post(f"{address}undo-edit/", {"edit": edit.pk}, follow=True).content.decode()
    )
    client.force_login(make_user("viewer"))
    assert "Edit this entity" not in client.get(address).content.decode()
