"""Pages as publishers write them: what is the story, what is not, and which pages are no story at all."""

from __future__ import annotations

import json

import pytest

from extraction.crawler.parsers.article_parser import LONGEST_TEXT, ParsedArticle, extract
from extraction.crawler.parsers.jsonld import story_of

URL = "https://www.news.example/2026/storm.html"
STORY = [
    "A storm closed the port of Hartlepool on Monday, the harbour master said, and left nine ships waiting at anchor.",
    "Waves of six metres broke over the north pier, where the lifeboat station lost its slipway during the night.",
    "The town council opened two schools as shelters and asked people to stay away from the sea front until Wednesday.",
    "Trains between Hartlepool and Sunderland stopped at noon because a tree had fallen on the line near Seaham.",
]


def page(*body: str, head: str = "", title: str = "Storm closes port") -> str:
    inner = "".join(f"<p>{part}</p>" if not part.startswith("<") else part for part in body or STORY)
    return (
        f"<!DOCTYPE html><html lang='en-GB'><head><title>{title}</title>{head}</head><body>"
        "<header><nav><ul><li><a href='/'>Home</a></li><li><a href='/sport'>Sport</a></li></ul></nav></header>"
        f"<main><article><h1>{title}</h1>{inner}</article></main><footer><p>Contact us</p></footer></body></html>"
    )


def ld(**fields: object) -> str:
    return f"<script type='application/ld+json'>{json.dumps({'@type': 'NewsArticle'} | fields)}</script>"


def read(html: str | bytes, url: str = URL) -> ParsedArticle:
    return extract(html, url)


def test_body_headline_and_language() -> None:
    article = read(page())
    assert article.title == "Storm closes port"
    assert article.text == "\n\n".join(STORY)
    assert article.whole == f"Storm closes port\n\n{article.text}"
    assert (article.language, article.login_wall) == ("en-GB", False)


def test_the_page_s_metadata() -> None:
    head = (
        '<link rel="canonical" href="/2026/storm"><meta property="og:image" content="/img/storm-lead.jpg">'
        '<meta property="article:published_time" content="2026-03-02T12:00:00Z">'
    )
    figure = "<figure><img src='/img/storm-lead.jpg?w=600'><figcaption>Waves at the north pier.</figcaption></figure>"
    article = read(page(*STORY[:2], figure, *STORY[2:], head=head))
    assert article.canonical == "https://www.news.example/2026/storm"
    assert article.image == "https://www.news.example/img/storm-lead.jpg"
    assert article.caption == "Waves at the north pier."
    assert article.published == "2026-03-02T12:00:00Z"
    assert "north pier." not in article.text


def test_the_caption_is_the_lead_picture_s() -> None:
    other = "<figure><img src='/img/council-house.jpg'><figcaption>The council house last year.</figcaption></figure>"
    lead = "<figure><img src='/img/storm-lead.jpg'><figcaption>Waves at the north pier.</figcaption></figure>"
    head = '<meta property="og:image" content="https://cdn.example/resize/storm-lead.jpg?w=1200">'
    assert read(page(other, *STORY, lead, head=head)).caption == "Waves at the north pier."


@pytest.mark.parametrize(
    "title",
    [
        "Storm closes port | Example News",
        "Storm closes port - Example News",
        "Storm closes port – news",
        "Storm closes port * Example News * by Ann Writer",
    ],
)
def test_a_publisher_s_name_is_no_part_of_the_headline(title: str) -> None:
    head = f'<meta property="og:site_name" content="Example News"><meta property="og:title" content="{title}">'
    without_heading = page(head=head).replace("<h1>Storm closes port</h1>", "")
    assert read(without_heading).title == "Storm closes port"


def test_a_headline_keeps_its_own_dashes() -> None:
    head = '<meta property="og:title" content="Port shut - nine ships wait">'
    assert read(page(head=head).replace("<h1>Storm closes port</h1>", "")).title == "Port shut - nine ships wait"


def test_the_page_s_heading_is_preferred_where_it_is_the_same() -> None:
    head = "<meta property='og:title' content=\"Storm's toll: port shut | Example News\">"
    assert read(page(head=head).replace("<h1>Storm closes port", "<h1>Storm’s toll: port shut")).title == (
        "Storm’s toll: port shut"
    )


@pytest.mark.parametrize(
    "foreign",
    [
        "Advertisement",
        "ADVERTISEMENT",
        "Read more:",
        "Sign up for our morning newsletter",
        "Copyright © 2026 Example News.",
        "<p><a href='/other'>Council to sell the old town hall next year</a></p>",
        "<p>TWELVE SHIPS HELD AT THE MOUTH OF THE TEES</p>",
        "<blockquote class='twitter-tweet'><p>Waves! pic.twitter.com/x1y2</p></blockquote>",
        "<p class='wp-caption-text'>The pier in better days</p>",
        "<h1>Storm closes port</h1>",
        f"<p>{STORY[0]}</p>",
    ],
)
def test_what_is_not_the_story_is_left_out(foreign: str) -> None:
    assert read(page(*STORY[:2], foreign, *STORY[2:])).text == "\n\n".join(STORY)


