"""Bring the mentions of one document together, and say every fact once: of entities, not of mentions. No Django.

A mention joins the likeliest entity before it, or begins a new one (networks/layers/coreference.py). An entity has one
type, by vote of its names, and one name. Of several relations that say the same of two entities the most
confident one stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from extraction.features.coreference import (
    CoreferenceTargets,
    Referring,
    candidate_pairs,
    own_features,
    pair_features,
)
from extraction.labels import RELATIONS
from extraction.networks.layers.coreference import AntecedentScorer
from extraction.reader.passages import Passage, PassageReading, Span
from extraction.schema import ExtractedEntity, ExtractedMention, Extraction, Relation

# Where one place lies in another, or what lies in it: said once of two entities, by the surest of these.
GEOGRAPHY = frozenset({"located_in", "contains", "country", "headquarters_location", "capital", "location"})
# Of a place there is one that it lies in, unless that lies in another that is named too.
INSIDE = ("located_in", "country")


@dataclass(frozen=True, slots=True)
class Read:
    """A mention as its passage has it: its sentence, its words, and its network's states (2d,)."""

    sentence: int
    place: int
    words: tuple[str, ...]
    states: NDArray[np.float32]


def as_read(passages: Sequence[Passage], readings: Sequence[PassageReading]) -> dict[Span, Read]:
    """The mentions of a document's passages, in the order of the text."""
    found: dict[Span, Read] = {}
    for sentence, (passage, reading) in enumerate(zip(passages, readings, strict=True)):
        for place, (start, end) in enumerate(sorted(reading.states)):
            words = tuple(
                word
                for word, (left, right) in zip(passage.words.words, passage.words.spans, strict=True)
                if start <= left and right <= end
            )
            found[start, end] = Read(sentence, place, words, reading.states[start, end])
    return found


@torch.inference_mode()
def bring_together(extraction: Extraction, read: Mapping[Span, Read], scorer: AntecedentScorer) -> Extraction:
    """The extraction with entities, and its relations said once for each pair of them."""
    spans = [(mention.start, mention.end) for mention in extraction.mentions]
    if not spans or not all(span in read for span in spans):
        return extraction
    referring = [
        Referring(read[span].sentence, read[span].place, read[span].words, mention.type, mention.form)
        for span, mention in zip(spans, extraction.mentions, strict=True)
    ]
    scores, none = _scores(referring, np.stack([read[span].states for span in spans]), scorer)
    entities, entity_of = _entities(extraction, _chains(referring, scores, none))
    mentions = tuple(
        replace(mention, entity=entity_of[place], type=entities[entity_of[place]].type)
        for place, mention in enumerate(extraction.mentions)
    )
    between = [one for one in extraction.relations if isinstance(one.tail, int)]
    others = tuple(one for one in extraction.relations if not isinstance(one.tail, int))
    once = consistent(said_once(between, mentions), mentions)
    return replace(extraction, mentions=mentions, relations=(*once, *others), entities=tuple(entities))


def _scores(
    mentions: Sequence[Referring], states: NDArray[np.float32], scorer: AntecedentScorer
) -> tuple[list[dict[int, float]], list[float]]:
    """For each mention the score of each mention before it, and of that it refers to none of them."""
    later, earlier = candidate_pairs(len(mentions))
    device = scorer.none.weight.device
    nothing = torch.zeros(0, dtype=torch.long)
    inputs = CoreferenceTargets(
        *(nothing, nothing, nothing),
        own=torch.from_numpy(own_features(mentions)).to(device),
        later=torch.from_numpy(later).to(device),
        earlier=torch.from_numpy(earlier).to(device),
        features=torch.from_numpy(pair_features(mentions, later, earlier)).to(device),
        same=nothing,
    )
    found, none = (part.float().cpu().numpy() for part in scorer(torch.from_numpy(states).to(device), inputs))
    scores: list[dict[int, float]] = [{} for _ in mentions]
    for one, other, score in zip(later.tolist(), earlier.tolist(), found.tolist(), strict=True):
        scores[one][other] = score
    return scores, none.tolist()


def _chains(mentions: Sequence[Referring], scores: Sequence[dict[int, float]], none: Sequence[float]) -> list[int]:
    """For each mention the first mention of its entity.

    The scorer is trained on the sum over all mentions of the right entity, so entities are compared by such sums. A
    pronoun or nominal stands for something that the text names: it joins no entity without a name.
    """
    first: list[int] = []
    named: set[int] = set()
    for place, mention in enumerate(mentions):
        sums: dict[int, float] = {}
        for other, score in scores[place].items():
            chief = first[other]
            if mention.form == "name" or chief in named:
                sums[chief] = float(np.logaddexp(sums[chief], score)) if chief in sums else score
        best = max(sums, key=lambda chief: sums[chief], default=place)
        first.append(best if sums.get(best, none[place]) > none[place] else place)
        if mention.form == "name":
            named.add(first[place])
    return first


