"""Times that a day, a year, a unit or a name gives by itself: "Feb. 9, 2011", "the '70s", "last fall", "two weeks ago".
`time_expressions` puts them together. What is relative is reckoned from the day of publication."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from extraction.text.calendar_periods import Period, around, months, shifted, week, years
from extraction.text.numerals import leading
from extraction.text.time_words import (
    DAY_WORDS,
    DECADES,
    HOLIDAYS,
    MONTHS,
    ORDINALS,
    SEASONS,
    UNITS,
    UP_TO_NOW,
    VAGUE,
    WEEKDAYS,
    any_of,
)

Days = tuple[date | None, date | None]
_LONG_AGO = 270  # days


class Unresolved(ValueError):
    """No rule resolves these words."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The day that relative times are reckoned from, and whether what they date lies ahead of it."""

    published: date | None
    ahead: bool

    @property
    def day(self) -> date:
        if self.published is None:
            raise Unresolved
        return self.published


# --- dates and years ---

YEAR = "(?:1[0-9]{3}|2[01][0-9]{2})"
YEAR_WORDS = rf"(?:{YEAR}|(?:last|this|next) year)"
DAY = rf"(?:[0-9]{{1,2}}(?:st|nd|rd|th)?|{any_of(ORDINALS)})"
DATE = re.compile(
    rf"(?:(?P<weekday>{any_of(WEEKDAYS)}) )?(?:(?:the )?(?P<before>{DAY}) (?:of )?)?(?P<month>{any_of(MONTHS)})"
    rf"(?: (?:the )?(?P<after>{DAY}))?(?: (?:of |in )?(?P<year>{YEAR_WORDS}))?"
)


def _date(found: re.Match[str], publication: Publication) -> Days:
    """A day or a month, with or without its year; a weekday decides on the year."""
    day, month = found["before"] or found["after"], MONTHS[found["month"]]
    if found["before"] and found["after"]:
        raise Unresolved

    def of_year(year: int) -> Period:
        whole = months(year, month)
        return (whole[0].replace(day=number(day)),) * 2 if day else whole

    if found["year"]:
        return of_year(_year(found["year"], publication))
    if found["weekday"] and day:
        that = [
            period
            for period in near_years(of_year, publication, 1)
            if period[0].weekday() == WEEKDAYS[found["weekday"]]
        ]
        if that:
            return min(that, key=lambda period: abs(period[0] - publication.day))
    return nearest(near_years(of_year, publication), publication)


def _year(words: str, publication: Publication) -> int:
    relative = {"last year": -1, "this year": 0, "next year": 1}
    return publication.day.year + relative[words] if words in relative else int(words)


def number(words: str) -> int:
    return ORDINALS[words] if words in ORDINALS else int(re.sub("[a-z]", "", words))


def near_years(of_year: Callable[[int], Period], publication: Publication, reach: int = 8) -> list[Period]:
    """The period in each of the years around publication that have it: not all have a February 29."""
    found = []
    for year in range(publication.day.year - reach, publication.day.year + reach + 1):
        with suppress(ValueError):
            found.append(of_year(year))
    return found


def nearest(periods: Iterable[Period], publication: Publication, which: str = "") -> Period:
    """Of periods in order the one at or before publication, or after it where that lies ahead. `which` "last" and
    "next" leave out the one of the day itself, "this" takes that of the year.

    A paper gives the year of what is most of a year ago: "April 5" in March is the coming one, planned or not.
    """
    day, periods = publication.day, list(periods)
    before = [period for period in periods if (period[1] < day if which in _LAST else period[0] <= day)]
    after = [period for period in periods if (period[0] > day if which in _NEXT else period[1] >= day)]
    if which == "this":
        before = [period for period in periods if period[0].year == day.year]
    elif which not in _LAST and before and (day - before[-1][1]).days > _LONG_AGO:
        before = []
    forward = which in _NEXT or (publication.ahead and which not in (*_LAST, "this")) or not before
    chosen = after[:1] if forward else before[-1:]
    if not chosen:
        raise Unresolved
    return chosen[0]


