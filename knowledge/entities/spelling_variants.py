"""Other spellings of a name: "Mueller" for "Müller", "Zelenskyy" for "Zelensky" or "Зеленский". No Django.

One folding for the record and the local index. Coarser than `names.name_key`, under which names are equal: it finds
names that may be one written differently. Letters become plain Latin ones (anyascii). Two names in Latin letters are
alike where one of their plain spellings is the same; across alphabets where their rough keys are, which fold the
differences between romanisations. Scripts whose signs stand for words or leave vowels out carry too little about
sounds, and a name in several scripts may be a deception: those are like nothing but themselves.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

from knowledge.entities import names

ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN"})
LONGEST = 300  # code points of a name; a longer one is nothing but itself
SHORTEST_ROUGH = 5  # code points: shorter ones are alike by chance
EXACT, FROM_LATIN, FROM_OTHER = "=", "L", "O"  # how a stored key begins

_LETTERS = frozenset({"Ll", "Lu", "Lt", "Lo"})  # not Lm: Ukrainian's apostrophe is one
# German and Nordic letters, which are also written as two.
_TWO = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_QUIET = re.compile(r"['’‘ʼʹʺ`´]|(?<=[^\W\d_])\.")
_DASH = re.compile(r"(?<=[^\W\d_])[-‐‑–](?=[^\W\d_])")
_SLAVIC_END = re.compile(r"(?<=\w\wsk)[iyj]+\b")
_ROUGHLY = (
    *((re.compile(r"\bye"), "e"), (re.compile(r"[iyj]+"), "i")),
    *((re.compile("kh"), "h"), (re.compile("tch"), "ch"), (re.compile("x"), "ks")),
)
Spelt = tuple[frozenset[str], str, bool]


def stored(name: str) -> frozenset[str]:
    """The keys by which a name is found, each prefixed with its kind; those equal to its `name_key` are left out."""
    plain, rough, latin = _spelt(name)
    own = names.name_key(name)
    keys = {EXACT + key for key in plain if key != own}
    if rough and (rough != own or not latin):
        keys.add((FROM_LATIN if latin else FROM_OTHER) + rough)
    return frozenset(keys)


def sought(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """(keys as they are stored, `name_key`s) of names that are alike; a name's own key is not among the latter."""
    plain, rough, latin = _spelt(name)
    keys = {EXACT + key for key in plain}
    if rough:
        keys.add((FROM_OTHER if latin else FROM_LATIN) + rough)
    whole = plain if latin else frozenset({rough} - {""})
    return frozenset(keys), whole - {names.name_key(name)}


def alike(one: str, other: str) -> bool:
    """Whether the two may be spellings of one name."""
    if one == other:
        return True
    (plain, rough, latin), (others, far, foreign) = _spelt(one), _spelt(other)
    return bool(plain & others) or (latin != foreign and bool(rough) and rough == far)


def _spelt(name: str) -> Spelt:
    """(its plain spellings, where it is in Latin letters; its rough key, or ""; whether it is in Latin letters)."""
    return _folded(name) if len(name) <= LONGEST else (frozenset(), "", True)


@lru_cache(maxsize=1 << 15)
def _folded(name: str) -> Spelt:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    alphabets = {unicodedata.name(sign, "").split(" ")[0] for sign in folded if unicodedata.category(sign) in _LETTERS}
    if len(alphabets) != 1 or not alphabets <= ALPHABETS:
        return frozenset(), "", True
    folded = _DASH.sub(" ", _QUIET.sub("", folded))
    latin = alphabets == {"LATIN"}
    plain = _plain(folded)
    rough = plain
    for pattern, sign in _ROUGHLY:
        rough = pattern.sub(sign, rough)
    rough = rough if len(rough) >= SHORTEST_ROUGH else ""
    return frozenset({plain, _plain(folded.translate(_TWO))} - {""} if latin else ()), names.fitted(rough), latin


def _plain(folded: str) -> str:
    letters = folded if folded.isascii() else "".join(map(_letter, folded))
    return names.fitted(_SLAVIC_END.sub("i", " ".join(letters.split())))


@lru_cache(maxsize=4096)
def _letter(sign: str) -> str:
    """The letters of a transliterated letter: some write a soft sign as an apostrophe or a quote."""
    return "".join(filter(str.isalnum, anyascii(sign).casefold())) if sign.isalpha() else sign
