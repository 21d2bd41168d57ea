"""Bring the mentions of one document together, and say every fact once: of entities, not of mentions. No Django.

A mention joins the likeliest entity, or begins a new one (networks/layers/coreference.py). An entity has one type, by
vote of its names, and one name. Of several relations that say the same of two entities the most confident one stays.
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
    quoted_words,
)
from extraction.labels import RELATIONS
from extraction.networks.layers.coreference import AntecedentScorer
from extraction.reader.passages import Passage, PassageReading, Span
from extraction.schema import ExtractedEntity, ExtractedMention, Extraction, Relation

# Where one place lies in another, or what lies in it: two entities have only the most confident of these.
GEOGRAPHY = frozenset({"located_in", "contains", "country", "headquarters_location", "capital", "location"})
# Types of which a name means the same thing throughout an article.
BEARERS = frozenset({"person", "organization", "location", "group", "miscellaneous"})
LIKELY = 0.3  # a relation's probability from which it tells two offices apart
# "He" and "she" are two.
SEXES = {
    **dict.fromkeys(("he", "him", "his", "himself"), "he"),
    **dict.fromkeys(("she", "her", "hers", "herself"), "she"),
}
# Of a place there is one that it lies in, unless that lies in another that is named too.
INSIDE = ("located_in", "country")


@dataclass(frozen=True, slots=True)
class Read:
    """A mention as its passage has it: its sentence, its words, whether they are quoted, and its network's states
    (2d,)."""

    sentence: int
    place: int
    words: tuple[str, ...]
    states: NDArray[np.float32]
    quoted: bool = False


def as_read(passages: Sequence[Passage], readings: Sequence[PassageReading]) -> dict[Span, Read]:
    """The mentions of a document's passages, in the order of the text."""
    found: dict[Span, Read] = {}
    quoted = quoted_words([passage.words.words for passage in passages])
    for sentence, (passage, reading) in enumerate(zip(passages, readings, strict=True)):
        for place, (start, end) in enumerate(sorted(reading.states)):
            inside = [at for at, (left, right) in enumerate(passage.words.spans) if start <= left and right <= end]
            words = tuple(passage.words.words[at] for at in inside)
            found[start, end] = Read(
                sentence, place, words, reading.states[start, end], bool(inside) and quoted[sentence][inside[0]]
            )
    return found


@torch.inference_mode()
def bring_together(extraction: Extraction, read: Mapping[Span, Read], scorer: AntecedentScorer) -> Extraction:
    """The extraction with entities, and its relations once for each pair of them."""
    spans = [(mention.start, mention.end) for mention in extraction.mentions]
    if not spans or not all(span in read for span in spans):
        return extraction
    referring = [
        Referring(
            *(read[span].sentence, read[span].place, read[span].words, mention.type, mention.form), read[span].quoted
        )
        for span, mention in zip(spans, extraction.mentions, strict=True)
    ]
    scores, none = _scores(referring, np.stack([read[span].states for span in spans]), scorer)
    chiefs = _offices(extraction, _chains(referring, scores, none))
    entities, entity_of = _entities(extraction, chiefs)
    mentions = tuple(
        replace(mention, entity=entity_of[place], type=entities[entity_of[place]].type)
        for place, mention in enumerate(extraction.mentions)
    )
    between = [one for one in extraction.relations if isinstance(one.tail, int)]
    others = tuple(one for one in extraction.relations if not isinstance(one.tail, int))
    once = consistent(deduplicated(between, mentions), mentions)
    return replace(extraction, mentions=mentions, relations=(*once, *others), entities=tuple(entities))


def _offices(extraction: Extraction, chiefs: list[int]) -> list[int]:
    """The chiefs, with the mentions of offices apart unless they have one body, or one holder and not two bodies.

    Words do not identify an office: two presidents meet.
    """
    bodies, holders = _best(extraction, "role_at", chiefs), _best(extraction, "position_held", chiefs)
    result = list(chiefs)
    offices: list[int] = []
    for place, mention in enumerate(extraction.mentions):
        if mention.type != "role" or mention.form != "name":
            continue
        words = _name(extraction.text, mention).casefold()
        result[place] = place
        for other in offices:
            if _name(extraction.text, extraction.mentions[other]).casefold() != words:
                continue
            one_body = bodies.get(place) is not None and bodies.get(place) == bodies.get(other)
            two_bodies = None not in (bodies.get(place), bodies.get(other)) and not one_body
            one_holder = holders.get(place) is not None and holders.get(place) == holders.get(other)
            if one_body or (one_holder and not two_bodies):
                result[place] = result[other]
                break
        offices.append(place)
    return [result[chief] for chief in result]


