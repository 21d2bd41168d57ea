"""A short annotated article of our own, and the extraction of a reader that makes no mistake in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from extraction.datasets.annotation import AnnotatedEntity, AnnotatedMention, AnnotatedRelation, Annotation
from extraction.schema import ExtractedEntity, ExtractedMention, Extraction, Relation, When
from training.evaluation.news.alignment import ReadArticle
from training.evaluation.news.assertions import ComparedArticle

TEXT = (
    "Ada Obi leads Lagoon Bank. Kite says she met Ben Roe on Monday, and accuses her. "
    "The bank denies having sued Kite, a firm in Lagos. Ben Roe will visit Lagos."
)
ENTITIES = (
    AnnotatedEntity("ada", "person", "Ada Obi"),
    AnnotatedEntity("bank", "organization", "Lagoon Bank"),
    AnnotatedEntity("kite", "organization", "Kite"),
    AnnotatedEntity("ben", "person", "Ben Roe"),
    AnnotatedEntity("monday", "time", "Monday"),
    AnnotatedEntity("lagos", "location", "Lagos"),
)
ADA, BANK, KITE, SHE, BEN, MONDAY, HER, THE_BANK, KITE_2, LAGOS, BEN_2, LAGOS_2 = range(12)
_MENTIONS = (
    ("Ada Obi", "ada", "name"),
    ("Lagoon Bank", "bank", "name"),
    ("Kite", "kite", "name"),
    ("she", "ada", "pronoun"),
    ("Ben Roe", "ben", "name"),
    ("Monday", "monday", "name"),
    ("her", "ada", "pronoun"),
    ("bank", "bank", "nominal"),
    ("Kite", "kite", "name"),
    ("Lagos", "lagos", "name"),
    ("Ben Roe", "ben", "name"),
    ("Lagos", "lagos", "name"),
)


def mentions() -> tuple[AnnotatedMention, ...]:
    found, at = [], 0
    for words, entity, form in _MENTIONS:
        at = TEXT.index(words, at)
        found.append(AnnotatedMention(at, at + len(words), entity, form))  # type: ignore[arg-type]
        at += len(words)
    return tuple(found)


GOLD = Annotation(
    "lagoon",
    "2024-05-01",
    ENTITIES,
    mentions(),
    (
        AnnotatedRelation(ADA, "leads", BANK),
        AnnotatedRelation(SHE, "met", BEN, "alleged", by=(KITE,), when=MONDAY),
        AnnotatedRelation(KITE, "accuses", HER),
        AnnotatedRelation(THE_BANK, "sued", KITE_2, "denied"),
        AnnotatedRelation(KITE_2, "located_in", LAGOS),
        AnnotatedRelation(BEN_2, "visited", LAGOS_2, "planned"),
    ),
    text=TEXT,
)
LEADS, MET, ACCUSES, SUED, LOCATED, VISITED = range(6)


def perfect() -> Extraction:
    numbers = {entity.id: number for number, entity in enumerate(ENTITIES)}
    types = {entity.id: entity.type for entity in ENTITIES}
    return Extraction(
        GOLD.id,
        TEXT,
        "en",
        tuple(
            ExtractedMention(m.start, m.end, types[m.entity], form=m.form, entity=numbers[m.entity])
            for m in GOLD.mentions
        ),
        tuple(
            Relation(
                *(one.head, one.tail, one.relation, 0.9),
                factuality=one.factuality,
                by=one.by[0] if one.by else None,
                when=None if one.when is None else When(one.when),
            )
            for one in GOLD.relations
        ),
        entities=tuple(ExtractedEntity(entity.type, entity.name) for entity in ENTITIES),
    )


def with_mention(extraction: Extraction, index: int, **changes: Any) -> Extraction:
    changed = list(extraction.mentions)
    changed[index] = replace(changed[index], **changes)
    return replace(extraction, mentions=tuple(changed))


def with_relation(extraction: Extraction, index: int, **changes: Any) -> Extraction:
    changed = list(extraction.relations)
    changed[index] = replace(changed[index], **changes)
    return replace(extraction, relations=tuple(changed))


def and_relation(extraction: Extraction, head: int, key: str, tail: int, score: float = 0.9) -> Extraction:
    return replace(extraction, relations=(*extraction.relations, Relation(head, tail, key, score)))


def compared(extraction: Extraction) -> ComparedArticle:
    return ComparedArticle(ReadArticle(GOLD, extraction))
