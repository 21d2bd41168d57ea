"""An annotated text and its file format: one JSON object a line, offsets in code points of the text, half-open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from extraction.datasets.articles import NewsArticle
from extraction.schema import Factuality, Form


class AnnotationError(Exception):
    """A file of annotations cannot be read; the message gives the place and the reason."""


@dataclass(frozen=True, slots=True)
class AnnotatedEntity:
    id: str
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class AnnotatedMention:
    start: int
    end: int
    entity: str
    form: Form


@dataclass(frozen=True, slots=True)
class AnnotatedRelation:
    """One assertion. Its ends, `by`, `when` and `amount` are indexes of mentions."""

    head: int
    relation: str
    tail: int
    factuality: Factuality = "stated"
    by: tuple[int, ...] = ()
    when: int | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is annotated of one text. An article's text lies elsewhere and has `sha256`; a written item has `text`."""

    id: str
    published: str | None
    entities: tuple[AnnotatedEntity, ...]
    mentions: tuple[AnnotatedMention, ...]
    relations: tuple[AnnotatedRelation, ...]
    sha256: str | None = None
    text: str | None = None

    def text_in(self, articles: Mapping[str, NewsArticle]) -> str | None:
        """The text that the offsets count in; None where it lies in an article that is not among these."""
        if self.text is not None:
            return self.text
        return articles[self.id].text if self.id in articles else None


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, and must be a whole number")
    return value


def _index(value: Any, name: str) -> int | None:
    return None if value is None else _number(value, name)


def _words(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}, and must be words")
    return value


def _claimants(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        if len(value) < 2:
            raise ValueError(f"by is {value!r}; write one index without a list, and null where there is none")
        return tuple(_number(one, "by") for one in value)
    return (_number(value, "by"),)


def _keys(row: Any, expected: set[str], name: str) -> dict[str, Any]:
    if not isinstance(row, dict) or set(row) != expected:
        raise ValueError(f"{name} must be an object with the keys {', '.join(sorted(expected))}")
    return row


def _entity(row: Any) -> AnnotatedEntity:
    row = _keys(row, {"id", "type", "name"}, "an entity")
    return AnnotatedEntity(*(_words(row[name], name) for name in ("id", "type", "name")))


def _mention(row: Any) -> AnnotatedMention:
    row = _keys(row, {"start", "end", "entity", "form"}, "a mention")
    start, end = _number(row["start"], "start"), _number(row["end"], "end")
    # The validator reports a form or a factuality that is none, with the words.
    return AnnotatedMention(start, end, _words(row["entity"], "entity"), cast(Form, _words(row["form"], "form")))


def _relation(row: Any) -> AnnotatedRelation:
    row = _keys(row, {"head", "relation", "tail", "factuality", "by", "when", "amount"}, "a relation")
    return AnnotatedRelation(
        head=_number(row["head"], "head"),
        relation=_words(row["relation"], "relation"),
        tail=_number(row["tail"], "tail"),
        factuality=cast(Factuality, _words(row["factuality"], "factuality")),
        by=_claimants(row["by"]),
        when=_index(row["when"], "when"),
        amount=_index(row["amount"], "amount"),
    )


def from_row(row: Any) -> Annotation:
    """The annotation that a parsed line holds; raises ValueError with what is wrong in it."""
    source = "text" if isinstance(row, dict) and "text" in row else "sha256"
    row = _keys(row, {"id", source, "published", "entities", "mentions", "relations"}, "an annotation")
    published = row["published"]
    return Annotation(
        id=_words(row["id"], "id"),
        published=None if published is None else _words(published, "published"),
        entities=tuple(_entity(one) for one in row["entities"]),
        mentions=tuple(_mention(one) for one in row["mentions"]),
        relations=tuple(_relation(one) for one in row["relations"]),
        **{source: _words(row[source], source)},
    )


def to_row(annotation: Annotation) -> dict[str, Any]:
    """The annotation as JSON's values, keys in the format's order."""
    source = {"text": annotation.text} if annotation.text is not None else {"sha256": annotation.sha256}
    return {
        "id": annotation.id,
        **source,
        "published": annotation.published,
        "entities": [{"id": e.id, "type": e.type, "name": e.name} for e in annotation.entities],
        "mentions": [{"start": m.start, "end": m.end, "entity": m.entity, "form": m.form} for m in annotation.mentions],
        "relations": [_relation_row(relation) for relation in annotation.relations],
    }


def _relation_row(relation: AnnotatedRelation) -> dict[str, Any]:
    by: int | list[int] | None = list(relation.by) or None
    if len(relation.by) == 1:
        by = relation.by[0]
    ends = {"head": relation.head, "relation": relation.relation, "tail": relation.tail}
    return {**ends, "factuality": relation.factuality, "by": by, "when": relation.when, "amount": relation.amount}


def load_annotations(path: Path) -> list[Annotation]:
    try:
        rows = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path} cannot be read: {error}") from error
    annotations = []
    for number, row in enumerate(rows, start=1):
        try:
            if row.strip():
                annotations.append(from_row(json.loads(row)))
        except (ValueError, TypeError) as error:
            raise AnnotationError(f"{path}:{number}: {error}. Convert the notation again.") from error
    return annotations


def save_annotations(annotations: Iterable[Annotation], path: Path) -> None:
    rows = [json.dumps(to_row(annotation), ensure_ascii=False) + "\n" for annotation in annotations]
    path.write_text("".join(rows), encoding="utf-8")
