"""The rows that recording an extraction will write, planned as data without any database. No Django."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from extraction.labels import ENTITY_TYPES, REGION_RELATIONS, RELATIONS
from extraction.schema import (
    FACTUALITIES,
    FORMS,
    Amount,
    EvidencePart,
    ExtractedMention,
    Extraction,
    Factuality,
    Form,
    Region,
    Relation,
    When,
)
from knowledge.entities import names
from knowledge.recording import resolution
from knowledge.recording.resolution import ResolvedMention

ALSO_CALLED = "alternate_names"
ALIAS_THRESHOLD = 0.8  # confidence from which two names that a post gives for one entity mean one there
EDGE = 1e-3  # by which a box may stick out of its picture: a share is rounded
LONGEST_UNIT = 40  # the column's length
GRIDS = 24  # grids of attention that are kept for one post, for its page
Span = tuple[int, int, str]
ASSERTIONS = UUID("0a3c7a52-9b5f-5c1e-8d0b-6c6f0a7f4d11")  # the namespace of assertions' ids, the same everywhere


class Unplannable(ValueError):
    """The extraction is not one that a sound checkpoint gives; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PlannedMention:
    """`type` is as read at this place; `key`, `entity_type` and `label` are its entity's, `name` is what names it."""

    start: int
    end: int
    type: str
    score: float
    name: str
    key: str
    entity_type: str
    label: str
    form: Form = "name"


