"""What an annotation must fulfil. Each fault names the part that it lies in, so that a converter can name the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Literal

from extraction.datasets.annotation import AnnotatedMention, AnnotatedRelation, Annotation
from extraction.datasets.articles import digest
from extraction.labels import ENTITY_TYPES, LETTERS, NEWS_RELATIONS, RELATIONS
from extraction.labels.relations import RelationType
from extraction.schema import FACTUALITIES, FORMS
from training.corpora.placing import cuts_a_word

Part = Literal["item", "entity", "mention", "relation"]

# Of the relations that news adds, the guideline's own ends: of a position held, roles alone.
PERMITTED = RELATIONS | NEWS_RELATIONS

# Stated once for a pair of mentions, by the most precise of them.
GEOGRAPHY = frozenset({"located_in", "contains", "country", "headquarters_location"})

# Whoever these are, a phrase stands for them only if the article names them.
_NAMED = frozenset({"person", "organization", "location"})

# Measures may begin with an article: "a year", "a dozen".
_MEASURES = frozenset({"time", "number"})

_ARTICLES = ("the ", "a ", "an ")
_POSSESSIVES = ("his ", "her ", "its ", "their ", "our ", "my ", "your ")


@dataclass(frozen=True, slots=True)
class AnnotationFault:
    part: Part
    index: int
    message: str


def faults(annotation: Annotation, text: str | None) -> list[AnnotationFault]:
    """Everything that is wrong with the annotation. Without the text, what concerns its words is left out."""
    return [
        *_item_faults(annotation, text),
        *_entity_faults(annotation),
        *_mention_faults(annotation, text),
        *_relation_faults(annotation, text),
        *_duplicates(annotation),
    ]


def _item_faults(annotation: Annotation, text: str | None) -> Iterator[AnnotationFault]:
    if annotation.sha256 is not None and text is not None and digest(text) != annotation.sha256:
        yield AnnotationFault(
            "item", 0, f"the text of {annotation.id} has another digest than the annotation; offsets are off"
        )


def _entity_faults(annotation: Annotation) -> Iterator[AnnotationFault]:
    types: dict[str, str] = {}
    forms: dict[str, set[str]] = {}
    for mention in annotation.mentions:
        forms.setdefault(mention.entity, set()).add(mention.form)
    for index, entity in enumerate(annotation.entities):
        if entity.type not in ENTITY_TYPES:
            yield AnnotationFault(
                "entity", index, f"{entity.type} is no entity type; there are {', '.join(ENTITY_TYPES)}"
            )
        if entity.id in types:
            yield AnnotationFault(
                "entity", index, f"the entity {entity.id} stands twice: {types[entity.id]} and {entity.type}"
            )
        types[entity.id] = entity.type
        if entity.id not in forms:
            yield AnnotationFault(
                "entity", index, f"the entity {entity.id} has no mention; mark one, or delete the entity"
            )
        elif entity.type in _NAMED and "name" not in forms[entity.id]:
            yield AnnotationFault(
                "entity", index, f"no mention of {entity.id} is a name; who is not named is not marked"
            )


def _mention_faults(annotation: Annotation, text: str | None) -> Iterator[AnnotationFault]:
    types = {entity.id: entity.type for entity in annotation.entities}
    for index, mention in enumerate(annotation.mentions):
        for message in _mention_messages(mention, types, text):
            yield AnnotationFault("mention", index, message)
    order = sorted(range(len(annotation.mentions)), key=lambda i: annotation.mentions[i].start)
    for before, after in pairwise(order):
        if annotation.mentions[after].start < annotation.mentions[before].end:
            words = _quoted(annotation.mentions[after], text)
            other = _quoted(annotation.mentions[before], text)
            yield AnnotationFault(
                "mention", after, f"{words} overlaps {other}, marked already; keep the longer of the two"
            )


def _mention_messages(mention: AnnotatedMention, types: dict[str, str], text: str | None) -> Iterator[str]:
    if mention.entity not in types:
        yield f"no entity {mention.entity} is declared; write a line @ {mention.entity} TYPE Its Name"
        return
    if mention.form not in FORMS:
        yield f"{mention.form} is no form; there are {', '.join(FORMS)}"
    if not 0 <= mention.start < mention.end or (text is not None and mention.end > len(text)):
        yield f"{mention.start} to {mention.end} does not lie in the text"
    elif text is not None:
        yield from _span_messages(mention, types[mention.entity], text)


def _span_messages(mention: AnnotatedMention, entity_type: str, text: str) -> Iterator[str]:
    words, quoted = text[mention.start : mention.end], _quoted(mention, text)
    if words != words.strip() or "\n" in words:
        yield f"{quoted} begins or ends with a space, or runs over the end of its line; mark the words alone"
    elif cuts_a_word(text, mention.start) or cuts_a_word(text, mention.end):
        yield f"{quoted} cuts a word; mark the whole word (a hyphen or an apostrophe ends one)"
    elif mention.form != "pronoun" and entity_type not in _MEASURES:
        # A name may have a capital article: The Hague.
        start = words.lower() if mention.form == "nominal" else words
        if start.startswith(_ARTICLES):
            yield f"{quoted} begins with an article; mark the words after it"
        elif start.startswith(_POSSESSIVES):
            yield f"{quoted} begins with a possessive; it is a pronoun of its own, mark the words after it"


def _relation_faults(annotation: Annotation, text: str | None) -> Iterator[AnnotationFault]:
    for index, relation in enumerate(annotation.relations):
        for message in _relation_messages(annotation, relation, text):
            yield AnnotationFault("relation", index, message)


def _relation_messages(annotation: Annotation, relation: AnnotatedRelation, text: str | None) -> Iterator[str]:
    known = PERMITTED.get(relation.relation)
    if known is None:
        near = get_close_matches(relation.relation, PERMITTED, n=3)
        yield f"{relation.relation} is no relation" + (f"; did you mean {', '.join(near)}?" if near else "")
    if relation.factuality not in FACTUALITIES:
        yield f"{relation.factuality} is no factuality; there are {', '.join(FACTUALITIES)}"
    indexes = [relation.head, relation.tail, *relation.by]
    indexes += [index for index in (relation.when, relation.amount) if index is not None]
    absent = [index for index in indexes if not 0 <= index < len(annotation.mentions)]
    if absent:
        yield f"there is no mention with the index {absent[0]}; the last is {len(annotation.mentions) - 1}"
        return
    types = {entity.id: entity.type for entity in annotation.entities}
    if any(annotation.mentions[index].entity not in types for index in indexes):
        return  # what has no type is reported with its mention
    yield from _qualifier_messages(annotation, relation, text)
    if known is not None:
        yield from _end_messages(annotation, relation, known, text)


def _end_messages(
    annotation: Annotation, relation: AnnotatedRelation, known: RelationType, text: str | None
) -> Iterator[str]:
    head, tail = annotation.mentions[relation.head], annotation.mentions[relation.tail]
    if head.entity == tail.entity:
        yield f"both ends of {known.key} are the entity {head.entity}"
        return
    types = {entity.id: entity.type for entity in annotation.entities}
    if permits(known, types[head.entity], types[tail.entity]):
        return
    actual = f"{_quoted(head, text)} {types[head.entity]} → {_quoted(tail, text)} {types[tail.entity]}"
    hint = "; turn the two round" if permits(known, types[tail.entity], types[head.entity]) else ""
    yield f"{known.key} goes from {_letters(known.heads)} to {_letters(known.tails)}, not {actual}{hint}"


def permits(relation: RelationType, head_type: str, tail_type: str) -> bool:
    """Whether the table permits these ends; a symmetric relation's in either order."""
    return relation.permits(head_type, tail_type) or (relation.symmetric and relation.permits(tail_type, head_type))


