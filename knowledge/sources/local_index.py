"""A local index of entities: one SQLite file, built by `manage.py build_index`, read when entities are linked.

Names are numbered by the popularity of their entities, so that the full-text index gives the best known bearers of a
name first and a look-up stops at its limit, however many there are.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.entities import names, spelling_variants
from knowledge.sources.protocol import Known, KnownFact, SourceUnavailable

SCHEMA = 2  # raise it with every change to the tables, `index_key` or `spelling`: `index_builder.renew` rewrites it
KEYS_AT_ONCE = 500  # names in one statement
TOKENS = 12  # of a name that are searched: a longer one is no name
_WORD = re.compile(r"\w+")

TABLES = """
CREATE TABLE entity (
    number INTEGER PRIMARY KEY, label TEXT NOT NULL, description TEXT NOT NULL, types TEXT NOT NULL,
    popularity INTEGER NOT NULL, links TEXT NOT NULL, facts TEXT NOT NULL, texts TEXT NOT NULL
);
CREATE TABLE name (number INTEGER PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, entity INTEGER NOT NULL);
CREATE TABLE spelling (key TEXT NOT NULL, number INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (key, content='', tokenize='unicode61 remove_diacritics 0');
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
AFTERWARDS = """
CREATE INDEX name_key ON name (key);
CREATE INDEX name_entity ON name (entity);
CREATE INDEX spelling_key ON spelling (key, number);
INSERT INTO words (words) VALUES ('optimize');
ANALYZE;
"""


class LocalIndex:
    """A `Source` over an index file. Raises SourceUnavailable where there is none, or one of another version."""

    name = "index"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceUnavailable(f"There is no index at {path}. `manage.py build_index` builds one.")
        # Several threads of a worker query it; each query is one statement, and nothing is ever written.
        self._database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            version = self._about("schema")
        except sqlite3.DatabaseError as error:
            raise SourceUnavailable(f"{path} is not an index of kgbuilder: {error}") from error
        # In an index of some hundred people, a mention "Lee" is seldom the one Lee of the index.
        self._whole = self._about("whole") == "1"
        if version != str(SCHEMA):
            raise SourceUnavailable(
                f"The index at {path} has version {version or 'none'}, and this program reads version {SCHEMA}. "
                "`manage.py build_index` without a dump rewrites it."
            )

    def search(self, name: str, limit: int) -> list[str]:
        """Entities with exactly this name, then with another spelling, then those whose names have all the words."""
        key = index_key(name)
        if not key:
            return []
        exact = self._numbers("SELECT entity FROM name WHERE key = ? ORDER BY number LIMIT ?", key, limit)
        found = list(dict.fromkeys([*exact, *self._spelt_alike(name, limit)]))
        if len(found) < limit and self._whole:
            contained = self._numbers(
                "SELECT entity FROM words JOIN name ON name.number = words.rowid WHERE words MATCH ? "
                "ORDER BY words.rowid LIMIT ?",
                " AND ".join(map(_any_spelling, words(name)[:TOKENS])),
                2 * limit,
            )
            found = list(dict.fromkeys([*found, *contained]))
        return [f"Q{number}" for number in found[:limit]]

    def _spelt_alike(self, name: str, limit: int) -> list[int]:
        stored, plain = (sorted(keys) for keys in spelling_variants.sought(name))
        # Two queries, "+", and none without a key: else SQLite scans all names, where few are searched.
        queries = (
            ("SELECT number, entity FROM name WHERE key IN", plain),
            ("SELECT number, entity FROM spelling JOIN name USING (number) WHERE spelling.key IN", stored),
        )
        rows = {
            row
            for sql, keys in queries
            if keys
            for row in self._rows(f"{sql} ({', '.join('?' * len(keys))}) ORDER BY +number LIMIT ?", *keys, limit)
        }
        return [entity for _, entity in sorted(rows)[:limit]]

    def called(self, keys: Collection[str]) -> set[str]:
        """Those of these `names.name_key`s that are exactly the name of an entity."""
        plain = {index_key(key): key for key in keys}
        found: set[str] = set()
        ordered = sorted(set(plain) - {""})
        for start in range(0, len(ordered), KEYS_AT_ONCE):
            some = ordered[start : start + KEYS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._rows(f"SELECT DISTINCT key FROM name WHERE key IN ({marks})", *some)  # noqa: S608
            found |= {plain[row[0]] for row in rows}
        return found

    def describe(self, ids: Sequence[str]) -> dict[str, Known]:
        numbers = [int(one[1:]) for one in ids if one[1:].isdigit()]
        if not numbers:
            return {}
        marks = ", ".join("?" * len(numbers))
        called: dict[int, list[str]] = {number: [] for number in numbers}
        for entity, name in self._rows(f"SELECT entity, name FROM name WHERE entity IN ({marks})", *numbers):  # noqa: S608
            called[entity].append(name)
        rows = self._rows(
            "SELECT number, label, description, types, popularity, links, facts, texts FROM entity "  # noqa: S608
            f"WHERE number IN ({marks})",
            *numbers,
        )
        return {f"Q{row[0]}": _known(row, called[row[0]]) for row in rows}

    def size(self) -> int:
        """How many entities it holds."""
        return int(self._about("entities") or 0)

    def _about(self, key: str) -> str:
        rows = self._rows("SELECT value FROM about WHERE key = ?", key)
        return str(rows[0][0]) if rows else ""

    def _numbers(self, sql: str, *values: object) -> list[int]:
        return [row[0] for row in self._rows(sql, *values)]

    def _rows(self, sql: str, *values: object) -> list[tuple]:
        return self._database.execute(sql, values).fetchall()


def index_key(name: str) -> str:
    """The name's words as they are indexed: `names.name_key` without marks between them."""
    return " ".join(_WORD.findall(names.name_key(name)))


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a name: its `index_key`, and as it is written."""

    key: str
    written: str


def words(name: str) -> list[Word]:
    """The words of a name, by its `index_key`."""
    keys, written = index_key(name).split(), _WORD.findall(unicodedata.normalize("NFKC", name))
    return [Word(*pair) for pair in zip(keys, written if len(written) == len(keys) else keys, strict=True)]


def in_full(name: str) -> str:
    """The entry of a name in the full-text index: its words and their other spellings."""
    other = (_token(key) for word in words(name) for key in sorted(spelling_variants.stored(word.written)))
    return " ".join([index_key(name), *other])


def _any_spelling(word: Word) -> str:
    stored, plain = spelling_variants.sought(word.written)
    others = sorted({_token(key) for key in stored} | plain)
    return "(" + " OR ".join(f'"{one}"' for one in (word.key, *others)) + ")"


def _token(stored: str) -> str:
    """A stored spelling as a word of the full-text index, distinct from a plain word with the same letters."""
    return _KINDS[stored[0]] + stored[1:].replace(" ", "")


_KINDS = {spelling_variants.EXACT: "0x", spelling_variants.FROM_LATIN: "0l", spelling_variants.FROM_OTHER: "0o"}


def _known(row: tuple, called: list[str]) -> Known:
    number, label, description, types, popularity, links, facts, texts = row
    return Known(
        id=f"Q{number}",
        label=label,
        description=description,
        names=tuple(called),
        types=tuple(types.split()),
        popularity=popularity,
        links=json.loads(links),
        facts=tuple(KnownFact(*fact) for fact in json.loads(facts)),
        texts=tuple(json.loads(texts)),
    )
