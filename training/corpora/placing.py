"""Marks in the notation, and the place in a line of the text that the words around them were copied from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from extraction.schema import Form

# One character for one, so that offsets in what is folded are offsets in the original.
_FOLDED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛`´", "'"),
        **dict.fromkeys("“”„‟«»", '"'),
        **dict.fromkeys("‐‑‒–—", "-"),
        **dict.fromkeys("\u00a0\u202f\u2009\t", " "),
    }
)

_GAP = re.compile(r"\s*(?:\.\.\.|…)\s*")
_TARGET = re.compile(r"(?P<key>[A-Za-z0-9_-]+)(?P<suffix>[~^]?)")
_FORM_OF: dict[str, Form] = {"": "name", "~": "nominal", "^": "pronoun"}

SUFFIX_OF: dict[str, Literal["", "~", "^"]] = {"name": "", "nominal": "~", "pronoun": "^"}


class NotationError(Exception):
    """A line of the notation cannot be understood; the message gives the words and what to do."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked mention: where its words lie, the key of its entity or a type's letter, and its form."""

    start: int
    end: int
    target: str
    form: Form


@dataclass(frozen=True, slots=True)
class CopiedPiece:
    """Words copied from one place: where they lie in what was written, and in the line of the text."""

    start: int
    end: int
    found: int


def fold(text: str) -> str:
    """The text with plain quotes, hyphens and spaces for typographic ones, of the same length."""
    return text.translate(_FOLDED)


def _is_of_a_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character).startswith("M")


def cuts_a_word(text: str, offset: int) -> bool:
    """Whether a word continues across the offset. Hyphens and apostrophes bound words."""
    return 0 < offset < len(text) and _is_of_a_word(text[offset - 1]) and _is_of_a_word(text[offset])


def without_marks(written: str) -> tuple[str, list[Mark]]:
    """The words without their marks, and the marks with offsets in these words."""
    plain, marks, position = "", [], 0
    while (opening := written.find("{", position)) >= 0:
        plain += written[position:opening]
        closing = written.find("}", opening)
        if closing < 0:
            raise NotationError(f"“{written[opening:]}” has no closing brace; write {{words|key}}")
        inside = written[opening + 1 : closing]
        if "{" in inside:
            raise NotationError(f"“{{{inside}”: a mark inside a mark; mark the longer name alone")
        words, target, form = _mark(inside)
        marks.append(Mark(len(plain), len(plain) + len(words), target, form))
        plain, position = plain + words, closing + 1
    plain += written[position:]
    if "}" in plain:
        raise NotationError("a closing brace without an opening one; write {words|key}")
    return plain, marks


def _mark(inside: str) -> tuple[str, str, Form]:
    words, bar, target = inside.rpartition("|")
    match = _TARGET.fullmatch(target)
    if not bar or not words.strip() or not match:
        raise NotationError(
            f"“{{{inside}}}” is no mark; write {{words|key}}, {{words|key~}}, {{words|key^}} or {{words|T}}"
        )
    if words != words.strip():
        raise NotationError(f"“{{{inside}}}”: no space before or after the words of a mark")
    return words, match["key"], _FORM_OF[match["suffix"]]


def place(plain: str, line: str) -> list[CopiedPiece]:
    """Where the copied words lie in the line: whole as they are, else each piece between gaps (...) in its order."""
    for pieces in (_whole(plain), _between_gaps(plain)):
        leftmost = _leftmost(pieces, line)
        if leftmost is not None:
            return _certain(pieces, leftmost, line)
    raise NotationError(_not_found(plain, line))


def _whole(plain: str) -> list[tuple[int, str]]:
    start = len(plain) - len(plain.lstrip())
    return [(start, plain.strip())]


def _between_gaps(plain: str) -> list[tuple[int, str]]:
    pieces, start = [], 0
    for gap in [*_GAP.finditer(plain), None]:
        end = gap.start() if gap else len(plain)
        words = plain[start:end]
        if words.strip():
            pieces.append((start + len(words) - len(words.lstrip()), words.strip()))
        start = gap.end() if gap else end
    return pieces


def occurrences(words: str, line: str) -> list[int]:
    """Where the words stand in the line without cutting a word, typographic and plain quotes alike."""
    words, line, found = fold(words), fold(line), []
    start = line.find(words)
    while start >= 0:
        if not cuts_a_word(line, start) and not cuts_a_word(line, start + len(words)):
            found.append(start)
        start = line.find(words, start + 1)
    return found


def _leftmost(pieces: list[tuple[int, str]], line: str) -> list[int] | None:
    places, least = [], 0
    for _, words in pieces:
        found = next((start for start in occurrences(words, line) if start >= least), None)
        if found is None:
            return None
        places.append(found)
        least = found + len(words)
    return places


def _certain(pieces: list[tuple[int, str]], leftmost: list[int], line: str) -> list[CopiedPiece]:
    """The pieces at their only places. What lies elsewhere when placed from the right might have been meant there."""
    most = len(line)
    for (_, words), place_from_left in zip(reversed(pieces), reversed(leftmost), strict=True):
        place_from_right = max(start for start in occurrences(words, line) if start + len(words) <= most)
        if place_from_right != place_from_left:
            raise NotationError(f"“{words}” stands in this line more than once; copy more of the words around it")
        most = place_from_right
    placed = zip(pieces, leftmost, strict=True)
    return [CopiedPiece(start, start + len(words), found) for (start, words), found in placed]


def _not_found(plain: str, line: str) -> str:
    for _, words in _between_gaps(plain):
        if not occurrences(words, line):
            return (
                f"“{words}” does not stand in this line: “{line}”. Copy the words as they are, or write ... for a gap"
            )
    return f"the words do not stand in this order in the line: “{line}”"


def moved(mark: Mark, pieces: list[CopiedPiece]) -> tuple[int, int]:
    """Where a mark of what was written lies in the line."""
    for piece in pieces:
        if piece.start <= mark.start and mark.end <= piece.end:
            return mark.start - piece.start + piece.found, mark.end - piece.start + piece.found
    raise NotationError("a mark runs over a gap (...); copy its words in full")
