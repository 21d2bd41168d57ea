"""Entities: the list, the page of an entity with a quote for each statement, its drawing, and its triples."""

from __future__ import annotations

import re
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.models import Post
from knowledge.entities import merges
from knowledge.models import Entity, Merge, Projection, Statement
from knowledge.record import current
from knowledge.recording import reviews
from knowledge.views.entities.neighbour_graph import BOX_HEIGHT, BOX_WIDTH, draw
from tests import records
from tests.factories import make_checkpoint, make_post, make_user, read_post
from tests.markup import markup
from tests.newsroom import open_newsroom

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user("viewer"))
    return client


def page(client: Client, entity: Entity) -> str:
    return markup(client.get(f"/entities/{entity.public_id}/"))


def test_each_statement_shows_the_words_that_support_it(viewer: Client) -> None:
    moon = open_newsroom()["moon"]
    html = page(viewer, Entity.objects.get(label="NASA"))
    assert "6 statements · 2 posts · 6 neighbours" in html
    assert "<mark><bdi>Sally Ride</bdi></mark>, a physicist" in html
    rows = moon.current_reading.assertions.filter(head_mention__entity__label="Buzz Aldrin")  # type: ignore[union-attr]
    statement = rows.get(relation="employer").statement
    assert f'href="/posts/{moon.public_id}/#s-{statement.public_id}"' in html


def two_of_one_man() -> tuple[Entity, Entity]:
    """Two entities of one person; the second comes from a post with the family name alone."""
    text = "Armstrong was born in Wapakoneta."
    names = [("Armstrong", "person"), ("Wapakoneta", "location")]
    records.read(records.post(text), names, [("Armstrong", "place_of_birth", "Wapakoneta", 0.97)])
    return Entity.objects.get(label="Neil Armstrong"), Entity.objects.get(label="Armstrong")


def test_names_and_merged_entities_are_shown_with_the_survivor(viewer: Client) -> None:
    open_newsroom(pictures=False)
    neil, armstrong = two_of_one_man()
    merges.merge(neil, [armstrong], None)
    html = page(viewer, neil)
    assert "Also known as <bdi" in html
    assert "Armstrong</bdi>" in html
    assert "Born in" in html, "the merged entity's statements are the survivor's"
    response = viewer.get(f"/entities/{armstrong.public_id}/")
    assert response.headers["Location"] == f"/entities/{neil.public_id}/"
    rows = viewer.get("/entities/?q=armstrong").content.decode()
    assert rows.count('<th scope="row">') == 1


def test_an_editor_merges_duplicates_and_undoes_it(client: Client) -> None:
    client.force_login(make_user("editor"))
    open_newsroom(pictures=False)
    neil, armstrong = two_of_one_man()
    html = page(client, neil)
    assert f'value="{armstrong.public_id}"' in html, "it shares a word, so it is a possible duplicate"
    assert f'value="{Entity.objects.get(label="Buzz Aldrin").public_id}"' not in html
    url = f"/entities/{neil.public_id}/merge/"
    for reference in (str(armstrong.public_id), f"http://kg.example/entities/{armstrong.public_id}/", "Armstrong"):
        asked = " ".join(client.post(url, {"other": reference}).content.decode().split())
        assert "Merge <bdi>Armstrong</bdi> into <bdi>Neil Armstrong</bdi>?" in asked
        assert "This affects 1 statement and 1 post of" in asked
    assert not Merge.objects.exists()
    html = client.post(url, {"other": str(armstrong.public_id), "sure": "yes"}, follow=True).content.decode()
    assert "Merged Armstrong into Neil Armstrong" in html
    assert "Born in" in html
    assert "are already merged" in client.post(url, {"other": str(armstrong.public_id)}, follow=True).content.decode()
    merge = Merge.objects.get()
    client.post(f"/entities/{neil.public_id}/undo-merge/", {"merge": str(merge.pk)})
    assert client.get(f"/entities/{armstrong.public_id}/").status_code == 200
    assert client.post(f"/entities/{neil.public_id}/undo-merge/", {"merge": "x"}).status_code == 404
    assert Projection.objects.filter(key=armstrong.public_id).get().wanted > 1


