"""The words of times in English, as tables; and their spelling made plain for `time_expressions`."""

from __future__ import annotations

import re
from calendar import day_abbr, day_name, month_abbr, month_name
from collections.abc import Iterable
from fractions import Fraction

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_DECADES = "twenties thirties forties fifties sixties seventies eighties nineties"
MONTHS = {name.lower(): at for names in (month_name, month_abbr) for at, name in enumerate(names) if name} | {"sept": 9}
WEEKDAYS = {name.lower(): at for names in (day_name, day_abbr) for at, name in enumerate(names)} | {
    **{"tues": 1, "weds": 2, "thur": 3, "thurs": 3},
}
ORDINALS = {word: at for at, word in enumerate(_ORDINALS.split(), start=1)}
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first months, in the north
HOLIDAYS = {  # month and day
    **{"new year's day": (1, 1), "valentine's day": (2, 14), "st patrick's day": (3, 17), "may day": (5, 1)},
    **{"halloween": (10, 31), "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25)},
    **{"boxing day": (12, 26), "new year's eve": (12, 31)},
}
DECADES = {word: 10 * at for at, word in enumerate(_DECADES.split(), start=2)}
DAY_WORDS = {  # days after publication
    **dict.fromkeys(("today", "now", "right now", "currently", "current", "at present", "tonight", "this morning"), 0),
    **dict.fromkeys(("this afternoon", "this evening"), 0),
    **{"yesterday": -1, "last night": -1, "day before yesterday": -2, "tomorrow": 1, "day after tomorrow": 2},
}
UP_TO_NOW = ("recently", "lately", "nowadays", "these days", "until now", "so far", "to date")
UNITS = ("week", "fortnight", "month", "quarter", "year", "decade", "century")
VAGUE = ("several", "few", "a few", "many", "some", "couple of", "a couple of", "couple", "number of", "a number of")
PARTS: dict[str, tuple[Fraction, Fraction]] = {  # of a period, from and to
    **dict.fromkeys(("early", "early in"), (Fraction(0), Fraction(1, 3))),
    **dict.fromkeys(("mid", "middle of"), (Fraction(1, 3), Fraction(2, 3))),
    **dict.fromkeys(("late", "late in", "latter part of"), (Fraction(2, 3), Fraction(1))),
    "mid to late": (Fraction(1, 3), Fraction(1)),
    **dict.fromkeys(("beginning of", "start of"), (Fraction(0), Fraction(1, 6))),
    **dict.fromkeys(("end of", "close of"), (Fraction(5, 6), Fraction(1))),
    "first half": (Fraction(0), Fraction(1, 2)),
    "second half": (Fraction(1, 2), Fraction(1)),
}


def any_of(words: Iterable[str]) -> str:
    """A regular expression for any of these words, the longest first."""
    return "(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"


_SIGNS = {0x2018: "'", 0x2019: "'", 0x2012: "-", 0x2013: "-", 0x2014: "-", 0x2212: "-"}
_CLOCK = re.compile(
    r"\b(?:[0-9]{1,2}(?:[:.][0-9]{2})? ?[ap]\.?m\b\.?|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(?: (?:gmt|utc|bst|cet|cest|est|edt|et|pst|pdt|ist|local time)\b)?"
)
_PREFIXED = re.compile(r"\b(early|mid|late)-")
_TO = re.compile(rf"(?<=[a-z0-9.]) ?[-/] ?(?='?[0-9]|{any_of(MONTHS)}\b|{any_of(WEEKDAYS)}\b)")
_GROUP = re.compile(r"(?<=[0-9]),(?=[0-9]{3}\b)")
_STOP = re.compile(r"(?<=[a-z])\.|[,;]")
_OF_THE = re.compile(r"\b(?:of|in) the (week|month|quarter|year|decade|century)$")
_PART_OF_DAY = "(?:morning|afternoon|evening|night|noon|midday|midnight|lunchtime|dawn|sunrise|sunset|nightfall)"
_PART_BEFORE = re.compile(rf"^(?:(?:early|late) )?(?:in the |the )?{_PART_OF_DAY} (?:of|on) ")
_PART_AFTER = re.compile(rf"(?<=[a-z0-9]) (?:(?:early|late|at|by) )?{_PART_OF_DAY}$")


def plain(words: str) -> str:
    """The words in lower case, without points and clock times, apostrophes straight, and ranges written with "to"."""
    text = _CLOCK.sub(" ", " ".join(words.translate(_SIGNS).lower().split()))
    text = _TO.sub(" to ", _PREFIXED.sub(r"\1 ", text)).replace("-", " ")
    text = " ".join(_STOP.sub(" ", _GROUP.sub("", text)).split())
    return _OF_THE.sub(r"of this \1", text.replace("midweek", "mid this week"))


def without_part_of_day(text: str) -> str:
    """ "Tuesday night" and "the morning of March 30" as the day alone; words that are only a part of a day stay."""
    return text if text in DAY_WORDS else _PART_AFTER.sub("", _PART_BEFORE.sub("", text))
