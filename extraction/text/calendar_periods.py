"""Periods of the calendar: first and last day, both included. What leaves the years 1 to 9999 raises ValueError or
OverflowError."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from fractions import Fraction

Period = tuple[date, date]
# a year and more is cut by months, ten years and more by years, anything shorter by days
_CUT_BY_MONTHS, _CUT_BY_YEARS = 80, 1000


def months(year: int, month: int, count: int = 1) -> Period:
    """`count` months from a month on; `month` may lie outside 1 to 12 and then counts into other years."""
    first, last = year * 12 + month - 1, year * 12 + month + count - 2
    return date(first // 12, first % 12 + 1, 1), _last_of(last // 12, last % 12 + 1)


def years(year: int, count: int = 1) -> Period:
    return date(year, 1, 1), date(year + count - 1, 12, 31)


def week(day: date, offset: int = 0) -> Period:
    """The week of a day, or one `offset` weeks later. Weeks begin on Monday or on Sunday, by the country: on a Sunday,
    where that matters most, it is the days of both."""
    monday = day - timedelta(day.weekday()) + timedelta(weeks=offset)
    return monday, monday + timedelta(12 if day.weekday() == 6 else 6)


def shifted(day: date, unit: str, count: int) -> date:
    """The day `count` units ("day", "week", "month", "year", …) later; the last of a month that lacks the day."""
    if unit in _DAYS_OF:
        return day + timedelta(_DAYS_OF[unit] * count)
    month = day.year * 12 + day.month - 1 + _MONTHS_OF[unit] * count
    last = _last_of(month // 12, month % 12 + 1)
    return last.replace(day=min(day.day, last.day))


def around(day: date, unit: str) -> Period:
    """The unit that a day lies in, as precise as "a unit ago" is: for a week, the days up to three before or after."""
    if unit == "week" or unit == "fortnight":
        return day - timedelta(3), day + timedelta(3)
    if unit in _DAYS_OF:
        return day, day
    if unit in ("month", "quarter"):
        return months(day.year, day.month, 1)
    spare = _MONTHS_OF[unit] // 60  # "decades ago" may be a year off, "centuries ago" ten
    return years(day.year - spare // 2, 1 + spare // 2 * 2)


def part(period: Period, low: Fraction, high: Fraction) -> Period:
    """The part of a period between two fractions of it, widened to whole years, months or days."""
    first, last = period
    length = (last - first).days + 1
    if length > _CUT_BY_YEARS:
        start, count = _cut(last.year - first.year + 1, low, high)
        return years(first.year + start, count)
    if length > _CUT_BY_MONTHS:
        start, count = _cut((last.year - first.year) * 12 + last.month - first.month + 1, low, high)
        return months(first.year, first.month + start, count)
    start, count = _cut(length, low, high)
    return first + timedelta(start), first + timedelta(start + count - 1)


_DAYS_OF = {"day": 1, "night": 1, "week": 7, "fortnight": 14, "weekend": 7}
_MONTHS_OF = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}


def _cut(length: int, low: Fraction, high: Fraction) -> tuple[int, int]:
    start, end = int(length * low), -int(-length * high // 1)
    return start, max(1, end - start)


def _last_of(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])