def test_possible_duplicates_are_counted_as_the_list_of_entities_counts_them(client: Client) -> None:
    """Statements below the threshold, rejected ones and those of superseded readings are in neither number."""
    client.force_login(make_user("editor"))
    open_newsroom(pictures=False)
    neil, armstrong = two_of_one_man()
    names = [("Armstrong", "person"), ("Ohio", "location"), ("Navy", "organization")]
    low = [("Armstrong", "residence", "Ohio", 0.1), ("Armstrong", "employer", "Navy", 0.2)]
    records.read(records.post("Armstrong of Ohio and the Navy."), names, low)
    [listed] = [row for row in client.get("/entities/?q=armstrong").context["rows"] if row.entity == armstrong]
    [offered] = [one for one in client.get(f"/entities/{neil.public_id}/").context["candidates"] if one == armstrong]
    assert offered.affected == (listed.statements, listed.posts) == (1, 2)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ("", "No other entity has exactly this name"),
        ("Nobody", "No other entity has exactly this name"),
        ("Neil Armstrong", "No other entity has exactly this name"),
        (str(uuid.UUID(int=3)), "No entity has this id"),
        ("buzz aldrin", "This affects "),
    ],
)
def test_an_entity_to_merge_is_given_by_name_or_address(client: Client, other: str, sentence: str) -> None:
    client.force_login(make_user("editor"))
    open_newsroom(pictures=False)
    neil = Entity.objects.get(label="Neil Armstrong")
    html = client.post(f"/entities/{neil.public_id}/merge/", {"other": other}, follow=True).content.decode()
    assert sentence in html


def test_a_viewer_is_offered_no_merge(viewer: Client) -> None:
    open_newsroom(pictures=False)
    neil = Entity.objects.get(label="Neil Armstrong")
    assert "Possible duplicates" not in page(viewer, neil)
    assert viewer.post(f"/entities/{neil.public_id}/merge/", {"other": "Armstrong"}).status_code == 403


def test_a_statement_that_only_a_verdict_supports_is_marked(viewer: Client) -> None:
    post = make_post("Two friends", "Ada met Babbage.")
    read_post(post, [("Ada", "person"), ("Babbage", "person")], [("Ada", "peer", "Babbage", 0.1)])
    reviews.review(post, Statement.objects.get(), "accept", None)
    html = page(viewer, Entity.objects.get(label="Ada"))
    assert "kept by an editor" in html
    assert "Babbage" in html


def test_withdrawn_posts_take_their_statements_along(viewer: Client) -> None:
    posts = open_newsroom(pictures=False)
    Post.objects.filter(pk=posts["curie"].pk).update(state=Post.State.WITHDRAWN)
    assert "posts only mention this entity" in page(viewer, Entity.objects.get(label="Marie Curie"))
    assert "Marie Curie" not in viewer.get("/entities/").content.decode()


def test_names_that_are_markup_are_shown_as_text(viewer: Client) -> None:
    post = make_post("T", "<b>Ada</b> met <script>.")
    read_post(post, [("<b>Ada</b>", "person"), ("<script>", "person")], [("<b>Ada</b>", "peer", "<script>", 0.9)])
    html = page(viewer, Entity.objects.get(label="<b>Ada</b>"))
    assert "<b>Ada" not in html
    assert "<script>" not in html.replace("<script src", "")


def test_the_list_is_searched_by_any_part_of_any_name(viewer: Client) -> None:
    open_newsroom(pictures=False)

    def names(query: str) -> list[str]:
        return re.findall(r'/"><bdi>(.*?)</bdi></a>', viewer.get(f"/entities/{query}").content.decode())

    assert names("?q=zurich") == ["Zürich"]
    assert names("?q=flight+marshall") == ["Marshall Space Flight Center"]
    assert names("?q=nobody") == []
    assert "Nobel" not in "".join(names("?q=nobel&type=person"))
    assert names("?q=34,000") == [], "a number is no entity"
    alphabetical = list(current.entities().order_by("key").values_list("label", flat=True))
    assert names("") == alphabetical[:50]


def test_the_list_pages_by_key(viewer: Client) -> None:
    people = [f"Person {i:03}" for i in range(120)]
    read_post(make_post("Crowd", ", ".join(people)), [(name, "person") for name in people])
    seen, query = [], ""
    for _ in range(3):
        html = viewer.get(f"/entities/{query}").content.decode()
        seen += re.findall(r'/"><bdi>(Person \d+)</bdi></a>', html)
        following = re.search(r'rel="next" href="(\?[^"]+)"', html)
        query = following.group(1).replace("&amp;", "&") if following else ""
    assert seen == people