def _decade(found: re.Match[str], publication: Publication) -> Days:
    """The 1990s; the '90s and the nineties, which are those of the century before unless publication is later."""
    tens = DECADES.get(found["word"] or "", int(found["tens"] or 0) * 10)
    if found["century"]:
        return years(int(found["century"]) * 100 + tens, 10)
    return years(_full_year(tens, publication), 10)


def _full_year(short: int, publication: Publication) -> int:
    """A year of two digits: the last that is not after publication."""
    reached = publication.published.year if publication.published else 1999
    return reached - (reached - short) % 100


# --- relative to publication ---

_LAST, _NEXT, _THIS = (
    ("last", "past", "this past"),
    ("next", "coming", "this coming"),
    ("this", "all", "current", "whole"),
)
_WHICH = any_of((*_LAST, *_NEXT, *_THIS))


def _weekday(found: re.Match[str], publication: Publication) -> Days:
    start = week(publication.day)[0] + timedelta(WEEKDAYS[found["weekday"]])
    days = [start + timedelta(weeks=offset) for offset in (-2, -1, 0, 1, 2)]
    if found["which"] == "this":
        return start, start
    return nearest([(day, day) for day in days], publication, found["which"] or "")


def _season(found: re.Match[str], publication: Publication) -> Days:
    first = SEASONS[found["season"]]

    def of_year(year: int) -> Period:
        return months(year, first, 3)

    if not found["year"]:
        return nearest(near_years(of_year, publication), publication, found["which"] or "")
    year = _year(found["year"], publication)
    # the winter of a year may be the one that ends in it or the one that begins in it
    return of_year(year - 1)[0] if first == 12 else of_year(year)[0], of_year(year)[1]


def _month_of(found: re.Match[str], publication: Publication) -> Days:
    near = near_years(lambda year: months(year, MONTHS[found["month"]]), publication)
    return nearest(near, publication, found["which"])


def _holiday(found: re.Match[str], publication: Publication) -> Days:
    def of_year(year: int) -> Period:
        return (date(year, *HOLIDAYS[found["holiday"]]),) * 2

    if found["year"]:
        return of_year(_year(found["year"], publication))
    return nearest(near_years(of_year, publication), publication, found["which"] or "")


def _weekend(found: re.Match[str], publication: Publication) -> Days:
    day, which = publication.day, found["which"] or ""
    saturday = day + timedelta(5 - day.weekday())
    if which in _LAST or which in _NEXT:
        saturday += timedelta(weeks=-1 if which in _LAST else 1)
    elif not publication.ahead and day.weekday() < (2 if which else 5):
        saturday -= timedelta(weeks=1)  # until Tuesday, "this weekend" is the one that is over
    return saturday, saturday + timedelta(1)


_LENGTHS = {"year": 1, "decade": 10, "century": 100}  # in years
_ROLLING = ("decade", "century", "fortnight")  # the last one is that up to the day


def _unit(found: re.Match[str], publication: Publication) -> Days:
    """Last week, this month, next year; the past week and the coming year, which end or begin on the day."""
    which, unit, day = found["which"], found["unit"], publication.day
    if which in ("past", "this past") or (which == "last" and unit in _ROLLING):
        return shifted(day, unit, -1), day
    if which in ("coming", "this coming") or (which == "next" and unit in _ROLLING):
        return day, shifted(day, unit, 1)
    offset = {"last": -1, "next": 1}.get(which, 0)
    if unit == "week":
        first, last = week(day, offset)
        return first, min(last, day - timedelta(1)) if offset < 0 else last
    if unit in ("month", "quarter"):
        count = 1 if unit == "month" else 3
        return months(day.year, day.month - (day.month - 1) % count + offset * count, count)
    if unit not in _LENGTHS:
        raise Unresolved
    length = _LENGTHS[unit]
    return years(day.year - day.year % length + offset * length, length)


def _rolling(found: re.Match[str], publication: Publication) -> Days:
    """The past three days, the next two years, recent weeks, coming months."""
    which, day = found["which"], publication.day
    count = None if which == "recent" else count_of(found["count"])
    if which in _NEXT:
        return day, None if count is None else shifted(day, found["unit"], count)
    return None if count is None else shifted(day, found["unit"], -count), day


