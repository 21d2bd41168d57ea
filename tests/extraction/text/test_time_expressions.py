"""Times: the days that their words may mean, as of the day of publication."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extraction.text.time_expressions import LONGEST, resolve

WEDNESDAY = date(2016, 7, 13)


def days(words: str, published: date | None = WEDNESDAY, ahead: bool = False) -> str:
    """The result in short: "2016-07-11", "2016-07-04/2016-07-10", "2017-01-01/"."""
    first, last = resolve(words, published, ahead)
    return str(first) if first and first == last else f"{first or ''}/{last or ''}"


ABSOLUTE = {
    "2014": "2014-01-01/2014-12-31",
    "in 1066": "1066-01-01/1066-12-31",
    "March 2011": "2011-03-01/2011-03-31",
    "June, 2016": "2016-06-01/2016-06-30",
    "December of 2014": "2014-12-01/2014-12-31",
    "February 2016": "2016-02-01/2016-02-29",
    "5 January 2014": "2014-01-05",
    "January 5, 2014": "2014-01-05",
    "Nov.16, 2016": "2016-11-16",
    "the 5th of March 2011": "2011-03-05",
    "the first of May, 2011": "2011-05-01",
    "Wednesday, Feb. 9, 2011": "2011-02-09",
    "Friday March 16 2012": "2012-03-16",
    "2014-05-06": "2014-05-06",
    "2014-05-06T10:30:00Z": "2014-05-06",
    "13/05/2014": "2014-05-13",
    "05/13/2014": "2014-05-13",
    "04/05/2014": "2014-04-05/2014-05-04",
    "04.05.2014": "2014-05-04",
    "the 1990s": "1990-01-01/1999-12-31",
    "early 1990s": "1990-01-01/1993-12-31",
    "19th century": "1801-01-01/1900-12-31",
    "mid-2012": "2012-05-01/2012-08-31",
    "late 2013": "2013-09-01/2013-12-31",
    "end of 2013": "2013-11-01/2013-12-31",
    "the second half of 2013": "2013-07-01/2013-12-31",
    "summer of 2016": "2016-06-01/2016-08-31",
    "winter of 2010": "2009-12-01/2011-02-28",
    "third quarter of 2015": "2015-07-01/2015-09-30",
    "Q3 2014": "2014-07-01/2014-09-30",
    "first week of March 2017": "2017-03-01/2017-03-07",
    "Christmas 2014": "2014-12-25",
    "2010-2012": "2010-01-01/2012-12-31",
    "between 2010 and 2012": "2010-01-01/2012-12-31",
    "from 2010 to 2012": "2010-01-01/2012-12-31",
    "1975–79": "1975-01-01/1979-12-31",
    "2016/17": "2016-01-01/2017-12-31",
    "March to May 2014": "2014-03-01/2014-05-31",
    "10-12 May 2014": "2014-05-10/2014-05-12",
    "May 10-12, 2014": "2014-05-10/2014-05-12",
    "Jan. 5-March 3, 2014": "2014-01-05/2014-03-03",
    "since 2017": "2017-01-01/",
    "until 2015": "/2015-12-31",
    "before 2010": "/2009-12-31",
    "after March 2011": "2011-04-01/",
}


@pytest.mark.parametrize("published", [WEDNESDAY, None])
@pytest.mark.parametrize(("words", "expected"), ABSOLUTE.items())
def test_a_time_with_its_year_needs_no_publication(words: str, expected: str, published: date | None) -> None:
    assert days(words, published) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("today", "2016-07-13"),
        ("now", "2016-07-13"),
        ("yesterday", "2016-07-12"),
        ("yesterday morning", "2016-07-12"),
        ("last night", "2016-07-12"),
        ("tomorrow", "2016-07-14"),
        ("Monday", "2016-07-11"),
        ("on Monday", "2016-07-11"),
        ("Wednesday", "2016-07-13"),
        ("Tuesday night", "2016-07-12"),
        ("late Friday night", "2016-07-08"),
        ("2 a.m. Monday", "2016-07-11"),
        ("last Wednesday", "2016-07-06"),
        ("next Monday", "2016-07-18"),
        ("this Friday", "2016-07-15"),
        ("last week", "2016-07-04/2016-07-10"),
        ("early this week", "2016-07-11/2016-07-13"),
        ("earlier in the week", "2016-07-11/2016-07-13"),
        ("next week", "2016-07-18/2016-07-24"),
        ("this month", "2016-07-01/2016-07-31"),
        ("late last month", "2016-06-21/2016-06-30"),
        ("later this month", "2016-07-13/2016-07-31"),
        ("last quarter", "2016-04-01/2016-06-30"),
        ("last year", "2015-01-01/2015-12-31"),
        ("earlier this year", "2016-01-01/2016-07-13"),
        ("so far this year", "2016-01-01/2016-07-13"),
        ("end of the year", "2016-11-01/2016-12-31"),
        ("first six months this year", "2016-01-01/2016-06-30"),
        ("past week", "2016-07-06/2016-07-13"),
        ("past three days", "2016-07-10/2016-07-13"),
        ("last decade", "2006-07-13/2016-07-13"),
        ("next two years", "2016-07-13/2018-07-13"),
        ("recent weeks", "/2016-07-13"),
        ("coming days", "2016-07-13/"),
        ("recently", "/2016-07-13"),
        ("weekend", "2016-07-09/2016-07-10"),
        ("this weekend", "2016-07-16/2016-07-17"),
        ("last weekend", "2016-07-09/2016-07-10"),
        ("Saturday and Sunday", "2016-07-09/2016-07-10"),
        ("Monday to Friday", "2016-07-11/2016-07-15"),
        ("two weeks ago", "2016-06-26/2016-07-02"),
        ("three days ago", "2016-07-10"),
        ("a month ago", "2016-06-01/2016-06-30"),
        ("four years ago", "2012-01-01/2012-12-31"),
        ("a decade ago", "2005-01-01/2007-12-31"),
        ("nearly 80 years ago", "1936-01-01/1937-12-31"),
        ("more than a year ago", "/2015-07-13"),
        ("several years ago", "/2016-07-13"),
        ("hours ago", "2016-07-13"),
        ("five years' time", "2021-01-01/2021-12-31"),
        ("Jan. 5", "2016-01-05"),
        ("4:30 a.m. January 20", "2016-01-20"),
        ("the morning of March 30", "2016-03-30"),
        ("May 2 and 3 this year", "2016-05-02/2016-05-03"),
        ("December", "2015-12-01/2015-12-31"),
        ("mid-December", "2015-12-11/2015-12-21"),
        ("last November", "2015-11-01/2015-11-30"),
        ("this past January", "2016-01-01/2016-01-31"),
        ("next January", "2017-01-01/2017-01-31"),
        ("last fall", "2015-09-01/2015-11-30"),
        ("this summer", "2016-06-01/2016-08-31"),
        ("third quarter", "2016-07-01/2016-09-30"),
        ("New Year’s Eve", "2015-12-31"),
        ("the 5th", "2016-07-05"),
        ("Feb. 29", "2016-02-29"),
        ("early '70s", "1970-01-01/1973-12-31"),
        ("the 80s", "1980-01-01/1989-12-31"),
        ("'99", "1999-01-01/1999-12-31"),
        ("since Monday", "2016-07-11/"),
        ("by Friday", "/2016-07-08"),
    ],
)
def test_a_relative_time_is_reckoned_from_publication(words: str, expected: str) -> None:
    assert days(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Monday", "2016-07-18"),
        ("Wednesday", "2016-07-13"),
        ("Jan. 5", "2017-01-05"),
        ("July", "2016-07-01/2016-07-31"),
        ("summer", "2016-06-01/2016-08-31"),
        ("weekend", "2016-07-16/2016-07-17"),
        ("June or July", "2017-06-01/2017-07-31"),
        ("Christmas", "2016-12-25"),
        ("last Monday", "2016-07-11"),
        ("2014", "2014-01-01/2014-12-31"),
        ("by Friday", "/2016-07-15"),
    ],
)
def test_what_is_planned_lies_at_or_after_publication(words: str, expected: str) -> None:
    assert days(words, ahead=True) == expected


@pytest.mark.parametrize(
    ("published", "words", "expected"),
    [
        (date(2016, 7, 17), "last week", "2016-07-04/2016-07-16"),
        (date(2016, 7, 18), "this weekend", "2016-07-16/2016-07-17"),
        (date(2016, 7, 17), "this weekend", "2016-07-16/2016-07-17"),
        (date(2014, 12, 5), "Tuesday, Dec. 2", "2014-12-02"),
        (date(2014, 12, 5), "Tuesday, Dec. 9", "2014-12-09"),
        (date(2016, 3, 23), "April 5", "2016-04-05"),
        (date(2016, 12, 17), "January 20", "2017-01-20"),
        (date(2017, 2, 3), "January 29", "2017-01-29"),
        (date(2016, 3, 31), "a month ago", "2016-02-01/2016-02-29"),
        (date(2015, 8, 8), "last summer", "2014-06-01/2014-08-31"),
        (date(2005, 1, 1), "'07", "1907-01-01/1907-12-31"),
    ],
)
def test_the_day_of_publication_decides(published: date, words: str, expected: str) -> None:
    assert days(words, published) == expected


@pytest.mark.parametrize(
    "words",
    [
        *(
            "three days",
            "two years",
            "seven-year",
            "hours",
            "decades",
            "a week",
            "10 or 15 years",
            "six",
            "200",
            "year",
        ),
        *(
            "a year earlier",
            "two days later",
            "that day",
            "same month",
            "next day",
            "the night before",
            "later that month",
        ),
        *("every year", "Thursdays", "17:20", "6 a.m.", "dawn", "last fiscal year", "this season", "Election Day"),
        *("Feb. 30, 2014", "31/31/2014", "99999 years ago", "10000 centuries ago", "9" * 60 + " years ago"),
        *("", " ", "the", "to", "and and and", "٢٠١٤", "２０１４", "May 5 6", "second", "0", "'", "-"),
    ],
)
def test_what_gives_no_day_is_unknown(words: str) -> None:
    assert resolve(words, WEDNESDAY) == resolve(words, WEDNESDAY, ahead=True) == (None, None)


@pytest.mark.parametrize("words", ["Monday", "last week", "May", "two weeks ago", "today", "the 5th", "summer"])
def test_a_relative_time_without_publication_is_unknown(words: str) -> None:
    assert resolve(words, None) == (None, None)


@pytest.mark.parametrize("piece", ["so far ", "may to ", "late ", "first week of ", "about ", "since ", "2014-", "5 "])
def test_words_repeated_up_to_the_limit_take_no_time_to_speak_of(piece: str) -> None:
    """A rule that called itself twice would need hours here."""
    words = piece * (LONGEST // len(piece))
    assert resolve(words, WEDNESDAY) == resolve(words[: 12 * len(piece)], WEDNESDAY) == (None, None)


@pytest.mark.parametrize("words", ["9" * 200_000, "late " * 50_000, "-" * 200_000, "may to " * 50_000])
def test_words_too_long_for_a_time_are_unknown(words: str) -> None:
    assert resolve(words, WEDNESDAY) == (None, None)


PIECES = [
    *(
        "late",
        "early",
        "to",
        "and",
        "the",
        "of",
        "last",
        "next",
        "past",
        "this",
        "recent",
        "since",
        "first",
        "ago",
        "-",
    ),
    *(
        "2014",
        "5",
        "five",
        "may",
        "winter",
        "monday",
        "week",
        "fortnight",
        "weekend",
        "years",
        "decade",
        "quarter",
        ",",
    ),
]


@given(
    st.text(max_size=LONGEST) | st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join),
    st.none() | st.dates(),
    st.booleans(),
)
@example("next decade", date.max, True)
@example("this winter", date.max, False)
@example("last century", date.min, False)
@example("early " * 15 + "2014", WEDNESDAY, False)
def test_the_first_day_is_never_after_the_last(words: str, published: date | None, ahead: bool) -> None:
    first, last = resolve(words, published, ahead)
    assert first is None or last is None or first <= last
