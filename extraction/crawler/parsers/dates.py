"""Dates and times as feeds and pages write them: with zones by name, twelve-hour clocks, or no zone at all.

RFC 822 knows ten zones by name, and feedparser takes every other for UTC without a word. Here a name that means one
offset is read as that, one that means several by the feed's language or country, and what stays open is reported.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZONE_UNCLEAR = "zone unclear"  # the time is right up to the zone, which is not given or can mean several
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?\s*(?P<half>[ap]\.?m\b\.?)?"
_ZONE = r"\s*(?P<zone>.{0,60})"
_DAY_NAME = r"(?:[A-Za-z]{2,9}\.?,?\s+)?"
_BEFORE_CLOCK = r"(?:\s*[,T-]\s*|\s+)(?:at\s+)?"
_FORMS = tuple(
    re.compile(rf"\s*{date}{_BEFORE_CLOCK}{_CLOCK}{_ZONE}\s*", re.I)
    for date in (
        rf"{_DAY_NAME}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?P<name>[A-Za-z]{{3,9}})\.?,?[\s-]+(?P<year>\d{{4}}|\d\d)",
        rf"{_DAY_NAME}(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})",
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    )
)
# as the command "date" writes it: the zone before the year
_UNIX = re.compile(
    rf"\s*{_DAY_NAME}(?P<name>[A-Za-z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s*(?P<zone>[A-Za-z:\d+-]{{0,10}}?)"
    r"\s+(?P<year>\d{4})\s*",
    re.I,
)
_OFFSET = re.compile(r"(?:(?:GMT|UTC|UT|Z)\s*)?([+\N{MINUS SIGN}-])(\d{1,2})(?::?(\d{2}))?(?!\d)", re.I)

# Hours from UTC. A name that stands here has no other common meaning.
_ZONES = {
    **dict.fromkeys(("UTC", "UT", "GMT", "Z", "WET", "ZULU"), 0.0),
    **dict.fromkeys(("CET", "MEZ", "MET", "WEST", "WAT"), 1.0),
    **dict.fromkeys(("CEST", "MESZ", "MEST", "EET", "SAST", "CAT"), 2.0),
    **dict.fromkeys(("EEST", "MSK", "TRT", "EAT", "IDT", "FET"), 3.0),
    **dict.fromkeys(("MSD", "SAMT", "AZT", "GET", "MUT"), 4.0),
    **dict.fromkeys(("PKT", "YEKT", "UZT", "TMT", "TJT", "MVT"), 5.0),
    **dict.fromkeys(("OMST", "BDT", "KGT", "BTT"), 6.0),
    **dict.fromkeys(("ICT", "WIB", "KRAT", "NOVT"), 7.0),
    **dict.fromkeys(("HKT", "SGT", "MYT", "PHT", "PHST", "AWST", "WITA", "IRKT", "ULAT"), 8.0),
    **dict.fromkeys(("JST", "KST", "WIT", "YAKT", "AWDT"), 9.0),
    **dict.fromkeys(("AEST", "VLAT", "PGT"), 10.0),
    **dict.fromkeys(("AEDT", "MAGT", "SBT"), 11.0),
    **dict.fromkeys(("NZST", "PETT", "FJT"), 12.0),
    **{"NZDT": 13.0, "ACST": 9.5, "ACDT": 10.5, "NPT": 5.75, "MMT": 6.5, "AFT": 4.5, "IRST": 3.5, "IRDT": 4.5},
    **{"MDT": -6.0, "PDT": -7.0, "AKST": -9.0, "AKDT": -8.0, "HST": -10.0, "HDT": -9.0, "NST": -3.5, "NDT": -2.5},
    **dict.fromkeys(("BRT", "ART", "UYT", "CLST"), -3.0),
    **dict.fromkeys(("CLT", "VET", "BOT", "PYT", "GYT"), -4.0),
    **{"BRST": -2.0, "COT": -5.0, "PET": -5.0, "ECT": -5.0, "CVT": -1.0, "AZOT": -1.0, "EGT": -1.0},
}
# A name with several meanings: its own where nothing else is known, and those by language or country. RFC 822 settles
# what the American ones mean by themselves; the others stay open without a hint.
_SEVERAL: dict[str, tuple[float, dict[str, float]]] = {
    "EST": (-5.0, {"AU": 10.0}),
    "EDT": (-4.0, {"AU": 11.0}),
    "CST": (-6.0, {"CN": 8.0, "TW": 8.0, "HK": 8.0, "zh": 8.0, "AU": 9.5}),
    "CDT": (-5.0, {"AU": 10.5}),
    "MST": (-7.0, {"MY": 8.0, "ms": 8.0, "MM": 6.5, "my": 6.5}),
    "PST": (-8.0, {"PH": 8.0, "fil": 8.0, "tl": 8.0}),
    "BST": (1.0, {"BD": 6.0, "bn": 6.0}),
    "IST": (
        5.5,
        {"IL": 2.0, "he": 2.0, "iw": 2.0, "IE": 1.0, "ga": 1.0, "IN": 5.5}
        | dict.fromkeys(("hi", "ta", "te", "mr", "gu", "kn", "ml", "pa"), 5.5),
    ),
    "AST": (-4.0, {"SA": 3.0, "KW": 3.0, "IQ": 3.0, "QA": 3.0, "ar": 3.0, "CA": -4.0, "PR": -4.0, "US": -4.0}),
    "ADT": (-3.0, {"IQ": 4.0, "CA": -3.0, "US": -3.0}),
    "GST": (4.0, {"AE": 4.0, "OM": 4.0, "ar": 4.0}),
    "SST": (-11.0, {"SG": 8.0, "AS": -11.0, "US": -11.0}),
    "WST": (8.0, {"AU": 8.0, "WS": 13.0}),
    "AMT": (-4.0, {"BR": -4.0, "pt": -4.0, "AM": 4.0, "hy": 4.0}),
}
_PLACES = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
_BY_STANDARD = frozenset({"EST", "EDT", "CST", "CDT", "MST", "PST", "BST"})


def moment_of(text: str, hints: frozenset[str] = frozenset()) -> tuple[datetime, str] | None:
    """A date with a time of day as UTC, and ZONE_UNCLEAR or "". None where `text` has none of the forms known here.

    `hints`: languages ("he") and countries ("IL") that say what an ambiguous zone means, from `hints_of`.
    """
    match = next((found for form in (_UNIX, *_FORMS) if (found := form.fullmatch(text))), None)
    if match is None:
        return None
    try:
        local = _local(match.groupdict())
        offset, notice = _offset(match["zone"].strip(), hints, local)
        return local.replace(tzinfo=timezone(timedelta(hours=offset))).astimezone(UTC), notice
    except (ValueError, OverflowError):
        return None


def iso_moment(text: str) -> datetime | None:
    """A date of ISO 8601, with or without a time of day, as UTC; None where it is none."""
    try:
        result = datetime.fromisoformat(text.strip())
        aware = result if result.tzinfo else result.replace(tzinfo=UTC)
        return aware.astimezone(UTC) if 1980 <= aware.year <= 2200 else None
    except (ValueError, OverflowError):
        return None


def hints_of(language: str, host: str = "") -> frozenset[str]:
    """What a feed's language tag and its host's country say about its zones."""
    first, _, rest = language.strip().replace("_", "-").partition("-")
    ending = host.rpartition(".")[2]
    country = ending.upper() if len(ending) == 2 and ending.isalpha() else ""
    regions = [part.upper() for part in rest.split("-") if len(part) == 2]
    return frozenset({first.lower(), *regions, {"UK": "GB"}.get(country, country)} - {""})


def _local(parts: dict[str, str | None]) -> datetime:
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a twelve-hour clock")
        hour = hour % 12 + (12 if parts["half"].lower().startswith("p") else 0)
    named = parts.get("name")
    month = _MONTHS.index(named[:3].lower()) + 1 if named else int(parts["month"] or 0)
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 2000 if year < 80 else 1900
    second = min(int(parts["second"] or 0), 59)  # a leap second
    return datetime(year, month, int(parts["day"] or 0), hour, int(parts["minute"] or 0), second)


def _offset(zone: str, hints: frozenset[str], local: datetime) -> tuple[float, str]:
    """Hours from UTC, and ZONE_UNCLEAR where the zone leaves them open. A number decides before a name beside it."""
    number = _OFFSET.match(zone)
    if number:
        hours = int(number[2]) + int(number[3] or 0) / 60
        sign = 1 if number[1] == "+" else -1
        return (sign * hours, "") if hours <= 14 else (0.0, ZONE_UNCLEAR)
    name = zone.strip("()[] .").upper()
    if name in _ZONES:
        return _ZONES[name], ""
    if name in _SEVERAL:
        usual, by_hint = _SEVERAL[name]
        meant = {by_hint[hint] for hint in hints if hint in by_hint}
        clear = len(meant) == 1 or (not meant and name in _BY_STANDARD)
        return (meant.pop() if len(meant) == 1 else usual), ("" if clear else ZONE_UNCLEAR)
    at_place = _offset_at(_PLACES.get(name, zone), local)
    return (0.0, ZONE_UNCLEAR) if at_place is None else (at_place, "")


def _offset_at(place: str, local: datetime) -> float | None:
    """The hours from UTC at a place of the time zone database ("Europe/Berlin") at a time; None where it is none."""
    if not re.fullmatch(r"[A-Z][A-Za-z]+(/[A-Z][A-Za-z_]+){1,2}", place):
        return None
    try:
        offset = local.replace(tzinfo=ZoneInfo(place)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return None if offset is None else offset.total_seconds() / 3600
