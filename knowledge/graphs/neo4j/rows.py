"""Graph updates as rows of a property graph: the data sent to Neo4j, and the lines by which it is compared.

An entity is a node `:Entity` with its type as a second label, a post is a node `:Post`, and MENTIONS leads from one to
the other. A time or number that a relation gives an entity is a property of its node. Where one of a post's pictures
shows an entity, SHOWS leads to a node `:Picture`, HAS_REGION from that to a node `:PictureRegion`, and DEPICTS on to
the entity. A supported triple is one relationship, its type the relation's key in capitals; its id is made of the
triple, so that rows which a merge made one triple are one relationship. A merged entity has no node of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from extraction.labels import ENTITY_TYPES, RELATIONS
from knowledge.entities import names
from knowledge.graphs.media_fragments import fragment
from knowledge.graphs.units import (
    Comparison,
    DepictionContent,
    EntityUnit,
    KnownContent,
    PostUnit,
    ReviewContent,
    StatedValue,
    StatementUnit,
    Triple,
    TripleSupport,
    Unit,
)
from knowledge.linking.fact_comparison import EXTRACTED_ONLY

RELATIONSHIPS = UUID("5d4e4a0e-3f43-5f0e-9f55-0f0a4c1d7c11")
ENTITY, POST, MENTIONS = "Entity", "Post", "MENTIONS"
PICTURE, REGION, SHOWS, HAS_REGION, DEPICTS = "Picture", "PictureRegion", "SHOWS", "HAS_REGION", "DEPICTS"
Row = dict[str, Any]


def label(entity_type: str) -> str:
    """An entity type as a label: `person` is Person."""
    return entity_type[:1].upper() + entity_type[1:]


def relationship_type(relation: str) -> str:
    """A relation as a relationship's type: `member_of` is MEMBER_OF."""
    return relation.upper()


LABELS = tuple(label(key) for key in sorted(ENTITY_TYPES))
TYPES = {relationship_type(key): key for key in sorted(RELATIONS)}


def relationship_id(triple: Triple) -> str:
    return str(uuid5(RELATIONSHIPS, f"{triple.head}|{triple.relation}|{triple.tail}"))


def entity_row(unit: EntityUnit) -> Row | None:
    """None for an entity that has no node: unknown now, or merged into another."""
    content = unit.content
    if content is None or content.survivor is not None:
        return None
    properties = {
        "id": str(unit.key),
        "name": content.label,
        "names": sorted({name.name for name in content.names} | {content.label}),
        # An index takes no more than some thousand bytes; a name may be longer, its key may not.
        "key": names.name_key(content.label),
        **({"same_as": list(content.same)} if content.same else {}),
        **_values(content.values),
        **(_known(content.known) if content.known else {}),
        # An editor's stands before a knowledge base's.
        **({"description": content.description} if content.description else {}),
    }
    return {"id": str(unit.key), "label": label(content.type), "properties": properties}


def _values(given: Iterable[StatedValue]) -> dict[str, list[str]]:
    """`date_of_birth`: what is stated of it; `point_in_time_planned`: what is only planned, likewise alleged."""
    found: dict[str, list[str]] = {}
    for one in given:
        name = one.relation if one.factuality == "stated" else f"{one.relation}_{one.factuality}"
        found.setdefault(name, []).append(one.value.text)
    return {name: sorted(set(texts)) for name, texts in found.items()}


def _known(content: KnownContent) -> Row:
    """The sources' data on an entity: only as properties of its node, never as relationships."""
    values = {
        "description": content.description,
        "abstract": content.abstract,
        "categories": list(content.categories),
        "facts": [_fact(*fact) for fact in content.facts],
    }
    return {"known_to": ", ".join(content.sources), **{name: value for name, value in values.items() if value}}


def _fact(name: str, value: str, label: str, source_property: str) -> str:
    """`P26 Q3 William King`, `P569 1815-12-10T00:00:00Z`, `dbo:spouse Q3 William King`."""
    return " ".join(part for part in (source_property or name, value, label if label != value else "") if part)


def post_row(unit: PostUnit) -> Row | None:
    content = unit.content
    if content is None:
        return None
    properties = {
        "id": str(unit.key),
        "title": content.title,
        "url": content.link,
        "publisher": content.publisher,
        "language": content.language,
        "published": content.published_at.astimezone(UTC),
    }
    return {"id": str(unit.key), "properties": properties, "mentions": [str(key) for key in content.mentions]}


def picture_rows(unit: PostUnit) -> list[Row]:
    """The post's pictures that show an entity."""
    numbers = sorted({one.region.image for one in unit.content.depictions}) if unit.content else []
    keys = [(f"{unit.key}/picture/{number}", number) for number in numbers]
    return [
        {"post": str(unit.key), "id": key, "properties": {"id": key, "post": str(unit.key), "number": number}}
        for key, number in keys
    ]


def region_rows(unit: PostUnit) -> list[Row]:
    found: dict[str, Row] = {}
    for one in unit.content.depictions if unit.content else ():
        picture = f"{unit.key}/picture/{one.region.image}"
        key = f"{picture}#{fragment(one.region.box)}"
        x, y, w, h = (round(float(side), 5) for side in one.region.box)
        box = {"x": x, "y": y, "width": w, "height": h}
        properties = {"id": key, "post": str(unit.key), "label": one.region.label, **box}
        found[key] = {"id": key, "picture": picture, "properties": properties}
    return [found[key] for key in sorted(found)]


