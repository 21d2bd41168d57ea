"""Cases O1, O2, F5, F6, F11, F12, D1 and D2: what can be read is read, and what cannot is named."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from extraction.crawler import http_client
from extraction.crawler.http_client import FetchError
from extraction.crawler.parsers import opml
from extraction.crawler.parsers.feed_parser import ParsedFeed, parse
from extraction.crawler.parsers.html_text import first_picture, text_of, title_of
from extraction.datasets import registry
from extraction.datasets.load_report import DatasetError, LoadReport
from extraction.feeds.subscriptions import import_opml
from extraction.models import Feed
from extraction.readings import inputs
from tests.servers.web import WebServer, reply, running
from tests.world.given import given

URL = "https://news.example/feed.xml"


def read(content: bytes | str, kind: str = "application/rss+xml") -> ParsedFeed:
    return parse(content if isinstance(content, bytes) else content.encode(), kind, URL)


def titles(content: bytes | str) -> list[str]:
    return [item.title for item in read(content).items]


# lists of feeds


@pytest.mark.django_db
def test_o1_a_bare_ampersand() -> None:
    done = import_opml(given("o1_bare_ampersand.opml"))
    assert [(feed.title, feed.url) for feed in done.added] == [
        ("Rutherford and Fry", "https://news.example/feeds/f06_relative_images.xml?a=1"),
        ("Law & Order notes", "https://news.example/feeds/nn.xml?format=raw&feedname=1"),
        ("Third", "https://news.example/feeds/third.xml"),
    ]
    assert done.notice == ""


@pytest.mark.parametrize("name", ["o2_blank_first.opml", "o4_utf16decl_utf8.opml", "o7_control.opml"])
def test_o2_what_readers_write(name: str) -> None:
    [outline] = opml.parse(given(name)).outlines
    assert outline.url.startswith("https://news.example/feeds/o") and outline.title in ("A", "Ä", "ab")


@pytest.mark.django_db
def test_o2_names_in_other_case_and_other_schemes() -> None:
    done = import_opml(given("o6_case_url.opml"))
    urls = [one.feed.url for one in done.subscribed]
    for name, scheme in (("oe", "https"), ("of", "https"), ("og", "https"), ("oh", "http"), ("oi", "https")):
        assert f"{scheme}://news.example/feeds/{name}.xml" in urls
    assert "http://news.example/feeds/oj.xml" in urls and Feed.objects.count() == len(done.added)


def test_o2_entries_without_an_address_are_named_and_folders_are_not() -> None:
    content = (
        '<opml><body><outline text="Folder"><outline text="A" xmlUrl="https://a.example/f"/></outline>'
        '<outline text="Page" type="link" url="https://b.example/"/><outline text="Lost" type="rss"/></body></opml>'
    )
    listed = opml.parse(content.encode())
    assert [outline.title for outline in listed.outlines] == ["A"]
    assert listed.notice == "2 entries have no address of a feed and were left out: “Page”, “Lost”."


@pytest.mark.parametrize(
    "content",
    [
        '<opml><body><outline text="A" xmlUrl="https://a.example/f"/><outline text="B" xmlUrl="https://b.exa',
        '<opml><body><outline text="A" xmlUrl="https://a.example/f"/><outline text="1 < 2"></body></opml>',
    ],
    ids=["cut", "angle bracket"],
)
def test_o2_a_damaged_list_is_read_as_far_as_it_goes_and_says_so(content: str) -> None:
    listed = opml.parse(content.encode())
    assert listed.outlines[0] == opml.Outline("https://a.example/f", "A") and "damaged" in listed.notice


def test_o2_entities_of_html_and_characters_that_are_none() -> None:
    content = '<opml><body><outline text="Caf&eacute; &AMP; &#8; &#228;" xmlUrl="https://a.example/f"/></body></opml>'
    assert opml.parse(content.encode()).outlines[0].title == "Café &AMP; ä"


# feeds


@pytest.mark.parametrize(
    ("name", "kind"), [("f03_junk_after_rss.xml", "application/rss+xml"), ("f03b_text_html_comment.xml", "text/html")]
)
def test_f5_what_follows_the_end_is_passed_over(name: str, kind: str) -> None:
    parsed = read(given(name), kind)
    assert [item.title for item in parsed.items] == ["Mayor opens a bridge", "School wins a prize"]
    assert parsed.notice == ""


ITEM = "<item><title>One</title><link>https://news.example/1</link></item>"


@pytest.mark.parametrize(
    "after", ["<!-- x -->", "<script>1 < 2</script>", "\0\0", "</body></html>", "<?php die ?>", "é"]
)
def test_f5_siblings(after: str) -> None:
    parsed = read(f"<rss version='2.0'><channel>{ITEM}</channel></rss>{after}")
    assert (len(parsed.items), parsed.notice) == (1, "")


def test_f5_other_roots_and_what_stands_before() -> None:
    atom = (
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:title>One</a:title><a:id>1</a:id></a:entry></a:feed>"
    )
    for content in (f"{atom}<!-- -->", f"<b>Warning</b>: x in y.php\n<?xml version='1.0'?>\n{atom}", f"\n\n{atom}\n"):
        assert (titles(content), read(content).notice) == (["One"], "")
    feed = {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "One"}]}
    for junk in ("<!-- x -->", "\n{}", "\0"):
        assert titles("\ufeff" + json.dumps(feed) + junk) == ["One"]


def test_f5_a_feed_that_is_cut_loses_only_what_is_cut() -> None:
    whole = f"<rss version='2.0'><channel>{ITEM}"
    assert read(whole).notice.endswith("It is truncated.") and len(read(whole).items) == 1
    cut = read(f"{whole}<item><title>Tw")
    assert [item.title for item in cut.items] == ["One"] and cut.notice.endswith("its last item was ignored.")


def test_f6_titles_are_what_their_format_says() -> None:
    assert titles(given("f04_titles.xml")) == [
        "When will <dialog> replace the <popup> element?",
        "Why <table> is back & AT&T",
        "</kubernetes>",
        "Shell buys BG & sells assets",
    ]
    assert titles(given("f04b_titles_rss.xml"))[:4] == [
        "Johnson & Johnson to pay AT&T",
        "Rates < 2% and ‘falling’",
        "Generics: List<String> explained",
        "Profit < loss for Boeing, say analysts > 3",
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Why <table> is back", "Why <table> is back"),
        ("<b>Storm</b> closes <em class='x'>port</em>", "Storm closes port"),
        ("Storm<br/>closes port", "Storm closes port"),
        ("Use the <b> tag", "Use the <b> tag"),
        ("Map<K, V> and Vec<T>", "Map<K, V> and Vec<T>"),
        ("I <3 Norwich", "I <3 Norwich"),
        ("<script>alert(1)</script>Storm", "Storm"),
        ("H<sub>2</sub>O &amp; more", "H2O & more"),
        ("<!-- x -->Storm", "Storm"),
    ],
)
def test_f6_siblings(title: str, expected: str) -> None:
    assert title_of(title) == expected


def test_f6_texts_keep_what_is_no_element() -> None:
    assert text_of("<p>Generics: List<String> is <b>explained</b>.</p><p>Next</p>") == (
        "Generics: List<String> is explained.\n\nNext"
    )
    atom = (
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>N</title><entry><id>1</id>"
        "<title type='text'>A &lt;b&gt;B&lt;/b&gt;</title>"
        "<content type='text'>Not &lt;b&gt;bold&lt;/b&gt;.</content></entry></feed>"
    )
    assert [(item.title, item.text) for item in read(atom).items] == [("A <b>B</b>", "Not <b>bold</b>.")]


def test_f11_each_address_of_a_picture_is_found() -> None:
    pictures = {item.title: item.image for item in read(given("f06_relative_images.xml")).items}
    assert pictures == {
        "relative img": "https://news.example/pics/a.jpg",
        "protocol relative": "https://news.example/pics/b.jpg",
        "group": "https://news.example/pics/c.jpg",
        "encoded only": "",
        "itunes image": "https://news.example/pics/e.jpg",
        "lazy": "https://news.example/pics/f.jpg",
        "media content no type": "https://news.example/pics/g.jpg",
    }


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ("<img src='a.jpg'>", "a.jpg"),
        ("<img srcset='a-1.jpg 1x, a-2.jpg 2x'>", "a-1.jpg"),
        ("<picture><source srcset='/a.webp 800w' type='image/webp'><img src='data:,'></picture>", "/a.webp"),
        ("<img src='https://x.example/pixel.gif' width='1' height='1'><img src=b.jpg>", "b.jpg"),
        ("<img src='about:blank' data-original='c.jpg?a=1&amp;b=2'>", "c.jpg?a=1&b=2"),
        ("<video><source src='v.mp4' type='video/mp4'></video>", ""),
        ("<img alt='nothing'>", ""),
    ],
)
def test_f11_siblings(html: str, address: str) -> None:
    assert first_picture(html) == address


def test_f11_an_enclosure_is_a_picture_where_its_name_says_so() -> None:
    def picture(enclosure: str) -> str:
        return (
            read(f"<rss version='2.0'><channel><item><title>One</title>{enclosure}</item></channel></rss>")
            .items[0]
            .image
        )

    assert picture("<enclosure url='https://news.example/a.JPG?w=1' length='1'/>") == "https://news.example/a.JPG?w=1"
    assert picture("<enclosure url='https://news.example/a.mp3' type='audio/mpeg'/>") == ""
    assert picture("<enclosure url='/a.png' type='application/octet-stream'/>") == "https://news.example/a.png"


# what servers say of their content


@pytest.fixture
def web() -> Iterator[WebServer]:
    with running() as server:
        yield server


BODY = b"<?xml version='1.0'?><rss version='2.0'><channel><title>G</title></channel></rss>"


@pytest.mark.parametrize(
    ("label", "body"),
    [
        *(
            (label, BODY)
            for label in ("gzip", "deflate", "UTF-8", "none", "aws-chunked", "binary", "identity, gzip", "")
        ),
        *((label, gzip.compress(BODY)) for label in ("", "gzip", "x-gzip", "UTF-8", "deflate", "identity")),
        *((label, gzip.compress(gzip.compress(BODY))) for label in ("gzip, gzip", "gzip")),
        ("gzip, gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY, wbits=-15)),
        ("aws-chunked,gzip", gzip.compress(BODY)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[:1].hex()}-{len(value)}",
)
def test_f12_content_is_read_whatever_its_label(label: str, body: bytes, web: WebServer) -> None:
    web.answers["/a"] = reply(200, body, Content_Encoding=label) if label else reply(200, body)
    assert http_client.get(web.url("/a"), allow=web.allow).content == BODY


@pytest.mark.parametrize("label", ["br", "gzip, zstd"])
def test_f12_what_was_not_requested_is_named(label: str, web: WebServer) -> None:
    web.answers["/a"] = reply(200, b"\x1b\x03", Content_Encoding=label)
    with pytest.raises(FetchError, match="which was not requested"):
        http_client.get(web.url("/a"), allow=web.allow)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_f12_layers_are_unpacked_no_further_than_the_limit(layers: int, web: WebServer) -> None:
    body = b" " * (4 << 20)
    for _ in range(layers):
        body = gzip.compress(body)
    web.answers["/a"] = reply(200, body, Content_Encoding=", ".join(["gzip"] * layers))
    with pytest.raises(FetchError, match="larger than the limit"):
        http_client.get(web.url("/a"), allow=web.allow, max_bytes=1 << 20)


# data sets


def tweets(
    tmp_path: Path, content: bytes
) -> tuple[list[tuple[tuple[str, ...], list[tuple[int, int, str]]]], LoadReport]:
    folder = tmp_path / "twitter2015"
    folder.mkdir(exist_ok=True)
    (folder / "train.txt").write_bytes(content)
    report = LoadReport()
    examples = registry.load("twitter2015", "train", tmp_path, "native", report)
    found = [(one.words, [(span.start, span.end, span.type) for span in one.mentions]) for one in examples]
    return found, report


READ = [(("Jane", "Harcourt", "visited", "Norwich"), [(0, 2, "PER"), (3, 4, "LOC")])]


def test_d1_four_columns_are_word_and_last_tag(tmp_path: Path) -> None:
    found, report = tweets(tmp_path, given("d3_four_columns_train.txt"))
    assert found == READ
    assert report.counts["words with columns between word and tag, which are passed over"] == 4


def test_d1_lines_of_other_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="line 3: 2 columns, where the lines before have 4"):
        tweets(tmp_path, b"IMGID:1\nJane\tNNP\tB-NP\tB-PER\nHarcourt\tI-PER\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_d2_a_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    assert tweets(tmp_path, given("d2_bom_train.txt").decode("utf-8-sig").encode(encoding))[0] == READ


def test_d2_in_json_and_lines_of_json_with_null(tmp_path: Path) -> None:
    row = {"tokens": ["Jane", "won"], "tags": ["U-Peop", "O"], "relations": [], "orig_id": 1}
    (tmp_path / "conll04").mkdir()
    (tmp_path / "conll04" / "conll04_train.json").write_text(json.dumps([row]), encoding="utf-8-sig")
    assert registry.load("conll04", "train", tmp_path)[0].words == ("Jane", "won")
    ends = {end: {"name": "x", "pos": [start, start + 1], "wiki": None} for end, start in (("h", 0), ("t", 1))}
    pair = {"token": ["Jane", "Norwich"], **ends, "img_id": "1.jpg", "relation": "/per/loc/place_of_residence"}
    (tmp_path / "mnre").mkdir()
    (tmp_path / "mnre" / "mnre_train.txt").write_text(json.dumps(pair) + "\n", encoding="utf-8-sig")
    assert registry.load("jmere", "train", tmp_path)[0].words == ("Jane", "Norwich")


def test_d2_one_bad_byte_costs_one_character_and_is_counted(tmp_path: Path) -> None:
    content = b"IMGID:1\n" + b"word\tO\n" * 100 + b"Norw\xffich\tB-LOC\n"
    [(words, mentions)], report = tweets(tmp_path, content)
    assert words[-1] == "Norw�ich" and mentions == [(100, 101, "LOC")]
    assert report.counts["characters of train.txt that are not UTF-8, replaced"] == 1
    with pytest.raises(DatasetError, match="line 2: not UTF-8: save the file as UTF-8"):
        tweets(tmp_path, "IMGID:1\nWałęsa\tB-PER\n".encode("iso-8859-2"))


def test_d2_lines_to_analyse_with_null(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    rows = [{"id": None, "text": "Jane won.", "title": None, "published": None}, {"id": "b", "text": None}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8-sig")
    with file.open("rb") as stream:
        first, second = inputs.from_jsonl(stream)
    assert (first.id, first.problem) == ("1", None)
    assert second.problem is not None and "Line 2: `text` is missing" in second.problem.message
