"""Resolve the words of a time ("Tuesday", "late 2013", "two weeks ago") into the days that they may mean.

Own code, because dateparser answers with one point in time. "Late 2013", "summer of 2016", "the 1990s" and "2010-2012"
are unknown to it or wrong, the duration "three days" is a day of the past, and "Monday" on a Monday is a week ago.

Seasons are those of the northern hemisphere. What is reckoned from another time of the text ("a year earlier", "that
day") and what recurs or lasts ("Thursdays", "three days") is unresolved.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, timedelta
from fractions import Fraction

from extraction.text.calendar_periods import Period, part, shifted, years
from extraction.text.named_times import (
    COUNT,
    DATE,
    DAY,
    RULES,
    YEAR,
    YEAR_WORDS,
    Days,
    Publication,
    Rule,
    Unresolved,
    count_of,
    near_years,
    nearest,
)
from extraction.text.time_words import ORDINALS, PARTS, UNITS, any_of, plain, without_part_of_day

UNKNOWN: Days = (None, None)
LONGEST = 100  # code points; longer words are no time
MOST_WORDS = 12  # the rules call themselves, so that time grows with more than the length


def resolve(words: str, published: date | None, ahead: bool = False) -> Days:
    """The first and the last day that the words may mean, both included; None where that side is open or unknown.

    A time without a year or a week ("Monday", "in July") is the nearest at or before the day of publication; with
    `ahead`, for what is planned, the nearest at or after it.
    """
    if len(words) > LONGEST:
        return UNKNOWN
    with suppress(ValueError, OverflowError):  # no rule, no such day, or none that the calendar has
        text = plain(words)
        if len(text.split()) <= MOST_WORDS:
            return _numeric(words) or _opened(text, Publication(published, ahead))
    return UNKNOWN


def _numeric(words: str) -> Days | None:
    """2014-05-06; 13/05/2014; of 04/05/2014 both the British and the American reading."""
    iso = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ][0-9:.+Z-]*)?", words.strip())
    if iso:
        day = date(int(iso[1]), int(iso[2]), int(iso[3]))
        return day, day
    written = re.fullmatch(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})", words.strip())
    if not written:
        return None
    orders = [(written[3], written[1])] + [(written[1], written[3])] * (written[2] != ".")
    days = [date(int(written[4]), int(month), int(day)) for month, day in orders if int(month) <= 12]
    return min(days), max(days)


def _opened(text: str, publication: Publication) -> Days:
    """A period, or the time since, until, before or after one."""
    opener = re.fullmatch(r"(since|from|until|till|up to|through|by|before|prior to|after) (.+)", text)
    if not opener or " to " in text:
        return _period(text, publication)
    first, last = _closed(_period(opener[2], publication))
    if opener[1] in ("before", "prior to"):
        return None, first - timedelta(1)
    if opener[1] == "after":
        return last + timedelta(1), None
    return (first, None) if opener[1] in ("since", "from") else (None, last)


def _period(text: str, publication: Publication) -> Days:
    text = _LEAD.sub("", without_part_of_day(text))
    with suppress(Unresolved):
        return _range(text, publication)
    for pattern, rule in _RULES:
        found = pattern.fullmatch(text)
        if found:
            with suppress(Unresolved):
                return rule(found, publication)
    raise Unresolved


def _closed(days: Days) -> Period:
    first, last = days
    if first is None or last is None:
        raise Unresolved
    return first, last


# --- two ends ---

_LEAD = re.compile(r"^(?:(?:in|on|at(?! least)|during|of|over the|the|as early as|as late as|exactly) )+")
_BETWEEN = re.compile(" (?:to|and|or|through|until|till) ")


def _range(text: str, publication: Publication) -> Days:
    ends = _BETWEEN.split(re.sub("^(?:from|between) ", "", text))
    if len(ends) != 2:  # ranges of ranges would take exponential time
        raise Unresolved
    left, right = _completed(*ends)
    first, last = _closed(_period(left, publication))[0], _closed(_period(right, publication))[1]
    if first > last:  # "Monday to Friday" on a Wednesday: the end is the next after the beginning
        last = _closed(_period(right, Publication(first, ahead=True)))[1]
    return first, last


def _completed(left: str, right: str) -> tuple[str, str]:
    """The ends of a range with the month, year or century that only one of them names: "May 2 and 3 this year"."""
    ends = DATE.fullmatch(left), DATE.fullmatch(right)
    if ends[1] and re.fullmatch(DAY, left):
        return f"{left} {ends[1]['month']} {ends[1]['year'] or ''}".strip(), right
    year = re.fullmatch(rf"{DAY}(?: (?P<year>{YEAR_WORDS}))?", right)
    if ends[0] and year and not ends[0]["year"] and ends[0]["after"]:
        return f"{left} {year['year'] or ''}".strip(), f"{ends[0]['month']} {right}"
    if ends[0] and ends[1] and ends[1]["year"] and not ends[0]["year"]:
        return f"{left} {ends[1]['year']}", right
    if re.fullmatch(YEAR, left) and re.fullmatch("'?[0-9]{2}", right):
        return left, left[:2] + right[-2:]
    return left, right


# --- parts of periods ---


def _part(found: re.Match[str], publication: Publication) -> Days:
    return part(_closed(_period(found["rest"], publication)), *PARTS[found["part"]])


def _quarter(found: re.Match[str], publication: Publication) -> Days:
    number = int(found["digit"]) if found["digit"] else ORDINALS[found["ordinal"]]
    cut = Fraction(number - 1, 4), Fraction(number, 4)
    if found["rest"]:
        return part(_closed(_period(found["rest"], publication)), *cut)
    return nearest(near_years(lambda year: part(years(year), *cut), publication), publication)


def _first_units(found: re.Match[str], publication: Publication) -> Days:
    """The first nine months of this year, the last two weeks of May, the second week of March."""
    first, last = _closed(_period(found["rest"], publication))
    unit, which, count = found["unit"], found["which"], count_of(found["count"] or "one") or 1
    if which == "last":
        return max(first, shifted(last + timedelta(1), unit, -count)), last
    start = shifted(first, unit, (ORDINALS[which] - 1) * count)
    if start > last:
        raise Unresolved
    return start, min(last, shifted(start, unit, count) - timedelta(1))


def _so_far(found: re.Match[str], publication: Publication) -> Days:
    """Earlier this year, so far this year; later this month."""
    first, last = _closed(_period(found["rest"], publication))
    first, last = (publication.day, last) if found[1] == "later" else (first, min(last, publication.day))
    if first > last:
        raise Unresolved
    return first, last


_COUNTED = rf"(?:{COUNT} )?(?P<unit>{any_of((*UNITS, 'day'))})s?"
_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        *RULES,
        (rf"(?P<part>{any_of(PARTS)}) (?:of )?(?P<rest>.+)", _part),
        (
            r"(?:q(?P<digit>[1-4])|(?P<ordinal>first|second|third|fourth) quarter)(?: (?:of |in )?(?P<rest>.+))?",
            _quarter,
        ),
        (rf"(?P<which>{any_of(ORDINALS)}|last) {_COUNTED} (?:of |in )?(?P<rest>.+)", _first_units),
        (r"(earlier|so far|later) (?:in |of )?(?P<rest>.+)", _so_far),
        (r"(?P<rest>.+) (so far)", _so_far),
        (
            r"(?:about|around|circa|at least) (?P<rest>.+)",
            lambda found, publication: _period(found["rest"], publication),
        ),
    )
)
