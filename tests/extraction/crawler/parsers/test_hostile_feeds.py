"""What strangers may publish as a feed.

Each ends in bounded time and memory, reports the reason on the feed's page, runs nothing, asks no address that it must
not, and disturbs no other feed.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.feed_parser import MAX_FEED_BYTES, MAX_ITEMS, MAX_TITLE
from extraction.feeds import polling
from extraction.feeds.subscriptions import subscribe
from extraction.models import Feed, Post, Sighting
from extraction.posts import visits
from knowledge.record.projection_queue import mark_posts
from tests.patience import PATIENCE_S
from tests.servers.web import Answer, WebServer, reply, running

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
RSS = "application/rss+xml"
GOOD = "<rss version='2.0'><channel><title>Good</title><item><title>One</title><guid>1</guid></item></channel></rss>"


@pytest.fixture
def web(settings, tmp_path: Path) -> Iterator[WebServer]:
    settings.MEDIA_ROOT = tmp_path
    settings.FETCH_SECONDS = 5.0
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        yield server


@pytest.fixture
def inside() -> Iterator[WebServer]:
    """A service of our own network, which no feed may make us ask."""
    with running() as server:
        yield server
        assert server.asked == []


def polled(web: WebServer, answer: Answer) -> Feed:
    """The feed after a poll of it and of a good one, which goes on as if nothing were."""
    web.answers |= {"/feed": answer, "/good": reply(200, GOOD, Content_Type=RSS)}
    feed = subscribe(web.url("/feed")).feed
    good = subscribe(web.url("/good")).feed
    polling.poll_due(10, mark=mark_posts)
    for one in (feed, good):
        one.refresh_from_db()
        assert one.lease_token == "" and one.due_at is not None and one.due_at > timezone.now()
    assert good.error == "" and Sighting.objects.filter(feed=good).count() == 1
    return feed


def rss(*items: str, head: str = "") -> str:
    inner = "".join(f"<item>{item}</item>" for item in items)
    return f"{head}<rss version='2.0'><channel><title>Hostile</title>{inner}</channel></rss>"


def endless(block: bytes, sent: list[int], pause: Callable[[], object] = lambda: None) -> Answer:
    """Sends `block` until the client hangs up; `sent` counts the bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", RSS)
        request.end_headers()
        while sent[0] < 200 << 20:
            request.wfile.write(block)
            sent[0] += len(block)
            pause()

    return answer


def test_a_feed_of_200_mb_is_left_after_the_limit(web: WebServer) -> None:
    sent = [0]
    feed = polled(web, endless(b"<item>" + b"x" * 65530, sent))
    assert f"larger than the limit of {MAX_FEED_BYTES:,} bytes" in feed.error
    assert sent[0] < 30 << 20, "only bytes in transit beyond the limit"


def test_a_gzip_bomb_is_unpacked_to_the_limit(web: WebServer) -> None:
    bomb = gzip.compress(b"<rss>" + b" " * (200 << 20), 9)
    feed = polled(web, reply(200, bomb, Content_Type=RSS, Content_Encoding="gzip"))
    assert f"larger than the limit of {MAX_FEED_BYTES:,} bytes" in feed.error


def test_a_feed_a_byte_at_a_time_and_one_that_never_answers_end_at_the_deadline(web: WebServer, settings) -> None:
    settings.FETCH_SECONDS = 0.5
    stop = threading.Event()
    began = time.monotonic()
    dripped = polled(web, endless(b"<", [0], lambda: stop.wait(0.05)))
    Feed.objects.all().delete()

    def never(request: BaseHTTPRequestHandler) -> None:
        stop.wait(2 * PATIENCE_S)

    silent = polled(web, never)
    stop.set()
    assert "did not respond in time" in dripped.error and "did not respond in time" in silent.error
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/feed", "redirects more than"),
        ("http://169.254.169.254/latest/meta-data/", "lies on a private or local network"),
        ("http://[fe80::1]/", "lies on a private or local network"),
        ("http://{inside}/admin", "lies on a private or local network"),
        ("http://localhost:{port}/admin", "lies on a private or local network"),
        ("http://2130706433:{port}/", "lies on a private or local network"),
        ("file:///etc/passwd", "Only http and https"),
        ("javascript:alert(1)", "is not a web address"),
        ("http://[bad/", "is not a web address"),
    ],
)
def test_a_redirect_inwards_or_in_a_ring(web: WebServer, inside: WebServer, target: str, message: str) -> None:
    place = target.format(inside=f"127.0.0.1:{inside.port}", port=inside.port)
    feed = polled(web, reply(302, Location=place))
    assert message in feed.error
    assert all(path in ("/feed", "/good", "/robots.txt") for path in web.paths())


def entities(count: int) -> str:
    names = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 2}">' for n in range(count))
    return f'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "ha">{names}]>'


