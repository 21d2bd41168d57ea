"""Parts that all loaders share: errors with file and line, counts of what was left out, and drafts of Examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extraction.crawler.parsers.character_encoding import UNREADABLE, decode_file
from extraction.labels import (
    RELATION_MAP,
    TYPE_MAP,
    LabelMode,
    annotated_relations,
    annotated_types,
)
from extraction.schema import Example, WordRelation, WordSpan

FEW = 200  # one character in so many may be unreadable


class DatasetError(Exception):
    """A data set's file is missing or not in its published format; the message names file, place and remedy."""


@dataclass
class LoadReport:
    """Counts of what was loaded and what was left out or masked, by reason. Everything left out is counted."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, number: int = 1) -> None:
        self.counts[reason] += number

    def lines(self) -> list[str]:
        return [f"{number:7d}  {reason}" for reason, number in sorted(self.counts.items())]


def open_text(path: Path, report: LoadReport | None = None) -> str:
    """The file's text, UTF-8 or what its byte order mark says.

    With a report, characters that cannot be read are replaced and counted there, as long as they are few: a file in
    another encoding is refused. DatasetError names the place, also where the file is missing.
    """
    try:
        decoded = decode_file(path.read_bytes())
    except FileNotFoundError as problem:
        raise DatasetError(
            f"{path} is not there: the data set is not complete, or lies in another folder."
        ) from problem
    if decoded.bad and (report is None or decoded.bad * FEW > len(decoded.text)):
        line = decoded.text[: decoded.text.index(UNREADABLE)].count("\n") + 1
        raise DatasetError(f"{path}, line {line}: not {decoded.encoding.upper()}: save the file as UTF-8")
    if decoded.bad and report is not None:
        report.add(f"characters of {path.name} that are not {decoded.encoding.upper()}, replaced", decoded.bad)
    return decoded.text


def open_json_list(path: Path, report: LoadReport | None = None) -> list[dict[str, Any]]:
    """A JSON file that holds a list of objects; DatasetError names the line where it does not parse."""
    try:
        rows = json.loads(open_text(path, report))
    except json.JSONDecodeError as problem:
        raise DatasetError(f"{path}, line {problem.lineno}: not JSON ({problem.msg})") from problem
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{path}: expected a list of objects")
    return rows


@dataclass
class Draft:
    """An example being built: mentions by span, facts by label, what is masked; `place` is part of every error."""

    name: str
    labels: LabelMode
    place: str
    words: tuple[str, ...]
    mentions: list[WordSpan] = field(default_factory=list)
    relations: dict[WordRelation, None] = field(default_factory=dict)
    masked_pairs: set[tuple[int, int]] = field(default_factory=set)
    masked_relations: set[tuple[int, int, str]] = field(default_factory=set)

    def mention(self, start: int, end: int, label: str) -> int:
        """Add a mention of the data set's type `label` ("" = not known); its index. Errors name the place."""
        if not 0 <= start < end <= len(self.words):
            raise DatasetError(f"{self.place}: mention {start}-{end} lies outside a text of {len(self.words)} words")
        if label and label not in TYPE_MAP[self.name]:
            raise DatasetError(f"{self.place}: unknown entity type {label!r}")
        type_key = label if self.labels == "native" or not label else TYPE_MAP[self.name][label]
        self.mentions.append(WordSpan(start, end, type_key))
        return len(self.mentions) - 1

    def relation_ends(self, head: int, tail: int, label: str) -> tuple[int, int, str]:
        """A fact in the data set's label as (head, tail, key) of the requested labels, turned where the mapping is
        turned."""
        if label not in annotated_relations(self.name, "native"):
            raise DatasetError(f"{self.place}: unknown relation {label!r}")
        for index in (head, tail):
            if not 0 <= index < len(self.mentions):
                raise DatasetError(f"{self.place}: relation {label!r} names mention {index}, which does not exist")
        if self.labels == "native":
            return head, tail, label
        mapped = RELATION_MAP[self.name][label]
        return (tail, head, mapped.key) if mapped.turned else (head, tail, mapped.key)

    def relate(self, head: int, tail: int, label: str) -> None:
        self.relations[WordRelation(*self.relation_ends(head, tail, label))] = None

    def mask_relation(self, head: int, tail: int, label: str) -> None:
        """The text leaves that fact open: mask the pair, or only the relation where others of the pair are known."""
        ends = self.relation_ends(head, tail, label)
        self.masked_pairs.add(ends[:2])
        self.masked_relations.add(ends)

    def mask_pairs(self, pairs: Iterable[tuple[int, int]]) -> None:
        self.masked_pairs.update(pairs)

    def example(
        self, id: str, *, complete: bool = True, before: tuple[str, ...] = (), image: str = "", document: str = ""
    ) -> Example:
        settled = {(relation.head, relation.tail) for relation in self.relations}
        facts = {(relation.head, relation.tail, relation.key) for relation in self.relations}
        return Example(
            id=id,
            dataset=self.name,
            words=self.words,
            mentions=tuple(self.mentions),
            relations=tuple(self.relations),
            types=annotated_types(self.name, self.labels),
            relation_keys=annotated_relations(self.name, self.labels),
            masked_pairs=frozenset(self.masked_pairs - settled),
            masked_relations=frozenset(
                triple for triple in self.masked_relations - facts if (triple[0], triple[1]) in settled
            ),
            complete=complete,
            before=before,
            image=image,
            document=document,
        )
