"""Keys by which names are equal, and the choice of an entity's label among its names. No Django."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from extraction.text.cleaning import clean

LONGEST_NAME = 20_000  # a longer name keeps its beginning
LONGEST_KEY = 500  # the column's length; a longer key keeps its beginning and a digest
# Words of a proper name that stay small, and what apostrophes leave.
_SMALL = frozenset("a al an and at d da de del der des di du el for in la le of on s the to v van von vs y".split())  # noqa: SIM905


def shown(words: str) -> str:
    """A mention's words as a name: without invisible characters, white space collapsed to single spaces."""
    return " ".join(clean(words).split())[:LONGEST_NAME]


def name_key(name: str) -> str:
    """The name in NFKC, case-folded, without diacritics and format characters, its white space collapsed.

    Marks are removed only from letters that have a base: a name of marks alone keeps them.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    bare = "".join(
        sign for sign in unicodedata.normalize("NFD", folded) if unicodedata.category(sign) not in ("Mn", "Cf")
    )
    return fitted(" ".join(unicodedata.normalize("NFC", bare).split()) or " ".join(folded.split()))


def fitted(key: str) -> str:
    """A key as its column holds it."""
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: LONGEST_KEY - 33]}#{digest}"


def resolution_key(name: str, entity_type: str) -> str:
    """The key by which mentions resolve to one entity until linking decides: the name's key and the type."""
    return f"{name_key(name)}|{entity_type}"


def scoped_key(name: str, entity_type: str, scope: str) -> str:
    """The key of what its name alone does not identify: of an attack in one post, of an office at one body.

    `scope` has at most 41 characters and no "|", so that no name's own key is equal.
    """
    return f"{resolution_key(name, entity_type)}@{scope}"


def is_scoped(key: str) -> bool:
    """Whether a resolution key names something within a scope alone: no other source knows it by this name."""
    return "@" in key.rpartition("|")[2]


def has_capital(name: str) -> bool:
    """Whether there is a capital letter in it; also where its script has none."""
    return name.lower() == name.upper() or name != name.lower()


def is_proper(name: str) -> bool:
    """Whether it is written as a proper name: each word of it that carries meaning begins with a capital or a digit."""
    carrying = [word for word in re.findall(r"\w+", name) if word not in _SMALL]
    return has_capital(name) and all(has_capital(word[0]) or word[0].isdigit() for word in carrying)


def longer(keys: Iterable[str]) -> dict[str, str]:
    """Names of people in one text that are parts of a longer one there, with that: "merkel" of "angela merkel".

    By `name_key`, a key's words at the beginning or the end of the longer one's. A name that is part of several longer
    ones, of which none is part of another, means any of them and is left out: "smith" beside "ann smith", "bob smith".
    """
    words = {key: key.split() for key in set(keys)}
    found: dict[str, str] = {}
    for key, mine in words.items():
        around = [one for one, others in words.items() if len(others) > len(mine) and _is_end(mine, others)]
        longest = [one for one in around if not any(one != far and _is_end(words[one], words[far]) for far in around)]
        if mine and len(longest) == 1:
            found[key] = longest[0]
    return found


def _is_end(part: list[str], whole: list[str]) -> bool:
    return whole[: len(part)] == part or whole[-len(part) :] == part


def best(names: Iterable[str]) -> str:
    """The name for an entity's label, independent of the order in which the names were read.

    Neither all capitals nor all small letters, rather with its diacritics, rather longer; then by the alphabet.
    """
    return max(names, key=lambda name: (not (name.isupper() or name.islower()), _marks(name), len(name), name))


def _marks(name: str) -> int:
    return sum(unicodedata.category(sign) == "Mn" for sign in unicodedata.normalize("NFD", name))
