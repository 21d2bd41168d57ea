"""Numbers in digits and in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.text.numerals import digits, leading


@pytest.mark.parametrize(
    ("words", "value", "taken"),
    [
        ("5", 5, 1),
        ("1,250 people", 1250, 1),
        ("5,00,000 rupees", 500_000, 1),
        ("2.5 million", 2_500_000, 2),
        ("twenty five", 25, 2),
        ("one hundred and twenty", 120, 4),
        ("one thousand and one nights", 1001, 4),
        ("one million two hundred thousand", 1_200_000, 5),
        ("two and a half million", 2_500_000, 5),
        ("three and a half", 3.5, 4),
        ("half a million", 500_000, 3),
        ("quarter of a million", 250_000, 4),
        ("a million", 1_000_000, 2),
        ("two dozen", 24, 2),
        ("500 crore", 5_000_000_000, 2),
        ("5 lakh crore", 5 * 10**12, 3),
        ("dozen", 12, 1),
        ("40 50", 40, 1),
        ("two and three", 2, 1),
        ("ten five", 10, 1),
    ],
)
def test_a_number_at_the_beginning(words: str, value: float, taken: int) -> None:
    assert leading(words.split()) == (value, taken)


@pytest.mark.parametrize("words", ["", "a house", "half", "hundreds", "and five", "1,2", "1.2.3", "٣", "５", "x 5"])
def test_what_is_no_number(words: str) -> None:
    assert leading(words.split()) == (None, 0)


def test_endless_digits_are_no_number() -> None:
    assert digits("9" * 100_000) is None


@given(
    st.lists(st.sampled_from(["a", "of", "and", "half", "five", "twenty", "hundred", "million", "7", "x"]), max_size=12)
)
def test_what_is_taken_lies_in_the_words(words: list[str]) -> None:
    value, taken = leading(words)
    assert 0 <= taken <= len(words) and (value is None) == (taken == 0)
