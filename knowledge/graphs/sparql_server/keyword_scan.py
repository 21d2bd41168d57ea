"""Finds words that a SPARQL engine might take for keywords, whatever its parser is like.

This is no parser: it errs on the side of finding. Strings, comments, variables and the local parts of names are
skipped; everything else is searched for the word, also inside longer words, since some parsers need no space after a
keyword. `<` may begin an IRI or mean "less than", which moves every quote after it: both are followed. So a harmless
text may be refused (a prefix called `payload:`), but no unusual text passes. No Django, no third party.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKENS = re.compile(
    r"""
      (?P<string> \"\"\"(?:\"{0,2}(?:[^\"\\]|\\.))*\"\"\" | '''(?:'{0,2}(?:[^'\\]|\\.))*'''
                | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*' )
    | (?P<iri> <[^<>"{}|^`\\\x00-\x20]*> )
    | (?P<comment> \#[^\n\r]* )
    | (?P<variable> [?$]\w+ )
    | (?P<tag> @[a-zA-Z]+(?:-[a-zA-Z0-9]+)* )
    | (?P<prefixed> (?P<prefix> (?:[^\W\d][\w\-]*)? ) :(?:[\w:%\-]|\\.)* )
    | (?P<word> [^\W\d]\w* )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
# No expression goes on like this after "less than": two slashes are no operator.
_CERTAINLY_IRI = re.compile(r"<[a-zA-Z][a-zA-Z0-9+.\-]*://")


def forbidden(text: str, words: frozenset[str]) -> str:
    """The first of `words` (in capitals) that the text might use as a keyword, escaped or not; "" where none is."""
    for form in (text, _unescaped(text)):
        for bare in _bare_words(form):
            found = [word for word in sorted(words) if word in bare]
            if found:
                return found[0]
    return ""


def _bare_words(text: str) -> Iterator[str]:
    """The words outside strings, comments and the like, in capitals, by any interpretation of the text."""
    waiting, seen = [0], set()
    while waiting:
        place = waiting.pop()
        while place < len(text) and place not in seen:
            seen.add(place)
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


def _unescaped(text: str) -> str:
    """The text with each \\uXXXX replaced by its character: SPARQL decodes these before anything else."""

    def sign(found: re.Match[str]) -> str:
        code = int(found.group(1) or found.group(2), 16)
        return chr(code) if code <= 0x10FFFF else ""

    return _ESCAPE.sub(sign, text)
