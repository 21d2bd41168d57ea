"""Times and amounts of assertions in words for people: those of the text, and what they were resolved to."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

_OPEN = ".."
_ISO = re.compile(r"\d{4}(-\d\d){0,2}")
_TOKEN = re.compile(r"\w+")
# Words that do not tell days apart.
_EMPTY = {"on", "in", "at", "the", "of", "to", "from"}
_SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def plain_time(words: str, earliest: date | None, latest: date | None) -> str:
    """The words and the days that they mean: "Monday, 3 March 2014". Only one of the two where it says it all."""
    days = plain_interval(earliest, latest)
    given, meant = _tokens(words), _tokens(days)
    if meant <= given:
        return words
    return days if given <= meant else f"{words}, {days}"


def plain_interval(earliest: date | None, latest: date | None) -> str:
    """An interval of days, both included: "3 March 2014", "March 2014", "2013 to 2015", "since March 2014"."""
    if earliest is None and latest is None:
        return ""
    if earliest is None or latest is None:
        return f"since {_beginning(earliest)}" if earliest else f"until {_end(latest)}" if latest else ""
    if earliest == latest:
        return _day(earliest)
    if (earliest.month, earliest.day, latest.month, latest.day) == (1, 1, 12, 31):
        return _joined(str(earliest.year), str(latest.year))
    if earliest.day == 1 and latest.day == monthrange(latest.year, latest.month)[1]:
        return _months(earliest, latest)
    return _days(earliest, latest)


def days_of(iso: str) -> tuple[date | None, date | None]:
    """The first and the last day of a day, month, year or interval in ISO 8601; None for a side that is open ("..").

    Raises ValueError.
    """
    first, _, last = iso.partition("/")
    return _side(first)[0], _side(last or first)[1]


def _side(iso: str) -> tuple[date, date] | tuple[None, None]:
    if iso == _OPEN:
        return None, None
    if not _ISO.fullmatch(iso):
        raise ValueError(iso)
    year, month, day = [int(part) for part in iso.split("-")] + [0] * (2 - iso.count("-"))
    last = month or 12
    return date(year, month or 1, day or 1), date(year, last, day or monthrange(year, last)[1])


def plain_amount(words: str, value: float | None, unit: str) -> str:
    """The words and the sum that they mean: "a billion dollars (1 billion USD)". Only the words where they say it."""
    if value is None:
        return words
    amount = f"{_number(value)} {unit}".strip()
    return words if _tokens(amount) <= _tokens(words) else f"{words} ({amount})"


def _tokens(text: str) -> set[str]:
    return set(_TOKEN.findall(text.casefold())) - _EMPTY


def _joined(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _months(earliest: date, latest: date) -> str:
    first = f"{earliest:%B}" if earliest.year == latest.year else f"{earliest:%B} {earliest.year}"
    same = (earliest.year, earliest.month) == (latest.year, latest.month)
    return f"{latest:%B} {latest.year}" if same else f"{first} to {latest:%B} {latest.year}"


def _days(earliest: date, latest: date) -> str:
    if earliest.year != latest.year:
        return f"{_day(earliest)} to {_day(latest)}"
    first = str(earliest.day) if earliest.month == latest.month else f"{earliest.day} {earliest:%B}"
    return f"{first} to {_day(latest)}"


def _beginning(day: date) -> str:
    """The day from which on: of a year or month that it begins, just that."""
    if day.day > 1:
        return _day(day)
    return f"{day:%B} {day.year}" if day.month > 1 else str(day.year)


def _end(day: date) -> str:
    if day.day < monthrange(day.year, day.month)[1]:
        return _day(day)
    return f"{day:%B} {day.year}" if day.month < 12 else str(day.year)


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _number(value: float) -> str:
    for scale, name in _SCALES:
        short = round(value / scale, 3)
        if abs(value) >= scale and abs(short * scale - value) < 1:
            return f"{short:,.3f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")
