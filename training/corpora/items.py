"""A file of the notation, cut into items with their lines. What the lines mean: training/corpora/notation.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_PUBLISHED = re.compile(r"published:\s*(\S+)")
_NUMBERED = re.compile(r"(\d+):(?:\s(.*))?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Written:
    """A line of a notation file: its number there, and its words."""

    number: int
    words: str


@dataclass(frozen=True, slots=True)
class NotationProblem:
    """What is wrong in a notation file, where, and what to do."""

    source: str
    line: int
    message: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.message}" + (f"\n    {self.words}" if self.words else "")


@dataclass(slots=True)
class NotationItem:
    """An article's notation, or a written item: its declared entities, and its sentences with their relations."""

    id: str
    line: int
    published: str | None = None
    entities: list[Written] = field(default_factory=list)
    body: list[Written] = field(default_factory=list)


def read_items(source: str, notation: str, problems: list[NotationProblem]) -> list[NotationItem]:
    """The items of a file; lines that belong to none are added to the problems."""
    items: list[NotationItem] = []
    for written in _lines(notation):
        if written.words.startswith("# "):
            items.append(NotationItem(written.words[2:].strip(), written.number))
        elif not items:
            problems.append(NotationProblem(source, written.number, "a file begins with a line “# id”", written.words))
        else:
            _sort_in(items[-1], written, source, problems)
    if not items and not problems:
        problems.append(NotationProblem(source, 1, "the file is empty; it begins with a line “# id”"))
    return items


def _lines(notation: str) -> Iterator[Written]:
    for number, words in enumerate(notation.split("\n"), start=1):
        words = words.strip()
        if words and not words.startswith("##"):
            yield Written(number, words)


def _sort_in(item: NotationItem, written: Written, source: str, problems: list[NotationProblem]) -> None:
    published = _PUBLISHED.fullmatch(written.words)
    if published:
        item.published = published[1]
        if not _DATE.fullmatch(item.published):
            problems.append(
                NotationProblem(source, written.number, "write the day as published: 2024-05-01", written.words)
            )
    elif written.words.startswith("@"):
        item.entities.append(written)
    else:
        item.body.append(written)


def numbered(words: str) -> tuple[int, str] | None:
    """The number and the words of `2: words`; None for any other line."""
    match = _NUMBERED.fullmatch(words)
    return (int(match[1]), match[2] or "") if match else None
