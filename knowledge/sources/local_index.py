"""A local index of entities: one SQLite file, made by `manage.py build_index`, read by the link lane.

Names are numbered by the popularity of their entities, so that the full-text index gives the best known bearers of a
name first and a lookup stops after as many as were asked for, however many there are.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from knowledge import names
from knowledge.sources.known import Known, KnownFact, SourceUnavailable

SCHEMA = 1
ASKED_AT_ONCE = 500  # names in one statement
TOKENS = 12  # of a name that are looked for: a longer one is no name
_WORD = re.compile(r"\w+")

TABLES = """
CREATE TABLE entity (
    number INTEGER PRIMARY KEY, label TEXT NOT NULL, description TEXT NOT NULL, types TEXT NOT NULL,
    popularity INTEGER NOT NULL, links TEXT NOT NULL, facts TEXT NOT NULL, texts TEXT NOT NULL
);
CREATE TABLE name (number INTEGER PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, entity INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (key, content='', tokenize='unicode61 remove_diacritics 0');
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
AFTERWARDS = """
CREATE INDEX name_key ON name (key);
CREATE INDEX name_entity ON name (entity);
INSERT INTO words (words) VALUES ('optimize');
ANALYZE;
"""


class LocalIndex:
    """A `Source` over an index file. Raises SourceUnavailable where there is none, or one of another version."""

    name = "index"

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceUnavailable(f"There is no index at {path}. `manage.py build_index` makes one.")
        # Several threads of a worker ask; each question is one statement, and nothing is ever written.
        self._database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            version = self._about("schema")
        except sqlite3.DatabaseError as error:
            raise SourceUnavailable(f"{path} is no index of kgbuilder's: {error}") from error
        # Whoever is called Lee and no more is seldom the one Lee of an index of some hundred people.
        self._whole = self._about("whole") == "1"
        if version != str(SCHEMA):
            raise SourceUnavailable(f"The index at {path} is of version {version}, and this program reads {SCHEMA}.")

    def search(self, name: str, limit: int) -> list[str]:
        key = index_key(name)
        if not key:
            return []
        exact = self._numbers("SELECT entity FROM name WHERE key = ? ORDER BY number LIMIT ?", key, limit)
        found = list(dict.fromkeys(exact))
        if len(found) < limit and self._whole:
            wanted = " ".join(f'"{token}"' for token in key.split()[:TOKENS])
            contained = self._numbers(
                "SELECT entity FROM words JOIN name ON name.number = words.rowid WHERE words MATCH ? "
                "ORDER BY words.rowid LIMIT ?",
                wanted,
                2 * limit,
            )
            found = list(dict.fromkeys([*found, *contained]))[:limit]
        return [f"Q{number}" for number in found]

    def called(self, keys: Collection[str]) -> set[str]:
        """Those of these `names.name_key`s that some entity is called exactly."""
        plain = {index_key(key): key for key in keys}
        found: set[str] = set()
        ordered = sorted(set(plain) - {""})
        for start in range(0, len(ordered), ASKED_AT_ONCE):
            some = ordered[start : start + ASKED_AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._rows(f"SELECT DISTINCT key FROM name WHERE key IN ({marks})", *some)  # noqa: S608
            found |= {plain[row[0]] for row in rows}
        return found

    def describe(self, ids: Sequence[str]) -> dict[str, Known]:
        numbers = [int(one[1:]) for one in ids if one[1:].isdigit()]
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
