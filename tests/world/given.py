"""What the cases of the world are tried with: their inputs, and one feed that is polled and whose pages are fetched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from extraction.crawler.http_client import Response
from extraction.feeds import polling
from extraction.feeds.subscriptions import subscribe
from extraction.models import Feed, Post
from extraction.posts import visits
from tests.servers.fakeweb import FakeWeb, html

URL = "https://news.example/feed.xml"


def given(name: str) -> bytes:
    """An input of our own making."""
    return (Path(__file__).parent / "inputs" / name).read_bytes()


def mark(posts: Iterable[Post]) -> None:
    list(posts)


def serve(web: FakeWeb, content: bytes | str, kind: str = "application/rss+xml") -> None:
    web.pages[URL] = html(content, URL, kind)


def poll(web: FakeWeb, content: bytes | str = b"", kind: str = "application/rss+xml") -> Feed:
    """Polls the feed, which lists `content` from now on."""
    if content:
        serve(web, content, kind)
    feed = subscribe(URL).feed
    web.clock.now = max(web.clock.now, feed.due_at or web.clock.now)
    done = polling.poll_due(mark=mark)
    assert not done.errors, done.errors
    feed.refresh_from_db()
    return feed


def visit(web: FakeWeb) -> dict[str, int]:
    """Fetches the pages that are due now."""
    return dict(visits.visit_due(30, mark=mark).outcomes)


def revisit(web: FakeWeb, post: Post) -> dict[str, int]:
    """Fetches the page of a post when it is due next."""
    post.refresh_from_db()
    assert post.due_at is not None
    web.clock.now = max(web.clock.now, post.due_at) + timedelta(seconds=1)
    return visit(web)


def texts() -> list[str]:
    """The current text of each post, in the order in which they came."""
    versions = (post.current_version for post in Post.objects.select_related("current_version").order_by("pk"))
    return [version.text if version else "" for version in versions]


def page(title: str, *body: str, head: str = "", language: str = "en") -> str:
    paragraphs = "".join(f"<p>{part}</p>" for part in body)
    return (
        f"<html lang='{language}'><head><title>{title}</title>{head}</head>"
        f"<body><main><h1>{title}</h1>{paragraphs}</main></body></html>"
    )


def answer(url: str, content: bytes | str, kind: str = "text/html; charset=utf-8") -> Response:
    return html(content, url, kind)