@dataclass(frozen=True, slots=True)
class PlannedTime:
    words: str = ""
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True, slots=True)
class PlannedAmount:
    words: str = ""
    value: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PlannedAssertion:
    """Head, tail and claimant are indexes into the record's mentions, head and tail in the order that was read."""

    public_id: UUID
    head: int
    tail: int
    relation: str
    score: float
    evidence: tuple[EvidencePart, ...]
    without_image: float | None = None
    factuality: Factuality = "stated"
    claimant: int | None = None
    when: PlannedTime = PlannedTime()
    amount: PlannedAmount = PlannedAmount()


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
    the higher score. `resolution` says which entity each mention means; a mention of none is left out, with its
    relations, and so is a relation between two mentions of one entity. A relation that scores below `floor` is left
    out. One whose tail is a region of a picture becomes a depiction (`depicts`); other relations to a region are
    dropped, as an unnamed object has no entity.
    """
    spans = [(mention.start, mention.end, mention.type) for mention in extraction.mentions]
    for mention in extraction.mentions:
        _check_mention(extraction, mention)
    for one in extraction.relations:
        _check_places(extraction, one)
    mentions = _mentions(extraction, spans, resolution.resolve(extraction, post))
    order = [(one.start, one.end, one.type) for one in mentions]
    places = {span: index for index, span in enumerate(order)}
    found: dict[tuple[int, int, str], Relation] = {}
    for relation in extraction.relations:
        if not isinstance(relation.tail, int):
            continue
        head, tail = spans[relation.head], spans[relation.tail]
        _check_relation(relation)
        if relation.score < floor or head == tail or head not in places or tail not in places:
            continue
        cell = (places[head], places[tail], relation.key)
        if extraction.entities and mentions[cell[0]].key == mentions[cell[1]].key:
            continue
        if cell not in found or relation.score > found[cell].score:
            found[cell] = relation
    reading = f"{post}|{ordinal}|{digest}|{inputs}"
    assertions = tuple(
        PlannedAssertion(
            *(_assertion_id(reading, order[head], key, order[tail]), head, tail, key, one.score),
            evidence=tuple(_shown(part, extraction) for part in one.evidence),
            without_image=one.without_image,
            factuality=one.factuality,
            claimant=places.get(spans[one.by]) if one.by is not None else None,
            when=_when(extraction, one.when),
            amount=_amount(extraction, one.amount),
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
        is_alias = one.relation == ALSO_CALLED and one.score >= ALIAS_THRESHOLD and one.factuality == "stated"
        if is_alias and head.entity_type == tail.entity_type and head.key != tail.key:
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
        mention = spans[relation.head]
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


def _mentions(
    extraction: Extraction, spans: Sequence[Span], meant: Mapping[int, ResolvedMention]
) -> tuple[PlannedMention, ...]:
    """Each span and type once, as its surest mention has it, in the order of the text."""
    best: dict[Span, int] = {}
    for place, mention in enumerate(extraction.mentions):
        known = best.get(spans[place])
        if place in meant and (known is None or mention.score > extraction.mentions[known].score):
            best[spans[place]] = place
    return tuple(_mention(extraction.mentions[place], meant[place]) for _, place in sorted(best.items()))


def _mention(read: ExtractedMention, meant: ResolvedMention) -> PlannedMention:
    entity = (meant.name, meant.key, meant.type, meant.label)
    return PlannedMention(read.start, read.end, read.type, read.score, *entity, form=read.form)


def _when(extraction: Extraction, when: When | None) -> PlannedTime:
    return PlannedTime(_words(extraction, when.mention), when.earliest, when.latest) if when else PlannedTime()


def _amount(extraction: Extraction, amount: Amount | None) -> PlannedAmount:
    if amount is None:
        return PlannedAmount()
    return PlannedAmount(_words(extraction, amount.mention), amount.value, amount.unit[:LONGEST_UNIT])


def _words(extraction: Extraction, place: int) -> str:
    mention = extraction.mentions[place]
    return names.shown(extraction.text[mention.start : mention.end])


def _check_mention(extraction: Extraction, mention: ExtractedMention) -> None:
    if not 0 <= mention.start < mention.end <= len(extraction.text):
        length = len(extraction.text)
        raise Unplannable(f"A mention spans {mention.start}-{mention.end} in a text of {length} characters.")
    if mention.entity is not None and not 0 <= mention.entity < len(extraction.entities):
        raise Unplannable(
            f"A mention is of entity {mention.entity}, but there are {len(extraction.entities)} entities."
        )
    entity_type = mention.type if mention.entity is None else extraction.entities[mention.entity].type
    for one in (mention.type, entity_type):
        if one not in ENTITY_TYPES:
            raise Unplannable(f"A mention has the type {one!r}, which this version does not know.")
    if mention.form not in FORMS:
        raise Unplannable(f"A mention has the form {mention.form!r}, which this version does not know.")
    _check_score(mention.score)


def _check_places(extraction: Extraction, one: Relation) -> None:
    """That all mentions of a relation exist."""
    ends = [one.head, one.tail if isinstance(one.tail, int) else None, one.by]
    ends += [part.mention for part in (one.when, one.amount) if part is not None]
    for place in ends:
        if place is not None and not 0 <= place < len(extraction.mentions):
            raise Unplannable(
                f"A relation's end is mention {place}, but there are {len(extraction.mentions)} mentions."
            )


def _check_relation(one: Relation) -> None:
    if one.key not in RELATIONS:
        raise Unplannable(f"A relation is called {one.key!r}, which this version does not know.")
    if one.factuality not in FACTUALITIES:
        raise Unplannable(f"A relation is {one.factuality!r}, which this version does not know.")
    if one.when and one.when.earliest and one.when.latest and one.when.earliest > one.when.latest:
        raise Unplannable(f"A relation's time begins on {one.when.earliest} and ends before.")
    if one.amount and one.amount.value is not None and not math.isfinite(one.amount.value):
        raise Unplannable(f"A relation's amount is {one.amount.value}, which is no number.")
    _check_score(one.score)
    if one.without_image is not None:
        _check_score(one.without_image)


def _check_score(score: float) -> None:
    if not (math.isfinite(score) and 0 <= score <= 1):
        raise Unplannable(f"A score is {score}; scores go from 0 to 1.")


def _assertion_id(reading: str, head: tuple[int, int, str], relation: str, tail: tuple[int, int, str]) -> UUID:
    ends = ["{}-{}:{}".format(*end) for end in (head, tail)]
    return uuid5(ASSERTIONS, f"{reading}|{ends[0]}|{relation}|{ends[1]}")
