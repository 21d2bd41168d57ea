"""Clean texts for storage. Imports no library."""

from __future__ import annotations

import re

SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` as it may be stored: without NUL, surrogate pairs made one character, lone surrogates removed.

    Nothing else changes, so cleaning a text twice changes nothing more.
    """
    if SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return text.replace("\0", "")
