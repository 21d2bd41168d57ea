"""Cases P1 and P2, and the same for feeds and files: which encoding holds, in the HTML standard's order."""

from __future__ import annotations

import codecs

import pytest

from extraction.crawler.parsers import opml
from extraction.crawler.parsers.article_parser import extract
from extraction.crawler.parsers.character_encoding import codec_of, decode_page, decode_xml
from extraction.crawler.parsers.feed_parser import parse
from tests.world.given import given

URL = "https://news.example/talks"
POLISH = "Lech Wałęsa met Jarosław Kaczyński in Gdańsk, and Łukasz Żółć of Łódź spoke after them."
FRENCH = "La première ministre a déclaré que le débat était terminé ; “très bien”, a-t-elle ajouté à François."
RUSSIAN = "Президент встретился с министром в Москве и обсудил вопросы."
JAPANESE = "東京都は月曜日に新しい橋を開通させたと発表した。"


def test_p1_a_declared_encoding_is_read_as_browsers_read_it() -> None:
    text = extract(given("p01_cp1252_declared_latin1.html"), URL, "text/html").whole
    for words in ("Hélène Carrère", "Enrique Peña Nieto", "“très bien”", "Søren Bøgh of Århus", "Orléans"):
        assert words in text


def test_p1_the_header_declares_it() -> None:
    text = extract(given("p02_latin2_header_only.html"), URL, "text/html; charset=ISO-8859-2").text
    assert text.startswith("Lech Wałęsa met Jarosław Kaczyński in Gdańsk, and Łukasz Żółć of Łódź")


def test_p2_a_bad_byte_costs_one_character() -> None:
    content = given("p03_one_bad_byte.html")
    text = extract(content, URL).whole
    for words in ("Hélène Carrère", "Enrique Peña Nieto", "“très bien”"):
        assert words in text
    assert decode_page(content).bad == 1
    inside = content.replace("Hélène Carrère".encode(), b"H\xff\xc3\xa9l\xc3\xa8ne")
    assert "H�élène" in extract(inside, URL).text


@pytest.mark.parametrize(
    ("content", "content_type", "encoding"),
    [
        (codecs.BOM_UTF8 + f"<meta charset=windows-1250>{FRENCH}".encode(), "text/html; charset=koi8-r", "utf-8"),
        (codecs.BOM_UTF16_LE + FRENCH.encode("utf-16-le"), "text/html; charset=utf-8", "utf-16-le"),
        (codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be"), "", "utf-16-be"),
        (f"<p>{FRENCH}".encode("utf-16-le"), "", "utf-16-le"),
        (f"<meta charset=utf-8>{RUSSIAN}".encode("cp1251"), "text/html; Charset='windows-1251'", "cp1251"),
        (f"<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>{RUSSIAN}".encode("koi8-r"), "", "koi8-r"),
        (f"<?xml version='1.0' encoding='iso-8859-2'?><p>{POLISH}".encode("iso-8859-2"), "", "iso8859-2"),
        (f"<!-- {'x' * 1500} --><meta charset=shift_jis>{JAPANESE}".encode("cp932"), "", "cp932"),
        (f"<meta charset=utf-16><p>{FRENCH}".encode(), "", "utf-8"),
        (f"<p>{FRENCH}".encode(), "text/html; charset=utf-16", "utf-8"),
        (f"<p>{FRENCH}".encode(), "text/html; charset=ISO-8859-1", "utf-8"),
        (f"<meta charset=utf-8><p>{FRENCH}".encode("cp1252"), "", "cp1252"),
        (f"<p>{JAPANESE}".encode("iso2022_jp"), "", "iso2022_jp"),
    ],
    ids=[
        *("mark", "UTF-16 mark", "UTF-16 BE mark", "UTF-16 unmarked", "header before meta", "meta", "XML declaration"),
        *("meta after a comment", "meta UTF-16", "header UTF-16", "server's default", "not UTF-8", "escapes"),
    ],
)
def test_p1_the_order_is_mark_header_declaration_detection(content: bytes, content_type: str, encoding: str) -> None:
    decoded = decode_page(content, content_type)
    assert (decoded.encoding, decoded.bad) == (encoding, 0)
    assert any(text in decoded.text for text in (POLISH, FRENCH, RUSSIAN, JAPANESE))


@pytest.mark.parametrize(
    ("text", "language", "encoding"),
    [
        *((FRENCH, language, "cp1252") for language in ("fr", "")),
        *((POLISH, language, encoding) for language in ("pl", "") for encoding in ("iso8859_2", "cp1250")),
        *((RUSSIAN, language, encoding) for language in ("ru", "") for encoding in ("cp1251", "koi8_r")),
        *((JAPANESE, language, encoding) for language in ("ja", "") for encoding in ("cp932", "euc_jp")),
    ],
)
def test_p1_what_nobody_declares_is_detected(text: str, language: str, encoding: str) -> None:
    lang = f" lang={language}" if language else ""
    assert text in decode_page(f"<html{lang}><p>{text}</p>".encode(encoding)).text


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("Latin1", "cp1252"), ("us-ascii", "cp1252"), ("GB2312", "gb18030"), ("x-sjis", "cp932"), ("utf8", "utf-8"),
        ("ks_c_5601-1987", "cp949"), ("windows-874", "cp874"), ("rot13", ""), ("utf-7", ""), ("base64", ""), ("?", ""),
    ],
)  # fmt: skip
def test_p1_labels_mean_what_they_mean_in_browsers(label: str, codec: str) -> None:
    assert codec_of(label) == codec