def _qualifier_messages(annotation: Annotation, relation: AnnotatedRelation, text: str | None) -> Iterator[str]:
    types = {entity.id: entity.type for entity in annotation.entities}
    for name, index, kind in (("when", relation.when, "time"), ("amount", relation.amount, "number")):
        if index is not None and types[annotation.mentions[index].entity] != kind:
            yield f"{name} must be a mention of type {kind}, and {_quoted(annotation.mentions[index], text)} is none"
    for index in relation.by:
        if types[annotation.mentions[index].entity] in _MEASURES:
            yield f"by must be who claims it, and {_quoted(annotation.mentions[index], text)} is a measure"
    if len(set(relation.by)) != len(relation.by):
        yield "by names one mention twice"


def _duplicates(annotation: Annotation) -> Iterator[AnnotationFault]:
    last = len(annotation.mentions) - 1
    facts: set[tuple[object, ...]] = set()
    placed: dict[frozenset[int], str] = {}
    for index, relation in enumerate(annotation.relations):
        indexes = [relation.head, relation.tail, relation.when or 0, relation.amount or 0]
        if min(indexes) < 0 or max(indexes) > last:  # reported already
            continue
        fact = _fact(annotation, relation)
        if fact in facts:
            yield AnnotationFault(
                "relation", index, f"this {relation.relation} is annotated already for these two; delete one"
            )
        facts.add(fact)
        if relation.relation in GEOGRAPHY:
            pair = frozenset({relation.head, relation.tail})
            if placed.setdefault(pair, relation.relation) != relation.relation:
                yield AnnotationFault(
                    "relation", index, f"{placed[pair]} states this pair already; keep the more precise one"
                )


def canonical(key: str, head: str, tail: str) -> tuple[str, str, str]:
    """One way to write a fact that may be written from either end: by symmetry, or by its inverse."""
    relation = PERMITTED[key]
    if relation.symmetric and tail < head:
        return key, tail, head
    if relation.inverse is not None and relation.inverse < key:
        return relation.inverse, tail, head
    return key, head, tail


def _fact(annotation: Annotation, relation: AnnotatedRelation) -> tuple[object, ...]:
    """What makes an assertion another one than the next between the same two."""

    def entity(index: int | None) -> str | None:
        return None if index is None else annotation.mentions[index].entity

    head, tail = annotation.mentions[relation.head].entity, annotation.mentions[relation.tail].entity
    # Two may have several treaties, which lie at different mentions.
    place = frozenset({relation.head, relation.tail}) if relation.relation == "agreement_with" else None
    key = (
        canonical(relation.relation, head, tail) if relation.relation in PERMITTED else (relation.relation, head, tail)
    )
    return *key, relation.factuality, entity(relation.when), entity(relation.amount), place


def _letters(types: frozenset[str]) -> str:
    return "".join(letter for letter in LETTERS if LETTERS[letter] in types) or ", ".join(sorted(types))


def _quoted(mention: AnnotatedMention, text: str | None) -> str:
    if text is None or mention.end > len(text):
        return f"{mention.start} to {mention.end}"
    return f"“{text[mention.start : mention.end]}”"
