"""The sample feed and its pages: what the product serves, its own feed reader reads whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from extraction.crawler import http_client
from extraction.crawler.parsers.article_parser import extract
from extraction.crawler.parsers.feed_parser import parse
from extraction.feeds import polling
from extraction.feeds.subscriptions import subscribe
from extraction.models import Post
from extraction.posts import visits
from extraction.posts.article_page import fetch_page
from extraction.samples import TITLE, SamplePost, load_posts
from kgbuilder.conf import environment
from kgbuilder.supervision import parts
from knowledge.record.projection_queue import mark_posts
from tests.records import PUBLISHED
from tests.servers.fakeweb import BODY, article
from tests.servers.web import WebServer, reply, running

pytestmark = pytest.mark.integration


@pytest.mark.django_db
def test_the_feed_lists_all_samples_newest_first_and_is_public(client: Client) -> None:
    answer = client.get(reverse("sample_feed"))
    assert answer.status_code == 200
    feed = parse(answer.content, answer["Content-Type"], "http://testserver/samples/feed.xml")
    posts = load_posts()[::-1]
    assert (feed.title, feed.notice) == (TITLE, "")
    assert [(item.title, item.published) for item in feed.items] == [(post.title, post.published) for post in posts]
    assert all(item.text == posts[place].paragraphs[0] for place, item in enumerate(feed.items))
    again = client.get(reverse("sample_feed"), headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


@pytest.mark.django_db
@pytest.mark.parametrize("post", load_posts(), ids=lambda post: post.id)
def test_a_page_is_read_as_it_was_written(client: Client, post: SamplePost) -> None:
    answer = client.get(reverse("sample", args=[post.id]))
    article = extract(answer.content, f"http://testserver/samples/{post.id}.html")
    assert (article.title, article.text) == (post.title, "\n\n".join(post.paragraphs))
    assert not article.login_wall and article.canonical == f"http://testserver/samples/{post.id}.html"
    assert client.get(f"/samples/{post.id}.html", headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.django_db
def test_there_are_no_other_samples_and_none_can_be_posted(client: Client) -> None:
    assert client.get("/samples/none.html").status_code == 404
    assert client.get("/samples/..%2fmodels.html").status_code == 404
    assert client.post(reverse("sample_feed")).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_the_samples_are_read_by_the_normal_path(live_server, settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.WEB_ADDRESS = f"{live_server.url}/"
    subscribe(live_server.url + reverse("sample_feed"), sample=True)
    assert polling.poll_due(mark=mark_posts).new == len(load_posts())
    while visits.visit_due(8, mark=mark_posts).claimed:
        pass
    assert Post.objects.filter(sample=True, current_version__source="page", error="").count() == len(load_posts())
    texts = set(Post.objects.values_list("current_version__text", flat=True))
    assert texts == {f"{post.title}\n\n" + "\n\n".join(post.paragraphs) for post in load_posts()}


HTML = "text/html; charset=utf-8"
SECRET = "/posts/what-only-we-may-read/"


@pytest.fixture
def own(settings, tmp_path: Path) -> Iterator[WebServer]:
    """Plays our web port, with words on every page."""
    settings.MEDIA_ROOT, settings.FETCH_SECONDS = tmp_path, 5.0
    with running() as server:
        settings.WEB_ADDRESS = server.url("/")
        pages = (SECRET, "/", "/samples/one.html", "/samples/feed.xml")
        server.answers |= {path: reply(200, article(), Content_Type=HTML) for path in pages}
        yield server


@pytest.fixture
def publisher(settings, own: WebServer) -> Iterator[WebServer]:
    """A publisher that may be fetched from; beside that everything is as the io worker's environment has it."""
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        given = {"FETCH_ALLOW": f"127.0.0.1:{server.port}"} | dict(parts.table()["io"].environ)
        settings.FETCH_ALLOW = environment.read(given)["FETCH_ALLOW"]
        yield server


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [SECRET, "/samples/one.html"])
def test_a_publisher_does_not_make_us_fetch_our_own_pages(own: WebServer, publisher: WebServer, path: str) -> None:
    inward = own.url(path)
    items = "".join(
        f"<item><title>Words of the feed</title><guid>{name}</guid><link>{link}</link>{extra}</item>"
        for name, link, extra in (
            ("link", inward, ""),
            ("picture", publisher.url("/good"), f"<enclosure type='image/png' url='{inward}'/>"),
            ("redirect", publisher.url("/away"), ""),
        )
    )
    feed = f"<rss version='2.0'><channel><title>News</title>{items}</channel></rss>"
    publisher.answers |= {
        "/feed": reply(200, feed, Content_Type="application/rss+xml"),
        "/feed-away": reply(302, Location=inward),
        "/good": reply(200, article(*BODY, "The publisher's own page."), Content_Type=HTML),
        "/away": reply(302, Location=inward),
    }
    subscribe(publisher.url("/feed"))
    subscribe(publisher.url("/feed-away"))
    subscribe(inward)
    polled = polling.poll_due(mark=mark_posts)
    assert polled.new == 3 and len(polled.errors) == 2
    while visits.visit_due(8, mark=mark_posts).claimed:
        pass
    assert own.asked == []
    texts = dict(Post.objects.values_list("sightings__guid", "current_version__text"))
    assert texts["link"] == texts["redirect"] == "Words of the feed" and BODY[0] in texts["picture"]
    assert "private or local" in Post.objects.get(sightings__guid="picture").images.get().error


@pytest.mark.django_db
@pytest.mark.django_db
def test_a_sample_leads_nowhere_else_in_our_pages(own: WebServer, publisher: WebServer) -> None:
    """A feed that lists a sample too may give its post another link, and a page may lead on."""
    own.answers["/samples/away.html"] = reply(302, Location=SECRET)
    post = Post.objects.create(sample=True, link_key="one", published_at=PUBLISHED, seen_at=PUBLISHED)
    for path in (
        SECRET,
        "/",
        "/samples/",
        "/samples/../",
        "/samples/%2e%2e/",
        "/samples/x/../../",
        "/samples/away.html",
    ):
        post.link = own.url(path)
        assert "private or local" in fetch_page(post).reason, path
    publisher.answers["/to-sample"] = reply(302, Location=own.url("/samples/one.html"))
    with pytest.raises(http_client.FetchError, match="private or local"):
        http_client.get(publisher.url("/to-sample"))
    assert own.paths() == ["/samples/away.html"]
    post.link = own.url("/samples/one.html")
    assert fetch_page(post).kind == "page"


@pytest.mark.django_db
def test_another_name_for_our_address_is_no_sample_s(own: WebServer) -> None:
    with pytest.raises(http_client.FetchError, match="private or local"):
        http_client.get(own.url("/samples/one.html", "localhost"), samples=True)
    assert own.asked == [] and http_client.get(own.url("/samples/one.html"), samples=True).status == 200
