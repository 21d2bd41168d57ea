"""What recording an extraction will write, worked out as data with nothing looked up. No Django."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.schema import EvidencePart, Extraction, Relation
from knowledge import names

PERSON = "person"
ASSERTIONS = UUID("0a3c7a52-9b5f-5c1e-8d0b-6c6f0a7f4d11")  # the namespace of assertions' ids, the same everywhere


class Unplannable(ValueError):
    """The extraction is not one that a sound checkpoint gives; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PlannedMention:
    start: int
    end: int
    type: str
    score: float
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class PlannedAssertion:
    """Head and tail are indexes into the record's mentions, in the order that was read."""

    public_id: UUID
    head: int
    tail: int
    relation: str
    score: float
    evidence: tuple[EvidencePart, ...]
    without_image: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """All that recording an extraction will write, with nothing looked up yet."""

    mentions: tuple[PlannedMention, ...]
    assertions: tuple[PlannedAssertion, ...]
    language: str


def plan(
    extraction: Extraction, *, post: UUID, ordinal: int, digest: str, inputs: str = "text", floor: float = 0.0
) -> Record:
    """The rows for an extraction of a post's version by a checkpoint. Raises Unplannable.

    A span read twice with one type is one mention, a relation read twice between two mentions one assertion, each with
    the higher score. A person's name that is part of one longer name in the text is that person's ("Merkel" beside
    "Angela Merkel"). A relation whose tail is a region of a picture has no statement yet and is left out, as is one
    that scores below `floor`.
    """
    best: dict[tuple[int, int, str], float] = {}
    spans = [(mention.start, mention.end, mention.type) for mention in extraction.mentions]
    for span, mention in zip(spans, extraction.mentions, strict=True):
        _check_mention(extraction, *span, mention.score)
        if names.shown(extraction.text[mention.start : mention.end]):
            best[span] = max(mention.score, best.get(span, 0.0))
    order = sorted(best)
    places = {span: index for index, span in enumerate(order)}
    mentions = _resolved(_mention(extraction.text, span, best[span]) for span in order)
    found: dict[tuple[int, int, str], Relation] = {}
    for relation in extraction.relations:
        if not isinstance(relation.tail, int):
            continue
        head, tail = _end(spans, relation.head), _end(spans, relation.tail)
        _check_relation(relation.key, relation.score)
        if relation.without_image is not None:
            _check_score(relation.without_image)
        if relation.score < floor or head == tail or head not in places or tail not in places:
            continue
        cell = (places[head], places[tail], relation.key)
        if cell not in found or relation.score > found[cell].score:
            found[cell] = relation
    reading = f"{post}|{ordinal}|{digest}|{inputs}"
    assertions = tuple(
        PlannedAssertion(
            *(_assertion_id(reading, order[head], key, order[tail]), head, tail, key, one.score),
            evidence=tuple(_shown(part, extraction) for part in one.evidence),
            without_image=one.without_image,
        )
        for (head, tail, key), one in sorted(found.items(), key=lambda item: item[0])
    )
    return Record(mentions, assertions, extraction.language)


def _shown(part: EvidencePart, extraction: Extraction) -> EvidencePart:
    """A region by what it is, not by its place in a list that another detector would make otherwise. Unplannable."""
    if part.kind != "region" or "box" in part.reference:
        return part
    place = part.reference.get("region")
    if not isinstance(place, int) or not 0 <= place < len(extraction.regions):
        raise Unplannable(f"An edge rests on region {place!r}, and the pictures have {len(extraction.regions)}.")
    region = extraction.regions[place]
    known = {"box": list(region.box), "class": region.label, "image": region.image, "score": region.score}
    return EvidencePart(part.kind, {**known, **part.reference}, part.weight)


def _mention(text: str, span: tuple[int, int, str], score: float) -> PlannedMention:
    start, end, entity_type = span
    name = names.shown(text[start:end])
    return PlannedMention(start, end, entity_type, score, name, names.resolution_key(name, entity_type))


def _resolved(mentions: Iterable[PlannedMention]) -> tuple[PlannedMention, ...]:
    read = tuple(mentions)
    longer = names.longer(names.name_key(one.name) for one in read if one.type == PERSON)
    keys = {short: names.resolution_key(whole, PERSON) for short, whole in longer.items()}
    return tuple(
        replace(one, key=keys.get(names.name_key(one.name), one.key)) if one.type == PERSON else one for one in read
    )


def _end(spans: list[tuple[int, int, str]], index: int) -> tuple[int, int, str]:
    if not 0 <= index < len(spans):
        raise Unplannable(f"A relation's end is mention {index}, but there are {len(spans)} mentions.")
    return spans[index]


def _check_mention(extraction: Extraction, start: int, end: int, entity_type: str, score: float) -> None:
    if not 0 <= start < end <= len(extraction.text):
        raise Unplannable(f"A mention spans {start}-{end} in a text of {len(extraction.text)} characters.")
    if entity_type not in ENTITY_TYPES:
        raise Unplannable(f"A mention has the type {entity_type!r}, which this version does not know.")
    _check_score(score)


def _check_relation(key: str, score: float) -> None:
    if key not in RELATIONS:
        raise Unplannable(f"A relation is called {key!r}, which this version does not know.")
    _check_score(score)


def _check_score(score: float) -> None:
    if not (math.isfinite(score) and 0 <= score <= 1):
        raise Unplannable(f"A score is {score}; scores go from 0 to 1.")


def _assertion_id(reading: str, head: tuple[int, int, str], relation: str, tail: tuple[int, int, str]) -> UUID:
    ends = ["{}-{}:{}".format(*end) for end in (head, tail)]
    return uuid5(ASSERTIONS, f"{reading}|{ends[0]}|{relation}|{ends[1]}")
