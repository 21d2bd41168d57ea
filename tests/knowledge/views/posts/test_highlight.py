"""Marking mentions in a text: nested, crossing, in any script, and with the markup of the text escaped."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from knowledge.views.posts.highlight import MarkedMention, marked, marked_parts, paragraphs, quoted, segments


def span(text: str, words: str, id: int = 1, type: str = "person") -> MarkedMention:
    start = text.index(words)
    return MarkedMention(id, start, start + len(words), type, f"/e/{id}/", words)


def bare(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace(
        "&#x27;", "'"
    ).replace("&amp;", "&")  # fmt: skip


def test_offsets_count_code_points() -> None:
    text = "🚀🚀 Zürich e\u0301t\u00e9 🇨🇭 Bern"
    html = marked(text, 0, len(text), [span(text, "Bern", type="location")])
    assert ">Bern</a></bdi>" in html
    assert bare(html) == text


def test_a_mention_links_to_its_entity_and_shows_its_type() -> None:
    text = "Ada wrote."
    html = marked(text, 0, len(text), [span(text, "Ada", 7)])
    assert html == (
        '<bdi><a class="mention t-person ends" id="m7" data-m="7" href="/e/7/" title="Person: Ada">Ada</a></bdi> wrote.'
    )


def test_a_pronoun_is_marked_quietly_and_named_after_its_entity() -> None:
    text = "She wrote."
    html = marked(text, 0, len(text), [MarkedMention(7, 0, 3, "person", "/e/7/", "Ada <Lovelace>", "pronoun")])
    assert html == (
        '<bdi><a class="mention t-person pronoun" id="m7" data-m="7" href="/e/7/" title="Person: Ada &lt;Lovelace&gt;"'
        ' aria-label="She: Ada &lt;Lovelace&gt;">She</a></bdi> wrote.'
    )


def test_a_time_is_marked_without_a_link() -> None:
    text = "On Monday."
    html = marked(text, 0, len(text), [MarkedMention(7, 3, 9, "time", "", "3 March 2014")])
    assert html == (
        'On <bdi><span class="mention t-time ends" id="m7" data-m="7" title="Time: 3 March 2014">Monday</span></bdi>.'
    )
    assert 'title="Time"' in marked(text, 0, len(text), [MarkedMention(7, 3, 9, "time", "", "")])


def test_a_mention_within_another_keeps_both() -> None:
    text = "University of Paris"
    html = marked(text, 0, len(text), [span(text, text, 1, "organization"), span(text, "Paris", 2, "location")])
    assert '<a class="mention t-organization" id="m1" data-m="1"' in html
    assert '<a class="mention t-location ends" id="m2" data-m="2 1"' in html
    assert bare(html) == text


def test_mentions_that_cross_keep_their_anchors_and_one_tab_stop_each() -> None:
    text = "New York Times Square"
    html = marked(text, 0, len(text), [span(text, "New York Times", 1), span(text, "Times Square", 2, "location")])
    assert html.count('id="m1"') == html.count('id="m2"') == 1
    assert html.count("<a ") - html.count("tabindex") == 2
    assert bare(html) == text


def test_two_mentions_that_begin_together_are_both_anchors() -> None:
    text = "Paris Hilton"
    html = marked(text, 0, len(text), [span(text, "Paris", 1, "location"), span(text, text, 2)])
    assert 'id="m1"' in html
    assert 'id="m2"' in html


def test_the_text_is_escaped() -> None:
    text = "<script>alert('x')</script> & <b>Ada</b>"
    html = marked(text, 0, len(text), [span(text, "<b>Ada</b>")])
    assert "<script>" not in html
    assert "<b>" not in html
    assert bare(html) == text


@given(
    st.text(alphabet="ab <&\n🚀é", max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)
)
def test_whatever_the_mentions_no_character_is_lost_or_doubled(text: str, places: list[tuple[int, int]]) -> None:
    spans = [
        MarkedMention(i, min(a, b), max(a, b), "person", "/", "x")
        for i, (a, b) in enumerate(places)
        if min(a, b) < max(a, b) <= len(text)
    ]
    assert "".join(segment.text for segment in segments(text, 0, len(text), spans)) == text
    html = marked(text, 0, len(text), spans)
    assert bare(html) == text
    for one in spans:
        assert html.count(f'id="m{one.id}"') == 1


def test_paragraphs_are_split_at_blank_lines_after_the_title() -> None:
    text = "Title\n\nOne.\nStill one.\n\n \nTwo."
    assert [text[a:b] for a, b in paragraphs(text, 5)] == ["One.\nStill one.", "Two."]


def test_parts_marked_together_are_marked_as_alone() -> None:
    text = "Ada\n\nAda met Babbage\n\nin London. Ada"
    spans = [
        MarkedMention(i, m.start(), m.end(), "person", "/", "x")
        for i, m in enumerate(re.finditer("Ada|Babbage|London", text))
    ]
    spans.append(MarkedMention(99, 2, 8, "person", "/", "from one paragraph into another"))
    parts = paragraphs(text, 0)
    assert marked_parts(text, parts, spans) == [marked(text, a, b, spans) for a, b in parts]


def test_a_quote_marks_both_ends_and_stays_in_its_paragraph() -> None:
    text = "Title\n\nAda Lovelace worked with Babbage in London.\n\nAnother paragraph."
    quote = quoted(
        text, [(text.index("Ada"), text.index("Ada") + 3), (text.index("Babbage"), text.index("Babbage") + 7)]
    )
    assert "<mark><bdi>Ada</bdi></mark>" in quote
    assert "<mark><bdi>Babbage</bdi></mark>" in quote
    assert bare(quote) == "Ada Lovelace worked with Babbage in London."


def test_a_quote_of_ends_far_apart_leaves_the_middle_out() -> None:
    text = f"Ada {'and so on ' * 100}met Babbage."
    quote = bare(quoted(text, [(0, 3), (len(text) - 8, len(text) - 1)]))
    assert quote.startswith("Ada and so on")
    assert quote.endswith("met Babbage.")
    assert len(quote) < 300


def test_a_quote_over_two_paragraphs_is_two_quotes() -> None:
    text = "Ada wrote it down.\n\nIt was Babbage who had asked her for it, and everybody in the town knew that by then."
    quote = bare(quoted(text, [(0, 3), (text.index("Babbage"), text.index("Babbage") + 7)]))
    assert quote.startswith("Ada wrote it down. … It was Babbage who")
    assert quote.endswith(" …")
    assert quote.count("…") == 2
