"""Finds words that a SPARQL engine might take for keywords, whatever its parser is like.

This is no parser: it errs on the side of finding. Strings, comments, variables and the local parts of names are
skipped; everything else is searched for the word, also inside longer words, since some parsers need no space after a
keyword. `<` may begin an IRI or mean "less than", which moves every quote after it: both are followed. So a harmless
text may be refused (a prefix called `payload:`), but no unusual text passes. No Django, no third party.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

_TOKENS = re.compile(
    r"""
      (?P<iri> <[^<>"{}|^`\\\x00-\x20]*+> )
    | (?P<variable> [?$]\w++ )
    | (?P<tag> @[a-zA-Z]++(?:-[a-zA-Z0-9]++)*+ )
    | (?P<prefixed> (?P<prefix> (?:[^\W\d][\w\-]*+)?+ ) :(?:[\w:%\-]|\\.)*+ )
    | (?P<word> [^\W\d][\w\-]*+ )
    """,
    re.VERBOSE | re.DOTALL,
)
# What continues a string within its quotation marks, the longest marks first.
_BODIES = {
    '"""': re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]++|\\.|'(?!''))*+", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n\r]++|\\.)*+', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n\r]++|\\.)*+", re.DOTALL),
}
_LINE_END = re.compile(r"[\n\r]")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
# No expression goes on like this after "less than": two slashes are no operator.
_CERTAINLY_IRI = re.compile(r"<[a-zA-Z][a-zA-Z0-9+.\-]*://")


def forbidden(text: str, words: frozenset[str]) -> str:
    """The first of `words` (in capitals) that the text might use as a keyword, escaped or not; "" where none is."""
    for form in (text, unescaped(text)):
        for bare in _bare_words(form):
            found = [word for word in sorted(words) if word in bare]
            if found:
                return found[0]
    return ""


def _bare_words(text: str) -> Iterator[str]:
    """The words outside strings, comments and the like, in capitals, by any interpretation of the text."""
    waiting, seen, spans = [0], set[int](), _Spans(text)
    while waiting:
        place = waiting.pop()
        while place < len(text) and place not in seen:
            seen.add(place)
            if end := spans.end(place):
                place = end
                continue
            found = _TOKENS.match(text, place)
            if found is None or found.end() == place:
                place += 1
                continue
            if found.lastgroup == "iri" and not _CERTAINLY_IRI.match(text, place):
                waiting.append(place + 1)
            bare = found["prefix"] if found.lastgroup == "prefixed" else found["word"]
            if bare:
                yield bare.upper()
            place = found.end()


class _Spans:
    """Where the strings and comments of a text end. The end of a line, or a quotation mark that nothing closes, is
    searched for once, not at each place."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: dict[str, set[int]] = {mark: set() for mark in _BODIES}
        self._line_ends: list[int] = []

    def end(self, place: int) -> int:
        """The end of the string or comment that begins at `place`; 0 where none does."""
        if self._text[place] == "#":
            return self._line_end(place)
        for mark in _BODIES:
            if self._text.startswith(mark, place) and place + len(mark) not in self._open[mark]:
                end = self._close(mark, place + len(mark))
                if end:
                    return end
        return 0

    def _line_end(self, place: int) -> int:
        if not self._line_ends:
            self._line_ends = [*(found.start() for found in _LINE_END.finditer(self._text)), len(self._text)]
        return self._line_ends[bisect_left(self._line_ends, place)]

    def _close(self, mark: str, place: int) -> int:
        found = _BODIES[mark].match(self._text, place)
        end = found.end() if found else place
        if self._text.startswith(mark, end):
            return end + len(mark)
        while place < end and place not in self._open[mark]:
            # A string that begins at one of these places goes on to the same end.
            self._open[mark].add(place)
            place += 2 if self._text[place] == "\\" else 1
        self._open[mark].add(place)
        return 0


def unescaped(text: str) -> str:
    """The text with each \\uXXXX replaced by its character: SPARQL decodes these before anything else."""

    def sign(found: re.Match[str]) -> str:
        code = int(found.group(1) or found.group(2), 16)
        return chr(code) if code <= 0x10FFFF else ""

    return _ESCAPE.sub(sign, text)
