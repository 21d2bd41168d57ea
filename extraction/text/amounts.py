"""Resolve the words of an amount, "£14m" or "40,000 euros", into a value and its unit.

What bounds or blurs an amount ("more than 100", "about 20") is passed over. A range, a score, an ordinal, a fraction
and a vague number ("dozens") have no value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from extraction.text.currencies import SIGNS, named
from extraction.text.numerals import leading

LONGEST = 100  # code points; longer words are no amount

_BLURS = (
    "about, around, some, nearly, almost, roughly, approximately, perhaps, maybe, only, just, over, under, exactly, "
    "well, an estimated, estimated, another, additional, further, record, total, up to, at least, at most, more than, "
    "less than, fewer than, as many as, as much as, as few as, as little as, close to, upwards of, in excess of, "
    "between, from, the, its, their, a(?= [0-9]), a(?= (?:record|total|further)), an(?= (?:additional|extra))"
)
_BLURRED = re.compile(f"(?:(?:{'|'.join(_BLURS.split(', '))}) (?:of )?)*", re.I)
_MINUS = re.compile(r"(?:-|minus )(?=[^\w\s]?[0-9])", re.I)
_SIGN = re.compile(rf"({'|'.join(sorted(map(re.escape, SIGNS), key=len, reverse=True))}) ?(?=[0-9.])")
_GROUPED = re.compile(r"(?<=[0-9])[ \u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_ORDINAL = re.compile(r"[0-9](?:st|nd|rd|th)\b", re.I)
_HYPHEN = re.compile(r"(?<=[^\W_])-(?=[^\W\d_])")
_TOKEN = re.compile(r"[0-9.]*[0-9](?:[0-9,.]*[0-9])?|[^\W\d_](?:[\w.'’]*\w)?|[^\w\s.,;:]")

_ABBREVIATED: dict[str, str] = {
    **dict.fromkeys(("k",), "thousand"),
    **dict.fromkeys(("m", "mn", "mln", "mio"), "million"),
    **dict.fromkeys(("b", "bn", "bln"), "billion"),
    **dict.fromkeys(("t", "tn", "trn"), "trillion"),
    **dict.fromkeys(("cr",), "crore"),
}
_SCALED = re.compile(rf"(?<=[0-9])( ?)({'|'.join(sorted(_ABBREVIATED, key=len, reverse=True))})\b", re.I)
_MEASURES = {"m", "b", "t"}  # metres, bytes, tonnes where they end an amount that is no money

_VAGUE = {
    *("tens", "dozens", "scores", "hundreds", "thousands", "millions", "billions", "trillions", "lakhs", "crores"),
    *("dozen", "hundred", "thousand", "million", "billion", "several", "few", "many", "couple", "a", "an", "of"),
}
_PARTS = {"half", "halves", "third", "thirds", "quarter", "quarters", "fifth", "fifths", "tenth", "tenths"}
_JOINS = {"to", "and", "or", "in", "out", "-", "/"}
_BEFORE_UNIT = {"of", "worth", "the", "in", "+"}
_OR_SO = {"or more", "or so", "or less", "or fewer"}


def resolve(words: str) -> tuple[float | None, str]:
    """The value of an amount, and its unit: an ISO 4217 code, "%", or the words after the number.

    "£14m" gives 14,000,000 and "GBP", "300 people" 300 and "people", "millions of dollars" None and "USD". None and ""
    stand for what the words do not say.
    """
    text = " ".join(words[: LONGEST + 1].split()).translate({0x2013: "-", 0x2014: "-", 0x2212: "-"})
    if len(words) > LONGEST or _ORDINAL.search(text):
        return None, ""
    text, _ = _after(_BLURRED, text)
    text, minus = _after(_MINUS, text)
    text, sign = _after(_SIGN, text)
    value, rest = _number(_tokens(text, money=sign is not None))
    unit = SIGNS[sign[1]] if sign else _unit(rest)
    return (-value if minus and value else value), unit


def _after(pattern: re.Pattern[str], text: str) -> tuple[str, re.Match[str] | None]:
    found = pattern.match(text)
    return text[found.end() :] if found else text, found


def _tokens(text: str, money: bool) -> list[str]:
    """The numbers, words and marks of an amount, scales written out: "5.4bn euros" is 5.4, billion, euros."""

    def scale(found: re.Match[str]) -> str:
        measure = found[2].lower() in _MEASURES and not text[found.end() :].strip()
        apart = bool(found[1])
        return found[0] if (apart or measure) and not money else f" {_ABBREVIATED[found[2].lower()]}"

    return _TOKEN.findall(_HYPHEN.sub(" ", _SCALED.sub(scale, _GROUPED.sub("", text))))


def _number(tokens: Sequence[str]) -> tuple[float | None, list[str]]:
    """The value that the tokens begin with, and those after it; None of a range, a fraction or a vague number."""
    lowered = [token.lower() for token in tokens]
    value, taken = leading(lowered)
    if not taken:
        while taken < len(lowered) and lowered[taken] in _VAGUE | _PARTS:
            taken += 1
        return None, list(tokens[taken:]) if taken else []
    if taken < len(lowered) and lowered[taken] in _PARTS:
        return None, list(tokens[taken + 1 :])
    other = _range_end(tokens, lowered, taken)
    return (None, list(tokens[other:])) if other else (float(value or 0), list(tokens[taken:]))


def _range_end(tokens: Sequence[str], lowered: Sequence[str], at: int) -> int:
    """Where a range or a score ends whose first number ends at `at`; 0 where there is no second number."""
    start = at
    while start < len(lowered) and (lowered[start] in _JOINS | {"of"} or tokens[start] in SIGNS):
        start += 1
    taken = leading(lowered[start:])[1] if start > at else 0
    return start + taken if taken else 0


def _unit(rest: Sequence[str]) -> str:
    start = 2 if " ".join(rest[:2]).lower() in _OR_SO else 0
    while start < len(rest) and rest[start].lower() in _BEFORE_UNIT:
        start += 1
    words = [word.lower() for word in rest[start:]]
    if not words or leading(words)[1]:
        return ""
    if words[0] in ("%", "percent", "pct", "percentage") or words[:2] == ["per", "cent"]:
        return "percentage points" if any(word.startswith("point") for word in words[1:3]) else "%"
    return named(words) or SIGNS.get(rest[start]) or " ".join(rest[start:])
