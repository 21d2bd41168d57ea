"""Writes an annotation as the notation again, to be edited, and as a text with brackets, to be read once more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from extraction.datasets.annotation import AnnotatedRelation, Annotation
from extraction.datasets.articles import ArticleLine, lines_of
from extraction.labels import LETTERS
from training.corpora.placing import SUFFIX_OF, fold

LETTER_OF = {key: letter for letter, key in LETTERS.items()}

_BRACES = re.compile(r"\s*[{}]+\s*")


class _Text:
    """An annotation with its text: which mentions a line holds, and how an end in it is named."""

    def __init__(self, annotation: Annotation, text: str) -> None:
        self.annotation, self.text = annotation, text
        self.lines = lines_of(text)
        self.order = sorted(range(len(annotation.mentions)), key=lambda i: annotation.mentions[i].start)
        self.entities = {entity.id: entity for entity in annotation.entities}
        self.line_of = {
            index: line for line in self.lines for index, m in enumerate(annotation.mentions) if _inside(m.start, line)
        }

    def words(self, index: int) -> str:
        mention = self.annotation.mentions[index]
        return self.text[mention.start : mention.end]

    def mentions_of(self, line: ArticleLine) -> list[int]:
        return [index for index in self.order if self.line_of[index] == line]

    def relations_of(self, line: ArticleLine) -> list[AnnotatedRelation]:
        return [relation for relation in self.annotation.relations if self.line_of[relation.head] == line]

    def is_own(self, entity: str) -> bool:
        """Whether the entity is one that a mark with a type's letter makes: N1, N2, …, of a single mention."""
        of_it = [index for index in self.order if self.annotation.mentions[index].entity == entity]
        own = re.fullmatch(LETTER_OF[self.entities[entity].type] + r"\d+", entity)
        return bool(own) and len(of_it) == 1 and self.words(of_it[0]) == self.entities[entity].name

    def target(self, entity: str) -> str:
        return LETTER_OF[self.entities[entity].type] if self.is_own(entity) else entity

    def end(self, index: int, line: ArticleLine) -> str:
        """A mention as an end of a relation that stands under the line."""
        own_line = self.line_of[index]
        same = [other for other in self.mentions_of(own_line) if fold(self.words(other)) == fold(self.words(index))]
        nth = f"#{same.index(index) + 1}" if len(same) > 1 else ""
        return f"{self.words(index)}{nth}" + (f"@{own_line.number}" if own_line != line else "")


def _inside(offset: int, line: ArticleLine) -> bool:
    return line.start <= offset < line.end


def to_notation(annotation: Annotation, text: str) -> str:
    """The notation of an annotation; converted again it gives the same one."""
    whole = _Text(annotation, text)
    written = [f"# {annotation.id}"]
    own_text = annotation.text is not None
    if own_text and annotation.published:
        written.append(f"published: {annotation.published}")
    for entity in annotation.entities:
        if not whole.is_own(entity.id):
            written.append(f"@ {entity.id} {LETTER_OF[entity.type]} {entity.name}")
    for line in whole.lines:
        if own_text or whole.mentions_of(line):
            sentence = "".join(_marked(whole, line, plain=own_text))
            written.append(sentence if own_text else f"{line.number}: {sentence.strip()}")
            written += [_relation(whole, relation, line) for relation in whole.relations_of(line)]
    return "\n".join(written) + "\n"


def _marked(whole: _Text, line: ArticleLine, plain: bool) -> Iterator[str]:
    """The line's words with marks. An article's own braces would read as marks, and become gaps."""
    position = line.start
    for index in whole.mentions_of(line):
        mention = whole.annotation.mentions[index]
        between = whole.text[position : mention.start]
        yield between if plain else _BRACES.sub(" ... ", between)
        yield f"{{{whole.words(index)}|{whole.target(mention.entity)}{SUFFIX_OF[mention.form]}}}"
        position = mention.end
    yield whole.text[position : line.end] if plain else _BRACES.sub(" ... ", whole.text[position : line.end])


def _relation(whole: _Text, relation: AnnotatedRelation, line: ArticleLine) -> str:
    qualifiers: list[str] = [relation.factuality]
    if relation.by:
        qualifiers.append("by=" + "; ".join(whole.end(index, line) for index in relation.by))
    for name, index in (("when", relation.when), ("amount", relation.amount)):
        if index is not None:
            qualifiers.append(f"{name}={whole.end(index, line)}")
    notation = f"> {whole.end(relation.head, line)} | {relation.relation} | {whole.end(relation.tail, line)}"
    return notation if qualifiers == ["stated"] else f"{notation} | {' '.join(qualifiers)}"


def to_brackets(annotation: Annotation, text: str) -> str:
    """Every line of the text with its mentions as [words|type key], and the relations with their entities' names."""
    whole = _Text(annotation, text)
    written = []
    for line in whole.lines:
        written.append(f"{line.number}: {''.join(_bracketed(whole, line))}")
        written += [f"      {_sentence(whole, relation)}" for relation in whole.relations_of(line)]
    return "\n".join(written) + "\n"


def _bracketed(whole: _Text, line: ArticleLine) -> Iterator[str]:
    position = line.start
    for index in whole.mentions_of(line):
        mention = whole.annotation.mentions[index]
        entity = whole.entities[mention.entity]
        yield whole.text[position : mention.start]
        key = "" if whole.is_own(entity.id) else f" {entity.id}"
        yield f"[{whole.words(index)}|{LETTER_OF[entity.type]}{key}{SUFFIX_OF[mention.form]}]"
        position = mention.end
    yield whole.text[position : line.end]


def _sentence(whole: _Text, relation: AnnotatedRelation) -> str:
    def name(index: int) -> str:
        return whole.entities[whole.annotation.mentions[index].entity].name

    sentence = f"{name(relation.head)} → {relation.relation} → {name(relation.tail)}, {relation.factuality}"
    if relation.by:
        sentence += f", by {' and '.join(name(index) for index in relation.by)}"
    if relation.when is not None:
        sentence += f", when {whole.words(relation.when)}"
    return sentence + (f", amount {whole.words(relation.amount)}" if relation.amount is not None else "")
