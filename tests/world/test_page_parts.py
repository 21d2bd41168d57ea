"""What people report of the parts of article pages: stories in oddly named containers, pictures in JSON-LD."""

from __future__ import annotations

import json

import pytest

from extraction.crawler.parsers.article_parser import ParsedArticle, extract

URL = "https://news.example/2026/bridge"
STORY = [
    "The council of Norwich voted on Tuesday to rebuild the old bridge over the Wensum, which a flood has closed.",
    "Mayor Jane Harcourt said that the work would begin in May and be finished by the end of the year.",
    "The cost is put at 12 million pounds, of which the government in London pays one half.",
    "Opponents led by Peter Alnwick asked for a longer inquiry into what the works would do to the river.",
]
OTHER = "Get all our stories by mail every morning, with what happened over night and what the day will bring."
PICTURE, CAPTION = "https://news.example/lead.jpg", "The bridge over the Wensum in spring"
OBJECT = {"@type": "ImageObject", "@id": f"{URL}#lead", "url": PICTURE, "caption": CAPTION}
ARTICLE = {"@type": "NewsArticle", "headline": "A bridge", "datePublished": "2026-03-02T09:00:00Z"}


def page(body: str, head: str = "") -> ParsedArticle:
    return extract(
        f"<!doctype html><html lang=en><head><title>A bridge</title>{head}</head><body>{body}</body></html>", URL
    )


def paragraphs(*lines: str) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


NAMES = [
    *("layout-with-newsletter", "has-related-content", "recirc-enabled", "page more-from-section", "Newsletter-Layout"),
    *("with-pullquote", "no-advertisement", "promo-box-page", "related-articles-below"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_story_is_found_whatever_its_container_is_named_after(name: str) -> None:
    box = f'<div class="newsletter-signup">{paragraphs(OTHER)}</div>'
    body = f"<h1>A bridge</h1>{paragraphs(*STORY[:2])}{box}{paragraphs(*STORY[2:])}"
    article = page(f'<div class="{name}"><div class="story">{body}</div></div>')
    assert article.text == "\n\n".join(STORY)


@pytest.mark.parametrize("name", ["newsletter", "related-content", "recirc", "more-from", "promo-box"])
def test_a_box_of_that_name_in_a_story_is_left_out(name: str) -> None:
    box = f'<div class="{name}">{paragraphs(OTHER)}</div>'
    article = page(f"<article><h1>A bridge</h1>{paragraphs(*STORY[:2])}{box}{paragraphs(*STORY[2:])}</article>")
    assert article.text == "\n\n".join(STORY)


def script(content: str, kind: str = "application/ld+json") -> str:
    return f'<script type="{kind}">{content}</script>'


GRAPH = json.dumps({"@context": "https://schema.org", "@graph": [ARTICLE | {"image": {"@id": f"{URL}#lead"}}, OBJECT]})
PLAIN = json.dumps(ARTICLE | {"image": OBJECT})
FORMS = {
    "by @id in a @graph": script(GRAPH),
    "by @id as a string": script(json.dumps([ARTICLE | {"image": [f"{URL}#lead"]}, OBJECT])),
    "by @id in another script": script(json.dumps(ARTICLE | {"image": {"@id": f"{URL}#lead"}}))
    + script(json.dumps(OBJECT)),
    "of the page": script(json.dumps({"@graph": [ARTICLE | {"primaryImageOfPage": {"@id": f"{URL}#lead"}}, OBJECT]})),
    "contentUrl": script(json.dumps(ARTICLE | {"image": {"contentUrl": PICTURE, "caption": CAPTION}})),
    "type with a charset": script(PLAIN, "application/ld+json; charset=utf-8"),
    "type in capitals": script(PLAIN, "Application/LD+JSON"),
    "in a comment": script(f"<!-- {PLAIN} -->"),
    "in CDATA": script(f"//<![CDATA[\n{PLAIN}\n//]]>"),
    "in commented CDATA": script(f"/*<![CDATA[*/{PLAIN}/*]]>*/"),
    "main entity": script(json.dumps({"@type": "WebPage", "mainEntity": ARTICLE | {"image": OBJECT}})),
    "nested lists": script(f"[[{PLAIN}]]"),
    "a comma too many": script(PLAIN[:-1] + ",}"),
    "a semicolon after it": script(PLAIN + ";"),
}


@pytest.mark.parametrize("form", FORMS)
def test_picture_caption_and_date_are_found_in_json_ld(form: str) -> None:
    article = page(f"<article><h1>A bridge</h1>{paragraphs(*STORY)}</article>", FORMS[form])
    assert (article.image, article.caption, article.published) == (PICTURE, CAPTION, ARTICLE["datePublished"])


def test_commas_within_a_text_stay_where_one_is_too_many_elsewhere() -> None:
    body = json.dumps(ARTICLE | {"image": OBJECT | {"caption": "A list [1, 2,] and {so on,} of bridges"}})[:-1] + ",}"
    assert page(paragraphs(*STORY), script(body)).caption == "A list [1, 2,] and {so on,} of bridges"


def test_another_story_in_the_json_ld_is_not_this_one() -> None:
    others = {
        "@type": "ItemList",
        "itemListElement": [ARTICLE | {"headline": "Another and longer headline", "image": "/no.jpg"}],
    }
    article = page(paragraphs(*STORY), script(json.dumps([others, ARTICLE | {"image": OBJECT}])))
    assert article.image == PICTURE


def test_references_in_a_circle_end() -> None:
    circle = ARTICLE | {"@id": "#a", "image": {"@id": "#a"}, "mainEntity": {"@id": "#a"}}
    assert page(paragraphs(*STORY), script(json.dumps(circle))).published == ARTICLE["datePublished"]
