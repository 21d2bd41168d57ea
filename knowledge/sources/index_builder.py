"""Builds a local index: entities stream into a staging file, from which the index is written and put in place.

A build that was killed resumes where it was: the staging file stores how many lines of the dump it has taken, in the
same transaction as their entities. The index that is in use stays until the new one is complete.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from knowledge.entities import spelling_variants
from knowledge.sources.local_index import AFTERWARDS, SCHEMA, TABLES, in_full, index_key
from knowledge.sources.protocol import Known, SourceUnavailable

BATCH = 2000  # entities in one transaction
LONGEST = 300  # code points of a name

_STAGING = """
CREATE TABLE IF NOT EXISTS staged (number INTEGER PRIMARY KEY, popularity INTEGER NOT NULL, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT NOT NULL, lines INTEGER);
"""


class OtherSource(Exception):
    """The staging file beside the index is from another dump; the message tells the user what to do."""


class Builder:
    """Collects entities, over any number of runs, and writes the index."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._staging = path.with_suffix(".staging")
        self._database = sqlite3.connect(self._staging)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _STAGING)
        known = self._database.execute("SELECT source, lines FROM progress").fetchone()
        if known and known[0] != source:
            raise OtherSource(
                f"{self._staging} holds a part of {known[0]}. Continue with that, or delete the file to start again."
            )
        self._source = source
        self.lines = int(known[1]) if known else 0

    def take(self, entities: Iterable[tuple[int, Known | None]], report: Callable[[int], None]) -> None:
        """Take pairs of a line's number and its entity, if any; every BATCH of them is committed."""
        batch: list[tuple[int, int, str]] = []
        line = self.lines
        for line, known in entities:
            if known is not None:
                batch.append((int(known.id[1:]), known.popularity, json.dumps(_row(known), ensure_ascii=False)))
            if len(batch) >= BATCH:
                self._keep(batch, line)
                batch = []
                report(line)
        self._keep(batch, line)

    def finish(self, whole: bool = True) -> int:
        """Write the index of all that was taken and put it in place; how many entities it holds.

        `whole`: it has most entities that news names. Otherwise a part of a name finds no entity in it.
        """
        rows = self._database.execute("SELECT number, row FROM staged ORDER BY popularity DESC, number")
        fresh = self.path.with_suffix(".new")
        entities = _write(fresh, ((entity, json.loads(text)) for entity, text in rows), self._source, whole)
        self._database.close()
        fresh.replace(self.path)
        for name in ("", "-wal", "-shm"):
            self._staging.with_name(self._staging.name + name).unlink(missing_ok=True)
        return entities

    def _keep(self, batch: list[tuple[int, int, str]], line: int) -> None:
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO staged VALUES (?, ?, ?)", batch)
            self._database.execute("INSERT OR REPLACE INTO progress VALUES (1, ?, ?)", (self._source, line))
        self.lines = line


def renew(path: Path) -> int:
    """Rewrite the index at `path`, of any version, in this version's form; the number of entities. The one in use stays
    until then. Raises SourceUnavailable where there is no index."""
    if not path.is_file():
        raise SourceUnavailable(f"There is no index at {path}. `manage.py build_index DUMP` builds one.")
    old = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        about = dict(old.execute("SELECT key, value FROM about").fetchall())
        fresh = path.with_suffix(".new")
        entities = _write(fresh, _held(old), about.get("source", ""), about.get("whole") == "1")
    except sqlite3.DatabaseError as error:
        raise SourceUnavailable(f"{path} is not an index of kgbuilder: {error}") from error
    finally:
        old.close()
    fresh.replace(path)
    return entities


def _held(index: sqlite3.Connection) -> Iterator[tuple[int, list[Any]]]:
    # Rows are ordered by id; a name's number gives the rank of its entity's popularity.
    ordered = "SELECT entity, min(number) FROM name GROUP BY entity ORDER BY 2"
    columns = "label, description, types, popularity, links, facts, texts"
    for entity, _ in index.execute(ordered):
        fields = index.execute(f"SELECT {columns} FROM entity WHERE number = ?", (entity,)).fetchone()  # noqa: S608
        called = index.execute("SELECT name FROM name WHERE entity = ? ORDER BY number", (entity,))
        yield entity, [*fields, [name for (name,) in called]]


def _write(path: Path, rows: Iterable[tuple[int, list[Any]]], source: str, whole: bool) -> int:
    """Write an index of rows as `_row` gives them, the best known first; how many."""
    path.unlink(missing_ok=True)
    index = sqlite3.connect(path)
    index.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + TABLES)
    entities = number = 0
    with index:
        for entity, (*fields, called) in rows:
            index.execute("INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (entity, *fields))
            for name in called:
                number += 1
                index.execute("INSERT INTO name VALUES (?, ?, ?, ?)", (number, index_key(name), name, entity))
                index.execute("INSERT INTO words (rowid, key) VALUES (?, ?)", (number, in_full(name)))
                spelt = ((key, number) for key in spelling_variants.stored(name))
                index.executemany("INSERT INTO spelling VALUES (?, ?)", spelt)
            entities += 1
        about = {"schema": SCHEMA, "entities": entities, "source": source, "whole": int(whole)}
        index.executemany("INSERT INTO about VALUES (?, ?)", about.items())
    index.executescript(AFTERWARDS)
    index.close()
    return entities


def build(path: Path, source: str, entities: Iterable[Known], whole: bool = True) -> int:
    """Build an index of these entities from scratch; how many it holds. `whole`: see `Builder.finish`."""
    builder = Builder(path, source)
    builder.take(enumerate(entities, 1), lambda line: None)
    return builder.finish(whole)


def _row(known: Known) -> list[object]:
    """The columns of `entity`, and last the names."""
    called: dict[str, str] = {}
    for name in (known.label, *known.names):
        if len(name) <= LONGEST:
            called.setdefault(index_key(name), name)
    return [
        known.label,
        known.description,
        " ".join(known.types),
        known.popularity,
        json.dumps(dict(known.links), ensure_ascii=False),
        json.dumps([[fact.property, fact.value, fact.label] for fact in known.facts], ensure_ascii=False),
        json.dumps(list(known.texts), ensure_ascii=False),
        [name for key, name in called.items() if key],
    ]
