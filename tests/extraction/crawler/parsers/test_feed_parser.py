"""Feeds as bytes: every format gives the same items, and what is hostile or broken gives a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from extraction.crawler.parsers.feed_parser import MAX_ITEMS, FeedError, FeedItem, ParsedFeed, parse
from extraction.crawler.parsers.html_text import text_of
from extraction.feeds.poll_interval import LONGEST_S, SHORTEST_S, next_interval

URL = "https://news.example/feed"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

RSS2 = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>Example News</title><link>https://news.example/</link><ttl>60</ttl>
<item><title>Storm closes &lt;b&gt;Hartlepool&lt;/b&gt; port</title><link>https://news.example/storm</link>
<guid isPermaLink="false">n-1</guid><pubDate>Mon, 02 Mar 2026 13:00:00 +0100</pubDate>
<description>Short.</description>
<content:encoded>&lt;p&gt;The port was closed.&lt;/p&gt;&lt;p&gt;Ships wait.&lt;/p&gt;</content:encoded>
<media:content medium="image" url="https://news.example/storm.jpg"/></item>
</channel></rss>"""

RSS1 = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel rdf:about="https://news.example/feed"><title>Example News</title><link>https://news.example/</link>
<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>24</sy:updateFrequency></channel>
<item rdf:about="n-1"><title>Storm closes Hartlepool port</title><link>https://news.example/storm</link>
<dc:date>2026-03-02T13:00:00+01:00</dc:date>
<description>&lt;p&gt;The port was closed.&lt;/p&gt;Ships wait.</description></item>
</rdf:RDF>"""

ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Example News</title><link href="https://news.example/"/>
<entry><id>n-1</id><title>Storm closes Hartlepool port</title><link rel="alternate" href="/storm"/>
<published>2026-03-02T12:00:00Z</published><updated>2026-03-02T15:00:00Z</updated>
<content type="html">&lt;p&gt;The port was closed.&lt;/p&gt;&lt;p&gt;Ships wait.&lt;/p&gt;</content></entry></feed>"""

JSON: dict[str, Any] = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Example News",
    "home_page_url": "https://news.example/",
    "items": [
        {
            "id": "n-1",
            "url": "https://news.example/storm",
            "title": "Storm closes Hartlepool port",
            "content_html": "<p>The port was closed.</p><p>Ships wait.</p>",
            "date_published": "2026-03-02T13:00:00+01:00",
            "image": "https://news.example/storm.jpg",
        }
    ],
}


def read(content: str | bytes | dict[str, Any], kind: str = "application/xml") -> ParsedFeed:
    if isinstance(content, dict):
        content = json.dumps(content)
    return parse(content.encode() if isinstance(content, str) else content, kind, URL)


def rss(*items: str) -> str:
    return f'<rss version="2.0"><channel><title>T</title>{"".join(items)}</channel></rss>'


def only(content: str | bytes | dict[str, Any]) -> FeedItem:
    (item,) = read(content).items
    return item


@pytest.mark.parametrize("content", [RSS2, RSS1, ATOM, JSON], ids=["RSS 2.0", "RSS 1.0", "Atom", "JSON Feed"])
def test_every_format_gives_the_same_item(content: str | dict[str, Any]) -> None:
    feed = read(content)
    assert (feed.title, feed.site, feed.notice) == ("Example News", "https://news.example/", "")
    (item,) = feed.items
    assert (item.guid, item.link) == ("n-1", "https://news.example/storm")
    assert item.title == "Storm closes Hartlepool port"
    assert item.text == "The port was closed.\n\nShips wait."
    assert item.published == NOON


def test_times_are_utc_and_also_kept_verbatim() -> None:
    assert only(RSS2).published_text == "Mon, 02 Mar 2026 13:00:00 +0100"
    assert only(ATOM).published_text == "2026-03-02T12:00:00Z"
    assert only(JSON).published_text == "2026-03-02T13:00:00+01:00"
    unreadable = only(rss("<item><title>x</title><pubDate>last Tuesday</pubDate></item>"))
    assert (unreadable.published, unreadable.published_text) == (None, "last Tuesday")
    silent = only(rss("<item><title>x</title></item>"))
    assert (silent.published, silent.published_text) == (None, "")


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_an_impossible_date_is_no_date(date: str) -> None:
    assert only(ATOM.replace("2026-03-02T12:00:00Z", date)).published is None
    entry = JSON["items"][0] | {"date_published": date}
    assert only(JSON | {"items": [entry]}).published is None


