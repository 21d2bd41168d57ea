"""Which gold entity each extracted entity of an article stands for, and which pronouns and nominals found theirs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from extraction.datasets.annotation import AnnotatedEntity, AnnotatedMention, Annotation
from extraction.schema import ExtractedMention, Extraction, Form

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReadArticle:
    """An annotated text, and what a reader extracted from it."""

    gold: Annotation
    extraction: Extraction


def entity_of(extraction: Extraction, index: int) -> str:
    """The id of a mention's entity in `as_annotation`: one of its own where mentions were not brought together."""
    entity = extraction.mentions[index].entity
    return f"mention {index}" if entity is None else f"entity {entity}"


def as_annotation(extraction: Extraction) -> Annotation:
    """The mentions and entities of an extraction in the corpora's form, without its relations.

    The type of a mention is its entity's, as in an annotation, and its own where mentions were not brought together.
    """
    entities: dict[str, AnnotatedEntity] = {}
    mentions = []
    for index, mention in enumerate(extraction.mentions):
        key = entity_of(extraction, index)
        entities.setdefault(key, AnnotatedEntity(key, *_type_and_name(extraction, mention)))
        mentions.append(AnnotatedMention(mention.start, mention.end, key, mention.form))
    return Annotation(extraction.id, None, tuple(entities.values()), tuple(mentions), (), text=extraction.text)


def _type_and_name(extraction: Extraction, mention: ExtractedMention) -> tuple[str, str]:
    if mention.entity is None:
        return mention.type, extraction.text[mention.start : mention.end]
    entity = extraction.entities[mention.entity]
    return entity.type, entity.name


class EntityAlignment:
    """The gold entities that the extracted entities of one article stand for.

    An extracted entity stands for the gold entity with which it shares most names by exact span; among equals, most
    mentions of any form; among these, the earliest in the text. One that shares no span stands for none. Several may
    stand for one: a reader that splits an entity is charged for it by B-cubed, and by its relations if it repeats them.
    """

    def __init__(self, gold: Annotation, predicted: Annotation) -> None:
        self.gold = {(mention.start, mention.end): mention for mention in gold.mentions}
        self.predicted = {(mention.start, mention.end): mention.entity for mention in predicted.mentions}
        self._spans: dict[str, list[Span]] = defaultdict(list)
        for mention in sorted(predicted.mentions, key=lambda one: (one.start, one.end)):
            self._spans[mention.entity].append((mention.start, mention.end))
        self._mentions = Counter(mention.entity for mention in gold.mentions)
        self._named = {mention.entity for mention in gold.mentions if mention.form == "name"}
        self._best = {entity: best for entity in self._spans if (best := self._most_shared(entity)[0]) is not None}

    def gold_entity(self, entity: str) -> str | None:
        """The gold entity that an extracted one stands for."""
        return self._best.get(entity)

    def references(self, form: Form) -> Iterator[bool]:
        """Of each gold mention with this form, whether its extracted mention leads to the right entity.

        It does where a mention with exactly its span was extracted, in an entity that stands for the right gold entity
        also when this mention is left out, and that holds one of its names, if it has any: a pronoun alone, or a chain
        of pronouns, leads nowhere. Without entities none does. Gold mentions that are the only one of their entity are
        left out: there is nothing that they could lead to.
        """
        for span, mention in self.gold.items():
            if mention.form == form and self._mentions[mention.entity] > 1:
                yield self._leads_to(span, mention.entity)

    def _leads_to(self, span: Span, entity: str) -> bool:
        if span not in self.predicted:
            return False
        best, names = self._most_shared(self.predicted[span], without=span)
        return best == entity and (names > 0 or entity not in self._named)

    def _most_shared(self, entity: str, without: Span | None = None) -> tuple[str | None, int]:
        """The gold entity that it shares most with, and how many names of it."""
        names: Counter[str] = Counter()
        mentions: Counter[str] = Counter()
        for span in self._spans[entity]:
            shared = self.gold.get(span)
            if shared is not None and span != without:
                names[shared.entity] += shared.form == "name"
                mentions[shared.entity] += 1
        best = max(mentions, key=lambda one: (names[one], mentions[one]), default=None)
        return best, 0 if best is None else names[best]
