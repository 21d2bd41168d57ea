"""The rows that recording an extraction will write, planned as data without any database. No Django."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID, uuid5

from extraction.labels import ENTITY_TYPES, REGION_RELATIONS, RELATIONS
from extraction.schema import EvidencePart, Extraction, Region, Relation
from knowledge.entities import names

PERSON = "person"
ALSO_CALLED = "alternate_names"
ALIAS_THRESHOLD = 0.8  # confidence from which two names that a post gives for one entity mean one there
EDGE = 1e-3  # by which a box may stick out of its picture: a share is rounded
GRIDS = 24  # grids of attention that are kept for one post, for its page
Span = tuple[int, int, str]
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
class PlannedDepiction:
    """The mention of that index is shown in this region of a picture; `picture`: its SHA-256, "" where unknown."""

    public_id: UUID
    mention: int
    region: Region
    picture: str
    score: float


@dataclass(frozen=True, slots=True)
class Record:
    """All that recording an extraction will write, before any look-up in the database.

    `aliases`: keys of mentions that the post gives as names of one entity, the best name's first.
    """

    mentions: tuple[PlannedMention, ...]
    assertions: tuple[PlannedAssertion, ...]
    language: str
    depictions: tuple[PlannedDepiction, ...] = ()
    aliases: tuple[tuple[str, ...], ...] = ()


def plan(
    extraction: Extraction, *, post: UUID, ordinal: int, digest: str, inputs: str = "text", floor: float = 0.0
) -> Record:
    """The rows for an extraction of a post's version by a checkpoint. Raises Unplannable.

    A span read twice with one type is one mention, a relation read twice between two mentions one assertion, each with
    the higher score. A person's name that is part of one longer name in the text is that person's ("Merkel" beside
    "Angela Merkel"). A relation that scores below `floor` is left out. One whose tail is a region of a picture becomes
    a depiction (`depicts`); other relations to a region are dropped, as an unnamed object has no entity.
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
    depictions = tuple(_depictions(extraction, spans, order, reading, floor))
    return Record(mentions, assertions, extraction.language, depictions, _aliases(mentions, assertions))


def with_keys(planned: Record, chiefs: Mapping[str, str]) -> Record:
    """The record with these keys of mentions in place of others."""
    mentions = tuple(replace(one, key=chiefs.get(one.key, one.key)) for one in planned.mentions)
    return replace(planned, mentions=mentions)


def _aliases(mentions: Sequence[PlannedMention], assertions: Iterable[PlannedAssertion]) -> tuple[tuple[str, ...], ...]:
    groups: list[set[str]] = []
    for one in assertions:
        head, tail = mentions[one.head], mentions[one.tail]
        if one.relation == ALSO_CALLED and one.score >= ALIAS_THRESHOLD and head.type == tail.type:
            pair = {head.key, tail.key}
            joined = pair.union(*(group for group in groups if group & pair))
            groups = [*(group for group in groups if not group & pair), joined]
    return tuple(_best_first(group, mentions) for group in groups if len(group) > 1)


def _best_first(group: set[str], mentions: Sequence[PlannedMention]) -> tuple[str, ...]:
    called = {key: names.best({one.name for one in mentions if one.key == key}) for key in group}
    chief = names.best(called.values())
    return tuple(sorted(group, key=lambda key: (called[key] != chief, key)))


def _depictions(
    extraction: Extraction, spans: list[Span], order: list[Span], reading: str, floor: float
) -> Iterator[PlannedDepiction]:
    """Each mention and region once, with the highest score; in the order of the text and of the pictures."""
    best: dict[tuple[int, Region], float] = {}
    for relation in extraction.relations:
        if isinstance(relation.tail, int) or relation.key not in REGION_RELATIONS:
            continue
        mention = _end(spans, relation.head)
        _check_score(relation.score)
        _check_box(relation.tail)
        if relation.score >= floor and mention in order:
            cell = (order.index(mention), relation.tail)
            best[cell] = max(relation.score, best.get(cell, 0.0))
    for (place, region), score in sorted(best.items(), key=lambda item: (item[0][0], item[0][1].image, item[0][1].box)):
        picture = extraction.contents[region.image] if region.image < len(extraction.contents) else ""
        name = f"{region.image}:{','.join(f'{side:.5f}' for side in region.box)}"
        start, end, kind = order[place]
        key = uuid5(ASSERTIONS, f"{reading}|{start}-{end}:{kind}|depicts|{name}|{region.grounded}")
        yield PlannedDepiction(key, place, region, picture, score)


def _check_box(region: Region) -> None:
    x, y, w, h = region.box
    inside = all(math.isfinite(side) and -EDGE <= side <= 1 + EDGE for side in (x, y, w, h, x + w, y + h))
    if not inside or region.image < 0:
        raise Unplannable(f"A region lies at {region.box}, which is not within picture {region.image}.")


def _shown(part: EvidencePart, extraction: Extraction) -> EvidencePart:
    """Evidence with its region described by value, as detectors number regions differently. Raises Unplannable."""
    if part.kind != "region" or "box" in part.reference:
        return part
    place = part.reference.get("region")
    if not isinstance(place, int) or not 0 <= place < len(extraction.regions):
        raise Unplannable(f"An edge rests on region {place!r}, and the pictures have {len(extraction.regions)}.")
    return EvidencePart(part.kind, {**_reference(place, extraction), **part.reference}, part.weight)


def _reference(place: int, extraction: Extraction) -> dict[str, Any]:
    """Region number `place` of the extraction by value: box, class, score and picture."""
    region = extraction.regions[place]
    known = {"box": list(region.box), "class": region.label, "image": region.image, "score": region.score}
    return known | _content(region.image, extraction)


def _content(image: int, extraction: Extraction) -> dict[str, Any]:
    return {"picture": extraction.contents[image]} if image < len(extraction.contents) else {}


def results_of(extraction: Extraction) -> dict[str, Any]:
    """What is stored with the reading for the post's page, beside its rows; {} for a reader that takes no pictures.

    "grids": attention of words to regions, these described as in `_shown`. "pictures": how the reader takes pictures,
    and the SHA-256 of those of which it received anything.
    """
    found: dict[str, Any] = {}
    if extraction.grids:
        found["grids"] = [_kept(asdict(grid), extraction) for grid in extraction.grids[:GRIDS]]
    if extraction.takes != "words" and extraction.contents:
        given = [extraction.contents[number] for number in extraction.used_images]
        found["pictures"] = {"takes": extraction.takes, "given": given}
    return found


def _kept(grid: dict[str, Any], extraction: Extraction) -> dict[str, Any]:
    regions = [_reference(place, extraction) for place in grid.pop("columns")]
    return {**grid, **_content(grid["image"], extraction), "regions": regions}


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
