"""A query's result as its page shows it: cells and the page as a whole are bounded, whatever the query returns.

The downloads hold what is cut here, within the limits of the stores.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST_SHOWN = 500  # rows
MOST_COLUMNS = 100
LONGEST_CELL = 2000  # characters
LONGEST_LINK = 2000  # characters; a longer one is shown as text, since a part of it would lead elsewhere
LONGEST_PAGE = 1_000_000  # characters of all cells; escaped, they may take six times that
_AROUND = 20  # characters of markup around a cell


@dataclass(frozen=True)
class ResultCell:
    """One value of a result. `own`: its link leads to a page of this product."""

    text: str
    href: str = ""
    own: bool = False
    language: str = ""


@dataclass(frozen=True)
class ShownAnswer:
    """A result as the page shows it: a table or text."""

    title: str
    columns: list[str]
    rows: list[list[ResultCell]] | None
    text: str = ""


def cell(text: str, href: str = "", own: bool = False, language: str = "") -> ResultCell:
    """A cell with at most LONGEST_CELL characters."""
    return ResultCell(cut(text, LONGEST_CELL), href if len(href) <= LONGEST_LINK else "", own, cut(language, 100))


def cut(text: str, longest: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def table(columns: list[str], rows: Iterable[list[ResultCell]], count: int, counted: str) -> ShownAnswer:
    """The first rows that fit. `count`: rows of the answer; `counted`: their number in words."""
    shown: list[list[ResultCell]] = []
    left = LONGEST_PAGE
    for row in rows:
        row = row[:MOST_COLUMNS]
        left -= sum(len(one.text) + len(one.href) + _AROUND for one in row)
        if len(shown) == MOST_SHOWN or (left < 0 and shown):
            break
        shown.append(row)
    title = f"{counted} row{'' if count == 1 else 's'}"
    if len(shown) < count:
        title += f", the first {len(shown)} of them here"
    if len(columns) > MOST_COLUMNS:
        title += f", and the first {MOST_COLUMNS} of {len(columns)} columns"
    return ShownAnswer(title, [cut(name, LONGEST_CELL) for name in columns[:MOST_COLUMNS]], shown)


def words(title: str, text: str) -> ShownAnswer:
    """A result that is text, such as triples."""
    if len(text) > LONGEST_PAGE:
        title += f", the first {LONGEST_PAGE:,} characters of them here"
    return ShownAnswer(title, [], None, cut(text, LONGEST_PAGE))