def test_the_number_of_queries_does_not_grow(viewer: Client) -> None:
    make_checkpoint()

    def crowd(count: int) -> None:
        people = [f"Person{count}x{i}" for i in range(count)]
        relations = [(name, "employer", "ACME", 0.9) for name in people]
        body = " and ".join([*people, "ACME"])
        read_post(
            make_post(f"Crowd {count}", body), [("ACME", "organization"), *((p, "person") for p in people)], relations
        )

    def counts() -> tuple[int, int]:
        acme = Entity.objects.get(label="ACME")
        with CaptureQueriesContext(connection) as one:
            page(viewer, acme)
        with CaptureQueriesContext(connection) as listed:
            viewer.get("/entities/")
        return len(one), len(listed)

    crowd(2)
    few = counts()
    crowd(30)
    assert counts() == few
    html = page(viewer, Entity.objects.get(label="ACME"))
    assert "The 24 best supported neighbours are shown; 8 more are in the list." in html


def test_drawn_boxes_do_not_overlap_and_point_the_right_way() -> None:
    open_newsroom(pictures=False)
    nasa = Entity.objects.get(label="NASA")
    drawing = draw(nasa, current.neighbours(nasa)[0])
    places = [(box.x, box.y) for box in drawing.boxes]
    for i, (x, y) in enumerate(places):
        assert 0 <= y <= drawing.height - BOX_HEIGHT
        assert all(abs(x - ox) >= BOX_WIDTH or abs(y - oy) >= BOX_HEIGHT for ox, oy in places[:i])
    outward = {box.entity.label: box.arrow for box in drawing.boxes}
    assert outward["Washington"] == "end"
    assert outward["Sally Ride"] == "start"
    curie = Entity.objects.get(label="Marie Curie")
    assert {b.entity.label: b.arrow for b in draw(curie, current.neighbours(curie)[0]).boxes}["Pierre Curie"] == ""


def test_a_neighbour_shows_its_statement_with_the_highest_confidence() -> None:
    relations = [("Oslo", "country", "Norway", 0.6), ("Oslo", "capital_of", "Norway", 0.9)]
    read_post(make_post("T", "Oslo is Norway's."), [("Oslo", "location"), ("Norway", "location")], relations)
    oslo = Entity.objects.get(label="Oslo")
    (box,) = draw(oslo, current.neighbours(oslo)[0]).boxes
    assert box.relation == "capital of +1"
    assert "country" in box.full


def test_very_long_names_fit_their_boxes() -> None:
    name = "The " + "Extraordinarily" * 20 + " Long Society for the Naming of Things and More"
    read_post(
        make_post("T", f"{name} hired Ada"),
        [(name, "organization"), ("Ada", "person")],
        [("Ada", "employer", name, 0.9)],
    )
    ada, society = Entity.objects.get(label="Ada"), Entity.objects.get(type="organization")
    assert len(draw(ada, current.neighbours(ada)[0]).boxes[0].name) < 35
    lines = draw(society, current.neighbours(society)[0]).centre.lines
    assert len(lines) <= 3
    assert all(len(line) < 25 for _, line in lines)


def test_the_graphs_iris_lead_to_pages_or_triples(viewer: Client) -> None:
    moon = open_newsroom(pictures=False)["moon"]
    nasa = Entity.objects.get(label="NASA")
    for kind, key in (("entity", nasa.public_id), ("post", moon.public_id)):
        response = viewer.get(f"/id/{kind}/{key}")
        plural = {"entity": "entities", "post": "posts"}[kind]
        assert (response.status_code, response.headers["Location"]) == (303, f"/{plural}/{key}/")
        turtle = viewer.get(f"/id/{kind}/{key}", headers={"accept": "text/turtle"}, follow=True)
        assert turtle.headers["Content-Type"] == "text/turtle; charset=utf-8"
        assert f"id/{kind}/{key}" in turtle.content.decode()
        assert viewer.get(f"/id/{kind}/{uuid.UUID(int=5)}").status_code == 404
    assertion = moon.current_reading.assertions.first()  # type: ignore[union-attr]
    assert assertion is not None
    response = viewer.get(f"/id/assertion/{assertion.public_id}")
    assert response.headers["Location"] == f"/posts/{moon.public_id}/#s-{assertion.statement.public_id}"
    digest = assertion.reading.checkpoint.digest[:16]
    assert viewer.get(f"/id/checkpoint/{digest}").headers["Location"] == "/status/"


def test_an_entitys_triples_are_what_the_page_shows(viewer: Client) -> None:
    open_newsroom(pictures=False)
    nasa = Entity.objects.get(label="NASA")
    turtle = viewer.get(f"/entities/{nasa.public_id}/graph.ttl").content.decode()
    assert '"NASA"' in turtle
    assert turtle.count("kg:employer") == 4
    assert "kg:headquarters_location" in turtle
    assert "parent_organization" not in turtle, "below the threshold it is in no graph"
