"""Find the line ends that lie within a sentence, in texts broken at a fixed width or anywhere.

A text says nowhere whether its line ends mean anything. A paragraph a line, headings, captions and lists are usual, and
there a line's end ends a sentence. So a line end needs evidence to be one within a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
WIDEST = 120  # code points of a line in a text of broken lines
FULL, NEARLY_FULL = 0.85, 0.6  # of the width, with the next line's first word
_LINE_ENDS = {"\n", "\r\n"}
_ENDED = re.compile(r"[.!?…:;]['\"”’)\]»]*$")
# with these and a full stop a line may end within a sentence; other abbreviations are known from their inner points
_ABBREVIATED = re.compile(
    r"(?:^|[\s(“\"])(?:Mr|Mrs|Ms|Dr|Prof|Rev|Hon|Gen|Lt|Col|Maj|Capt|Cmdr|Sgt|Cpl|Adm|Sens?|Reps?|Gov|Pres|Supt|St|Mt"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|No|vs|[A-Z](?:\.[A-Z])*)\.$"
)
_UNFINISHED = re.compile(
    r"(?:^|\s)(?:a|an|the|of|and|or|to|in|on|at|by|for|from|with|into|than|as|his|her|their|its|our|my|that|which|who|is"
    r"|was|were|are|be|been|has|had|have|will|would|between|against|during|under|over|after|before|about)$|[a-z]-$"
)
_ITEM = re.compile(
    r"\s*(?:[-*•·–—>#|]|[0-9]{1,3}[.)]\s|\([0-9a-z]\)\s|[0-9]{1,2}[.:][0-9]{2}\b|[0-9]{1,2} ?[ap]\.?m\b)"
)
_TAIL = 40  # code points
_EVIDENCE = 2  # line ends that must lie within sentences before a text counts as one of broken lines


@dataclass(frozen=True, slots=True)
class _Break:
    """The end of a line that another follows without a blank one, at `start` to `end`.

    `possible`: the line ends no sentence, and the next begins no item of a list. `marks`: how many signs there are that
    a sentence goes on, a word that ends none and a small letter after it. `length`: of the line with the next line's
    first word; `width`: of the longest line of their block.
    """

    start: int
    end: int
    possible: bool
    marks: int
    length: int
    width: int

    def full(self, share: float) -> bool:
        return self.length > share * self.width


def join_lines(text: str) -> str:
    """The text with each line end that lies within a sentence made a space; no offset changes."""
    breaks = list(_breaks(text))
    narrow = [one for one in breaks if one.width <= WIDEST]
    open_ones = sum(one.possible and one.marks > 0 for one in narrow)
    broken = open_ones >= _EVIDENCE and 3 * open_ones >= sum(one.possible for one in narrow)
    parts, done = [], 0
    for one in breaks:
        if one.possible and _within(one, broken and one.width <= WIDEST):
            parts += [text[done : one.start], " " * (one.end - one.start)]
            done = one.end
    return "".join([*parts, text[done:]])


def _within(one: _Break, broken: bool) -> bool:
    return one.marks == 2 or (one.marks == 1 and one.full(NEARLY_FULL)) or (broken and one.full(FULL))


def _breaks(text: str) -> Iterator[_Break]:
    block: list[re.Match[str]] = []
    for line in LINE.finditer(text):
        blank = line[0].isspace()
        if blank or (block and text[block[-1].end() : line.start()] not in _LINE_ENDS):
            yield from _block_breaks(block)
            block = []
        if not blank:
            block.append(line)
    yield from _block_breaks(block)


def _block_breaks(block: list[re.Match[str]]) -> Iterator[_Break]:
    width = max((len(line[0].strip()) for line in block), default=0)
    for first, second in pairwise(block):
        before, word = first[0].rstrip(), second[0].split(None, 1)[0]
        tail = before[-_TAIL:]
        ended = _ENDED.search(tail) and not _ABBREVIATED.search(tail)
        yield _Break(
            start=first.end(),
            end=second.start(),
            possible=not ended and not _ITEM.match(second[0]),
            marks=bool(_UNFINISHED.search(tail)) + word[0].islower(),
            length=len(before) + 1 + len(word),
            width=width,
        )