def test_a_list_s_items_are_paragraphs() -> None:
    article = read(page(*STORY, "<ul><li>Two schools are open as shelters.</li><li>No trains run to Seaham.</li></ul>"))
    assert article.text.endswith("\n\nTwo schools are open as shelters.\n\nNo trains run to Seaham.")


def test_a_story_that_is_only_in_json_ld_is_read_there() -> None:
    body = "\n\n".join(["+++dropcap", "On the [north pier](https://x.example/a), *waves* broke.", *STORY])
    html = page(STORY[0], head=ld(headline="Storm closes port", articleBody=body))
    assert read(html).text.split("\n\n") == ["On the north pier, waves broke.", *STORY]


def test_a_summary_in_json_ld_does_not_replace_the_story() -> None:
    assert read(page(head=ld(articleBody=STORY[0]))).text == "\n\n".join(STORY)


@pytest.mark.parametrize(
    "script",
    ["not json", "[" * 100_000, "[]", "null", '{"@graph": 3}', '{"@type": "NewsArticle", "image": [[[]]]}'],
)
def test_json_ld_that_makes_no_sense_is_passed_over(script: str) -> None:
    html = page(head=f"<script type='application/ld+json'>{script}</script>")
    assert read(html).text == "\n\n".join(STORY)


def test_json_ld_gives_picture_and_caption() -> None:
    picture = {"@type": "ImageObject", "url": "https://cdn.example/p.jpg", "caption": "Waves at the pier"}
    article = read(page(head=ld(headline="Storm closes port", image=[picture])))
    assert (article.image, article.caption) == ("https://cdn.example/p.jpg", "Waves at the pier")


@pytest.mark.parametrize("source", ["javascript:alert(1)", "data:image/png;base64,AAAA", "file:///etc/passwd"])
def test_only_web_addresses_are_pictures(source: str) -> None:
    assert read(page(head=f'<meta property="og:image" content="{source}">')).image == ""


@pytest.mark.parametrize(
    ("html", "url"),
    [
        (page("Please wait.", title="Sign in"), URL),
        (page("Please wait.", title="Just a moment..."), URL),
        (page("Subscribe to continue reading this story.", STORY[0]), URL),
        (page(STORY[0], "<form><input type='password'></form>"), URL),
        (page(STORY[0], head=ld(isAccessibleForFree=False)), URL),
        (page(STORY[0]), "https://accounts.news.example/login?next=/storm"),
    ],
    ids=["sign in", "challenge", "subscribe", "password", "paid", "address"],
)
def test_login_walls_are_distinguished_from_stories(html: str, url: str) -> None:
    assert read(html, url).login_wall


def test_a_whole_story_beside_a_login_form_is_a_story() -> None:
    long = [f"{sentence} {sentence[::-1]}" for sentence in STORY * 2]
    article = read(page(*STORY, *long, "<form><input type='password'></form>", head=ld(isAccessibleForFree=False)))
    assert not article.login_wall and STORY[0] in article.text


def test_declared_and_undeclared_encodings() -> None:
    story = [part.replace("storm", "Stürm’") for part in STORY]
    declared = page(*story, head="<meta charset='windows-1252'>").encode("windows-1252")
    assert "Stürm’" in read(declared).text
    assert "Stürm’" in read(page(*story).encode()).text


def test_a_book_is_cut_at_a_paragraph() -> None:
    book = [f"Chapter {number}: {STORY[number % 4] * 10}" for number in range(400)]
    text = read(page(*book)).text
    assert 250_000 < len(text) <= LONGEST_TEXT and text.endswith(book[text.count("\n\n")])
    assert len(read(page("word " * 100_000)).text) <= LONGEST_TEXT


@pytest.mark.parametrize("marker", [" *a", " _a", "*", "[a](", "<a ", "{:", "[", "![x]("])
def test_text_made_of_markers_is_read_in_time(marker: str) -> None:
    """By the square of its length this would take hours."""
    story = story_of([json.dumps({"@type": "Article", "articleBody": marker * 300_000})])
    assert len(story.paragraphs) == 1


def test_nul_does_not_come_through() -> None:
    assert "\0" not in read(page(*STORY, title="Storm\0 closes port")).whole


@pytest.mark.parametrize(
    "html",
    [
        b"",
        b"\x00\xff\xfe" * 1000,
        b"%PDF-1.7 nonsense",
        b"<div>" * 50_000,
        b"<p>" * 100_000,
        b"<?xml version='1.0' encoding='utf-32'?><p>x</p>",
        b"<html><head><title>" + b" - x" * 20_000,
    ],
    ids=["empty", "bytes", "pdf", "deep", "many", "encoding", "title"],
)
def test_a_page_that_cannot_be_read_has_no_text(html: bytes) -> None:
    assert read(html).text == ""