def _best(extraction: Extraction, key: str, chiefs: Sequence[int]) -> dict[int, int]:
    """For each office the entity, by its chief, that this relation joins it to with the highest probability."""
    best: dict[int, tuple[float, int]] = {}
    for one in extraction.relations:
        if one.key != key or not isinstance(one.tail, int) or one.score < LIKELY:
            continue
        office, other = (one.head, one.tail) if key == "role_at" else (one.tail, one.head)
        best[office] = max(best.get(office, (0.0, 0)), (one.score, chiefs[other]))
    return {office: entity for office, (_, entity) in best.items()}


def _scores(
    mentions: Sequence[Referring], states: NDArray[np.float32], scorer: AntecedentScorer
) -> tuple[list[dict[int, float]], list[float]]:
    """For each mention the score of each of its candidates, and of that it refers to none of them."""
    anaphor, candidate = candidate_pairs(mentions)
    device = scorer.none.weight.device
    nothing = torch.zeros(0, dtype=torch.long)
    inputs = CoreferenceTargets(
        *(nothing, nothing, nothing),
        own=torch.from_numpy(own_features(mentions)).to(device),
        anaphor=torch.from_numpy(anaphor).to(device),
        candidate=torch.from_numpy(candidate).to(device),
        features=torch.from_numpy(pair_features(mentions, anaphor, candidate)).to(device),
        same=nothing,
    )
    found, none = (part.float().cpu().numpy() for part in scorer(torch.from_numpy(states).to(device), inputs))
    scores: list[dict[int, float]] = [{} for _ in mentions]
    for one, other, score in zip(anaphor.tolist(), candidate.tolist(), found.tolist(), strict=True):
        scores[one][other] = score
    return scores, none.tolist()


def _chains(mentions: Sequence[Referring], scores: Sequence[dict[int, float]], none: Sequence[float]) -> list[int]:
    """For each mention the first mention of its entity: names first, then what refers to what they name.

    The scorer is trained on the sum over all mentions of the right entity, so entities are compared by such sums. A
    pronoun or nominal joins no entity without a name, and "he" none that "she" has joined.
    """
    chief = list(range(len(mentions)))
    named: set[int] = set()
    sexes: dict[int, str] = {}
    order = sorted(range(len(mentions)), key=lambda place: (mentions[place].form != "name", place))
    for place in order:
        sex = SEXES.get(" ".join(mentions[place].words).casefold(), "")
        sums: dict[int, float] = {}
        for other, score in scores[place].items():
            one = chief[other]
            if one in named and sexes.get(one, sex) in ("", sex or sexes.get(one, "")):
                sums[one] = float(np.logaddexp(sums[one], score)) if one in sums else score
        best = max(sums, key=lambda one: sums[one], default=place)
        if sums.get(best, none[place]) > none[place]:
            chief[place] = best
            if sex:
                sexes[best] = sex
        if mentions[place].form == "name":
            named.add(chief[place])
    return chief


def _entities(extraction: Extraction, chiefs: Sequence[int]) -> tuple[list[ExtractedEntity], list[int]]:
    """The entities, in the order of their first mentions, and the entity of each mention.

    Two entities of one type with one proper name are one. The words of an office, a happening or a value are no name:
    every company has its president.
    """
    named: dict[tuple[str, str], int] = {}
    groups: dict[int, list[int]] = defaultdict(list)
    for place, chief in enumerate(chiefs):
        groups[chief].append(place)
    entities: list[ExtractedEntity] = []
    entity_of = [0] * len(chiefs)
    for group in sorted(groups.values()):
        entity = _entity(extraction, group)
        number = named.get((entity.type, entity.name.casefold())) if entity.type in BEARERS else None
        if number is None:
            number = len(entities)
            entities.append(entity)
            if entity.name:
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


def deduplicated(relations: Sequence[Relation], mentions: Sequence[ExtractedMention]) -> list[Relation]:
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
