"""Amounts: values and units of sums, shares and counts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.text.amounts import LONGEST, resolve
from extraction.text.currencies import NAMES, SIGNS


@pytest.mark.parametrize(
    ("words", "value", "unit"),
    [
        ("$5", 5, "USD"),
        ("US$ 3.4 trillion", 3.4e12, "USD"),
        ("£14m", 14e6, "GBP"),
        ("€2.3 billion", 2.3e9, "EUR"),
        ("Rs 500 crore", 5e9, "INR"),
        ("Rs. 5,00,000", 500_000, "INR"),
        ("₹5 lakh crore", 5e12, "INR"),
        ("R20m", 20e6, "ZAR"),
        ("R10 000", 10_000, "ZAR"),
        ("A$5", 5, "AUD"),
        ("C$22m", 22e6, "CAD"),
        ("N5bn", 5e9, "NGN"),
        ("KSh500,000", 500_000, "KES"),
        ("USD 5m", 5e6, "USD"),
        ("5 USD", 5, "USD"),
        ("500 €", 500, "EUR"),
        ("40,000 euros", 40_000, "EUR"),
        ("5.4bn euros", 5.4e9, "EUR"),
        ("one million dollars", 1e6, "USD"),
        ("100 Yuan", 100, "CNY"),
        ("3 billion francs", 3e9, "francs"),
        ("3 billion Swiss francs", 3e9, "CHF"),
        ("20,000 New Zealand dollars", 20_000, "NZD"),
        ("$19 billion in cash and shares", 19e9, "USD"),
        ("$1.2m-a-week", 1.2e6, "USD"),
        ("nearly $700,000", 700_000, "USD"),
        ("an estimated $3bn", 3e9, "USD"),
        ("as much as $1 billion", 1e9, "USD"),
        ("$45.5-million.", 45.5e6, "USD"),
        ("2.5 percent", 2.5, "%"),
        ("2.5 per cent", 2.5, "%"),
        ("12%", 12, "%"),
        ("-5%", -5, "%"),
        ("−5%", -5, "%"),
        ("minus 5 degrees", -5, "degrees"),
        ("Forty percent", 40, "%"),
        ("10 percent of voters", 10, "%"),
        ("three-percentage-point", 3, "percentage points"),
        ("300 people", 300, "people"),
        ("40m people", 40e6, "people"),
        ("100m", 100, "m"),
        ("half a million tons", 500_000, "tons"),
        ("more than two and a half times", 2.5, "times"),
        ("66 years old", 66, "years old"),
        ("A million", 1e6, ""),
        ("a dozen", 12, ""),
        ("about 8 million", 8e6, ""),
        ("perhaps a hundred or more", 100, ""),
        ("two of the three", 2, ""),
        ("Ninety-five", 95, ""),
        ("0", 0, ""),
    ],
)
def test_an_amount_has_its_value_and_unit(words: str, value: float, unit: str) -> None:
    assert resolve(words) == (value, unit)


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("dozens", ""),
        ("dozens of people", "people"),
        ("millions of dollars", "USD"),
        ("several hundred", ""),
        ("half", ""),
        ("two-thirds", ""),
        ("about a third of voters", "voters"),
        ("$5-6 billion", "USD"),
        ("$5 million to $6 million", "USD"),
        ("40 and 50 million barrels", "barrels"),
        ("between 150 and 200", ""),
        ("three to five percent", "%"),
        ("53-47", ""),
        ("1 in 3", ""),
        ("one out of seven", ""),
        ("4-to-1", ""),
        ("45th", ""),
        ("fifth", ""),
        ("prime minister", ""),
        ("1,5", ""),
        ("½", ""),
        ("٣ people", ""),
        ("$", ""),
        ("", ""),
    ],
)
def test_what_is_no_single_number_has_no_value(words: str, unit: str) -> None:
    assert resolve(words) == (None, unit)


@pytest.mark.parametrize("words", ["9" * 200_000, "$" * 200_000, "million " * 50_000, "(" * 200_000, "about " * 50_000])
def test_words_too_long_for_an_amount_are_none(words: str) -> None:
    assert resolve(words) == (None, "")


@given(st.text(max_size=LONGEST) | st.text(alphabet="$£5,.-m %to", max_size=LONGEST))
def test_a_value_is_finite(words: str) -> None:
    value, _ = resolve(words)
    assert value is None or math.isfinite(value)


def test_codes_are_written_as_iso_4217_writes_them() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in (*SIGNS.values(), *NAMES.values()))
