"""Turns the annotators' notation into annotations with offsets. The notation is described in GUIDELINE.md beside.

Nothing is guessed: words that are not found, or found twice, an end that no mention has, a key that is not declared
are problems with their file and line, and an item with a problem gives no annotation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from extraction.datasets.annotation import AnnotatedEntity, AnnotatedMention, AnnotatedRelation, Annotation
from extraction.datasets.articles import ArticleLine, NewsArticle, lines_of
from extraction.labels import LETTERS
from extraction.schema import Form
from training.corpora.assertions import Marked, read_relation
from training.corpora.items import NotationItem, NotationProblem, Written, numbered, read_items
from training.corpora.placing import NotationError, moved, place, without_marks
from training.corpora.validation import faults

_ENTITY = re.compile(r"@\s*(?P<key>\S+)\s+(?P<type>\S+)\s+(?P<name>\S.*)")
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")

_UNREAD = -1  # the line of relations under a sentence of which not even the number is known


@dataclass(slots=True)
class _Draft:
    """What is read of an item so far; `unread` are the text's lines with a problem in them."""

    source: str
    item: NotationItem
    problems: list[NotationProblem]
    text: str = ""
    lines: list[ArticleLine] = field(default_factory=list)
    entities: dict[str, tuple[AnnotatedEntity, int]] = field(default_factory=dict)
    marks: list[_Placed] = field(default_factory=list)
    relations: list[tuple[Written, int]] = field(default_factory=list)
    unread: set[int] = field(default_factory=set)

    def report(self, written: Written, message: str) -> None:
        self.problems.append(NotationProblem(self.source, written.number, message, written.words))


@dataclass(frozen=True, slots=True)
class _Placed:
    """A mark at its place in the text."""

    start: int
    end: int
    target: str
    form: Form
    line: int
    written: Written


def parse(
    source: str, notation: str, articles: Mapping[str, NewsArticle] | None
) -> tuple[list[Annotation], list[NotationProblem]]:
    """The annotations of a file, and its problems. Without articles the items are written ones, with their own text."""
    problems: list[NotationProblem] = []
    annotations = []
    for item in read_items(source, notation, problems):
        before = len(problems)
        draft = _Draft(source, item, problems)
        article = None
        if articles is not None:
            article = articles.get(item.id)
            if article is None:
                problems.append(
                    NotationProblem(source, item.line, f"no article has the id {item.id}; copy it from the file")
                )
                continue
        _declare(draft)
        _read_body(draft, article)
        annotation = _finish(draft, article, before)
        if annotation is not None:
            annotations.append(annotation)
    return annotations, sorted(problems, key=lambda problem: problem.line)


def _declare(draft: _Draft) -> None:
    for written in draft.item.entities:
        match = _ENTITY.fullmatch(written.words)
        if not match:
            draft.report(written, "an entity is written @ key L Its Name, with one space between")
        elif not _KEY.fullmatch(match["key"]):
            draft.report(written, f"the key {match['key']} must be of small letters, digits, _ and -")
        elif match["type"] not in LETTERS:
            named = ", ".join(f"{letter} {name}" for letter, name in LETTERS.items())
            draft.report(written, f"{match['type']} is no type; the letters are {named}")
        elif match["key"] in draft.entities:
            draft.report(written, f"{match['key']} is declared twice; one entity has one type and one line")
        else:
            entity = AnnotatedEntity(match["key"], LETTERS[match["type"]], match["name"])
            draft.entities[entity.id] = entity, written.number


def _read_body(draft: _Draft, article: NewsArticle | None) -> None:
    if article is not None:
        draft.text, draft.lines = article.text, lines_of(article.text)
    current = 0
    for written in draft.item.body:
        if written.words.startswith(">"):
            draft.relations.append((written, current))
            continue
        try:
            current = _read_line(draft, written) if article is not None else _read_sentence(draft, written)
        except NotationError as error:
            draft.report(written, str(error))
            parts = numbered(written.words)
            current = parts[0] if parts else _UNREAD
            draft.unread.add(current)


