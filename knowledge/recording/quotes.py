"""Quotes: exact words with the text around them, by which verdicts and corrections follow a post through its edits."""

from __future__ import annotations

AROUND = 32  # code points kept before and after the exact words
Quote = dict[str, str]


def find(text: str, quote: Quote) -> int | None:
    """The offset of the quote's exact words in a text, at the place whose surroundings are most like the quote's.

    None where the words are gone, or stand only amid other words: at least half of what the quote has around them,
    and no more than 16 code points of it, must touch them unchanged.
    """
    exact, before, after = quote["exact"], quote["prefix"], quote["suffix"]
    needed = min(AROUND // 2, (len(before) + len(after)) // 2)
    best, place = -1, text.find(exact)
    found = None
    while place >= 0:
        alike = _alike(before[::-1], text[max(0, place - AROUND) : place][::-1])
        alike += _alike(after, text[place + len(exact) : place + len(exact) + AROUND])
        if alike > best:
            best, found = alike, place
        place = text.find(exact, place + 1)
    return found if best >= needed else None


def quote_of(text: str, start: int, end: int) -> Quote:
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    return {"exact": text[start:end], "prefix": before, "suffix": after}


def _alike(left: str, right: str) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