def rss(title: str, declared: str = "") -> str:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return (
        f"{declaration}<rss version='2.0'><channel><title>N</title><item><title>{title}</title></item></channel></rss>"
    )


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (rss(POLISH).encode("iso-8859-2"), "application/rss+xml; charset=iso-8859-2"),
        (rss(POLISH, "windows-1250").encode("cp1250"), "application/rss+xml"),
        (rss(POLISH, "iso-8859-1").encode(), "text/xml"),
        (rss(POLISH, "utf-16").encode(), "text/xml"),
        (rss(POLISH, "utf-8").encode("utf-16"), "text/xml; charset=utf-8"),
        (codecs.BOM_UTF8 + b"\n\n" + rss(POLISH, "iso-8859-1").encode(), "text/html"),
    ],
    ids=["header", "declaration", "wrong declaration", "declared UTF-16", "UTF-16", "mark and blank lines"],
)
def test_p1_in_feeds(content: bytes, content_type: str) -> None:
    parsed = parse(content, content_type, URL)
    assert (parsed.items[0].title, parsed.notice) == (POLISH, "")


def test_p2_in_feeds_with_a_notice() -> None:
    content = rss(f"{POLISH} ?", "utf-8").encode().replace(b"?<", b"\xff<")
    parsed = parse(content, "text/xml", URL)
    assert parsed.items[0].title == f"{POLISH} �"
    assert parsed.notice == "1 characters are no UTF-8 and were replaced."


def test_p1_p2_in_lists_of_feeds() -> None:
    text = f'<opml><body><outline text="{POLISH}" xmlUrl="https://news.example/f"/></body></opml>'
    declared = f"<?xml version='1.0' encoding='iso-8859-2'?>{text}"
    assert opml.parse(declared.encode("iso-8859-2")).outlines[0].title == POLISH
    damaged = opml.parse(text.encode().replace(b"Lech", b"L\xffch"))
    assert damaged.outlines[0].title == POLISH.replace("Lech", "L�ch") and "replaced" in damaged.notice


def test_a_declaration_is_not_looked_for_everywhere() -> None:
    assert decode_xml(b"<rss><item/></rss>" + b" " * 9000 + b"<?xml encoding='koi8-r'?>").encoding == "utf-8"