def _read_line(draft: _Draft, written: Written) -> int:
    """Marks in words copied from an article; the number of their line."""
    parts = numbered(written.words)
    if parts is None:
        raise NotationError("a line of an article begins with its number: 2: words with {marks|key}")
    number, words = parts
    if not 1 <= number <= len(draft.lines):
        raise NotationError(f"there is no line {number}; the text has {len(draft.lines)}. `corpus show` numbers them")
    line = draft.lines[number - 1]
    plain, marks = without_marks(words)
    if plain.strip():
        pieces = place(plain, line.text)
        for mark in marks:
            start, end = moved(mark, pieces)
            draft.marks.append(_Placed(line.start + start, line.start + end, mark.target, mark.form, number, written))
    return number


def _read_sentence(draft: _Draft, written: Written) -> int:
    """A sentence of a written item, which becomes a line of its text; the line's number."""
    if numbered(written.words):
        raise NotationError("a sentence of a written item has no number; write it as it is to be read")
    plain, marks = without_marks(written.words)
    start = len(draft.text) + 1 if draft.lines else 0
    draft.text += ("\n" if draft.lines else "") + plain
    line = ArticleLine(len(draft.lines) + 1, start, plain)
    draft.lines.append(line)
    for mark in marks:
        draft.marks.append(_Placed(start + mark.start, start + mark.end, mark.target, mark.form, line.number, written))
    return line.number


def _finish(draft: _Draft, article: NewsArticle | None, before: int) -> Annotation | None:
    """The item's annotation, validated; None where it has problems."""
    draft.marks.sort(key=lambda mark: (mark.start, mark.end))
    if not draft.text:
        draft.problems.append(NotationProblem(draft.source, draft.item.line, f"{draft.item.id} has no text"))
    mentions = _mentions(draft)
    relations = _relations(draft, mentions)
    annotation = Annotation(
        id=draft.item.id,
        published=article.published if article else draft.item.published,
        entities=tuple(entity for entity, _ in draft.entities.values()),
        mentions=tuple(marked.mention for marked in mentions),
        relations=tuple(relation for _, relation in relations),
        sha256=article.sha256 if article else None,
        text=None if article else draft.text,
    )
    _report_faults(draft, annotation, [written for written, _ in relations], partial=len(draft.problems) > before)
    return annotation if len(draft.problems) == before else None


def _relations(draft: _Draft, mentions: list[Marked]) -> list[tuple[Written, AnnotatedRelation]]:
    relations = []
    for written, line in draft.relations:
        try:
            relations.append((written, read_relation(written.words, line, mentions)))
        except NotationError as error:
            if line not in draft.unread:  # there an end may only be missing for want of its mark
                draft.report(written, str(error))
    return relations


def _mentions(draft: _Draft) -> list[Marked]:
    """The mentions in the text's order. A mark with a type's letter makes an entity: N1, N2, … in this order."""
    numbers = dict.fromkeys(LETTERS, 0)
    mentions = []
    for mark in draft.marks:
        words, key = draft.text[mark.start : mark.end], mark.target
        if key in LETTERS:
            numbers[key] += 1
            entity = AnnotatedEntity(f"{key}{numbers[key]}", LETTERS[key], words)
            draft.entities[entity.id] = entity, mark.written.number
            key = entity.id
        mentions.append(Marked(AnnotatedMention(mark.start, mark.end, key, mark.form), words, mark.line))
    return mentions


def _report_faults(draft: _Draft, annotation: Annotation, relations: list[Written], partial: bool) -> None:
    """The validator's faults at the lines they come from. Of a part, those of entities may be for want of the rest."""
    entities = [Written(line, annotation.entities[i].name) for i, (_, line) in enumerate(draft.entities.values())]
    places: dict[str, list[Written]] = {
        "item": [Written(draft.item.line, annotation.id)],
        "entity": entities,
        "mention": [mark.written for mark in draft.marks],
        "relation": relations,
    }
    for fault in faults(annotation, draft.text):
        if not (partial and fault.part == "entity"):
            draft.report(places[fault.part][fault.index], fault.message)
