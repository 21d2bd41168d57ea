"""Markup in texts that are given as plain text: read as words, tags would become parts of names. Imports no library."""

from __future__ import annotations

import re
from html.entities import html5

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)(?:\s[^<>]*)?/?>")
_REFERENCE = re.compile(r"&(?:([a-zA-Z][a-zA-Z0-9]*;)|#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});)")
_UNPAIRED = frozenset({"br", "hr", "img", "li", "p", "wbr"})  # elements that need no end tag


def markup_in(text: str) -> str:
    """The first tag or character reference by which a text is HTML or XML; "" for plain text.

    A single tag without its end is a word of the text: "Why <table> is back", "List<String>".
    """
    tags = [(found[0], found[1], found[2].lower()) for found in _TAG.finditer(text)]
    closed = {name for _, slash, name in tags if slash} & {name for _, slash, name in tags if not slash}
    tag = next((whole for whole, _, name in tags if name in closed or name in _UNPAIRED), "")
    references = (found[0] for found in _REFERENCE.finditer(text) if not found[1] or found[1] in html5)
    return tag[:100] or next(references, "")


def why_refused(text: str, field: str = "text") -> str:
    """A sentence for the sender of a text with markup; "" for plain text."""
    found = markup_in(text)
    return f"`{field}` is plain text, and this one contains markup: {found}. Send its words alone." if found else ""
