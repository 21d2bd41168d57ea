"""The output format of `manage.py read`: one JSON object of schema `kgbuilder.read/1`, or a table for people.

The JSON object's keys never change; later versions of the schema only add some. Offsets count code points of its
`text`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from extraction.labels import ENTITY_TYPES, RELATIONS
from extraction.schema import Amount, Declined, ExtractedMention, Extraction, Fact, Region, Relation, When
from extraction.text.plain_values import plain_amount, plain_time

DEPICTS = "depicts"
SCHEMA = "kgbuilder.read/1"

Thresholds = Mapping[str, float]
Row = tuple[Relation, ExtractedMention, ExtractedMention]


def reached(extraction: Extraction, thresholds: Thresholds) -> list[Row]:
    """The relations between two mentions that reach their threshold, with head and tail, in the order of the text.

    `thresholds` are by relation key; "default" is for the others. What the text denies is not among them.
    """
    return [row for row in _sure(extraction, thresholds) if row[0].factuality != "denied"]


def denied(extraction: Extraction, thresholds: Thresholds) -> list[Row]:
    """The relations that reach their threshold and that the text denies, as `reached` gives the others."""
    return [row for row in _sure(extraction, thresholds) if row[0].factuality == "denied"]


def _sure(extraction: Extraction, thresholds: Thresholds) -> list[Row]:
    result = []
    for relation in extraction.relations:
        if isinstance(relation.tail, Region) or relation.score < thresholds.get(relation.key, thresholds["default"]):
            continue
        result.append((relation, extraction.mentions[relation.head], extraction.mentions[relation.tail]))
    return sorted(result, key=lambda row: (row[1].start, row[2].start, row[0].key))


def as_json(extraction: Extraction, checkpoint: str, thresholds: Thresholds, pictured: bool = False) -> dict[str, Any]:
    """The object on one line of `manage.py read --json`; `pictured`: with the keys for pictures."""
    text = extraction.text
    result = {
        "schema": SCHEMA,
        "id": extraction.id,
        "checkpoint": checkpoint,
        "threshold": thresholds["default"],
        "language": extraction.language,
        "text": text,
        "mentions": [
            _end(mention, text) | {"score": _rounded(mention.score)}
            for mention in sorted(extraction.mentions, key=lambda mention: (mention.start, mention.end))
        ],
        "entities": [{"name": entity.name, "type": entity.type} for entity in extraction.entities],
        "quintuples": [_quintuple(row, extraction, pictured) for row in reached(extraction, thresholds)],
        "denied": [_quintuple(row, extraction, pictured) for row in denied(extraction, thresholds)],
        "missing": list(extraction.missing),
        "declined": _declined(extraction.declined),
        **({"facts": [_fact(fact) for fact in extraction.facts]} if extraction.facts else {}),
    }
    return {**result, **_picture_results(extraction)} if pictured else result


def _quintuple(row: Row, extraction: Extraction, pictured: bool) -> dict[str, Any]:
    relation, head, tail = row
    text, mentions = extraction.text, extraction.mentions
    return {
        "head": _end(head, text),
        "tail": _end(tail, text),
        "relation": relation.key,
        "property": _property(relation.key),
        "score": _rounded(relation.score),
        "factuality": relation.factuality,
        "by": None if relation.by is None else _end(mentions[relation.by], text),
        "when": None if relation.when is None else _when(relation.when, extraction),
        "amount": None if relation.amount is None else _amount(relation.amount, extraction),
        **(_by_picture(relation) if pictured else {}),
        **({"echoes": _repeats_fact(relation)} if extraction.facts else {}),
    }


def _when(when: When, extraction: Extraction) -> dict[str, Any]:
    """Its words, and the days that they mean as ISO dates; null where open or not resolved."""
    days = {"earliest": when.earliest, "latest": when.latest}
    resolved = {name: day.isoformat() if day else None for name, day in days.items()}
    return _place_in_text(extraction.mentions[when.mention], extraction.text) | resolved


def _amount(amount: Amount, extraction: Extraction) -> dict[str, Any]:
    """Its words, value and unit; null and "" where they could not be resolved."""
    resolved = {"value": amount.value, "unit": amount.unit}
    return _place_in_text(extraction.mentions[amount.mention], extraction.text) | resolved


def _by_picture(relation: Relation) -> dict[str, Any]:
    return {"evidence": _evidence(relation), "score_without_image": _optional(relation.without_image)}


def _fact(fact: Fact) -> dict[str, str]:
    """A fact that the reader was shown."""
    return {"subject": fact.subject, "property": fact.property, "object": fact.object, "source": fact.source}


def _repeats_fact(relation: Relation) -> bool:
    """Whether it repeats a fact that the reader was shown."""
    return any(part.kind == "fact" for part in relation.evidence)


def _picture_results(extraction: Extraction) -> dict[str, Any]:
    return {
        "depicted": [
            {
                "mention": _end(extraction.mentions[one.head], extraction.text),
                "region": place,
                "score": _rounded(one.score),
                "grounded": one.tail.grounded,
            }
            for one in extraction.relations
            if isinstance(one.tail, Region) and one.key == DEPICTS
            for place in [_place(one.tail, extraction.regions)]
            if place is not None
        ],
        "regions": [_region(region) for region in extraction.regions],
        "scene_graph": [
            {
                "subject": edge.subject,
                "object": edge.object,
                "predicate": edge.predicate,
                "kind": edge.kind,
                "score": _rounded(edge.score),
            }
            for edge in extraction.scene
        ],
    }


def _place(region: Region, regions: Sequence[Region]) -> int | None:
    """Its index in `regions`; None for one that only a search for the name found."""
    key = (region.image, region.box, region.label)
    return next((place for place, one in enumerate(regions) if (one.image, one.box, one.label) == key), None)


def _end(mention: ExtractedMention, text: str) -> dict[str, Any]:
    """A mention; `entity` is an index into `entities`, null where coreference was not resolved."""
    described = {"type": mention.type, "form": mention.form, "entity": mention.entity}
    return _place_in_text(mention, text) | described


def _place_in_text(mention: ExtractedMention, text: str) -> dict[str, Any]:
    return {"start": mention.start, "end": mention.end, "text": text[mention.start : mention.end]}


def _evidence(relation: Relation) -> list[dict[str, Any]]:
    """The regions of its evidence, by their index in `regions`; [] where the reader took no picture."""
    parts = [part for part in relation.evidence if part.kind == "region" and "region" in part.reference]
    return [{"region": part.reference["region"], "weight": _rounded(part.weight)} for part in parts]


def _region(region: Region) -> dict[str, Any]:
    return {
        "box": [round(side, 5) for side in region.box],
        "class": region.label,
        "score": _rounded(region.score),
        "image": region.image,
        "depth": _rounded(region.depth),
    }


def _optional(score: float | None) -> float | None:
    return None if score is None else _rounded(score)


def _declined(declined: Declined | None) -> dict[str, str] | None:
    return None if declined is None else {"code": declined.code, "message": declined.message}


def _property(key: str) -> str | None:
    return RELATIONS[key].property if key in RELATIONS else None


def _rounded(score: float) -> float:
    return round(float(score), 4)


def as_table(extraction: Extraction, thresholds: Thresholds) -> Iterator[str]:
    """Lines for people: the text, its mentions by type, and its quintuples, the most confident first."""
    text = extraction.text
    yield f"{shown(extraction.id)}: {_cut(shown(text), 100)}" if text else shown(extraction.id)
    if extraction.declined:
        yield f"  not analysed: {extraction.declined.message}"
        return
    if extraction.missing:
        yield f"  without: {', '.join(extraction.missing)}"
    yield from _aligned(_mentioned(extraction))
    asserted, refuted = reached(extraction, thresholds), denied(extraction, thresholds)
    yield from _table(asserted, extraction) if asserted else ["  no relation reached its threshold"]
    if refuted:
        yield "  denied in the text:"
        yield from _table(refuted, extraction)


def _mentioned(extraction: Extraction) -> list[tuple[str, ...]]:
    """Each type with the names of its mentions, each name once."""
    named: dict[str, list[str]] = {}
    for mention in extraction.mentions:
        names = named.setdefault(mention.type, [])
        if (name := _name(mention, extraction)) not in names:
            names.append(name)
    return [(_type_label(key), ", ".join(named[key])) for key in sorted(named, key=_type_order)]


def _table(rows: Sequence[Row], extraction: Extraction) -> Iterator[str]:
    """Quintuples, the most confident first; the column of qualifiers only where one of them has any."""
    ordered = sorted(rows, key=lambda row: -row[0].score)
    qualifiers = [_qualifiers(relation, extraction) for relation, _, _ in ordered]
    yield from _aligned(
        [
            (
                f"{relation.score:.2f}",
                f"{_name(head, extraction)} ({head.type})",
                _relation_label(relation.key),
                f"{_name(tail, extraction)} ({tail.type})",
                *([qualifier] if any(qualifiers) else []),
                _property(relation.key) or "",
            )
            for (relation, head, tail), qualifier in zip(ordered, qualifiers, strict=True)
        ]
    )


def _qualifiers(relation: Relation, extraction: Extraction) -> str:
    """Factuality, claimant, time and amount in plain words: "alleged by Kyiv; Monday, 3 March 2014"."""
    text, mentions = extraction.text, extraction.mentions
    parts = []
    if relation.by is not None:
        parts.append(f"{relation.factuality} by {_name(mentions[relation.by], extraction)}")
    elif relation.factuality not in ("stated", "denied"):
        parts.append(relation.factuality)
    if (when := relation.when) is not None:
        parts.append(plain_time(_words(mentions[when.mention], text), when.earliest, when.latest))
    if (amount := relation.amount) is not None:
        parts.append(plain_amount(_words(mentions[amount.mention], text), amount.value, amount.unit))
    return "; ".join(parts)


def _name(mention: ExtractedMention, extraction: Extraction) -> str:
    """What a mention is called: its words, or its entity's name where it is a pronoun or nominal of a named one."""
    if mention.form != "name" and mention.entity is not None and extraction.entities[mention.entity].name:
        return shown(extraction.entities[mention.entity].name)
    return _words(mention, extraction.text)


def _words(mention: ExtractedMention, text: str) -> str:
    return shown(text[mention.start : mention.end])


def shown(text: str) -> str:
    """`text` on one line and without control characters for terminals (escapes, direction marks)."""
    return " ".join("".join(_harmless(character) for character in text).split())


def _harmless(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character != "\u200d" else character


def _type_label(key: str) -> str:
    return ENTITY_TYPES[key].plural if key in ENTITY_TYPES else key


def _type_order(key: str) -> int:
    return list(ENTITY_TYPES).index(key) if key in ENTITY_TYPES else len(ENTITY_TYPES)


def _relation_label(key: str) -> str:
    return RELATIONS[key].label if key in RELATIONS else key


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns two blanks apart, the last one ragged; wide East Asian characters count as two."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        yield ("  " + "  ".join(cells)).rstrip()


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
