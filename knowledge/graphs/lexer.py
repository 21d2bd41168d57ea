"""Finds words that SPARQL would read as keywords: what a text does, without a parser that could be wrong about it.

Strings, IRIs, comments, variables and prefixed names are passed over by SPARQL's own lexical rules; what is left are
keywords, numbers and punctuation. Used by the server, before the engine sees a text, and independent of the parser
that the product uses before it sends one. No Django, no third party.
"""

from __future__ import annotations

import re

_TOKENS = re.compile(
    r"""
      (?P<string> \"\"\"(?:(?:\"|\"\")?(?:[^\"\\]|\\.))*\"\"\" | '''(?:(?:'|'')?(?:[^'\\]|\\.))*'''
                | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*' )
    | (?P<iri> <[^<>"{}|^`\\\x00-\x20]*> )
    | (?P<comment> \#[^\n\r]* )
    | (?P<variable> [?$]\w+ )
    | (?P<tag> @[a-zA-Z]+(?:-[a-zA-Z0-9]+)* )
    | (?P<prefixed> [\w][\w.\-]*:(?:[\w:%\-]|\\.|\.(?=[\w:%\-]))* | _?:(?:[\w:%\-]|\\.|\.(?=[\w:%\-]))+ | : )
    | (?P<word> [^\W\d]\w* )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def keywords(text: str) -> set[str]:
    """The bare words of a SPARQL text, in capitals."""
    return {found.group().upper() for found in _TOKENS.finditer(text) if found.lastgroup == "word"}


def forbidden(text: str, words: frozenset[str]) -> str:
    """The first of `words` that the text uses as a keyword, escaped or not; "" where it uses none."""
    used = keywords(text) | keywords(_unescaped(text))
    return min(used & words, default="")


def _unescaped(text: str) -> str:
    """With \\uXXXX as the sign it stands for: SPARQL says that these are read before anything else."""

    def sign(found: re.Match[str]) -> str:
        code = int(found.group(1) or found.group(2), 16)
        return chr(code) if code <= 0x10FFFF else ""

    return _ESCAPE.sub(sign, text)
