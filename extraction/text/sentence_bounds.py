"""Mark words at which no sentence can start, before the parser runs: it finds the other bounds better than rules do.

The bounds themselves are the parser's. A small parser sometimes opens a sentence after "Jan." or inside brackets,
and news has more of those than its training data.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    "Ste. Mt. Ft. Fr. Msgr."
)
BEFORE_NUMBER = "Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. No. Nos. Art. Sec. Fig. Vol. pp. p. ca."
BEFORE_WORD = "vs. v. e.g. i.e. cf. al. viz. approx. a.k.a. aka."
ABBREVIATIONS = {
    **dict.fromkeys(TITLES.split(), str.istitle),
    **dict.fromkeys(BEFORE_NUMBER.split(), lambda word: word[:1].isdigit()),
    **dict.fromkeys(BEFORE_WORD.split(), lambda word: True),
}


def starts(words: Sequence[str], spaces: Sequence[bool]) -> list[bool | int | None]:
    """For each word of one line: 1 a sentence starts there, -1 none does, 0 the parser decides.

    `spaces[i]`: white space follows word i.
    """
    found: list[bool | int | None] = [int(index == 0) for index in range(len(words))]
    for index in range(1, len(words)):
        if not (_may_first(words, spaces, index) and _may_end(words, spaces, index)):
            found[index] = -1
        elif _quote_between(words, index):
            found[index] = 1
    for start, end in _brackets(words):
        found[start + 1 : end + 1] = [-1] * (end - start)
    return found


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
    if stopped in ABBREVIATIONS:
        return not ABBREVIATIONS[stopped](word)
    if last in CLOSERS and word[:1].islower():
        return False
    while last in CLOSERS and index > 1:
        index -= 1
        last = words[index - 1]
    return last in ENDS or (last.endswith(".") and len(last) > 1)


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
