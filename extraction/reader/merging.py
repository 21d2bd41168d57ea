"""Merge the readings of a document's passages into one Extraction. Pure functions, no Django and no networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from extraction.labels import FOLDED, RELATIONS
from extraction.reader.attribution import Support
from extraction.reader.passages import PassageReading, Qualifiers, Span
from extraction.schema import Amount, Document, ExtractedMention, Extraction, Region, Relation, When


def merge(
    document: Document, readings: Sequence[PassageReading], language: str, missing: tuple[str, ...]
) -> Extraction:
    """One Extraction of all passages. Where windows overlap and disagree the more confident mention stays; a mark alone
    is no mention."""
    mentions: dict[Span, ExtractedMention] = {}
    for reading in readings:
        for span, mention in reading.mentions.items():
            if not any(map(str.isalnum, document.text[span[0] : span[1]])):
                continue
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
                found = Relation(*place, score, support.evidence, support.without_image)
                qualifiers = reading.qualifiers.get((head, tail, key))
                if qualifiers is not None:
                    found = _qualified(found, qualifiers, index)
                best[place] = _more_confident(best.get(place), found)
    once = folded(best, kept)
    relations = tuple(once[place] for place in sorted(once)) + _with_regions(readings, index)
    return Extraction(
        *(document.id, document.text, language, tuple(kept), relations, missing),
        regions=document.regions,
        scene=document.scene,
        grids=tuple(grid for reading in readings for grid in reading.grids),
        contents=document.contents,
    )


def _qualified(relation: Relation, found: Qualifiers, index: Mapping[Span, int]) -> Relation:
    """The relation with its factuality, and the mentions of the document that its claimant, time and amount are."""
    by, when, amount = (None if span is None else index.get(span) for span in (found.by, found.when, found.amount))
    return replace(
        relation,
        factuality=found.factuality,
        by=by,
        when=None if when is None else When(when),
        amount=None if amount is None else Amount(amount),
    )


def _more_confident(one: Relation | None, other: Relation) -> Relation:
    """The more confident of two equal relations, with the higher of both scores without the picture."""
    if one is None:
        return other
    without = [score for score in (one.without_image, other.without_image) if score is not None]
    return replace(one if one.score >= other.score else other, without_image=max(without, default=None))


def folded(
    best: Mapping[tuple[int, int, str], Relation], mentions: Sequence[ExtractedMention]
) -> dict[tuple[int, int, str], Relation]:
    """The relations, each pair of inverses as one of the two (`labels.FOLDED`), at the higher score.

    What lies in a place is contained by it: that is one fact. A network scores both names of it, and both directions;
    of two results that contradict each other the less confident one is wrong.
    """
    once: dict[tuple[int, int, str], Relation] = {}
    for place, relation in best.items():
        turned = _turned(place, relation, mentions)
        once[turned[0]] = _more_confident(once.get(turned[0]), turned[1])
    return {place: relation for place, relation in once.items() if not _contradicted(*place, once)}


def _turned(
    place: tuple[int, int, str], relation: Relation, mentions: Sequence[ExtractedMention]
) -> tuple[tuple[int, int, str], Relation]:
    head, tail, key = place
    kept = FOLDED.get(key)
    if kept is None or not RELATIONS[kept].permits(mentions[tail].type, mentions[head].type):
        return place, relation
    return (tail, head, kept), replace(relation, head=tail, tail=head, key=kept)


def _contradicted(head: int, tail: int, key: str, relations: Mapping[tuple[int, int, str], Relation]) -> bool:
    """Whether the opposite direction of a relation with an inverse is surer; of equal ones the first stands."""
    contrary = relations.get((tail, head, key))
    if contrary is None or key not in RELATIONS or not RELATIONS[key].inverse:
        return False
    score = relations[head, tail, key].score
    return contrary.score > score or (contrary.score == score and tail < head)


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
