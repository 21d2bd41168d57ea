"""Clean texts for storage. Imports no library."""

from __future__ import annotations

import re

SURROGATES = re.compile("[\ud800-\udfff]")
# Soft hyphens, zero-width spaces, word joiners, byte order marks and marks of direction: they tell a browser where a
# line may break or which way it runs, and part a name for everything that reads words. The joiners U+200C and U+200D
# stay: Persian, Indic scripts and emoji are spelt with them.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")


def clean(text: str) -> str:
    """`text` as it may be stored: without NUL and invisible format characters, surrogate pairs made one character,
    lone surrogates removed.

    Nothing else changes, so cleaning a text twice changes nothing more.
    """
    if SURROGATES.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _INVISIBLE.sub("", text.replace("\0", ""))
