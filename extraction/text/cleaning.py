"""Text as it may be stored. Nothing here loads a library."""

from __future__ import annotations

import re

SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` as it may be stored: without NUL, surrogate pairs made one character, lone surrogates removed.

    Nothing else changes, so a text that came through once comes through unchanged.
    """
    if SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return text.replace("\0", "")
