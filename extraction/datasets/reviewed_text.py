"""The file format of what editors have judged: the data set "labels" and its versions, "labels-DATE".

A version is a folder with train.jsonl, dev.jsonl and test.jsonl in the corpora's format (`annotation`), a post a line,
and four keys more: `title_end`; `unjudged`, indexes of mentions that are there only as ends; `wrong_mentions` and
`wrong_relations`, what editors have rejected. `mentions` and `relations` are right. Everything else nobody has looked
at, and it is masked: an example is never complete, and of its pairs only the judged relations are known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extraction.datasets.annotation import Annotation, from_row, to_row
from extraction.labels import ENTITY_TYPES, RELATIONS

KEYS = ("title_end", "unjudged", "wrong_mentions", "wrong_relations")
_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-(\d{1,4}))?")


@dataclass(frozen=True, slots=True)
class WrongMention:
    """Code points that an editor has marked as no mention of this type."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class WrongRelation:
    """A relation that an editor has rejected; its ends are indexes of mentions."""

    head: int
    relation: str
    tail: int


@dataclass(frozen=True, slots=True)
class ReviewedText:
    """A post's text with what is right in it (`annotation`), what is wrong, and which mentions nobody has judged."""

    annotation: Annotation
    title_end: int
    unjudged: frozenset[int]
    wrong_mentions: tuple[WrongMention, ...]
    wrong_relations: tuple[WrongRelation, ...]

    @property
    def text(self) -> str:
        return self.annotation.text or ""


def versions(folder: Path) -> list[str]:
    """The versions in a folder of labels, the latest last."""
    found = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    matched = [match for name in found if (match := _VERSION.fullmatch(name))]
    return [match[0] for match in sorted(matched, key=lambda match: (match[1], int(match[2] or 1)))]


def reviewed_from(row: dict[str, Any]) -> ReviewedText:
    """A parsed line; raises ValueError, TypeError or KeyError where it is none."""
    annotation = from_row({key: value for key, value in row.items() if key not in KEYS})
    wrong = tuple(WrongRelation(one["head"], one["relation"], one["tail"]) for one in row["wrong_relations"])
    mentions = tuple(WrongMention(one["start"], one["end"], one["type"]) for one in row["wrong_mentions"])
    found = ReviewedText(annotation, row["title_end"], frozenset(row["unjudged"]), mentions, wrong)
    _check(found)
    return found


def row_of(reviewed: ReviewedText) -> dict[str, Any]:
    """The line that `reviewed_from` reads."""
    return to_row(reviewed.annotation) | {
        "title_end": reviewed.title_end,
        "unjudged": sorted(reviewed.unjudged),
        "wrong_mentions": [{"start": m.start, "end": m.end, "type": m.type} for m in reviewed.wrong_mentions],
        "wrong_relations": [
            {"head": one.head, "relation": one.relation, "tail": one.tail} for one in reviewed.wrong_relations
        ],
    }


def _check(reviewed: ReviewedText) -> None:
    annotation, wrong, size = reviewed.annotation, reviewed.wrong_relations, len(reviewed.text)
    indexes = {end for one in annotation.relations for end in (one.head, one.tail, *one.by)}
    indexes |= {one for relation in annotation.relations for one in (relation.when, relation.amount) if one is not None}
    indexes |= {end for one in wrong for end in (one.head, one.tail)} | reviewed.unjudged
    if any(not 0 <= index < len(annotation.mentions) for index in indexes):
        raise ValueError("an index is not that of a mention")
    spans = [(one.start, one.end) for one in annotation.mentions]
    spans += [(one.start, one.end) for one in reviewed.wrong_mentions]
    if any(not 0 <= start < end <= size for start, end in spans) or not 0 <= reviewed.title_end <= size:
        raise ValueError("a mention or the title lies outside the text")
    types = {one.type for one in annotation.entities} | {one.type for one in reviewed.wrong_mentions}
    relations = {one.relation for one in annotation.relations} | {one.relation for one in wrong}
    if unknown := sorted(types - set(ENTITY_TYPES)) + sorted(relations - set(RELATIONS)):
        raise ValueError(f"{unknown[0]!r} is no type or relation")
