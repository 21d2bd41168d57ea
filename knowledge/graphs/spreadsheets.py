"""Tables for spreadsheet programs, which run a cell that begins with certain signs as a formula."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

BOM = b"\xef\xbb\xbf"  # by it Excel knows that a file is UTF-8
# The signs that OWASP lists for CSV injection, also in the full width of East Asian text.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def harmless(cells: Iterable[Any]) -> Iterator[Any]:
    """The cells of a row: a text that a spreadsheet would run gets an apostrophe in front. Numbers stay as they are."""
    return (_as_text(cell) if isinstance(cell, str) else cell for cell in cells)


def _as_text(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    """Whether the cell is a plain number, such as -3.5 or -1e-05, which no program runs."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii()
