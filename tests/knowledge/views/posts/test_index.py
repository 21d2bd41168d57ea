"""The list of posts: its rows, its filters, and paging by key in a fixed number of queries."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.models import Post
from extraction.schema import Declined
from knowledge.models import Statement
from knowledge.recording import reviews
from tests.factories import NOON, make_checkpoint, make_feed, make_post, make_user, read_post
from tests.markup import markup
from tests.newsroom import open_newsroom
from tests.wire import read_wire

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user("viewer"))
    return client


def titles(client: Client, query: str = "") -> list[str]:
    html = markup(client.get(f"/{query}"))
    return re.findall(r"<h2><a [^>]*><bdi>(.*?)</bdi>", html)


def test_a_row_shows_the_counts_and_relations(viewer: Client) -> None:
    open_newsroom()
    html = markup(viewer.get("/"))
    assert "Apollo 11 puts two people on the Moon" in html
    assert "<b>23</b> mentions" in html
    assert "<b>13</b> statements" in html
    assert "educated at" in html
    assert re.search(r'<img src="/posts/[0-9a-f-]{36}/pictures/\d+/small/"', html)
    assert "This text seems to be German" in html
    assert "taken back" not in html, "withdrawn posts are not among the live ones"


def test_a_feed_that_sends_markup_is_shown_as_text(viewer: Client) -> None:
    make_post("<img src=x onerror=alert(1)>", "<script>alert(2)</script> & more", publisher='"><b>x')
    html = viewer.get("/?q=script").content.decode()
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert "&lt;<mark>script</mark>&gt;alert(2)" in html


def test_search_marks_the_matches(viewer: Client) -> None:
    make_post("One", f"{'filler ' * 100}then Erdoğan spoke.")
    make_post("Two", "nothing of the kind")
    html = markup(viewer.get("/?q=erdogan"))
    assert "1 post found" in html
    assert "then <mark>Erdoğan</mark> spoke." in html


def test_each_filter_narrows(viewer: Client) -> None:
    open_newsroom(pictures=False)
    space = Post.objects.filter(publisher="space.example").first()
    assert space is not None
    feed = space.sightings.get().feed_id
    assert len(titles(viewer)) == 6
    assert len(titles(viewer, f"?feed={feed}")) == 2
    assert titles(viewer, "?publisher=wire.example") == ["Second Nobel Prize for Marie Curie"]
    assert titles(viewer, "?relation=award_received") == ["Second Nobel Prize for Marie Curie"]
    assert titles(viewer, "?relation=parent_organization") == [], "below the threshold it is not active"
    assert titles(viewer, "?type=number") == ["Apollo 11 puts two people on the Moon"]
    assert titles(viewer, "?state=withdrawn") == ["A story that was taken back"]
    assert titles(viewer, "?state=declined") == ["Die Mauer ist offen"]
    assert titles(viewer, "?state=waiting") == ["Women win the vote in New Zealand"]
    assert len(titles(viewer, "?state=all")) == 7
    assert len(titles(viewer, "?since=2026-03-02&until=2026-03-02")) == 6
    assert titles(viewer, "?until=2026-03-01") == []
    assert titles(viewer, f"?feed={feed}&relation=founded_by&q=shuttle") == [
        "Sally Ride becomes the first American woman in space"
    ]


def test_an_accepted_statement_is_counted_and_found(viewer: Client) -> None:
    post = make_post("Two friends", "Ada met Babbage.")
    read_post(post, [("Ada", "person"), ("Babbage", "person")], [("Ada", "peer", "Babbage", 0.1)])
    assert titles(viewer, "?relation=peer") == []
    assert "<b>0</b> statements" in viewer.get("/").content.decode()
    reviews.review(post, Statement.objects.get(), "accept", None)
    assert titles(viewer, "?relation=peer") == ["Two friends"]
    assert "<b>1</b> statement" in viewer.get("/").content.decode()


def test_an_invalid_filter_shows_an_error_and_filters_nothing(viewer: Client) -> None:
    make_post()
    html = markup(viewer.get("/?since=tomorrow&feed=99&relation=nope&after=rubbish~x"))
    assert "Enter a valid date." in html
    assert "1 post" in html
    assert viewer.get("/?before=%00").status_code == 400


def test_paging_shows_each_post_once_while_posts_come_in(viewer: Client) -> None:
    same_minute = [make_post(f"Story {i:03}", published=NOON) for i in range(30)]
    older = [make_post(f"Story {i:03}", published=NOON - timedelta(hours=i)) for i in range(30, 60)]
    seen, query = [], ""
    for page in range(3):
        html = viewer.get(f"/{query}").content.decode()
        seen += re.findall(r"<bdi>(Story \d+)</bdi>", html)
        make_post(f"New {page}")
        following = re.search(r'rel="next" href="(\?[^"]+)"', html)
        query = following.group(1).replace("&amp;", "&") if following else "done"
    assert query == "done"
    assert sorted(seen) == sorted(f"Story {i:03}" for i in range(60))
    assert len(same_minute) + len(older) == 60


def test_paging_back_leads_to_a_full_first_page(viewer: Client) -> None:
    for i in range(30):
        make_post(f"Story {i:03}")
    first = titles(viewer)
    html = viewer.get("/").content.decode()
    following = re.search(r'rel="next" href="(\?[^"]+)"', html)
    assert following is not None
    second = viewer.get(f"/{following.group(1).replace('&amp;', '&')}").content.decode()
    back = re.search(r'rel="prev" href="(\?[^"]+)"', second)
    assert back is not None
    assert titles(viewer, back.group(1).replace("&amp;", "&")) == first


def test_paging_keeps_the_filters(viewer: Client) -> None:
    for _ in range(30):
        make_post("Story", "of interest")
    html = viewer.get("/?q=interest&state=all").content.decode()
    assert re.search(r'rel="next" href="\?q=interest&amp;state=all&amp;after=', html)


def test_the_number_of_queries_does_not_grow_with_the_posts(viewer: Client) -> None:
    make_checkpoint()
    feed = make_feed()

    def add(count: int) -> None:
        for _ in range(count):
            post = make_post("Ada met Babbage", "in London", feed=feed)
            relations = [("Ada", "peer", "Babbage", 0.9)]
            read_post(post, [("Ada", "person"), ("Babbage", "person"), ("London", "location")], relations)

    add(1)
    with CaptureQueriesContext(
        connection,
    ) as few:
        viewer.get("/?q=ada")
    add(19)
    with CaptureQueriesContext(connection) as many:
        viewer.get("/?q=ada")
    assert len(many) == len(few)
    assert len(many) <= 17


def test_an_empty_list_names_the_next_step(viewer: Client, client: Client) -> None:
    assert "An editor can add the first one" in viewer.get("/").content.decode()
    client.force_login(make_user("editor"))
    assert "Add a feed" in client.get("/").content.decode()
    make_feed()
    assert "No feed has delivered a post so far" in client.get("/").content.decode()
    make_post(current_version=None)
    assert "No matching posts" in client.get("/?q=nowhere").content.decode()


def test_a_declined_post_shows_the_reason(viewer: Client) -> None:
    read_post(make_post("Nichts"), declined=Declined("language", "It is not English."))
    html = viewer.get("/").content.decode()
    assert "Declined" in html
    assert "It is not English." in html


def test_posts_are_found_by_how_they_give_a_statement(viewer: Client) -> None:
    wire = read_wire()
    plain = make_post("A meeting", "Ada met Babbage.")
    read_post(plain, [("Ada", "person"), ("Babbage", "person")], [("Ada", "met", "Babbage", 0.9)])

    def found(query: str) -> set[str]:
        html = markup(viewer.get(f"/?{query}"))
        return {str(post.public_id) for post in (wire, plain) if str(post.public_id) in html}

    for factuality in ("planned", "alleged", "denied"):
        assert found(f"factuality={factuality}") == {str(wire.public_id)}
    assert found("factuality=stated&relation=met") == {str(wire.public_id), str(plain.public_id)}
    assert found("factuality=planned&relation=met") == found("factuality=denied&relation=acquired") == set()
    assert found("factuality=denied&relation=attacked") == {str(wire.public_id)}


def test_a_row_says_what_is_planned_or_alleged(viewer: Client) -> None:
    read_wire()
    html = markup(viewer.get("/"))
    assert '<span class="relation">acquired, planned</span>' in html
    assert '<span class="relation">attacked, alleged</span>' in html
    assert "<b>6</b> statements" in html, "the denial is none"