def test_pictures_come_from_media_enclosures_or_the_text() -> None:
    assert only(RSS2).image == "https://news.example/storm.jpg"
    enclosure = '<item><title>x</title><enclosure type="image/png" url="https://news.example/e.png"/></item>'
    assert only(rss(enclosure)).image == "https://news.example/e.png"
    html = "&lt;img width='1' src='https://t.example/dot'&gt;&lt;img src='https://news.example/i.jpg'&gt; words"
    assert only(rss(f"<item><title>x</title><description>{html}</description></item>")).image.endswith("/i.jpg")


def test_how_long_a_feed_asks_to_be_left_alone() -> None:
    assert read(RSS2).ttl == 3600
    assert read(RSS1).ttl == 3600
    assert read(ATOM).ttl == 0


def test_the_digest_changes_with_what_the_publisher_changes() -> None:
    same, again = only(RSS2), only(RSS2)
    assert same.digest == again.digest
    assert only(RSS2.replace("Ships wait", "Ships sail")).digest != same.digest
    assert only(RSS2.replace("closes", "shuts")).digest != same.digest
    assert only(ATOM.replace("15:00:00Z", "16:00:00Z")).digest != only(ATOM).digest


def test_items_without_guid_are_known_by_link_or_words() -> None:
    by_link = only(rss("<item><title>x</title><link>https://news.example/x</link></item>"))
    assert by_link.guid == "https://news.example/x"
    first, second = read(rss("<item><title>x</title></item>", "<item><title>y</title></item>")).items
    assert first.guid != second.guid
    assert len(only(rss(f"<item><title>x</title><guid>{'g' * 900}</guid></item>")).guid) <= 500


def test_one_guid_is_one_item_and_empty_items_are_none() -> None:
    twice = rss("<item><guid>1</guid><title>first</title></item>" * 2, "<item></item>")
    assert [item.title for item in read(twice).items] == ["first"]


def test_a_guid_that_is_a_number_is_no_link() -> None:
    assert only(rss("<item><title>x</title><guid>17</guid></item>")).link == ""
    assert only(rss("<item><title>x</title><guid>https://news.example/17</guid></item>")).link.endswith("/17")


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "ftp://news.example/x", "http://[bad/"])
def test_only_web_addresses_are_links(link: str) -> None:
    assert only(rss(f'<item><title>x</title><guid isPermaLink="false">1</guid><link>{link}</link></item>')).link == ""
    entry = JSON["items"][0] | {"url": link}
    assert only(JSON | {"items": [entry]}).link == ""


def test_declared_encodings_are_read() -> None:
    content = '<?xml version="1.0" encoding="ISO-8859-1"?>' + rss("<item><title>Spieler wünschen</title></item>")
    assert only(content.encode("latin-1")).title == "Spieler wünschen"


def test_nul_and_lone_surrogates_do_not_come_through() -> None:
    item = only(rss("<item><title>a\0b</title><guid>g\0</guid></item>"))
    assert "\0" not in item.title + item.guid + item.text
    item = only(
        '{"version": "https://jsonfeed.org/version/1", "items": [{"id": "a\\u0000", "title": "\\ud800x\\u0000"}]}'
    )
    assert (item.guid, item.title) == ("a", "x")


def test_scripts_in_titles_and_texts_become_text_or_nothing() -> None:
    item = only(
        rss(
            "<item><title>&lt;script&gt;alert(1)&lt;/script&gt;Fire</title><guid>s</guid>"
            "<description>&lt;img src=x onerror=alert(1)&gt;Ada met Charles."
            "&lt;style&gt;p{}&lt;/style&gt;</description>"
            "</item>"
        )
    )
    assert (item.title, item.text) == ("Fire", "Ada met Charles.")