QUADRATIC = f'<!DOCTYPE z [<!ENTITY a "{"x" * 50_000}">]>'
DEEP = "<rss version='2.0'><channel><item><title>x</title></item>" + "<a>" * 300_000
UNREADABLE = {
    "entity bomb": entities(24) + "<rss version='2.0'><channel><title>&y;</title></channel></rss>",
    "entities by the square": f"{QUADRATIC}<rss version='2.0'><channel><title>{'&a;' * 50_000}</title></channel></rss>",
    "truncated": "<rss version='2.0'><channel><title>cut</title><item><title>one</title><link>http://127.0.",
    "empty": "",
    "white space": " \n" * 1000,
    "html": "<html><body>not a feed</body></html>",
    "deep": DEEP,
    "too many items": rss(*["<guid>x</guid>"] * (10 * MAX_ITEMS + 1)),
    "JSON, deep": "{" + '"a":[' * 100_000,
    "JSON, another": '{"items": []}',
    "an image": "\x89PNG\r\n\x1a\n" + "\0" * 1000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_invalid_feed_is_reported_within_the_limits(
    web: WebServer, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 1.0)
    feed = polled(web, reply(200, body.encode("latin-1"), Content_Type=RSS))
    assert feed.error or "could be parsed" in feed.notice or feed.notice.startswith("The feed is not well formed")
    assert Sighting.objects.filter(feed=feed).count() == 0


def test_external_entities_are_neither_read_nor_requested(web: WebServer, inside: WebServer, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret word")
    head = (
        f'<?xml version="1.0"?><!DOCTYPE z SYSTEM "{inside.url("/x.dtd")}" [<!ENTITY f SYSTEM "file://{secret}">'
        f'<!ENTITY w SYSTEM "{inside.url("/x")}"><!ENTITY % p SYSTEM "{inside.url("/p")}"> %p;]>'
    )
    polled(web, reply(200, rss("<title>A &f; &w;</title><guid>1</guid>", head=head), Content_Type=RSS))
    assert not Sighting.objects.filter(title__contains="secret").exists()


SCRIPTS = (
    "<title>&lt;script&gt;alert(1)&lt;/script&gt;Storm</title><guid>s1</guid><link>javascript:alert(1)</link>"
    "<description>&lt;img src=x onerror=alert(1)&gt;Ada Lovelace met Charles Babbage.&lt;a href='javascript:alert(2)'"
    "&gt;more&lt;/a&gt;&lt;iframe src='http://127.0.0.1/'&gt;&lt;/iframe&gt;</description>",
    "<title>&amp;lt;script&amp;gt;alert(3)&amp;lt;/script&amp;gt;</title><guid>s2</guid><link>data:text/html,x</link>",
    "<title>plain</title><guid>javascript:alert(4)</guid><enclosure type='image/png' url='javascript:alert(5)'/>",
)


def test_scripts_are_words_at_most_and_other_links_than_web_addresses_are_none(
    web: WebServer, client: Client, inside: WebServer
) -> None:
    feed = polled(web, reply(200, rss(*SCRIPTS), Content_Type=RSS))
    Feed.objects.filter(pk=feed.pk).update(title="<script>alert(6)</script>")
    visits.visit_due(10, mark=mark_posts)
    shown = Sighting.objects.filter(feed=feed)
    assert shown.count() == 3 and set(shown.values_list("link", flat=True)) == {""}
    assert set(shown.values_list("image", flat=True)) == {
        "",
        web.url("/x"),
    }  # a relative address is one of the feed's host
    assert "alert(1)" not in shown.get(guid="s1").title
    client.force_login(User.objects.create_superuser("admin"))
    pages = ["/", "/feeds/", f"/feeds/{feed.pk}/", *(f"/posts/{post.public_id}/" for post in Post.objects.all())]
    for page in pages:
        answer = client.get(page, follow=True)
        assert answer.status_code == 200, page
        html = answer.content.decode()
        assert "<script>alert" not in html and "onerror=" not in html, page
        assert 'href="javascript:' not in html and 'src="javascript:' not in html, page
    version = Post.objects.get(sightings__guid="s1").current_version
    assert version is not None and "Ada Lovelace met Charles Babbage." in version.text


ODD = {
    "NUL": (rss("<title>Sto\0rm</title><guid>1</guid>").encode(), "Storm"),
    "lone surrogates": (
        json.dumps(
            {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "Sto\ud800rm \udc00"}]}
        ).encode(),
        "Storm",
    ),
    "a surrogate by number": (rss("<title>Storm&#xD800;</title><guid>1</guid>").encode(), "Storm"),
    "a title of 100,000": (rss(f"<title>{'Storm ' * 16_667}</title><guid>1</guid>").encode(), "Storm Storm"),
    "another encoding than declared": (
        b'<?xml version="1.0" encoding="utf-8"?>' + rss("<title>Storm é</title><guid>1</guid>").encode("latin-1"),
        "Storm",
    ),
    "an encoding that there is not": (
        b'<?xml version="1.0" encoding="klingon-8"?>' + rss("<title>Storm</title><guid>1</guid>").encode(),
        "Storm",
    ),
    "UTF-16 declared as UTF-8": (
        '<?xml version="1.0" encoding="utf-8"?>'.encode("utf-16") + rss("<title>Storm</title>").encode("utf-16-le"),
        "",
    ),
    "no guid": (rss("<title>Storm</title>", "<title>Calm</title>").encode(), "Storm"),
    "a guid of 100,000": (rss(f"<title>Storm</title><guid>{'g' * 100_000}</guid>").encode(), "Storm"),
    "marks that turn the direction": (rss("<title>Storm \u202e\u2066</title><guid>1</guid>").encode(), "Storm"),
}


