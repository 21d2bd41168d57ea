"""The neighbourhood of an entity: its page, the neighbours that a click adds, and paths to another entity."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from knowledge.entities import merges
from knowledge.models import Entity, Statement
from knowledge.record import paths
from knowledge.recording import reviews
from knowledge.views.entities import neighbourhood
from tests import records
from tests.factories import make_checkpoint, make_user
from tests.newsroom import open_newsroom

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user("viewer"))
    return client


def entity(label: str) -> Entity:
    return Entity.objects.get(label=label)


def page(client: Client, of: Entity, **query: str) -> str:
    response = client.get(f"/entities/{of.public_id}/neighbourhood/", query)
    assert response.status_code == 200
    return response.content.decode()


def graph(html: str) -> dict[str, Any]:
    match = re.search(r'<script id="graph" type="application/json">(.*?)</script>', html)
    assert match
    content: dict[str, Any] = json.loads(match[1])
    return content


def state(*statements: tuple[str, str, str]) -> None:
    """Record one post for each statement."""
    for head, relation, tail in statements:
        names = [(head, "person"), (tail, "organization" if relation == "employer" else "person")]
        records.read(records.post(f"{head} and {tail}, it was reported."), names, [(head, relation, tail, 0.9)])


def walked(found: paths.ShortestPaths) -> list[list[str]]:
    return [[f"{edge.head.label} {edge.relation} {edge.tail.label}" for edge in path] for path in found.paths]


def test_the_page_holds_the_neighbours_as_a_graph_and_as_a_table(viewer: Client) -> None:
    open_newsroom(pictures=False)
    html = page(viewer, entity("NASA"))
    answer = graph(html)
    assert {node["label"] for node in answer["nodes"]} == {
        *("NASA", "Neil Armstrong", "Buzz Aldrin", "Michael Collins", "Washington", "Sally Ride", "Challenger")
    }
    assert len(answer["edges"]) == 6
    table = html.split("<tbody>")[1]
    for node in answer["nodes"]:
        assert f"<bdi>{node['label']}</bdi>" in table
    assert "neighbourhood/" in viewer.get(f"/entities/{entity('NASA').public_id}/").content.decode()


def test_a_click_adds_the_neighbours_of_an_entity(viewer: Client) -> None:
    open_newsroom(pictures=False)
    answer = viewer.get(f"/entities/{entity('Neil Armstrong').public_id}/neighbours/").json()
    assert {node["label"] for node in answer["nodes"]} == {"Neil Armstrong", "NASA", "Wapakoneta", "Purdue University"}
    assert answer["more"] == 0
    assert answer["expanded"] == str(entity("Neil Armstrong").public_id)


def test_of_many_neighbours_the_best_supported_come(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbourhood, "MOST_AT_ONCE", 2)
    make_checkpoint(0.5)
    state(*[(name, "employer", "NASA") for name in ("Ada Low", "Ben Low", "Cid Low")])
    records.read(records.post("Cid Low of NASA."), [("Cid Low", "person"), ("NASA", "organization")],
                 [("Cid Low", "employer", "NASA", 0.9)])  # fmt: skip
    answer = viewer.get(f"/entities/{entity('NASA').public_id}/neighbours/").json()
    assert {node["label"] for node in answer["nodes"]} == {"NASA", "Cid Low", "Ada Low"}
    assert answer["more"] == 1


def test_an_entity_without_statements_shows_a_message(viewer: Client) -> None:
    make_checkpoint(0.5)
    records.read(records.post("Zürich was mentioned."), [("Zürich", "location")], [])
    html = page(viewer, entity("Zürich"))
    assert "this entity has no neighbours" in html
    assert "application/json" not in html and "entity-graph.js" not in html


def test_a_merged_entity_leads_to_its_survivor(viewer: Client) -> None:
    make_checkpoint(0.5)
    state(("Neil Armstrong", "employer", "NASA"), ("Commander Armstrong", "employer", "NASA"))
    neil, other = entity("Neil Armstrong"), entity("Commander Armstrong")
    merges.merge(neil, [other], None)
    response = viewer.get(f"/entities/{other.public_id}/neighbourhood/")
    assert response.headers["Location"] == f"/entities/{neil.public_id}/neighbourhood/"
    (edge,) = viewer.get(f"/entities/{other.public_id}/neighbours/").json()["edges"]
    assert (edge["head"], edge["posts"]) == (str(neil.public_id), 2)


def test_the_shortest_paths_are_found_from_both_ends() -> None:
    open_newsroom(pictures=False)
    found = paths.between(entity("Wapakoneta"), entity("Sally Ride"))
    assert found.whole
    assert walked(found) == [
        [
            "Neil Armstrong place_of_birth Wapakoneta",
            "Neil Armstrong employer NASA",
            "Sally Ride employer NASA",
        ]
    ]
    assert walked(paths.between(entity("Sally Ride"), entity("Wapakoneta"))) == [walked(found)[0][::-1]]


def test_all_shortest_paths_are_found_up_to_a_number() -> None:
    make_checkpoint(0.5)
    state(*[(name, "employer", firm) for name in ("Ada", "Eve") for firm in ("Acme", "Bolt", "Core")])
    found = paths.between(entity("Ada"), entity("Eve"))
    assert sorted(path[0].tail.label for path in found.paths) == ["Acme", "Bolt", "Core"]
    assert all(len(path) == 2 for path in found.paths)


def test_no_path_uses_statements_outside_the_graph() -> None:
    moon = open_newsroom(pictures=False)["moon"]
    assert paths.between(entity("Zürich"), entity("Glen Ridge")).paths == (), (
        "its only statement is below the threshold"
    )
    one, other = entity("Ohio"), entity("NASA")
    assert len(paths.between(one, other).paths) == 1
    statement = Statement.objects.get(head__label="Wapakoneta", relation="located_in")
    reviews.review(moon, statement, "reject", make_user("editor"))
    assert paths.between(one, other).paths == ()


def test_paths_are_bounded_in_length_and_in_the_rows_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    make_checkpoint(0.5)
    chain = ["Ada", "Ben", "Cid", "Dan", "Eve", "Fay", "Gus"]
    state(*[(a, "sibling", b) for a, b in itertools.pairwise(chain)])
    assert len(paths.between(entity("Ada"), entity("Fay")).paths[0]) == 5
    assert paths.between(entity("Ada"), entity("Gus")).paths == ()
    assert paths.between(entity("Ada"), entity("Ada")).paths == ()
    monkeypatch.setattr(paths, "MOST_ROWS", 1)
    found = paths.between(entity("Ben"), entity("Eve"))
    assert not found.whole


def test_paths_pass_through_merged_entities() -> None:
    make_checkpoint(0.5)
    state(("Ada", "employer", "Acme"), ("Eve", "employer", "Acme Inc"))
    assert paths.between(entity("Ada"), entity("Eve")).paths == ()
    merges.merge(entity("Acme"), [entity("Acme Inc")], None)
    assert len(paths.between(entity("Ada"), entity("Eve")).paths[0]) == 2


def test_the_page_shows_the_paths_to_an_entity_by_name_or_address(viewer: Client) -> None:
    open_newsroom(pictures=False)
    ride = entity("Sally Ride")
    for to in ("sally ride", f"http://testserver/entities/{ride.public_id}/", f"/entities/{ride.public_id}/?x=1"):
        html = page(viewer, entity("Wapakoneta"), to=to)
        ways = " ".join(re.sub(r"<[^>]+>", " ", html.split('<ol class="ways">')[1].split("</ol>")[0]).split())
        assert ways == "Wapakoneta ← born in Neil Armstrong employer → NASA ← employer Sally Ride", ways
        assert "Sally Ride" in {node["label"] for node in graph(html)["nodes"]}
    assert "has exactly the name" in page(viewer, ride, to="Nobody <b>")
    assert "This is the entity itself" in page(viewer, ride, to="Sally Ride")
    assert "No connection of at most 5" in page(viewer, ride, to="Marie Curie")
    assert "No such entity" in page(viewer, ride, to="/entities/00000000-0000-0000-0000-000000000007/")


def test_of_namesakes_the_page_asks_which(viewer: Client) -> None:
    make_checkpoint(0.5)
    for kind in ("person", "location"):
        records.read(records.post(f"Washington, a {kind}."), [("Washington", kind)], [])
    state(("Ada", "employer", "Acme"))
    html = page(viewer, entity("Ada"), to="Washington")
    assert "Several entities have this name" in html
    assert len(re.findall(r'href="\?to=', html)) == 2


def test_the_number_of_queries_does_not_grow_with_the_neighbours(viewer: Client) -> None:
    make_checkpoint(0.5)
    counts = []
    for more in (["Ada Low", "Ben Low"], [f"Cid {sign} Low" for sign in "ABCDEFGH"]):
        state(*[(name, "employer", "NASA") for name in more])
        with CaptureQueriesContext(connection) as queries:
            viewer.get(f"/entities/{entity('NASA').public_id}/neighbours/")
        counts.append(len(queries.captured_queries))
    assert counts[0] == counts[1]
