"""Feeds and pages over real sockets, from a poll to versions; several workers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from extraction.crawler import politeness
from extraction.feeds import polling
from extraction.feeds.subscriptions import retry, subscribe
from extraction.models import Feed, Host, Post, PostVersion
from extraction.posts import visits
from knowledge.record.projection_queue import mark_posts
from tests.servers.fakeweb import BODY, article
from tests.servers.web import WebServer, conditional, reply, running

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def web(settings, tmp_path: Path) -> Iterator[WebServer]:
    settings.MEDIA_ROOT = tmp_path
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        yield server


def rss(web: WebServer, *numbers: int, title: str = "Story") -> str:
    items = "".join(
        f"<item><title>{title} {number}</title><link>{web.url(f'/{number}.html')}</link><guid>{number}</guid></item>"
        for number in numbers
    )
    return f"<rss version='2.0'><channel><title>Example News</title>{items}</channel></rss>"


def page(number: int, words: str = "") -> str:
    return article(*BODY, f"This is story number {number}. {words}", title=f"Story {number}")


def serve(web: WebServer, *numbers: int) -> None:
    web.answers["/feed.xml"] = conditional(rss(web, *numbers), '"feed"')
    for number in numbers:
        web.answers[f"/{number}.html"] = conditional(page(number), f'"{number}"', "text/html")


def poll_now() -> polling.Polled:
    Feed.objects.filter(state="active").update(due_at=timezone.now())
    return polling.poll_due(mark=mark_posts)


def visit_now() -> dict[str, int]:
    Post.objects.update(due_at=timezone.now())
    return dict(visits.visit_due(20, mark=mark_posts).outcomes)


def test_from_a_feed_to_versions_edits_and_withdrawals(web: WebServer) -> None:
    serve(web, 1, 2, 3)
    subscribe(web.url("/feed.xml"))
    assert poll_now().new == 3
    assert visit_now() == {"new": 3}
    assert web.paths()[:2] == ["/feed.xml", "/robots.txt"]
    assert sorted(web.paths()[2:]) == ["/1.html", "/2.html", "/3.html"]
    assert poll_now().errors == {}
    assert visit_now() == {"unchanged": 3}
    assert [headers.get("if-none-match") for path, headers in web.asked if path == "/feed.xml"] == [None, '"feed"']
    assert [headers.get("if-none-match") for path, headers in web.asked if path == "/1.html"] == [None, '"1"']
    web.answers["/1.html"] = conditional(page(1, "It was corrected."), '"1b"', "text/html")
    web.answers["/2.html"] = reply(410)
    web.answers["/3.html"] = reply(403)
    assert visit_now() == {"edited": 1, "withdrawn": 1, "refused": 1}
    assert list(Post.objects.order_by("link").values_list("state", flat=True)) == ["live", "withdrawn", "live"]
    assert PostVersion.objects.count() == 4


def test_a_feed_that_moves_and_then_ends(web: WebServer) -> None:
    serve(web, 1)
    feed = subscribe(web.url("/feed.xml")).feed
    web.answers |= {"/feed.xml": reply(301, Location="/new.xml"), "/new.xml": reply(200, rss(web, 1))}
    assert poll_now().new == 1
    feed.refresh_from_db()
    assert feed.url == web.url("/new.xml")
    web.answers["/new.xml"] = reply(302, Location="/elsewhere.xml")
    web.answers["/elsewhere.xml"] = reply(200, rss(web, 1))
    poll_now()
    feed.refresh_from_db()
    assert (feed.url, feed.error) == (web.url("/new.xml"), "")
    web.answers["/new.xml"] = reply(410)
    poll_now()
    feed.refresh_from_db()
    assert (feed.state, feed.due_at) == ("gone", None)


def test_a_redirect_to_another_host_asks_that_host_s_leave(web: WebServer, settings) -> None:
    with running() as other:
        settings.FETCH_ALLOW = (*web.allow, *other.allow)
        feed = subscribe(web.url("/feed.xml")).feed
        web.answers["/feed.xml"] = reply(302, Location=other.url("/private/feed.xml"))
        other.answers |= {
            "/robots.txt": reply(200, "User-agent: *\nDisallow: /private/"),
            "/private/feed.xml": reply(200, rss(web, 1), Content_Type="application/rss+xml"),
        }
        assert poll_now().new == 0 and other.paths() == ["/robots.txt"]
        feed.refresh_from_db()
        assert "robots.txt" in feed.error
        Host.objects.update(robots="", next_request_at=None)
        assert poll_now().new == 1 and other.paths() == ["/robots.txt", "/private/feed.xml"]
        Host.objects.update(next_request_at=timezone.now() + timedelta(hours=1))
        web.answers["/feed.xml"] = reply(302, Location="/here.xml")
        Host.objects.filter(name=f"127.0.0.1:{web.port}").update(next_request_at=None)
        web.answers["/here.xml"] = reply(302, Location=other.url("/private/feed.xml"))
        assert poll_now().errors == {} and len(other.asked) == 2, "a busy host is put off, not failed"


def slow(request: BaseHTTPRequestHandler) -> None:
    hung.wait(30)


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/rss+xml")
    request.end_headers()
    while True:
        request.wfile.write(b"<item>" + b"x" * 65530)


hung = threading.Event()


def test_hostile_feeds_end_with_an_error_each_and_hold_up_nobody(web: WebServer, settings) -> None:
    settings.FETCH_SECONDS = 0.5
    entities = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 2}">' for n in range(24))
    web.answers |= {
        "/bomb": reply(
            200, f'<!DOCTYPE z [<!ENTITY a "ha">{entities}]><rss><channel><title>&y;</title></channel></rss>'
        ),
        "/empty": reply(200),
        "/html": reply(200, "<html><body>not a feed</body></html>", Content_Type="text/html"),
        "/slow": slow,
        "/endless": endless,
        "/loop": reply(302, Location="/loop"),
        "/inward": reply(302, Location="http://169.254.169.254/latest/meta-data/"),
        "/file": reply(302, Location="file:///etc/passwd"),
        "/error": reply(503),
        "/gzip": reply(200, b"not gzip", Content_Encoding="gzip"),
    }
    hostile = list(web.answers)
    serve(web, 1)
    for path in [*hostile, "/feed.xml"]:
        subscribe(web.url(path))
    done = polling.poll_due(20, mark=mark_posts)
    hung.set()
    assert done.new == 1
    assert set(done.errors) == {web.url(path) for path in hostile}
    for feed in Feed.objects.exclude(url=web.url("/feed.xml")):
        assert feed.error == done.errors[feed.url] and feed.failures == 1
        assert feed.due_at is not None and feed.due_at > timezone.now() and feed.lease_token == ""
    retry(Feed.objects.get(url=web.url("/error")))
    web.answers["/error"] = reply(200, rss(web, 2))
    assert polling.poll_due(20, mark=mark_posts).new == 1


def test_several_workers_visit_each_page_once(web: WebServer) -> None:
    numbers = range(12)
    serve(web, *numbers)
    subscribe(web.url("/feed.xml"))
    assert poll_now().new == 12
    failed: list[BaseException] = []

    def work() -> None:
        try:
            while visits.visit_due(2, mark=mark_posts).claimed:
                pass
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []
    pages = [path for path in web.paths() if path.endswith(".html")]
    assert sorted(pages) == sorted(f"/{number}.html" for number in numbers)
    assert PostVersion.objects.count() == 12


def test_feeds_with_common_links_may_be_polled_at_once(web: WebServer) -> None:
    """Each post is made once, whichever poll is first, and the polls never wait for each other in a ring."""
    numbers = list(range(40))
    for name in range(4):
        order = numbers if name % 2 else numbers[::-1]
        web.answers[f"/feed{name}.xml"] = reply(200, rss(web, *order), Content_Type="application/rss+xml")
        subscribe(web.url(f"/feed{name}.xml"))
    errors: list[object] = []

    def work() -> None:
        try:
            errors.extend(polling.poll_due(1, mark=mark_posts).errors.items())
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert Post.objects.count() == 40
    assert {post.sightings.count() for post in Post.objects.all()} == {4}


def test_workers_share_a_host_s_turns(web: WebServer, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    """Eight workers, one host: every turn is given once, one host's gap after another."""
    settings.FETCH_HOST_SECONDS = 0.05
    slept: list[float] = []
    monkeypatch.setattr(politeness.time, "sleep", slept.append)
    started = timezone.now()

    def work() -> None:
        politeness.wait_turn("https://news.example/a", 60)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    last = Host.objects.get(name="news.example").next_request_at
    assert len(slept) == 8 and last is not None
    assert last - started >= timedelta(seconds=8 * 0.05)


def test_the_settings_of_a_feed_hold_for_its_posts(web: WebServer) -> None:
    """The language, and whether article pages are fetched; a second feed that wants the page gets it."""
    serve(web, 1)
    web.answers["/other.xml"] = web.answers["/feed.xml"]
    feed = subscribe(web.url("/feed.xml")).feed
    Feed.objects.filter(pk=feed.pk).update(full_text=False, language="de")
    poll_now()
    assert visit_now() == {"feed": 1}
    version = PostVersion.objects.get()
    assert (version.source, version.language, version.text) == ("feed", "de", "Story 1")
    assert all(path != "/1.html" for path, _ in web.asked)
    subscribe(web.url("/other.xml"))
    poll_now()
    assert visit_now() == {"edited": 1}
    version = PostVersion.objects.latest("pk")
    assert (version.source, version.language) == ("page", "de")
