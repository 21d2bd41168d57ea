"""What people report of texts: invisible characters in names, lines broken at a width, markup in plain text."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.test import Client

from extraction.crawler.parsers import article_parser
from extraction.models import Deployment, Post
from extraction.readings import inputs
from extraction.text.cleaning import clean
from extraction.text.markup import markup_in
from extraction.text.parser import Parser
from kgbuilder.accounts import api_tokens
from knowledge.entities import names
from tests import records
from tests.factories import make_user

PLAIN = "Zdenka Hrabalova was born in Olomouc."
INVISIBLE = [
    "Zde\u00adnka Hra\u00adbalova was born in Olo\u00admouc.",
    "Zdenka\u200b Hrabalova was born in Olo\u200bmouc.",
    "\ufeffZdenka Hrabalova was born in Olomouc.",
    "\u200fZdenka Hrabalova\u200f was born in Olomouc\u200e.",
    "Zdenka\u2060 Hrabalova was born in Olomouc.",
    "\u2068Zdenka Hrabalova\u2069 was born in \u202aOlomouc\u202c.",
]
KEPT = [
    "می\u200cخواهم",
    "क्\u200dष",
    "👨\u200d👩\u200d👧",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]
WRAPPED = (
    "The prize went to Marie\nCurie, who was born in\nWarsaw and taught at the\nUniversity of Paris. Her\n"
    "husband was Pierre\nCurie."
)


@pytest.mark.parametrize("text", INVISIBLE)
def test_invisible_characters_are_no_part_of_a_text(text: str) -> None:
    assert clean(text) == PLAIN
    document = inputs.document("1", text).text
    assert document == PLAIN
    page = (
        f"<html><body><article><h1>At the fair</h1><p>{text} {'She opened the fair. ' * 20}</p></article></body></html>"
    )
    assert article_parser.extract(page, "https://news.example/1").text.startswith(PLAIN)


@pytest.mark.parametrize("name", ["Zde\u00adnka Hrabalova", "Zdenka\u200b Hrabalova\u200f", "Zdenka\u200d Hrabalova"])
def test_names_that_differ_in_invisible_characters_alone_are_equal(name: str) -> None:
    assert names.name_key(name) == names.name_key("Zdenka Hrabalova") == "zdenka hrabalova"


def test_a_name_of_an_earlier_text_is_found_and_shown_without_them() -> None:
    assert names.shown("Zde\u00adnka\u200b Hrabalova\u2060") == "Zdenka Hrabalova"
    assert names.name_key("\u200b\u2060") == names.name_key("\u200b\u2060").strip()


@pytest.mark.parametrize("text", KEPT)
def test_joiners_that_a_script_is_spelt_with_stay(text: str) -> None:
    assert clean(text) == text and names.shown(text) == text


def test_a_line_s_end_is_no_sentence_s_end_in_hard_wrapped_text() -> None:
    wrapped, plain = Parser.load().parse_texts([WRAPPED, WRAPPED.replace("\n", " ")])
    assert [one.words for one in wrapped] == [one.words for one in plain]
    assert [one.spans for one in wrapped] == [one.spans for one in plain] and len(plain) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<p>Marie Curie</p><p>was born.</p>", "<p>"),
        ("Marie Curie</p><p>was born.", "</p>"),
        ("Marie Curie<br/>was born.", "<br/>"),
        ('See <a href="https://a.example">here</a>.', '<a href="https://a.example">'),
        ("<B>Marie</B> was born.", "<B>"),
        ("Marks &amp; Spencer", "&amp;"),
        ("Pe&ntilde;a", "&ntilde;"),
        ("&#8220;Yes&#8221;", "&#8220;"),
        ("Why <table> is back", ""),
        ("A List<String> is a list.", ""),
        ("3 < 5 and 7 > 2", ""),
        ("AT&T; R&D", ""),
        ("I <3 you", ""),
        ("Write to <ann@mail.example>", ""),
    ],
)
def test_markup_is_told_from_plain_text(text: str, found: str) -> None:
    assert markup_in(text) == found


def test_a_long_text_of_marks_is_searched_in_one_pass() -> None:
    assert markup_in("<a " * 100_000 + "&" * 100_000) == ""


def test_read_declines_markup_and_names_it() -> None:
    lines = [{"id": "a", "text": "<p>Marie Curie</p>"}, {"id": "b", "text": "Plain.", "title": "A &amp; B"}]
    lines += [{"id": "c", "text": "Plain."}]
    found = list(inputs.from_jsonl(io.BytesIO("\n".join(map(json.dumps, lines)).encode())))
    assert [one.problem.code if one.problem else "" for one in found] == ["markup", "markup", ""]
    assert found[0].problem and "contains markup: <p>" in found[0].problem.message
    assert inputs.from_bytes("page.html", b"<p>Marie</p>").problem is not None


@pytest.mark.django_db
def test_the_api_refuses_markup_with_a_sentence_and_stores_nothing() -> None:
    records.activate(records.checkpoint())
    assert Deployment.objects.filter(active=True).exists()
    _, token = api_tokens.make(make_user("editor"), "for a test", list(api_tokens.SCOPES))
    program = Client(headers={"Authorization": f"Bearer {token}"})

    def sent(address: str, **body: str) -> Any:
        return program.post(f"/api/v1/{address}", json.dumps(body), content_type="application/json")

    for address, body in (("posts", {"id": "1"}), ("texts", {})):
        response = sent(address, text="<p>Marie Curie</p>", **body)
        assert response.status_code == 422 and "contains markup: <p>" in response.json()["detail"]
        assert sent(address, text="Marks", title="Marks &amp; Spencer", **body).status_code == 422
    assert not Post.objects.exists()
    assert sent("posts", id="1", text=INVISIBLE[0]).status_code == 201
    version = Post.objects.get().current_version
    assert version is not None and version.text == PLAIN