def count_of(words: str | None) -> int | None:
    """A whole number in words or digits; None of a vague one."""
    if not words or words in VAGUE:
        return None
    if words in ("a", "an"):
        return 1
    value, taken = leading(words.split())
    if value is None or taken < len(words.split()) or value != int(value):
        raise Unresolved
    return int(value)


_BLURS = {  # how many units more and fewer
    **dict.fromkeys(("nearly", "almost", "not quite"), (0, 1)),
    **dict.fromkeys(("about", "around", "some", "roughly", "approximately"), (1, 1)),
    "just over": (1, 0),
}
_MORE = ("more than", "over", "at least", "well over")
_LESS = ("less than", "under", "within", "just under")


def _ago(found: re.Match[str], publication: Publication) -> Days:
    """Two weeks ago, several years ago, nearly 80 years ago, more than a year ago; five years from now."""
    day, unit, blur = publication.day, found["unit"], found["blur"] or ""
    count = count_of(found["count"])
    if unit in ("hour", "minute", "moment"):
        return day, day
    if not found["ago"].startswith("ago"):
        return (day, None) if count is None else around(shifted(day, unit, count), unit)
    if count is None:
        return None, day
    if blur in (*_MORE, *_LESS):
        bound = shifted(day, unit, -count)
        return (None, bound) if blur in _MORE else (bound, day)
    more, fewer = _BLURS.get(blur, (0, 0)) if count > 2 else (0, 0)
    return around(shifted(day, unit, -count - more), unit)[0], around(shifted(day, unit, fewer - count), unit)[1]


def _day_of_month(found: re.Match[str], publication: Publication) -> Days:
    day, periods = publication.day, []
    for offset in (-2, -1, 0, 1, 2):
        with suppress(ValueError):
            that = months(day.year, day.month + offset)[0].replace(day=number(found[1]))
            periods.append((that, that))
    return nearest(periods, publication)


_YEARS = rf"(?: (?:of |in )?(?P<year>{YEAR_WORDS}))?"
_WHICHEVER = rf"(?:(?P<which>{_WHICH}) )?"
COUNT = rf"(?P<count>{any_of(VAGUE)}|an?|[a-z0-9. ]+?)"
_BLURRED = any_of((*_BLURS, *_MORE, *_LESS))
_AGO_UNIT = any_of((*UNITS, "day", "hour", "minute", "moment"))
Rule = Callable[[re.Match[str], Publication], Days]
RULES: tuple[tuple[str, Rule], ...] = (
    (DATE.pattern, _date),
    (YEAR, lambda found, _: years(int(found[0]))),
    (r"'([0-9]{2})", lambda found, publication: years(_full_year(int(found[1]), publication))),
    (rf"'?(?P<century>1[0-9]|2[01])?(?P<tens>[0-9])0'?s|(?P<word>{any_of(DECADES)})", _decade),
    (rf"({DAY}) century", lambda found, _: years(number(found[1]) * 100 - 99, 100)),
    (any_of(DAY_WORDS), lambda found, publication: (publication.day + timedelta(DAY_WORDS[found[0]]),) * 2),
    (any_of(UP_TO_NOW), lambda _, publication: (None, publication.day)),
    (rf"{_WHICHEVER}(?P<weekday>{any_of(WEEKDAYS)})", _weekday),
    (rf"(?P<which>{_WHICH}) (?P<month>{any_of(MONTHS)})", _month_of),
    (rf"{_WHICHEVER}(?P<season>{any_of(SEASONS)}){_YEARS}", _season),
    (rf"{_WHICHEVER}(?P<holiday>{any_of(HOLIDAYS)}){_YEARS}", _holiday),
    (rf"{_WHICHEVER}weekend", _weekend),
    (rf"(?P<which>{_WHICH}) (?P<unit>{any_of(UNITS)})", _unit),
    (rf"(?P<which>{_WHICH}|recent) (?:{COUNT} )?(?P<unit>{any_of((*UNITS, 'day'))})s", _rolling),
    (rf"(?:(?P<blur>{_BLURRED}) )?(?:{COUNT} )?(?P<unit>{_AGO_UNIT})s?'? (?P<ago>ago|from now|hence|time)", _ago),
    (r"([0-9]{1,2}(?:st|nd|rd|th))", _day_of_month),
)
