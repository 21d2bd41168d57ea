"""Read English number words and digits: "5", "1,250", "5,00,000", "2.5", "twenty-five", "two and a half million"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL: dict[str, int] = {
    **{word: value for value, word in enumerate(_ONES.split())},
    **{word: 10 * value for value, word in enumerate(_TENS.split(), start=2)},
}
SCALES: dict[str, int] = {
    **{"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"lakh": 10**5, "lakhs": 10**5, "crore": 10**7, "crores": 10**7},
}
_FRACTIONS = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
_BEFORE_SCALE = {"a", "an", "of", *_FRACTIONS}
_DIGITS = re.compile(r"[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
LONGEST = 40  # characters of a number in digits


def digits(word: str) -> Decimal | None:
    """The value of a number in digits, grouped by commas in the British or the Indian way, or of no number: None."""
    return Decimal(word.replace(",", "")) if len(word) <= LONGEST and _DIGITS.fullmatch(word) else None


def leading(words: Sequence[str]) -> tuple[Decimal | None, int]:
    """The value of the number that `words` (in lower case, split at hyphens) begin with, and how many words it takes.

    None and 0 where they begin with no number. "A million" is a number, "a house", "half" and "hundreds" are none.
    """
    total, group = Decimal(0), _part_of_a_scale(words)
    at = start = _taken_before_scale(words)
    while at < len(words):
        scale = SCALES.get(words[at])
        added, taken = (None, 1) if scale else _added(words, at, group, total)
        if scale:
            group = (Decimal(1) if group is None else group) * scale
        elif added is None:
            break
        else:
            group = (group or Decimal(0)) + added
        at += taken
        if scale and scale >= 1000 and not (at < len(words) and words[at] in SCALES):
            total, group = total + (group or Decimal(0)), None
    return (total + (group or Decimal(0)), at) if at > start else (None, 0)


def _taken_before_scale(words: Sequence[str]) -> int:
    """How many of the first words only introduce a scale: 1 of "a million", 3 of "quarter of a million", else 0."""
    at = 0
    while at < min(4, len(words)) and words[at] in _BEFORE_SCALE:
        at += 1
    return at if at < len(words) and words[at] in SCALES else 0


def _part_of_a_scale(words: Sequence[str]) -> Decimal | None:
    named = [_FRACTIONS[word] for word in words[: _taken_before_scale(words)] if word in _FRACTIONS]
    return named[0] if named else None


def _added(words: Sequence[str], at: int, group: Decimal | None, total: Decimal) -> tuple[Decimal | None, int]:
    """What the words from `at` add to the number so far, and how many they are; None where the number has ended."""
    joined = words[at] == "and"
    if joined and words[at + 1 : at + 2] == ["a"] and words[at + 2 : at + 3] and group is not None:
        return _FRACTIONS.get(words[at + 2]), 3
    word = words[at + joined] if at + joined < len(words) else ""
    value = Decimal(SMALL[word]) if word in SMALL else digits(word)
    if value is None or (joined and not (total or group)):
        return None, 0
    if group is not None and not (word in SMALL and _follows(int(value), group, joined)):
        return None, 0
    return value, 1 + joined


def _follows(value: int, group: Decimal, joined: bool) -> bool:
    """Whether a word of `value` continues a number that has come to `group`: "five" after "twenty" or "hundred and"."""
    rest = group % 100
    return (group > 0 and rest == 0) or (0 < value < 10 <= rest / 2 and rest % 10 == 0 and not joined)
