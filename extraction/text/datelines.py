"""Find the dateline that a news text's body begins with: "NAIROBI, Kenya (AP) —". It says where a report was filed and
nothing about the people in it."""

from __future__ import annotations

import re

from extraction.text.time_words import MONTHS, WEEKDAYS, any_of

LONGEST = 160  # code points of a dateline
LONGEST_BYLINE = 120

_UPPER = r"[^\W\d_a-zà-öø-ÿ]"
# a city in capitals: "ST. PETERSBURG", "WASHINGTON/DALLAS", "PORT-AU-PRINCE"
_CAPITALS = rf"{_UPPER}(?:{_UPPER}|[.'’]){{1,24}}(?:[ /-](?:{_UPPER}|[.'’]){{1,24}}){{0,4}}"
_WORD = r"(?=[^\W\d_a-z])[^\W\d_](?:[^\W\d_]|[.'’-]){1,24}"
_NAME = rf"{_WORD}(?: (?:(?:of|and|the|de|la|el) ){{0,2}}{_WORD}){{0,3}}"
_MONTH = rf"{any_of(MONTHS)}\.?"
_DAY = "[0-9]{1,2}(?:st|nd|rd|th)?"
_DATE = rf"(?i:(?:{any_of(WEEKDAYS)},? )?(?:{_MONTH} {_DAY}|{_DAY} {_MONTH})(?:,? [0-9]{{4}})?)"
# an agency, or the day as the United Nations give it; a politician's party and state are neither: "(D-Ill.)"
_AGENCY = rf"(?:{_DATE}|(?![DRI]-)[A-Z][^()\n]{{1,38}})"
_DATELINE = re.compile(
    rf"(?:(?P<place>{_CAPITALS}|{_NAME})(?:, {_NAME})?(?: and {_CAPITALS})?(?:,? (?P<date>{_DATE}))?"
    rf"(?: \((?P<agency>{_AGENCY})\))?|\((?P<alone>[A-Z][A-Za-z .]{{1,24}})\))"
    r"(?P<end>\s?(?:—|–|--|-|―|_)(?=\s|[^\W\d_]|[\"'“‘])|:(?=\s)|(?<=\))(?=\s))"
)
_BYLINE = re.compile(rf"[Bb][Yy] [^\n]{{1,{LONGEST_BYLINE}}}\n\s*")
_SPACE = re.compile(r"\s*")
# agencies that make a dateline of any name before them; after them some papers write no dash
_KNOWN = {
    *("AP", "AFP", "CNN", "Reuters", "UPI", "PTI", "ANI", "IANS", "dpa", "DPA", "Xinhua", "Kyodo", "TASS", "AAP", "PA"),
    *("Bloomberg", "VOA", "IPS", "Bernama", "NNA", "Anadolu"),
}
# words in capitals before a dash that name no place
_NO_PLACES = {
    *("BREAKING", "UPDATE", "UPDATED", "EXCLUSIVE", "WATCH", "LIVE", "CORRECTION", "OPINION", "ANALYSIS", "VIDEO"),
    *("PHOTOS", "NEWS", "FILE", "NOTE", "EDITORIAL", "REVIEW", "INTERVIEW", "WARNING", "ALERT", "DEVELOPING"),
    *("EXPLAINER", "FEATURE", "SPORT", "SPORTS", "BUSINESS", "WORLD", "NATO", "UNESCO", "UNICEF", "OPEC", "ASEAN"),
}


def find(text: str, title_end: int = 0) -> tuple[int, int] | None:
    """The span of the dateline at the beginning of the body, its dash included, or None.

    The body begins at `title_end`; a byline before the dateline is passed over.
    """
    start = _after_space(text, title_end)
    byline = _BYLINE.match(text, start, min(len(text), start + 2 * LONGEST_BYLINE))
    start = byline.end() if byline else start
    found = _DATELINE.match(text, start, min(len(text), start + LONGEST))
    return found.span() if found and _is_dateline(found, text) else None


def _after_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _is_dateline(found: re.Match[str], text: str) -> bool:
    """Whether it is more than words before a dash: it has an agency or a date, or is a place in capitals before the
    beginning of a sentence."""
    agency, place, end = found["agency"] or found["alone"], found["place"] or "", found["end"].strip()
    if not end:
        return agency in _KNOWN and _sentence_follows(found, text)
    if found["date"] or agency in _KNOWN:
        return found["end"] != "-" or bool(agency)  # "LONDON-based" begins with no dateline
    capitals = place.isupper() and len(place) > 3 and place.split()[0] not in _NO_PLACES
    if agency:
        return capitals
    return capitals and end != ":" and found["end"] != "-" and _sentence_follows(found, text)


def _sentence_follows(found: re.Match[str], text: str) -> bool:
    first = text[found.end() : found.end() + 20].lstrip().lstrip("\"'“‘([")[:1]
    return first.isupper() or first.isdigit()
