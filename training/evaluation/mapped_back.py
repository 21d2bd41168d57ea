"""A reader of the whole inventory, scored in one data set's own labels beside readers trained on that set alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from extraction.labels import RELATIONS, native_type, to_native
from training.evaluation.metrics import Prediction
from training.evaluation.word_pair_grid import ScoredRelation

# Re-DocRED states a symmetric fact in both directions, MNRE once, mostly in the order of the text.
_STATED_BOTH_WAYS = frozenset({"redocred"})


def mapped_back(prediction: Prediction, name: str) -> Prediction:
    """The prediction in the labels of data set `name`; what the set has no label for is left out.

    A symmetric relation is given as the set states it, and where it states it once, in the order of the text: gold that
    has it the other way round is missed when direction counts.
    """
    types = [native_type(name, mention.type) for mention in prediction.mentions]
    kept = [index for index, label in enumerate(types) if label]
    places = {index: place for place, index in enumerate(kept)}
    relations = []
    for relation in _stated(prediction.relations, both_ways=name in _STATED_BOTH_WAYS):
        head, tail = prediction.mentions[relation.head], prediction.mentions[relation.tail]
        found = to_native(name, relation.key, head.type, tail.type)
        if found is not None:
            label, turned = found
            ends = (relation.tail, relation.head) if turned else (relation.head, relation.tail)
            relations.append(ScoredRelation(places[ends[0]], places[ends[1]], label, relation.score))
    return Prediction([replace(prediction.mentions[index], type=types[index]) for index in kept], relations)


def _stated(relations: Iterable[ScoredRelation], both_ways: bool) -> list[ScoredRelation]:
    """Directed relations as they are; symmetric ones, found either way or both, once a pair or in both directions."""
    stated: dict[tuple[int, int, str], ScoredRelation] = {}
    for relation in relations:
        head, tail, key = relation.head, relation.tail, relation.key
        directions = [(head, tail)]
        if RELATIONS[key].symmetric:
            directions = [(min(head, tail), max(head, tail))]
            if both_ways:
                directions.append(directions[0][::-1])
        for one, other in directions:
            before = stated.get((one, other, key))
            if before is None or before.score < relation.score:
                stated[one, other, key] = ScoredRelation(one, other, key, relation.score)
    return list(stated.values())
