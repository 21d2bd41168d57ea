"""Hostile pages and pictures: bounded work, an error on the post, and the feed's text as a fallback."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image

from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.article_parser import LONGEST_TEXT, LONGEST_TITLE
from extraction.feeds import polling
from extraction.feeds.subscriptions import subscribe
from extraction.models import Post
from extraction.posts import visits
from knowledge.record.projection_queue import mark_posts
from tests.servers.fakeweb import BODY, article
from tests.servers.web import Answer, WebServer, reply, running

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
HTML = "text/html; charset=utf-8"


@pytest.fixture
def web(settings, tmp_path: Path) -> Iterator[WebServer]:
    settings.MEDIA_ROOT = tmp_path
    settings.FETCH_SECONDS = 5.0
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        yield server


def visited(web: WebServer, page: Answer, picture: Answer | None = None) -> Post:
    """The post after a visit to its page, beside one with a good page."""
    web.answers |= {"/page": page, "/good": reply(200, article(*BODY, "This is the good page."), Content_Type=HTML)}
    web.answers |= {"/picture": picture} if picture else {}
    shown = f"<enclosure type='image/png' url='{web.url('/picture')}'/>" if picture else ""
    items = "".join(
        f"<item><title>Words of the feed</title><guid>{name}</guid><link>{web.url(f'/{name}')}</link>{extra}</item>"
        for name, extra in (("page", shown), ("good", ""))
    )
    feed = f"<rss version='2.0'><channel><title>News</title>{items}</channel></rss>"
    web.answers["/feed"] = reply(200, feed, Content_Type="application/rss+xml")
    subscribe(web.url("/feed"))
    assert polling.poll_due(mark=mark_posts).new == 2
    visits.visit_due(10, mark=mark_posts)
    good = Post.objects.get(sightings__guid="good")
    assert good.error == "" and good.current_version is not None and BODY[0] in good.current_version.text
    post = Post.objects.get(sightings__guid="page")
    assert post.lease_token == ""
    return post


HOSTILE = {
    "deep": (b"<div>" * 1_500_000, "No article was found"),
    "many elements": (b"<p>x</p>" * 100_000, "No article was found"),
    "attributes": (b"<div " + b"a='b' " * 1_000_000 + b">", "No article was found"),
    "nothing": (b"", "No article was found"),
    "NUL": (b"\0" * 1_000_000, "No article was found"),
    "too large": (b"x" * (9 << 20), "larger than"),
    "a JSON-LD bomb": (
        b"<script type='application/ld+json'>" + b"[" * 1_000_000 + b"</script>",
        "No article was found",
    ),
    "entities": (b"<!DOCTYPE z [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><p>&b;</p>", "No article was found"),
}


@pytest.mark.parametrize(("page", "message"), HOSTILE.values(), ids=HOSTILE)
def test_an_unreadable_page_is_reported_and_the_feed_s_text_is_used(web: WebServer, page: bytes, message: str) -> None:
    post = visited(web, reply(200, page, Content_Type=HTML))
    assert message in post.error
    assert post.current_version is not None and post.current_version.text == "Words of the feed"


def test_a_page_that_costs_the_parser_too_much_is_left(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 0.4)
    post = visited(web, reply(200, b"<p>x " * 29_000, Content_Type=HTML))
    assert "0.4 seconds of processor time" in post.error
    assert post.current_version is not None and post.current_version.text == "Words of the feed"


SCRIPT = article(
    *BODY,
    "<script>alert(1)</script><img src=x onerror=alert(2)>&lt;script&gt;alert(3)&lt;/script&gt; said a reader of it.",
    title="&lt;script&gt;alert(4)&lt;/script&gt; Storm",
    head="<link rel=canonical href='javascript:alert(5)'><meta property='og:image' content='javascript:alert(6)'>"
    "<base href='http://169.254.169.254/'><meta http-equiv=refresh content='0;url=javascript:alert(7)'>",
)


def test_scripts_of_a_page_are_shown_as_words(web: WebServer, client: Client) -> None:
    post = visited(web, reply(200, SCRIPT, Content_Type=HTML))
    assert post.current_version is not None and BODY[0] in post.current_version.text and post.error == ""
    assert post.link == web.url("/page") and not post.images.exists()
    client.force_login(User.objects.create_superuser("admin"))
    for page in ("/", f"/posts/{post.public_id}/"):
        html = client.get(page).content.decode()
        assert "Storm" in html
        assert "<script>alert" not in html and "onerror=" not in html.replace("&lt;img src=x onerror=", "")
        assert "javascript:alert" not in html


def test_a_very_long_story_is_cut_and_a_very_long_title_too(web: WebServer) -> None:
    paragraphs = [
        f"In the year {n} a storm closed the port of Hartlepool, the harbour master said." for n in range(16_000)
    ]
    page = article(*paragraphs, title="Storm " * 20_000)
    assert len(page.split()) > 200_000
    post = visited(web, reply(200, page, Content_Type=HTML))
    assert post.current_version is not None
    assert LONGEST_TEXT / 2 < len(post.current_version.text) <= LONGEST_TEXT + LONGEST_TITLE + 2
    assert post.current_version.title_end <= LONGEST_TITLE


@pytest.mark.parametrize("charset", ["utf-8", "klingon-8", "utf-16", "iso-8859-1"])
def test_a_page_in_another_encoding_than_declared(web: WebServer, charset: str) -> None:
    page = article(*BODY, "Zoë \0 Đặng naïve 😀.").encode("utf-8")
    post = visited(web, reply(200, page, Content_Type=f"text/html; charset={charset}"))
    version = post.current_version
    assert version is not None and "\0" not in version.text and version.text.encode()


def png(width: int, height: int) -> bytes:
    """A picture whose header declares this size and that has no data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def jpeg() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(written, "JPEG")
    return written.getvalue()


PICTURES = {
    "a bomb of pixels": png(50_000, 50_000),
    "larger than it is": png(2000, 2000),
    "truncated": jpeg()[:2000],
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "HTML": b"<html><script>alert(1)</script></html>",
    "nothing": b"",
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_what_is_no_picture_is_not_kept_and_the_post_is(web: WebServer, picture: bytes) -> None:
    post = visited(web, reply(200, article(), Content_Type=HTML), reply(200, picture, Content_Type="image/png"))
    [row] = post.images.all()
    assert row.file == "" and row.error
    assert post.current_version is not None


def test_a_picture_s_hidden_load_does_not_come_along(web: WebServer, settings) -> None:
    load = jpeg() + b"<script>alert(1)</script>PK\3\4"
    post = visited(web, reply(200, article(), Content_Type=HTML), reply(200, load, Content_Type="image/jpeg"))
    [row] = post.images.all()
    assert row.file.startswith("pictures/") and b"alert" not in (settings.MEDIA_ROOT / row.file).read_bytes()