def _entities(extraction: Extraction, first: Sequence[int]) -> tuple[list[ExtractedEntity], list[int]]:
    """The entities, in the order of their first mentions, and the entity of each mention.

    Two entities of one type with one name are one: a mention of a name begins no second bearer of it.
    """
    named: dict[tuple[str, str], int] = {}
    groups: dict[int, list[int]] = defaultdict(list)
    for place, chief in enumerate(first):
        groups[chief].append(place)
    entities: list[ExtractedEntity] = []
    entity_of = [0] * len(first)
    for group in groups.values():
        entity = _entity(extraction, group)
        number = named.get((entity.type, entity.name.casefold())) if entity.name else None
        if number is None:
            number = len(entities)
            entities.append(entity)
            named[entity.type, entity.name.casefold()] = number
        for place in group:
            entity_of[place] = number
    return entities, entity_of


def _entity(extraction: Extraction, group: Sequence[int]) -> ExtractedEntity:
    """The type that most of the group's names have, by score; of the names of that type the longest, of equal ones
    the commonest."""
    mentions = [extraction.mentions[place] for place in group]
    voters = [one for one in mentions if one.form == "name"] or mentions
    votes: Counter[str] = Counter()
    for one in voters:
        votes[one.type] += one.score  # type: ignore[assignment]
    kind = max(votes, key=lambda key: votes[key])
    names = Counter(_name(extraction.text, one) for one in voters if one.form == "name" and one.type == kind)
    name = max(names, key=lambda name: (len(name.split()), names[name]), default="")
    return ExtractedEntity(kind, name)


def _name(text: str, mention: ExtractedMention) -> str:
    return " ".join(text[mention.start : mention.end].split())


def said_once(relations: Sequence[Relation], mentions: Sequence[ExtractedMention]) -> list[Relation]:
    """The relations between two entities, each once; what is denied stands apart from what is asserted.

    A relation whose ends turned out to be one entity, or of types that it does not permit, is dropped.
    """
    best: dict[tuple[int, int, str, bool], Relation] = {}
    for one in relations:
        assert isinstance(one.tail, int)
        head, tail = mentions[one.head], mentions[one.tail]
        if head.entity == tail.entity or head.entity is None or tail.entity is None:
            continue
        known = RELATIONS.get(one.key)
        if known is not None and not known.permits(head.type, tail.type):
            continue
        ends = (head.entity, tail.entity)
        if known is not None and known.symmetric:
            ends = (min(ends), max(ends))
        place = (*ends, one.key, one.factuality == "denied")
        if place not in best or best[place].score < one.score:
            best[place] = one
    return list(best.values())


def consistent(relations: Sequence[Relation], mentions: Sequence[ExtractedMention]) -> list[Relation]:
    """The relations without what contradicts or repeats a surer one: of two entities one relation of geography, and of
    a place one that it lies in, unless the two places lie in one another."""
    pairs: set[frozenset[int | None]] = set()
    joined: set[frozenset[int | None]] = set()
    inside: dict[int | None, list[int | None]] = defaultdict(list)
    kept: list[Relation] = []
    by_score = sorted(relations, key=lambda one: -one.score)
    for one in by_score:
        if one.key in GEOGRAPHY and one.factuality != "denied":
            joined.add(_ends(one, mentions))
    for one in by_score:
        if one.factuality == "denied" or one.key not in GEOGRAPHY:
            kept.append(one)
            continue
        ends = _ends(one, mentions)
        if ends in pairs:
            continue
        assert isinstance(one.tail, int)
        head, tail = mentions[one.head], mentions[one.tail]
        if one.key in INSIDE and head.type == "location":
            if any(frozenset((other, tail.entity)) not in joined for other in inside[head.entity]):
                continue
            inside[head.entity].append(tail.entity)
        pairs.add(ends)
        kept.append(one)
    return sorted(kept, key=lambda one: (one.head, one.tail if isinstance(one.tail, int) else -1, one.key))


def _ends(relation: Relation, mentions: Sequence[ExtractedMention]) -> frozenset[int | None]:
    assert isinstance(relation.tail, int)
    return frozenset((mentions[relation.head].entity, mentions[relation.tail].entity))