@pytest.mark.parametrize(("body", "title"), ODD.values(), ids=ODD)
def test_odd_letters_are_stored_as_a_database_takes_them(web: WebServer, body: bytes, title: str) -> None:
    feed = polled(web, reply(200, body, Content_Type="application/xml"))
    first = Sighting.objects.filter(feed=feed).order_by("pk").first()
    if not title:
        assert (first is None) == bool(feed.error) or first is not None
        return
    assert first is not None and first.title.startswith(title), feed.error
    assert len(first.title) <= MAX_TITLE and len(first.guid) <= 500
    assert "\0" not in first.title and first.title.encode()
    visits.visit_due(10, mark=mark_posts)
    assert Post.objects.get(sightings=first).current_version is not None


def test_dates_that_lie_ahead_or_are_none(web: WebServer) -> None:
    dates = ["Mon, 02 Mar 2099 13:00:00 GMT", "", "yesterday", "Mon, 99 Foo 9999999999 99:99:99", "9" * 5000]
    items = [f"<title>{n}</title><guid>{n}</guid><pubDate>{date}</pubDate>" for n, date in enumerate(dates)]
    feed = polled(web, reply(200, rss(*items), Content_Type=RSS))
    posts = [Post.objects.get(sightings__feed=feed, sightings__guid=str(n)) for n in range(len(dates))]
    notices = [post.published_notice for post in posts]
    assert notices == ["future", "no date", "unreadable", "unreadable", "unreadable"]
    assert max(len(post.published_text) for post in posts) <= 200


def test_of_ten_thousand_items_the_first_thousand_are_used_with_a_notice(web: WebServer) -> None:
    items = [f"<title>Story {n}</title><guid>{n}</guid>" for n in range(10_000)]
    feed = polled(web, reply(200, rss(*items), Content_Type=RSS))
    assert Sighting.objects.filter(feed=feed).count() == MAX_ITEMS
    assert feed.notice == "The feed lists 10,000 items; the first 1,000 are used."


def test_our_own_ports_are_not_requested_for_a_feed(web: WebServer, inside: WebServer) -> None:
    names = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
    items = [
        f"<title>Story {n}</title><guid>{n}</guid><link>http://{name}:{inside.port}/?q=DROP</link>"
        f"<enclosure type='image/png' url='http://{name}:{inside.port}/x.png'/>"
        for n, name in enumerate(names)
    ]
    feed = polled(web, reply(200, rss(*items), Content_Type=RSS))
    while visits.visit_due(20, mark=mark_posts).claimed:
        pass
    assert Sighting.objects.filter(feed=feed).count() == len(names)
    for post in Post.objects.filter(sightings__feed=feed):
        assert post.current_version is not None, "the feed's own words are read in the page's stead"
        assert post.due_at is None or post.due_at > timezone.now()


def test_a_name_that_resolves_inwards_the_second_time(
    web: WebServer, inside: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """robots.txt is had from the open internet (played by our server); the page's own look finds loopback."""
    import socket

    looks: list[str] = []
    real_connect = socket.create_connection

    def getaddrinfo(host: str, port: int, *args: object, **options: object) -> list[tuple[object, ...]]:
        if host != "rebind.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        looks.append(host)
        address = "93.184.216.34" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address: tuple[str, int], *args: object, **options: object) -> socket.socket:
        public = address[0] == "93.184.216.34"
        return real_connect(("127.0.0.1", web.port) if public else address, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", connect)
    item = f"<title>Story</title><guid>1</guid><link>http://rebind.example:{inside.port}/page</link>"
    feed = polled(web, reply(200, rss(item), Content_Type=RSS))
    visits.visit_due(10, mark=mark_posts)
    post = Post.objects.get(sightings__feed=feed)
    assert len(looks) == 2 and "private or local network" in post.error
