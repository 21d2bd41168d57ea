"""The page of a post: its text, its statements with their places, and editors' verdicts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.models import Post, PostImage, Reading
from kgbuilder import celery
from knowledge.models import Assertion, Review, Statement
from tests.factories import make_feed, make_post, make_user, make_version, read_post
from tests.markup import markup
from tests.newsroom import open_newsroom

pytestmark = pytest.mark.django_db

ADA = [("Ada", "person"), ("Babbage", "person"), ("London", "location")]
TRIPLES = [("Ada", "peer", "Babbage", 0.9), ("Ada", "residence", "London", 0.3)]


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor"))
    return client


@pytest.fixture
def ada() -> Post:
    post = make_post("Two friends", "Ada met Babbage in London.", feed=make_feed())
    read_post(post, ADA, TRIPLES)
    return post


def page(client: Client, post: Post) -> str:
    return markup(client.get(f"/posts/{post.public_id}/"))


def section(html: str, begin: str, end: str) -> str:
    return html[html.index(begin) : html.index(end, html.index(begin))]


def judge(client: Client, post: Post, statement: Statement, verdict: str) -> str:
    data = {"statement": str(statement.public_id), "verdict": verdict}
    return markup(client.post(f"/posts/{post.public_id}/review/", data, follow=True))


def test_every_quintuple_leads_to_its_words(editor: Client) -> None:
    moon = open_newsroom()["moon"]
    html = page(editor, moon)
    links = re.findall(r'<a class="words" href="#m(\d+)" data-ends="(\d+) (\d+)">', html)
    assert len(links) == 15
    for head, also, tail in links:
        assert head == also
        assert f'id="m{head}"' in html
        assert f'id="m{tail}"' in html
    assert re.search(r'<a class="mention t-person ends" id="m\d+" [^>]*>Neil Armstrong</a></bdi>', html)
    assert "so the pictures were not used" in html
    assert 'alt="The landing module, drawn for this page"' in html


def test_statements_are_grouped_by_state(editor: Client, ada: Post) -> None:
    html = page(editor, ada)
    active, below_threshold = (
        section(html, "<h2>Statements", "Less certain"),
        section(html, "Less certain", "</aside>"),
    )
    assert "peer of" in active
    assert "lives in" not in active
    assert "lives in" in below_threshold
    assert "90 %" in active


def test_a_rejected_statement_is_inactive_until_the_verdict_is_undone(editor: Client, ada: Post) -> None:
    statement = Statement.objects.get(relation="peer")
    html = judge(editor, ada, statement, "reject")
    assert "Rejected: this post no longer supports the statement." in html
    assert "No statement reached the threshold" in section(html, "<h2>Statements", "Rejected")
    assert "peer of" in section(html, "<summary>Rejected", "</details>")
    html = judge(editor, ada, statement, "withdraw")
    assert "peer of" in section(html, "<h2>Statements", "Less certain")
    assert ">Undo<" not in html


def test_an_accepted_statement_is_active_whatever_its_score(editor: Client, ada: Post) -> None:
    statement = Statement.objects.get(relation="residence")
    html = judge(editor, ada, statement, "accept")
    active = section(html, "<h2>Statements", "<h2>Mentions")
    assert "lives in" in active
    assert "accepted by editor" in active


def test_a_verdict_wakes_every_store_s_projector(
    editor: Client, ada: Post, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(celery._doorbell, "ring", woken.append)
    monkeypatch.setitem(celery.LANES, "project.neo4j", celery.LANES["project.rdf"])
    with django_capture_on_commit_callbacks(execute=True):
        judge(editor, ada, Statement.objects.get(relation="residence"), "accept")
    assert set(woken) == {"project.rdf", "project.neo4j"}


def test_an_accepted_statement_that_no_reading_finds_stays_while_its_words_do(editor: Client, ada: Post) -> None:
    statement = Statement.objects.get(relation="peer")
    judge(editor, ada, statement, "accept")
    make_version(ada, "Two friends", "Ada met Babbage in London. They talked.")
    read_post(ada, ADA, [])
    active = section(page(editor, ada), "<h2>Statements", "<h2>Mentions")
    assert "kept by an editor" in active
    assert "<mark><bdi>Babbage</bdi></mark>" in active
    make_version(ada, "Two friends", "They talked.")
    read_post(ada)
    html = page(editor, ada)
    assert "Verdicts on removed text" in html
    assert "peer of" not in section(html, "<h2>Statements", "Verdicts on removed")


def test_an_invalid_verdict_shows_an_error(editor: Client, ada: Post) -> None:
    other = make_post("Another", "Grace met Howard.")
    read_post(other, [("Grace", "person"), ("Howard", "person")], [("Grace", "peer", "Howard", 0.9)])
    elsewhere = Statement.objects.exclude(assertions__reading=ada.current_reading).get()
    assert "is no longer in the post" in judge(editor, ada, elsewhere, "accept")
    assert "no verdict to undo" in judge(editor, ada, Statement.objects.get(relation="residence"), "withdraw")
    assert "A verdict is accept, reject or withdraw" in judge(editor, ada, elsewhere, "maybe")
    assert not Review.objects.exists()
    data = {"statement": "no uuid", "verdict": "accept"}
    assert editor.post(f"/posts/{ada.public_id}/review/", data).status_code == 404


def test_a_viewer_sees_no_buttons(client: Client, ada: Post) -> None:
    client.force_login(make_user("viewer"))
    html = page(client, ada)
    assert "peer of" in html
    assert 'value="accept"' not in html


def test_an_edit_shows_the_analysed_version_until_the_new_one_is_analysed(editor: Client, ada: Post) -> None:
    make_version(ada, "Two friends", "Ada met nobody.")
    html = page(editor, ada)
    assert "in <bdi><a" in html, "the analysed version is shown"
    assert "Version 2" in html
    read_post(ada, [("Ada", "person")])
    assert "met nobody" in page(editor, ada)


def test_states_are_shown(editor: Client) -> None:
    posts = open_newsroom(pictures=False)
    assert "Its page answers 410 (Gone)." in page(editor, posts["withdrawn"])
    assert "deployed reader reads English" in page(editor, posts["declined"])
    assert "Queued" in page(editor, posts["waiting"])
    erased = posts["moon"]
    Post.objects.filter(pk=erased.pk).update(state=Post.State.ERASED)
    response = editor.get(f"/posts/{erased.public_id}/")
    assert response.status_code == 410
    assert "Armstrong" not in response.content.decode()


def test_a_failed_reading_can_be_tried_again(editor: Client, ada: Post) -> None:
    make_version(ada, "Two friends", "Other words.")
    assert ada.current_version is not None
    failed = Reading.objects.create(
        version=ada.current_version,
        checkpoint=Reading.objects.get().checkpoint,
        stage=Reading.Stage.FAILED,
        error="The worker died.",
        attempts=5,
    )
    assert "The worker died." in page(editor, ada)
    editor.post(f"/posts/{ada.public_id}/read-again/")
    failed.refresh_from_db()
    assert (failed.stage, failed.attempts, failed.error) == (Reading.Stage.READ, 0, "")


def test_only_web_addresses_are_links(editor: Client) -> None:
    post = make_post("A trap", link="javascript:alert(1)")
    assert "javascript:" not in page(editor, post)
    fair = make_post("Fair")
    assert f'<a href="{fair.link}" rel="noopener noreferrer">' in page(editor, fair)


def test_directions_and_languages_are_kept_apart(editor: Client) -> None:
    arabic = open_newsroom(pictures=False)["arabic"]
    html = page(editor, arabic)
    assert '<article class="story" lang="ar">' in html
    assert ">Cairo</a></bdi>" in html


def test_an_unavailable_article_page_is_reported(editor: Client) -> None:
    post = make_post("Only a summary", error="news.example answered 403 (Forbidden).")
    assert post.current_version is not None
    post.current_version.source = "feed"
    post.current_version.save()
    html = page(editor, post)
    assert "This is the text of the feed item" in html
    assert "Last fetch of the article page: news.example answered 403 (Forbidden)." in html


def test_an_implausible_date_is_reported(editor: Client) -> None:
    assert "dated in the future" in page(editor, make_post(published_notice="future"))
    assert "no date: the time of first sight" in page(editor, make_post(published_notice="no date"))


def test_a_duplicate_post_is_named(editor: Client) -> None:
    one = make_post("Same story", "word for word", publisher="one.example")
    other = make_post("Same story", "word for word", publisher="other.example")
    assert f"/posts/{other.public_id}/" in page(editor, one)


def test_pictures_are_given_to_whoever_may_see_the_post(editor: Client, settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff picture")
    (tmp_path / "a.svg").write_text("<svg/>")
    post = make_post()
    good = PostImage.objects.create(post=post, url="https://x.example/a", file="a.jpg", media_type="image/jpeg")
    active = PostImage.objects.create(post=post, url="https://x.example/b", file="a.svg", media_type="image/svg+xml")
    gone = PostImage.objects.create(post=post, url="https://x.example/c", file="gone.jpg", media_type="image/jpeg")
    response = editor.get(f"/posts/{post.public_id}/pictures/{good.pk}/")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/jpeg")
    assert b"".join(response.streaming_content).startswith(b"\xff\xd8\xff")  # type: ignore[attr-defined]
    for image in (active, gone):
        assert editor.get(f"/posts/{post.public_id}/pictures/{image.pk}/").status_code == 404
    assert editor.get(f"/posts/{make_post().public_id}/pictures/{good.pk}/").status_code == 404
    editor.logout()
    assert editor.get(f"/posts/{post.public_id}/pictures/{good.pk}/").status_code == 302


def test_the_number_of_queries_does_not_grow_with_the_statements(editor: Client, ada: Post) -> None:
    with CaptureQueriesContext(connection) as few:
        page(editor, ada)
    people = [f"Person{i}" for i in range(20)]
    crowd = make_post("A crowd", " met ".join(people), feed=make_feed())
    read_post(crowd, [(name, "person") for name in people], [(p, "peer", people[0], 0.9) for p in people[1:]])
    with CaptureQueriesContext(connection) as many:
        page(editor, crowd)
    assert Assertion.objects.filter(reading=crowd.current_reading).count() == 19
    assert len(many) == len(few)
