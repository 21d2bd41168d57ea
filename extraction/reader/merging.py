"""Merge the readings of a document's passages into one Extraction. Pure functions, no Django and no networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from extraction.labels import RELATIONS
from extraction.reader.attribution import Support
from extraction.reader.passages import PassageReading, Span
from extraction.schema import Document, ExtractedMention, Extraction, Region, Relation


def merge(
    document: Document, readings: Sequence[PassageReading], language: str, missing: tuple[str, ...]
) -> Extraction:
    """One Extraction of all passages. Where windows overlap and disagree the more confident mention stays."""
    mentions: dict[Span, ExtractedMention] = {}
    for reading in readings:
        for span, mention in reading.mentions.items():
            if span not in mentions or mentions[span].score < mention.score:
                mentions[span] = mention
    kept: list[ExtractedMention] = []
    for mention in sorted(mentions.values(), key=lambda one: (one.start, one.end)):
        if kept and mention.start < kept[-1].end:
            if mention.score > kept[-1].score:
                kept[-1] = mention
            continue
        kept.append(mention)
    index = {(mention.start, mention.end): place for place, mention in enumerate(kept)}
    best: dict[tuple[int, int, str], Relation] = {}
    for reading in readings:
        for (head, tail, key), score in reading.relations.items():
            if head in index and tail in index and _same_ends(reading, head, tail, mentions):
                place = (*_in_order(index[head], index[tail], key), key)
                support = reading.supports.get((head, tail, key), Support())
                best[place] = _more_confident(
                    best.get(place), Relation(*place, score, support.evidence, support.without_image)
                )
    both = with_inverses(best, kept)
    relations = tuple(both[place] for place in sorted(both)) + _with_regions(readings, index)
    return Extraction(
        *(document.id, document.text, language, tuple(kept), relations, missing),
        regions=document.regions,
        scene=document.scene,
        grids=tuple(grid for reading in readings for grid in reading.grids),
        contents=document.contents,
    )


def _more_confident(one: Relation | None, other: Relation) -> Relation:
    """The more confident of two equal relations, with the higher of both scores without the picture."""
    if one is None:
        return other
    without = [score for score in (one.without_image, other.without_image) if score is not None]
    return replace(one if one.score >= other.score else other, without_image=max(without, default=None))


def with_inverses(
    best: Mapping[tuple[int, int, str], Relation], mentions: Sequence[ExtractedMention]
) -> dict[tuple[int, int, str], Relation]:
    """The relations with their inverses (what lies in a place is contained by it), both at the higher score.

    A network scores the two separately. Without this a query for one of them would miss what was extracted as the other
    alone. A relation with an inverse cannot hold in both directions: of two such results the less confident is wrong.
    """
    both = dict(best)
    for (head, tail, key), relation in best.items():
        inverse = RELATIONS[key].inverse if key in RELATIONS else None
        if inverse and RELATIONS[inverse].permits(mentions[tail].type, mentions[head].type):
            turned = replace(relation, head=tail, tail=head, key=inverse)
            both[tail, head, inverse] = _more_confident(both.get((tail, head, inverse)), turned)
    return {place: relation for place, relation in both.items() if not _contradicted(*place, both)}


def _contradicted(head: int, tail: int, key: str, relations: Mapping[tuple[int, int, str], Relation]) -> bool:
    """Whether the opposite direction is more confident. Of two with one score the same one stays for both keys."""
    contrary = relations.get((tail, head, key))
    inverse = RELATIONS[key].inverse if key in RELATIONS else None
    if contrary is None or inverse is None:
        return False
    score = relations[head, tail, key].score
    return contrary.score > score or (contrary.score == score and (head < tail) != (key < inverse))


def _with_regions(readings: Sequence[PassageReading], index: dict[Span, int]) -> tuple[Relation, ...]:
    """The relations of mentions and regions, each once."""
    best: dict[tuple[int, Region, str], float] = {}
    for reading in readings:
        for head, region, key, score in reading.shown:
            if head in index:
                place = (index[head], region, key)
                best[place] = max(score, best.get(place, 0.0))
    return tuple(Relation(*place, score) for place, score in best.items())


def _in_order(head: int, tail: int, key: str) -> tuple[int, int]:
    """The ends as they are; those of a symmetric relation, which is found in both directions, in the text's order."""
    symmetric = key in RELATIONS and RELATIONS[key].symmetric
    return (tail, head) if symmetric and tail < head else (head, tail)


def _same_ends(reading: PassageReading, head: Span, tail: Span, mentions: dict[Span, ExtractedMention]) -> bool:
    """Whether both mentions kept the types that this passage gave them: a relation permits certain types only."""
    return all(reading.mentions[span].type == mentions[span].type for span in (head, tail))
