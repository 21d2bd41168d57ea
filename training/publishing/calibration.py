"""Fits a checkpoint's calibration (Platt scaling) and thresholds on dev examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory, LabelMode, annotated_relations
from extraction.reader.calibration import Calibration, clip, log_odds, relation_inputs, sigmoid
from extraction.reader.decoding import DecodedSentence
from extraction.schema import FORMS, Example
from training.data.prepared import Prepared
from training.evaluation.metrics import JudgedRelation, Prediction, calibration_error, judged_relations
from training.evaluation.pair_scores import best_pair_threshold, gold_labels
from training.evaluation.quintuple_scores import Predictor, best_threshold
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan
from training.scores import Calibrated

Floats = NDArray[np.float64]

# Of asserted relations, on dev. Higher in truth: dev counts as wrong what is so, but not in the annotation.
PRECISION = 0.70
# Sets of sentences that were picked for their relations: precision on them is little evidence for other texts.
PICKED = ("conll04", "jmere", "mnre_none")
LEAST_LOGIT = -4.0  # relations below it are practically never right and would dominate the fit
PULL = 4.0  # towards no bias of its own, for each relation; in examples
ENOUGH = 15  # predictions of a relation on dev, for a threshold of its own
# Thresholds tried: 0.30 .. 0.90. Less confident relations are rarely right in news, whatever they are on dev.
STEPS = tuple(step / 50 for step in range(15, 46))


def calibrate_word_pairs(
    dev: Prepared, found: Sequence[DecodedSentence], data: Sequence[str], labels: LabelMode, longest: int
) -> Calibrated:
    """Fitted on the dev examples of at most `longest` words whose set has relations: of a reader of news, on news.

    `data`: what was trained on.
    """
    names = dev.inventory
    news = any(example.news for example in dev.examples)
    chosen = [
        (example, one)
        for example, one in zip(dev.examples, found, strict=True)
        if example.relation_keys and len(example.words) <= longest and example.news == news
    ]
    examples, own = [example for example, _ in chosen], [one for _, one in chosen]
    fitted = fit(examples, own, names)
    judged = judged_relations(examples, Predictor(names, fitted, {"default": 0.0}).predictions(own), names)
    gold = sum(len(example.relations) for example in examples)
    thresholds = choose(judged, gold, PRECISION, _only_in_picked(data, labels))
    best, score = best_threshold(examples, own, names, fitted)
    error = calibration_error([one.score for one in judged], [one.right for one in judged])
    measured = {
        "sentences": len(examples),
        "relation_calibration_error": round(error, 4),
        "precision_at_thresholds": round(thresholds.precision, 4),
        "recall_at_thresholds": round(thresholds.recall, 4),
        "best_f1": round(score.f1, 4),
        "best_f1_threshold": best,
    }
    return Calibrated(fitted, thresholds.values, best, measured)


def calibrate_pairs(dev: Prepared, logits: NDArray[np.float32]) -> Calibrated:
    """Platt scaling of the found relation's log-odds, and the threshold with which enough of dev's relations are right.

    A pair system is live given mentions that another found: their logits take no part.
    """
    keys, gold = dev.inventory.relation_keys, gold_labels(dev)
    best = best_pair_threshold(logits, gold)
    measured = {} if best is None else {"best_f1_threshold": best}
    rows, right, labels = [], [], []
    for label, odds in zip(gold.tolist(), log_odds(logits), strict=True):
        likeliest = int(odds[1:].argmax()) + 1
        rows.append((float(clip(odds[likeliest : likeliest + 1].astype(np.float64))[0]), 1.0))
        right.append(likeliest == label)
        labels.append(likeliest)
    if len(set(right)) < 2:
        return Calibrated(best=best, dev=measured)
    slope, bias = logistic(np.array(rows), right, np.full(2, 1e-3))
    fitted = Calibration(relation=(float(slope), 0.0, 0.0, 0.0, float(bias)))
    scores = 1 / (1 + np.exp(-(np.array(rows) @ np.array([slope, bias]))))
    judged = [JudgedRelation(keys[label - 1], float(s), ok) for label, s, ok in zip(labels, scores, right, strict=True)]
    return Calibrated(fitted, choose(judged, int((gold > 0).sum()), PRECISION).values, best, measured)


def calibrate_tags(dev: Prepared, found: Sequence[DecodedSentence]) -> Calibrated:
    """Platt scaling of a tagged mention's certainty."""
    rows, right = [], []
    for example, one in zip(dev.examples, found, strict=True):
        gold = {(mention.start, mention.end): mention.type for mention in example.mentions}
        for mention in one.mentions:
            rows.append((float(clip(np.array([mention.logit]))[0]), 1.0))
            right.append(gold.get((mention.start, mention.end)) == dev.inventory.types[mention.type])
    if len(set(right)) < 2:
        return Calibrated()
    slope, bias = logistic(np.array(rows), right, np.full(2, 1e-3))
    return Calibrated(Calibration(mention=(float(slope), float(bias))))


def _only_in_picked(data: Sequence[str], labels: LabelMode) -> frozenset[str]:
    """Relations that a reader trained on other sets too has learnt from the picked ones alone (`peer`, `killed_by`)."""
    picked, others = (
        {key for name in data if (name in PICKED) == in_picked for key in annotated_relations(name, labels)}
        for in_picked in (True, False)
    )
    return frozenset(picked - others) if others else frozenset()


