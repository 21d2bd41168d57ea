"""Datelines: their spans, and words before a dash that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.text.datelines import LONGEST, find

DATELINES = [
    "NAIROBI, Kenya (AP) —",
    "WASHINGTON —",
    "WASHINGTON (AP) _",
    "LONDON, Jan 5 (Reuters) -",
    "TOKYO, March 3 (Kyodo) —",
    "PARIS (AFP) –",
    "ST. LOUIS, Mo. (AP) —",
    "ST. LOUIS, MO. —",
    "WASHINGTON/DALLAS —",
    "JERUSALEM and GAZA —",
    "HO CHI MINH CITY —",
    "GUANTÁNAMO BAY, Cuba —",
    "PORT-AU-PRINCE, Haiti —",
    "N'DJAMENA, Chad (AP) —",
    "SEOUL, South Korea (AP) —",
    "BAGHDAD, Sept. 3, 2016 —",
    "CLEVELAND (Great Lakes Press) -",
    "GENEVA (8 May 2014) –",
    "London, 5 January --",
    "Mumbai, March 3 (PTI):",
    "Washington (CNN)",
    "(Reuters) -",
]


@pytest.mark.parametrize("dateline", DATELINES)
def test_a_dateline_is_found_with_its_dash(dateline: str) -> None:
    text = f"{dateline} The minister resigned."
    assert find(text) == (0, len(dateline))


def test_the_dateline_of_a_body_is_after_title_blank_lines_and_byline() -> None:
    text = "A storm — The Latest\n\nBy Ada Obi\n\nLAGOS, Nigeria —\nRain fell."
    start = text.index("LAGOS")
    assert find(text, title_end=text.index("\n")) == (start, start + len("LAGOS, Nigeria —"))


@pytest.mark.parametrize(
    "text",
    [
        "The strike — the first in years — ended.",
        "Apple — the maker of phones — said so.",
        "NATO — the alliance — met.",
        "NATO — The alliance met.",
        "BREAKING — A man was found.",
        "UPDATE: The road is open.",
        "LONDON-based Acme has a new chief.",
        "IBM - The company said so.",
        "LONDON — and Paris too — voted.",
        "Obama (D-Ill.) — The president spoke.",
        "Jane Doe (left) — She won.",
        "Smith (Labour): We voted against it.",
        "NEW DELHI: The road is open.",
        "The minister resigned. LONDON — The end.",
        "",
        " \n ",
    ],
)
def test_other_words_before_a_dash_are_none(text: str) -> None:
    assert find(text) is None


@pytest.mark.parametrize("text", ["Ā" * 100_000, "A " * 100_000, "A.'" * 50_000, "(" * 100_000, " \n" * 100_000 + "A"])
def test_of_a_long_text_only_the_beginning_is_read(text: str) -> None:
    assert find(text) is None


@given(st.text(alphabet="AÉa .,'()-—:\n5", max_size=60), st.integers(0, 70))
def test_a_span_lies_in_the_text_and_after_the_title(text: str, title_end: int) -> None:
    found = find(text, title_end)
    if found:
        assert title_end <= found[0] < found[1] <= len(text) and found[1] - found[0] <= LONGEST