def test_external_entities_are_not_read(tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    content = f'<!DOCTYPE z [<!ENTITY x SYSTEM "file://{secret}">]>' + rss("<item><title>a &x; b</title></item>")
    try:
        feed = read(content)
    except FeedError as error:
        assert "the secret" not in str(error)
    else:
        assert "the secret" not in repr(feed)


def test_bytes_that_name_a_file_do_not_open_it(tmp_path) -> None:
    file = tmp_path / "feed.xml"
    file.write_text(RSS2)
    with pytest.raises(FeedError):
        read(str(file))


def test_an_entity_bomb_is_refused() -> None:
    entities = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 2}">' for n in range(24))
    bomb = f'<!DOCTYPE z [<!ENTITY a "ha">{entities}]><rss><channel><title>&y;</title></channel></rss>'
    with pytest.raises(FeedError, match="damaged"):
        read(bomb)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("<html><body>not a feed</body></html>", "not a feed"),
        ("plain words", "not a feed"),
        ('{"version": "1.0"}', "not a JSON Feed"),
        ('{"version": "https://jsonfeed.org/version/1.1"}', "no list of items"),
        ('{"items": ', "looks like JSON"),
        ("{" + '"a":[' * 100_000, "looks like JSON"),
        (rss("<item/>" * 20_000), "more than"),
    ],
    ids=["empty", "blank", "html", "words", "json", "json no items", "json cut", "json deep", "too many"],
)
def test_an_invalid_feed_is_refused_with_a_sentence(content: str, message: str) -> None:
    with pytest.raises(FeedError, match=message):
        read(content)


def test_a_web_page_names_the_feed_that_it_links_to() -> None:
    page = '<html><head><link rel="alternate" type="application/rss+xml" href="/rss.xml"></head><body>x</body></html>'
    with pytest.raises(FeedError, match=r"https://news\.example/rss\.xml"):
        read(page, "text/html")


def test_a_truncated_feed_loses_only_its_last_item() -> None:
    cut = rss("<item><title>one</title><guid>1</guid></item>", "<item><title>two</title>")[: -len("</channel></rss>")]
    feed = read(cut + "<link>https://news.ex")
    assert [item.title for item in feed.items] == ["one"]
    assert "truncated" in feed.notice


def test_a_feed_with_unknown_entities_is_read_with_a_notice() -> None:
    feed = read(rss("<item><title>caf&eacute; &nosuch; bar</title><guid>1</guid></item>"))
    assert feed.items[0].title.startswith("café") and "not well formed" in feed.notice


def test_only_so_many_items_are_taken() -> None:
    feed = read(JSON | {"items": [{"id": str(n), "title": "x"} for n in range(MAX_ITEMS + 5)]})
    assert len(feed.items) == MAX_ITEMS


def test_an_expired_json_feed_has_a_notice() -> None:
    assert "ended" in read(JSON | {"expired": True}).notice


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("AT&amp;T <3 you", "AT&T <3 you"),
        ("<p>one</p>\n<p>two<br>three</p>", "one\n\ntwo\n\nthree"),
        ("<p>a line\nends here</p>", "a line ends here"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("words<!-- hidden -->!", "words!"),
        ("", ""),
    ],
)
def test_html_becomes_paragraphs(html: str, text: str) -> None:
    assert text_of(html) == text


def test_the_interval_follows_the_feed() -> None:
    every_hour = [NOON - timedelta(hours=n) for n in range(10)]
    assert next_interval(every_hour, NOON, 1800, True) == 1800
    every_minute = [NOON - timedelta(minutes=n) for n in range(30)]
    assert next_interval(every_minute, NOON, 1800, True) == SHORTEST_S
    assert next_interval(every_minute, NOON + timedelta(hours=4), 300, False) == 1800
    weekly = [NOON - timedelta(weeks=n) for n in range(5)]
    assert next_interval(weekly, NOON, 1800, True) == LONGEST_S


def test_without_dates_the_interval_follows_what_was_new() -> None:
    assert next_interval([], NOON, 3600, True) == 1800
    assert next_interval([], NOON, 3600, False) == 5400
    assert next_interval([], NOON, LONGEST_S, False) == LONGEST_S
    assert next_interval([NOON + timedelta(days=1)] * 5, NOON, 3600, False) == 5400
