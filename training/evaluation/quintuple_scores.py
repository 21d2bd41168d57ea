"""Scores and errors of found mentions and relations.

Quintuples (both spans, both types, relation) with and without direction, and mentions with exact span and type, as the
papers have them; `mentions_of_quintuples` counts only mentions that stand in a quintuple, as JMERE's authors do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from extraction.labels import Inventory
from extraction.reader.calibration import Calibration
from extraction.reader.decoding import DecodedSentence
from extraction.schema import FORMS, Example
from training.data.prepared import Prepared
from training.evaluation.error_analysis import counted, example_errors, metric
from training.evaluation.metrics import (
    F1Score,
    Prediction,
    mention_score,
    micro,
    relation_score,
    relation_scores,
    shares,
)
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan
from training.scores import Calibrated, Examined, Scores


@dataclass(frozen=True)
class Predictor:
    """Turns what was found into predictions, by a calibration and thresholds."""

    inventory: Inventory
    calibration: Calibration
    thresholds: dict[str, float]

    def predictions(self, found: Sequence[DecodedSentence]) -> list[Prediction]:
        return [self.prediction(one) for one in found]

    def prediction(self, found: DecodedSentence) -> Prediction:
        """Mentions, and the relations that reach their threshold."""
        keys, types = self.inventory.relation_keys, self.inventory.types
        scores = self.calibration.mentions(found)
        mentions = [
            ScoredSpan(one.start, one.end, types[one.type], score, FORMS[one.form])
            for one, score in zip(found.mentions, scores, strict=True)
        ]
        default = self.thresholds["default"]
        relations = [
            ScoredRelation(one.head, one.tail, keys[one.relation], score)
            for one, score in zip(found.relations, self.calibration.relations(found, keys), strict=True)
            if score >= self.thresholds.get(keys[one.relation], default)
        ]
        return Prediction(mentions, relations)


def best_threshold(
    examples: Sequence[Example], found: Sequence[DecodedSentence], inventory: Inventory, calibration: Calibration
) -> tuple[float, F1Score]:
    """The one threshold with the highest strict relation F1."""
    tried = [step / 20 for step in range(2, 17)]
    predictor = Predictor(inventory, calibration, {"default": tried[0]})
    loose = predictor.predictions(found)
    scored = [(threshold, relation_score(examples, _above(loose, threshold), inventory)) for threshold in tried]
    return max(scored, key=lambda pair: pair[1].f1)


def _above(predictions: Sequence[Prediction], threshold: float) -> list[Prediction]:
    return [
        Prediction(one.mentions, [relation for relation in one.relations if relation.score >= threshold])
        for one in predictions
    ]


def score_found(
    prepared: Prepared, found: Sequence[DecodedSentence], calibrated: Calibrated, related: bool = True
) -> Scores:
    """What a network found in the examples, from the threshold on that was best on dev."""
    predictor = Predictor(prepared.inventory, calibrated.calibration, calibrated.evaluated)
    return score_predictions(prepared.examples, predictor.predictions(found), prepared.inventory, related)


def score_predictions(
    examples: Sequence[Example], predictions: Sequence[Prediction], names: Inventory, related: bool = True
) -> Scores:
    """Mentions and quintuples against the data set's. "f1" is the mentions' of a tagger, or without gold relations."""
    singles = [
        (mention_score([example], [one]), relation_score([example], [one], names))
        for example, one in zip(examples, predictions, strict=True)
    ]
    mentions = sum((one for one, _ in singles), F1Score())
    relations = sum((one for _, one in singles), F1Score())
    related = related and relations.gold > 0
    chosen = [one[1] if related else one[0] for one in singles]
    counts = np.array([(one.right, one.predicted, one.gold) for one in chosen], np.int64).reshape(-1, 3)
    figures = {**micro(counts), "mention_f1": mentions.f1}
    by_relation: dict[str, dict[str, float]] = {}
    if related:
        figures["blind_f1"] = relation_score(examples, predictions, names, directed=False).f1
        figures["mentions_of_quintuples_f1"] = mentions_of_quintuples(examples, predictions).f1
        scores = relation_scores(examples, predictions, names)
        by_relation = {key: shares(score) for key, score in sorted(scores.items())}
    items = [
        {"id": example.id, "right": one.right, "found": one.predicted, "gold": one.gold}
        for example, one in zip(examples, chosen, strict=True)
    ]
    return Scores(figures, counts, by_relation, {}, items)


def mentions_of_quintuples(examples: Sequence[Example], predictions: Sequence[Prediction]) -> F1Score:
    """Mentions that are an end of some quintuple, exact span and type."""
    total = F1Score()
    for example, one in zip(examples, predictions, strict=True):
        ends = sorted({end for fact in example.relations for end in (fact.head, fact.tail)})
        found = sorted({end for fact in one.relations for end in (fact.head, fact.tail)})
        gold = {_typed(example.mentions[end]) for end in ends}
        predicted = {_typed(one.mentions[end]) for end in found}
        total += F1Score(len(gold & predicted), len(predicted), len(gold))
    return total


def _typed(mention: Any) -> tuple[int, int, str]:
    one: ScoredSpan = mention
    return one.start, one.end, one.type


def examine_found(prepared: Prepared, found: Sequence[DecodedSentence], calibrated: Calibrated) -> Examined:
    """The errors in every example's mentions, and in its relations where the data set has any."""
    names, best = prepared.inventory, calibrated.best
    related = any(example.relations for example in prepared.examples)
    predictions = Predictor(names, calibrated.calibration, calibrated.evaluated).predictions(found)
    errors = [
        example_errors(example, one, names, related)
        for example, one in zip(prepared.examples, predictions, strict=True)
    ]
    figures = [counted("relations" if related else "mentions", errors)]
    note = ""
    if related:
        blind = relation_score(prepared.examples, predictions, names, directed=False)
        used = Predictor(names, calibrated.calibration, calibrated.thresholds).predictions(found)
        figures += [
            metric("mentions", mention_score(prepared.examples, predictions)),
            metric("relations, blind to direction", blind),
            metric("relations as asserted in use", relation_score(prepared.examples, used, names)),
        ]
        if best is not None:
            note = f"Relations count from a probability of {best:g}, which was best on dev; in use each has its own."
    return Examined(figures, errors, None, note)