def depiction_rows(unit: PostUnit) -> list[Row]:
    """One row for each region and entity: the most confident depiction."""
    best: dict[tuple[str, str], DepictionContent] = {}
    for one in unit.content.depictions if unit.content else ():
        ends = f"{unit.key}/picture/{one.region.image}#{fragment(one.region.box)}", str(one.entity)
        if ends not in best or (one.accepted, one.score) > (best[ends].accepted, best[ends].score):
            best[ends] = one
    return [
        {
            "region": region,
            "entity": entity,
            "properties": {"score": round(one.score, 4), "accepted": one.accepted, "grounded": one.grounded},
        }
        for (region, entity), one in sorted(best.items())
    ]


def relationship_rows(unit: StatementUnit) -> list[Row]:
    compared = {triple: one for triple, one, _ in unit.comparisons}
    support = dict(zip(unit.present, unit.support, strict=True))
    return [
        _ends(triple)
        | {
            "properties": _supported(triple, support[triple])
            | {"factuality": factuality, **_qualifiers(support[triple])}
            | _standing(compared.get(triple))
        }
        for triple, factuality in unit.edges
    ]


def _qualifiers(support: TripleSupport) -> Row:
    """Who claims it, and the time and the sum of its best assertion that has any."""
    when, amount = support.when, support.amount
    qualifiers = {
        "claimed_by": [str(one) for one in support.claimants],
        "when_earliest": when.earliest,
        "when_latest": when.latest,
        "amount": amount.value,
        "amount_unit": amount.unit,
    }
    return {name: value for name, value in qualifiers.items() if value not in (None, "", [])}


def _standing(compared: Comparison | None) -> Row:
    """The comparison with a source: extracted only, known or conflict, with the source's fact."""
    if compared is None:
        return {"standing": EXTRACTED_ONLY}
    fact = {"known_fact": compared.name, "known_value": compared.value, "known_to": compared.source}
    return {"standing": compared.standing, **fact}


def gone_rows(unit: StatementUnit) -> list[Row]:
    return [_ends(triple) for triple in unit.gone]


def _ends(triple: Triple) -> Row:
    return {
        "id": relationship_id(triple),
        "head": str(triple.head),
        "type": relationship_type(triple.relation),
        "tail": str(triple.tail),
    }


def _supported(triple: Triple, support: TripleSupport) -> Row:
    """`scores` are in the order of `posts`: the best of each post, 1 where only an editor's acceptance supports it."""
    scores = [1.0 if score is None else round(score, 4) for score in support.scores]
    return {
        "id": relationship_id(triple),
        "posts": [str(post) for post in support.posts],
        "scores": scores,
        "score": max(scores, default=0.0),
        "support": len(support.posts),
        "accepted": support.accepted,
        **_review(support.review),
    }


def _review(review: ReviewContent) -> Row:
    """What editors have made of it, by whom, and when the latest verdict was given."""
    reviewed: Row = {"reviewed_by": list(review.by), "reviewed_at": review.at and review.at.astimezone(UTC)}
    return {"review_state": review.state} | {name: value for name, value in reviewed.items() if value}


def lines(unit: Unit) -> set[str]:
    """A unit's content in the store, one line for each node or relationship, as the store's own rows give them."""
    return set(_lines(unit))


def _lines(unit: Unit) -> Iterator[str]:
    if isinstance(unit, EntityUnit):
        if row := entity_row(unit):
            yield node_line([ENTITY, row["label"]], row["properties"])
    elif isinstance(unit, PostUnit):
        if row := post_row(unit):
            yield node_line([POST], row["properties"])
            yield from (mention_line(row["id"], entity) for entity in row["mentions"])
            yield from _picture_lines(unit)
    else:
        yield from (
            relationship_line(row["head"], row["type"], row["tail"], row["properties"])
            for row in relationship_rows(unit)
        )


def _picture_lines(unit: PostUnit) -> Iterator[str]:
    for row in picture_rows(unit):
        yield node_line([PICTURE], row["properties"])
        yield relationship_line(row["post"], SHOWS, row["id"], {})
    for row in region_rows(unit):
        yield node_line([REGION], row["properties"])
        yield relationship_line(row["picture"], HAS_REGION, row["id"], {})
    for row in depiction_rows(unit):
        yield relationship_line(row["region"], DEPICTS, row["entity"], row["properties"])


def node_line(labels: Iterable[str], properties: Row) -> str:
    return f"(:{':'.join(sorted(labels))} {_shown(properties)})"


def mention_line(post: str, entity: str) -> str:
    return f"({post})-[:{MENTIONS}]->({entity})"


def relationship_line(head: str, kind: str, tail: str, properties: Row) -> str:
    return f"({head})-[:{kind} {_shown(properties)}]->({tail})"


def _shown(properties: Row) -> str:
    return json.dumps(properties, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> str:
    native = value.to_native() if hasattr(value, "to_native") else value
    return native.astimezone(UTC).isoformat() if isinstance(native, datetime) else str(native)
