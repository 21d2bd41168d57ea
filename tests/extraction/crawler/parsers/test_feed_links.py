"""The feeds that a web page links to."""

from __future__ import annotations

from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.feed_links import MOST_LINKS, FeedLink, feed_links

URL = "https://news.example/world/"
PAGE = """<!doctype html><html><head><base href="/en/">
<link rel="stylesheet" href="a.css"><link rel="alternate" hreflang="de" href="/de/">
<link rel="Alternate" type="application/rss+xml; charset=utf-8" title="Comments" href="/comments/feed">
<link href='news.xml' type=application/atom+xml rel="alternate home" title="All &amp; more">
<link rel="alternate" type="application/feed+json" href="https://cdn.example/feed.json">
<link rel="alternate" type="application/json" href="https://news.example/wp-json/wp/v2/pages/7">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
<link rel="alternate" type="application/rss+xml" href="http://[bad">
</head><body><a href="/rss">RSS</a> <a href="feed://news.example/sport.rss">Sport</a>
<a href="/feedback">Write to us</a> <a href="/about/rss-explained.html">What is RSS?</a></body></html>"""


def test_declared_feeds_come_before_linked_ones_and_comments_last() -> None:
    assert feed_links(PAGE.encode(), URL) == [
        FeedLink("https://news.example/en/news.xml", "All & more"),
        FeedLink("https://cdn.example/feed.json", ""),
        FeedLink("https://news.example/rss", ""),
        FeedLink("https://news.example/sport.rss", ""),
        FeedLink("https://news.example/comments/feed", "Comments"),
    ]


def test_the_same_link_is_offered_once_and_many_are_bounded() -> None:
    links = "".join(f"<link rel=alternate type=application/rss+xml href=/{n}.xml>" for n in range(40))
    found = feed_links((links + links).encode(), URL)
    assert len(found) == len(set(found)) == MOST_LINKS
    again = '<a href="/rss">RSS</a><link rel=alternate type=application/rss+xml href=/rss title=News>'
    assert feed_links(again.encode(), URL) == [FeedLink("https://news.example/rss", "News")]


def test_a_page_in_its_own_encoding_and_a_broken_one_are_read() -> None:
    page = '<meta charset="windows-1251"><link rel=alternate type=application/rss+xml href=/a title="Новости">'
    assert feed_links(page.encode("windows-1251"), URL)[0].title == "Новости"
    for broken in (b"", b"\xff\xfe\x00", b"<link rel=alternate", b'<meta charset="nonsense"><' * 9000):
        assert feed_links(broken, URL) == []


def test_pages_are_read_in_the_sandbox() -> None:
    assert sandbox.feed_links(PAGE.encode(), URL) == feed_links(PAGE.encode(), URL)
