"""Near misses: short texts that seem to state a relation between two ends and do not. What a reader asserts of them.

A line of the file is {"id", "kind", "text", "published", "forbidden": [{"head", "relation", "tail"}]}; the ends are
words of the text, and the relation "*" forbids all relations between them in both directions.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from extraction.labels import RELATIONS
from extraction.schema import Document, ExtractedMention, Extraction, Relation
from training.evaluation.news.assertions import Thresholds

ANY = "*"
_WORD = re.compile(r"\w+")
_UNHEARD = frozenset({"the", "a", "an", "s"})


class NearMissError(Exception):
    """A file of near misses cannot be used; the message gives the line and the reason."""


@dataclass(frozen=True, slots=True)
class ForbiddenRelation:
    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class NearMiss:
    id: str
    kind: str
    text: str
    published: date | None
    forbidden: tuple[ForbiddenRelation, ...]

    def document(self) -> Document:
        return Document(self.id, self.text, published=self.published)


@dataclass(frozen=True, slots=True)
class MistakenItem:
    """A near miss with the assertions that fell for it, in words."""

    item: NearMiss
    assertions: tuple[str, ...]


def load_near_misses(path: Path) -> list[NearMiss]:
    try:
        rows = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise NearMissError(f"{path} cannot be read: {error}.") from error
    return [_near_miss(row, f"{path}:{number}") for number, row in enumerate(rows, start=1) if row.strip()]


def _near_miss(row: str, where: str) -> NearMiss:
    try:
        values = json.loads(row)
        published = date.fromisoformat(values["published"]) if values["published"] else None
        forbidden = tuple(_forbidden(one, values["text"]) for one in values["forbidden"])
        return NearMiss(values["id"], values["kind"], values["text"], published, forbidden)
    except (ValueError, KeyError, TypeError) as error:
        raise NearMissError(f"{where}: no near miss ({error!r}).") from error


def _forbidden(values: dict[str, Any], text: str) -> ForbiddenRelation:
    one = ForbiddenRelation(values["head"], values["relation"], values["tail"])
    if one.relation != ANY and one.relation not in RELATIONS:
        raise ValueError(f"{one.relation} is no relation")
    absent = [end for end in (one.head, one.tail) if end.casefold() not in text.casefold()]
    if absent:
        raise ValueError(f"the text does not hold the words {absent[0]}")
    return one


def mistaken(item: NearMiss, extraction: Extraction, thresholds: Thresholds) -> MistakenItem | None:
    """The item with the assertions that join forbidden ends, None where there are none.

    A relation that the reader gives as denied is no assertion. An end is met by a mention, or by the name of its
    entity, if all its words are among the end's or all the end's among its own.
    """
    found = [
        _in_words(extraction, relation)
        for relation in extraction.relations
        if relation.factuality != "denied"
        and relation.score >= thresholds.get(relation.key, thresholds["default"])
        and any(_joins(one, extraction, relation) for one in item.forbidden)
    ]
    return MistakenItem(item, tuple(found)) if found else None


def _joins(forbidden: ForbiddenRelation, extraction: Extraction, relation: Relation) -> bool:
    if not isinstance(relation.tail, int):
        return False
    ends = (relation.head, relation.tail)
    return any(
        _meets(forbidden.head, extraction, ends[head]) and _meets(forbidden.tail, extraction, ends[1 - head])
        for head in _directions(forbidden.relation, relation.key)
    )


def _directions(forbidden: str, key: str) -> Iterator[int]:
    """Which end of an extracted relation, 0 its head and 1 its tail, would be the head of the forbidden one."""
    known = RELATIONS[key]
    if forbidden in (ANY, key):
        yield 0
    if forbidden in (ANY, known.inverse) or (known.symmetric and forbidden == key):
        yield 1


def _meets(end: str, extraction: Extraction, index: int) -> bool:
    mention = extraction.mentions[index]
    return any(_same_words(end, name) for name in _names(extraction, mention))


def _names(extraction: Extraction, mention: ExtractedMention) -> Iterator[str]:
    yield extraction.text[mention.start : mention.end]
    if mention.entity is not None:
        yield extraction.entities[mention.entity].name


def _same_words(one: str, other: str) -> bool:
    first, second = (set(_WORD.findall(words.casefold())) - _UNHEARD for words in (one, other))
    return bool(first and second) and (first <= second or second <= first)


def _in_words(extraction: Extraction, relation: Relation) -> str:
    assert isinstance(relation.tail, int)
    head, tail = (next(_names(extraction, extraction.mentions[end])) for end in (relation.head, relation.tail))
    return f"{head} | {relation.key} | {tail} | {relation.factuality} {relation.score:.2f}"


def by_kind(items: Sequence[NearMiss], found: Sequence[MistakenItem]) -> dict[str, tuple[int, int]]:
    """Mistaken items and all items of each kind, in the file's order, and "together"."""
    every = Counter(item.kind for item in items)
    wrong = Counter(one.item.kind for one in found)
    return {kind: (wrong[kind], count) for kind, count in every.items()} | {"together": (len(found), len(items))}
