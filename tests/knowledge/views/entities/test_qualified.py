"""How the pages of entities and of their neighbourhood show what is planned, alleged or denied, and values."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from extraction.models import Post
from knowledge.models import Entity
from tests.factories import make_post, make_user, read_post
from tests.markup import markup
from tests.wire import read_wire

pytestmark = pytest.mark.django_db


@pytest.fixture
def wire() -> Post:
    return read_wire()


@pytest.fixture
def viewer(client: Client, wire: Post) -> Client:
    client.force_login(make_user("viewer"))
    return client


def page(viewer: Client, label: str, part: str = "") -> str:
    return markup(viewer.get(f"/entities/{Entity.objects.get(label=label).public_id}/{part}"))


def test_a_plan_shows_its_word_time_and_amount(viewer: Client) -> None:
    html = page(viewer, "Acme")
    assert '<span class="tag planned">planned</span>' in html
    assert '<blockquote class="source-quote planned">' in html
    assert "March 2026" in html
    assert "$2 billion (2 billion USD)" in html


def test_an_allegation_names_its_claimant_and_the_posts_that_deny_it(viewer: Client) -> None:
    html = page(viewer, "Mombasa")
    assert '<span class="tag alleged">alleged</span>' in html
    assert f'alleged by <a href="/entities/{Entity.objects.get(label="Kenya").public_id}/">' in html
    assert '<span class="tag denied">denied in 1 post</span>' in html
    assert "1 statement ·" in html, "the denial is none"


def test_what_one_post_states_is_stated(viewer: Client) -> None:
    post = make_post("War", "Uganda attacked Mombasa.")
    read_post(post, [("Uganda", "location"), ("Mombasa", "location")], [("Uganda", "attacked", "Mombasa", 0.9)])
    html = page(viewer, "Mombasa")
    assert '<span class="tag alleged">' not in html
    assert html.count('<blockquote class="source-quote alleged">') == 1
    assert html.count('<blockquote class="source-quote stated">') == 1


def test_a_value_is_shown_in_words_and_has_no_page(viewer: Client) -> None:
    html = page(viewer, "Acme")
    assert '<span class="end t-time"><bdi>1901</bdi>' in html
    value = Entity.objects.get(label="1901")
    assert str(value.public_id) not in html
    for part in ("", "neighbourhood/", "neighbours/", "graph.ttl"):
        assert viewer.get(f"/entities/{value.public_id}/{part}").status_code == 404
    assert "No matching entities" in viewer.get("/entities/?q=1901").content.decode()


def test_lines_of_the_drawing_differ_and_their_labels_say_why(viewer: Client) -> None:
    html = page(viewer, "Acme")
    drawing = html[html.index('<svg class="drawing"') : html.index("Explore the neighbourhood")]
    assert re.findall(r'<path class="edge (\w+)"', drawing).count("planned") == 1
    assert "acquired, planned" in drawing
    assert "1901" not in drawing


def test_the_neighbourhood_tells_factuality_in_graph_and_table(viewer: Client) -> None:
    html = page(viewer, "Mombasa", "neighbourhood/")
    graph = json.loads(html.split('<script id="graph" type="application/json">')[1].split("</script>")[0])
    [edge] = graph["edges"]
    assert (edge["label"], edge["factuality"], edge["denied"]) == ("attacked, alleged", "alleged", 1)
    assert '<span class="line alleged" aria-hidden="true">' in html
    assert "denied in 1" in html


def test_no_path_leads_over_a_date(viewer: Client) -> None:
    post = make_post("Founded", "Zeta was founded in 1901.")
    read_post(post, [("Zeta", "organization"), ("1901", "time")], [("Zeta", "inception", "1901", 0.9)])
    html = page(viewer, "Acme", "neighbourhood/?to=Zeta")
    assert "No connection of at most" in html
