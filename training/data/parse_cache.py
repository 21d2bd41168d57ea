"""Parses of a data set's sentences, saved once and read by every system and seed: training then needs no spaCy.

A cache is gzip over JSON lines: a head with the parser's version and labels, then a line for each sentence, under the
hash of its words. `ParseCache`, `Unparsed` and `extraction.text.parser.Parser` offer the same: `version`, `pos_labels`,
`dep_labels`, `parse_words`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from extraction.schema import Words

SCHEMA = "kgbuilder.parses/1"


class ParsesMissing(Exception):
    """A sentence is not in the cache, or the cache cannot be read; the message states what to do."""


class Parses(Protocol):
    """A source of parse trees."""

    @property
    def version(self) -> str: ...

    @property
    def pos_labels(self) -> Sequence[str]: ...

    @property
    def dep_labels(self) -> Sequence[str]: ...

    def parse_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]: ...


class Unparsed:
    """A parser for systems that use no trees: words alone."""

    version = "none"
    pos_labels: Sequence[str] = ()
    dep_labels: Sequence[str] = ()

    def parse_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]:
        return [Words(_spans(words), tuple(words)) for words in sentences]


class ParseCache:
    """A cache in memory."""

    def __init__(self, version: str, pos: Sequence[str], deps: Sequence[str], path: Path | None = None) -> None:
        self.version, self.pos_labels, self.dep_labels, self.path = version, tuple(pos), tuple(deps), path
        self._trees: dict[str, tuple[list[str], list[int], list[str]]] = {}

    def __len__(self) -> int:
        return len(self._trees)

    @classmethod
    def load(cls, path: Path) -> ParseCache:
        """Raises ParsesMissing."""
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                head = json.loads(next(file))
                if head.get("schema") != SCHEMA:
                    raise ValueError(f"its first line names {head.get('schema')!r}, not {SCHEMA!r}")
                cache = cls(head["version"], head["pos"], head["deps"], path)
                for line in file:
                    key, tags, heads, deps = json.loads(line)
                    cache._trees[key] = (tags, heads, deps)
        except (OSError, EOFError, StopIteration, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ParsesMissing(f"{path} is no whole cache of parses ({error!r}); make it again.") from error
        return cache

    def save(self, path: Path) -> None:
        """Writes the cache whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        head = {"schema": SCHEMA, "version": self.version, "pos": self.pos_labels, "deps": self.dep_labels}
        with gzip.open(fresh, "wt", encoding="utf-8", compresslevel=6) as file:
            file.write(json.dumps(head) + "\n")
            for key, tree in self._trees.items():
                file.write(json.dumps([key, *tree]) + "\n")
        fresh.replace(path)

    def add(self, parser: Parses, sentences: Iterable[Sequence[str]]) -> int:
        """Parses sentences that are not cached yet; returns how many."""
        new = {_key(words): tuple(words) for words in sentences if _key(words) not in self._trees}
        for key, words in zip(new, parser.parse_words(list(new.values())), strict=True):
            self._trees[key] = (list(words.tags), list(words.heads), list(words.deps))
        return len(new)

    def parse_words(self, sentences: Sequence[Sequence[str]]) -> list[Words]:
        """Raises ParsesMissing for a sentence that was never parsed."""
        parsed = []
        for words in sentences:
            tree = self._trees.get(_key(words))
            if tree is None:
                raise ParsesMissing(
                    f"{self.path or 'the cache'} has no parse of {' '.join(words)[:80]!r}: make it again for the data "
                    "sets that are trained on (manage.py parse_datasets)."
                )
            tags, heads, deps = tree
            parsed.append(Words(_spans(words), tuple(words), tuple(tags), tuple(heads), tuple(deps)))
        return parsed


def _key(words: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _spans(words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    spans, start = [], 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + 1
    return tuple(spans)
