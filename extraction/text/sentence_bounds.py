"""Mark words at which no sentence can start, before the parser runs: it finds the other bounds better than rules do.

The bounds themselves are the parser's. A small parser sometimes opens a sentence after "Jan." or inside brackets,
and news has more of those than its training data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from extraction.text.time_words import MONTHS, WEEKDAYS

ENDS = {".", "!", "?", "…", "...", "....", "?!", "!?", "!!", "!!!", "??", "???", "‽", "。"}
CLOSERS = {")", "]", "}", '"', "'", "”", "’", "»", "›", "''", "’’"}
OPENERS = {"(": ")", "[": "]", "{": "}"}
QUOTES = {'"', "'", "''"}  # opening or closing, depending on the spaces beside them
OPENING_QUOTES = {"“", '"'}
ENDING_QUOTES = {(".", '"'), (".", "”")}
NEVER_FIRST = CLOSERS - QUOTES | ENDS - {"...", "…"} | {",", ":", ";", "%", "n't", "n’t", "'s", "’s"}
NEVER_LAST = {"“", "‘", "«", "‹", *OPENERS}
LONGEST_BRACKET = 60  # words; a bracket that is never closed, or closed far away, is ignored

TITLES = (
    "Mr. Mrs. Ms. Dr. Prof. Rev. Hon. Gen. Lt. Col. Maj. Capt. Cmdr. Sgt. Cpl. Adm. Sen. Rep. Gov. Pres. Supt. St. "
    "Ste. Mt. Ft. Fr. Msgr. Messrs. Drs. Profs. Revs. Gens. Sens. Reps. Govs. Brig. Pvt. Pfc. Spc. Det. Insp. Amb. "
    "Atty."
)
BEFORE_NUMBER = "Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. No. Nos. Art. Sec. Fig. Vol. pp. p. ca."
BEFORE_WORD = "vs. v. e.g. i.e. cf. al. viz. approx. a.k.a. aka."
CLOCK_ZONES = {"GMT", "UTC", "BST", "IST", "CET", "CEST", "EET", "EST", "EDT", "ET", "CST", "CDT", "PST", "PDT", "PT"}
CLOCK_ZONES |= {"AEST", "AEDT", "SAST", "WAT", "EAT", "JST", "MSK"}
# what follows a clock time in one sentence: a day or a zone
AFTER_CLOCK = {*WEEKDAYS, *MONTHS, *map(str.lower, CLOCK_ZONES)}
ABBREVIATIONS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(TITLES.split(), lambda word: word[:1].isupper()),
    **dict.fromkeys(("a.m.", "p.m."), lambda word: word.lower().rstrip(".") in AFTER_CLOCK),
    **dict.fromkeys(BEFORE_NUMBER.split(), lambda word: word[:1].isdigit()),
    **dict.fromkeys(BEFORE_WORD.split(), lambda word: True),
}

INITIAL = re.compile(r"[A-Z]\.")
# a letter after these is no initial of a name: "in Group A. Germany won"
BEFORE_LETTER = {
    *("Group", "Plan", "Grade", "Category", "Class", "Type", "Part", "Section", "Division", "Serie", "Ligue", "Series"),
    *("Block", "Room", "Terminal", "Exhibit", "Schedule", "Vitamin", "Hepatitis", "War"),
}
OPENING_WORDS = {
    *("The", "A", "An", "This", "That", "These", "Those", "He", "She", "It", "They", "We", "You", "I", "His", "Her"),
    *("Its", "Their", "In", "On", "At", "As", "If", "When", "While", "After", "Before", "But", "And", "For", "There"),
    *("What", "Who"),
}
CLOCK = re.compile(r"[0-9]{1,2}(?:[:.][0-9]{2})?(?:am|pm|h)?|[0-9]{1,2}(?:[:.][0-9]{2})?[ap]\.m\.?", re.I)
HALF_DAYS = {"am", "pm", "a.m.", "p.m."}
DASHES = {"-", "--", "–", "—"}


def starts(words: Sequence[str], spaces: Sequence[bool]) -> list[bool | int | None]:
    """For each word of one line: 1 a sentence starts there, -1 none does, 0 the parser decides.

    `spaces[i]`: white space follows word i.
    """
    result: list[bool | int | None] = [int(index == 0) for index in range(len(words))]
    for index in range(1, len(words)):
        if not (_may_first(words, spaces, index) and _may_end(words, spaces, index)):
            result[index] = -1
        elif _quote_between(words, index):
            result[index] = 1
    for index in range(len(words)):
        stamp = _stamp(words, index) if index == 0 or (words[index - 1] in ENDS and result[index] == 0) else 0
        if stamp:
            result[index] = result[index + stamp] = 1
    for start, end in _brackets(words):
        result[start + 1 : end + 1] = [-1] * (end - start)
    return result


def _stamp(words: Sequence[str], start: int) -> int:
    """How many words the clock time of a live blog takes ("10.35am", "17:02 GMT:") that a sentence follows; else 0."""
    if not CLOCK.fullmatch(words[start]):
        return 0
    end, marks = start + 1, int(words[start][-1:].isalpha())
    for kind in (HALF_DAYS, CLOCK_ZONES, DASHES | {":", "|"} if ":" in words[start] else {":"}):
        if end < len(words) and words[end] in kind:
            end, marks = end + 1, marks + 1
    followed = end < len(words) and (words[end][:1].isupper() or words[end] in OPENING_QUOTES)
    timed = marks > 0 and (len(words[start]) > 2 or words[start + 1] in HALF_DAYS)
    return end - start if followed and timed and words[end].lower() not in AFTER_CLOCK else 0


def _quote_between(words: Sequence[str], index: int) -> bool:
    """A full stop, a quote, then a capital: the parser misses it, having seen few quotes of more than a sentence."""
    if words[index] in OPENING_QUOTES:
        return words[index - 1] == "." and "".join(words[index + 1 : index + 2])[:1].isupper()
    return index > 1 and tuple(words[index - 2 : index]) in ENDING_QUOTES and words[index][:1].isupper()


def _may_first(words: Sequence[str], spaces: Sequence[bool], index: int) -> bool:
    """Whether words[index] can open a sentence: no closing mark, nothing after an opening one or a list number."""
    if words[index] in NEVER_FIRST or words[index - 1] in NEVER_LAST:
        return False
    if index == 2 and words[1] == "." and words[0].isdigit():
        return False
    if words[index] in QUOTES:
        return spaces[index - 1]
    return not (words[index - 1] in QUOTES and not spaces[index - 1])


def _may_end(words: Sequence[str], spaces: Sequence[bool], index: int) -> bool:
    """Whether a sentence may end before words[index]: after closing punctuation, or an abbreviation's full stop."""
    last, word = words[index - 1], words[index]
    stopped = f"{words[index - 2]}." if last == "." and index > 1 and not spaces[index - 2] else last
    known = ABBREVIATIONS.get(stopped.capitalize() if stopped.isupper() else stopped)
    if known:
        return not known(word)
    if word in DASHES and stopped.isupper():  # "ST. LOUIS, MO. —"
        return False
    if INITIAL.fullmatch(stopped) and _of_name(
        words[max(0, index - 2 - (last == ".")) : index - 1 - (last == ".")], word
    ):
        return False
    if last in CLOSERS and word[:1].islower():
        return False
    while last in CLOSERS and index > 1:
        index -= 1
        last = words[index - 1]
    if last in ENDS:
        return True
    # the full stop of an abbreviation, such as "Inc.": it may end a sentence too
    return last.endswith(".") and len(last) > 1 and not word[:1].islower() and word not in DASHES


def _of_name(before: Sequence[str], after: str) -> bool:
    """Whether an initial stands in a name, "George W. Bush", and not at a sentence's end: "plan B. The"."""
    named = not before or (before[0][:1].isupper() and before[0] not in BEFORE_LETTER)
    return named and after[:1].isupper() and after not in OPENING_WORDS


def _brackets(words: Sequence[str]) -> list[tuple[int, int]]:
    """Places of outermost pairs of brackets."""
    pairs, opened = [], -1
    for index, word in enumerate(words):
        if opened < 0 and word in OPENERS:
            opened = index
        elif opened >= 0 and word == OPENERS[words[opened]]:
            pairs.append((opened, index))
            opened = -1
        elif opened >= 0 and index - opened > LONGEST_BRACKET:
            opened = -1
    return pairs