def fit(examples: Sequence[Example], found: Sequence[DecodedSentence], inventory: Inventory) -> Calibration:
    """Logistic regressions of "right" on the network's logits, over what the examples settle."""
    mentions, right = _mention_rows(examples, found, inventory)
    inputs, keys, good = _relation_rows(examples, found, inventory)
    mention = logistic(mentions, right, np.full(2, 1e-3)) if len(set(right)) == 2 else np.array([1.0, 0.0])
    if len(set(good)) < 2:
        return Calibration(mention=(float(mention[0]), float(mention[1])))
    names = sorted(set(keys))
    own = np.array([[key == name for name in names] for key in keys], np.float64)
    pulls = np.concatenate([np.full(5, 1e-3), np.full(len(names), PULL)])
    weights = logistic(np.hstack([inputs, own]), good, pulls)
    slope, weak, strong, gap, bias = (float(weight) for weight in weights[:5])
    return Calibration(
        mention=(float(mention[0]), float(mention[1])),
        relation=(slope, weak, strong, gap, bias),
        biases={name: round(float(weight), 4) for name, weight in zip(names, weights[5:], strict=True)},
    )


@dataclass(frozen=True)
class Thresholds:
    """Probabilities from which a relation is asserted, and the precision that they had on dev."""

    values: dict[str, float]
    precision: float
    recall: float


def choose(
    judged: Sequence[JudgedRelation], gold: int, precision: float, cautious: frozenset[str] = frozenset()
) -> Thresholds:
    """For each relation with enough predictions, the lowest threshold that is right `precision` of the time on dev.

    The others share the lowest one with which all predictions together are. `cautious` relations get the highest there
    is: dev does not show how often they are right in the texts that the reader is for.
    """
    values = {"default": _lowest(judged, precision)}
    by_key: defaultdict[str, list[JudgedRelation]] = defaultdict(list)
    for one in judged:
        by_key[one.key].append(one)
    values.update(dict.fromkeys(sorted(cautious), STEPS[-1]))
    for key, mine in sorted(by_key.items()):
        if key in cautious:
            continue
        if sum(one.score >= STEPS[0] for one in mine) >= ENOUGH:
            values[key] = _lowest(mine, precision)
    selected = [one.right for one in judged if one.score >= values.get(one.key, values["default"])]
    return Thresholds(values, sum(selected) / max(1, len(selected)), sum(selected) / max(1, gold))


def _lowest(judged: Sequence[JudgedRelation], precision: float) -> float:
    """The lowest threshold from which on enough predictions are right; the highest one where there is none."""
    for threshold in STEPS:
        selected = [one.right for one in judged if one.score >= threshold]
        if selected and sum(selected) / len(selected) >= precision:
            return threshold
    return STEPS[-1]


def _mention_rows(
    examples: Sequence[Example], found: Sequence[DecodedSentence], inventory: Inventory
) -> tuple[Floats, list[bool]]:
    rows, right = [], []
    for example, one in zip(examples, found, strict=True):
        gold = {(mention.start, mention.end): mention.type for mention in example.mentions}
        for mention in one.mentions if example.complete else ():
            kind = inventory.types[mention.type]
            gold_type = gold.get((mention.start, mention.end))
            if mention.form and not example.news:
                continue
            if kind in example.types and gold_type != "":
                rows.append((mention.logit, 1.0))
                right.append(gold_type == kind)
    rows_array = np.array(rows, np.float64).reshape(-1, 2)
    rows_array[:, 0] = clip(rows_array[:, 0])
    return rows_array, right


def _relation_rows(
    examples: Sequence[Example], found: Sequence[DecodedSentence], inventory: Inventory
) -> tuple[Floats, list[str], list[bool]]:
    """Inputs, relation and rightness of every settled relation found; the row's number travels as its score."""
    inputs: list[Floats] = []
    predictions, count = [], 0
    for one in found:
        mentions = [
            ScoredSpan(item.start, item.end, inventory.types[item.type], 1.0, FORMS[item.form]) for item in one.mentions
        ]
        inputs.append(relation_inputs(one))
        relations = [
            ScoredRelation(item.head, item.tail, inventory.relation_keys[item.relation], float(count + number))
            for number, item in enumerate(one.relations)
            if item.logit > LEAST_LOGIT
        ]
        count += len(one.relations)
        predictions.append(Prediction(mentions, relations))
    judged = judged_relations(examples, predictions, inventory)
    rows = np.concatenate(inputs)[[int(one.score) for one in judged]] if judged else np.zeros((0, 5))
    return rows, [one.key for one in judged], [one.right for one in judged]


def logistic(inputs: Floats, right: Sequence[bool], pulls: Floats, rounds: int = 30) -> Floats:
    """Weights that maximise the likelihood less pull * weight^2 / 2, by Newton's method."""
    target = np.asarray(right, np.float64)
    weights = np.zeros(inputs.shape[1])
    for _ in range(rounds):
        predicted = sigmoid(inputs @ weights)
        gradient = inputs.T @ (predicted - target) + pulls * weights
        curve = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs + np.diag(pulls)
        step = np.linalg.solve(curve, gradient)
        weights = weights - np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return weights
