"""Where a sentence cannot start, told to the parser before it looks: it then finds the rest better than rules do.

The bounds themselves are the parser's. A small parser sometimes opens a sentence after "Jan." or inside brackets,
and news has more of those than its training data.
"""

from __future__ import annotations

from collections.abc import Sequence

ENDS = frozenset(".!?…:;") | {"...", "....", "?!", "!?", "!!", "!!!", "??", "???", "‽", "。"}
CLOSERS = frozenset(")]}\"'”’»›") | {"''", "’’"}
OPENERS = {"(": ")", "[": "]", "{": "}"}
NEVER_FIRST = CLOSERS - set("\"'’") | ENDS - {"...", "…"} | {",", "%", "n't", "n’t", "'s", "’s"}
LONGEST_BRACKET = 60  # words; a bracket that is never closed, or closed far off, says nothing about sentences

TITLES = (
    "Mr. Mrs. Ms. Dr. Prof. Rev. Hon. Gen. Lt. Col. Maj. Capt. Cmdr. Sgt. Cpl. Adm. Sen. Rep. Gov. Pres. Supt. St. "
    "Ste. Mt. Ft. Fr. Msgr."
)
BEFORE_NUMBER = "Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. No. Nos. Art. Sec. Fig. Vol. pp. p. ca."
BEFORE_WORD = "vs. v. e.g. i.e. cf. al. viz. approx. a.k.a. aka."
ABBREVIATIONS = {
    **dict.fromkeys(TITLES.split(), str.istitle),
    **dict.fromkeys(BEFORE_NUMBER.split(), lambda word: word[:1].isdigit()),
    **dict.fromkeys(BEFORE_WORD.split(), lambda word: True),
}


def may_start(words: Sequence[str]) -> list[bool]:
    """For each word of one line whether a sentence may start there."""
    allowed = [True] * len(words)
    for index in range(1, len(words)):
        allowed[index] = words[index] not in NEVER_FIRST and _may_end(words, index)
    for start, end in _brackets(words):
        allowed[start + 1 : end + 1] = [False] * (end - start)
    return allowed


def _may_end(words: Sequence[str], index: int) -> bool:
    """Whether a sentence may end before words[index]: after closing punctuation, or an abbreviation's full stop."""
    last = words[index - 1]
    if last in ABBREVIATIONS:
        return not ABBREVIATIONS[last](words[index])
    while last in CLOSERS and index > 1:
        index -= 1
        last = words[index - 1]
    return last in ENDS or last in CLOSERS or (last.endswith(".") and len(last) > 1)


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
