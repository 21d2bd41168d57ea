"""Times and amounts in words for people."""

from __future__ import annotations

from datetime import date

import pytest

from extraction.text.plain_values import days_of, plain_amount, plain_interval, plain_time

MONDAY = date(2014, 3, 3)


@pytest.mark.parametrize(
    ("earliest", "latest", "shown"),
    [
        (MONDAY, MONDAY, "3 March 2014"),
        (date(2014, 3, 1), date(2014, 3, 31), "March 2014"),
        (date(2014, 2, 1), date(2014, 2, 28), "February 2014"),
        (date(2014, 1, 1), date(2014, 12, 31), "2014"),
        (date(2013, 1, 1), date(2015, 12, 31), "2013 to 2015"),
        (date(2014, 1, 1), date(2014, 3, 31), "January to March 2014"),
        (date(2013, 12, 1), date(2014, 3, 31), "December 2013 to March 2014"),
        (MONDAY, date(2014, 3, 9), "3 to 9 March 2014"),
        (date(2014, 2, 24), date(2014, 3, 2), "24 February to 2 March 2014"),
        (date(2013, 12, 30), date(2014, 1, 5), "30 December 2013 to 5 January 2014"),
        (MONDAY, None, "since 3 March 2014"),
        (None, MONDAY, "until 3 March 2014"),
        (date(2014, 1, 1), None, "since 2014"),
        (date(2014, 3, 1), None, "since March 2014"),
        (None, date(2014, 12, 31), "until 2014"),
        (None, date(2014, 3, 31), "until March 2014"),
        (None, None, ""),
    ],
)
def test_an_interval_is_written_as_short_as_it_is_exact(earliest, latest, shown):
    assert plain_interval(earliest, latest) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Monday", "Monday, 3 March 2014"),
        ("March 3", "3 March 2014"),
        ("on 3 March", "3 March 2014"),
        ("Monday, March 3, 2014", "Monday, March 3, 2014"),
        ("3 March 2014", "3 March 2014"),
    ],
)
def test_words_and_day_stand_together_unless_one_says_it_all(words, shown):
    assert plain_time(words, MONDAY, MONDAY) == shown


def test_an_open_time_says_since_or_until_where_its_words_do_not():
    assert plain_time("2019", date(2019, 1, 1), None) == "since 2019"
    assert plain_time("since 2019", date(2019, 1, 1), None) == "since 2019"


def test_a_time_that_was_not_resolved_keeps_its_words():
    assert plain_time("before the war", None, None) == "before the war"


@pytest.mark.parametrize(
    ("iso", "days"),
    [
        ("2014-03-03", (MONDAY, MONDAY)),
        ("2014-02", (date(2014, 2, 1), date(2014, 2, 28))),
        ("2014", (date(2014, 1, 1), date(2014, 12, 31))),
        ("2014-03-03/2014-03-09", (MONDAY, date(2014, 3, 9))),
        ("2013/2014", (date(2013, 1, 1), date(2014, 12, 31))),
        ("../2014-03-03", (None, MONDAY)),
        ("2014-03-03/..", (MONDAY, None)),
    ],
)
def test_a_value_in_iso_8601_has_a_first_and_a_last_day(iso, days):
    assert days_of(iso) == days


@pytest.mark.parametrize("words", ["Monday", "2014-13", "1,867", "2014-02-30", "", "1990s", "20140303"])
def test_other_words_are_no_days(words):
    with pytest.raises(ValueError):
        days_of(words)


@pytest.mark.parametrize(
    ("words", "value", "unit", "shown"),
    [
        ("$19 billion", 19e9, "USD", "$19 billion (19 billion USD)"),
        ("a few millions", None, "", "a few millions"),
        ("half a million euros", 5e5, "EUR", "half a million euros (500,000 EUR)"),
        ("40 percent", 40.0, "percent", "40 percent"),
        ("2.5 million barrels", 2.5e6, "barrels", "2.5 million barrels"),
        ("over a million", 1_234_567.0, "", "over a million (1,234,567)"),
        ("ten", 10.0, "", "ten (10)"),
    ],
)
def test_an_amount_is_its_words_and_the_sum_they_mean(words, value, unit, shown):
    assert plain_amount(words, value, unit) == shown
