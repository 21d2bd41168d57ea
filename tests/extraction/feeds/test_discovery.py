"""What an address leads to, before it is subscribed to: a feed, the feeds of a site, or a sentence why not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from extraction.feeds import discovery, subscriptions
from extraction.models import Feed
from tests.servers.web import WebServer, reply, running

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

RSS = (
    "<rss version='2.0'><channel><title>Example News</title><link>https://news.example/</link>"
    + "".join(f"<item><title>Story {n}</title><link>https://news.example/{n}</link></item>" for n in range(9))
    + "</channel></rss>"
)


@pytest.fixture
def web(settings) -> Iterator[WebServer]:
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        yield server


def html(*tags: str) -> str:
    return f"<!doctype html><html><head>{''.join(tags)}</head><body><p>News</p></body></html>"


def test_a_feed_is_shown_with_its_newest_items(web: WebServer) -> None:
    web.answers["/feed.xml"] = reply(200, RSS, Content_Type="application/rss+xml")
    [found] = discovery.discover(web.url("/feed.xml"))
    assert (found.url, found.title, found.count) == (web.url("/feed.xml"), "Example News", 9)
    assert [item.title for item in found.items] == [f"Story {n}" for n in range(5)]
    assert found.known is None and not Feed.objects.exists()
    known = subscriptions.subscribe(web.url("/feed.xml")).feed
    assert discovery.discover(web.url("/feed.xml"))[0].known == known.pk


def test_the_feeds_of_a_site_are_found_from_its_page(web: WebServer) -> None:
    links = [f"<link rel=alternate type=application/rss+xml href={path}>" for path in ("/a.xml", "/gone.xml", "/b.xml")]
    web.answers["/"] = reply(200, html(*links), Content_Type="text/html")
    for path in ("/a.xml", "/b.xml"):
        web.answers[path] = reply(200, RSS, Content_Type="text/xml")
    assert [one.url for one in discovery.discover(web.url("/"))] == [web.url("/a.xml"), web.url("/b.xml")]


def test_a_site_without_links_is_tried_at_the_usual_addresses(web: WebServer) -> None:
    web.answers["/story.html"] = reply(200, html(), Content_Type="text/html")
    web.answers["/rss"] = reply(200, RSS, Content_Type="text/xml")
    assert [one.url for one in discovery.discover(web.url("/story.html"))] == [web.url("/rss")]


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence", "later"),
    [
        (404, "", "text/html", "responded with 404", False),
        (410, "", "text/html", "responded with 410", False),
        (503, "", "text/html", "responded with 503", True),
        (200, html(), "text/html", "is a web page, not a feed: and none was found on its site", False),
        (200, html("<link rel=alternate type=application/rss+xml href=/x>"), "text/html", "cannot be read", False),
        (200, "", "text/plain", "The feed is empty", False),
        (200, '{"a": 1}', "application/json", "not a JSON Feed", False),
        (200, "%PDF-1.7", "application/pdf", "This is not a feed", False),
    ],
)
def test_what_is_no_feed_is_refused_with_its_reason(
    web: WebServer, status: int, body: str, kind: str, sentence: str, later: bool
) -> None:
    web.answers["/x"] = reply(status, body, Content_Type=kind)
    with pytest.raises(discovery.NoFeedFound, match=sentence) as refused:
        discovery.discover(web.url("/x"))
    assert refused.value.later == later


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/feed", "http://10.0.0.1/feed", "http://localhost/feed"])
def test_a_refused_host_is_refused_at_once(address: str) -> None:
    with pytest.raises(discovery.NoFeedFound, match="private or local network") as refused:
        discovery.discover(address)
    assert not refused.value.later


def test_what_is_no_address_is_no_request() -> None:
    for address in ("", "javascript:alert(1)", "a b"):
        with pytest.raises(subscriptions.NoFeedAddress):
            discovery.discover(address)


def test_a_password_is_sent_to_its_own_host_alone(web: WebServer, settings) -> None:
    with running() as other:
        link = f"<link rel=alternate type=application/rss+xml href={other.url('/a.xml')}>"
        web.answers["/"] = reply(200, html(link), Content_Type="text/html")
        other.answers["/a.xml"] = reply(200, RSS, Content_Type="text/xml")
        settings.FETCH_ALLOW = (*web.allow, *other.allow)
        address = web.url("/").replace("http://", "http://me:secret@")
        discovery.discover(address)
    assert "authorization" in web.asked[0][1]
    assert all("authorization" not in headers for _, headers in other.asked)
