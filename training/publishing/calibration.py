"""Fits a checkpoint's calibration and thresholds on dev examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory
from extraction.reader.calibration import Calibration, clip, relation_inputs, sigmoid
from extraction.reader.decoding import Found
from extraction.schema import Example
from training.evaluation.metrics import Judged, Prediction, judged_relations
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan

Floats = NDArray[np.float64]

LEAST_LOGIT = -4.0  # relations below it are hopeless and would only drown the fit
PULL = 4.0  # towards no bias of its own, for each relation; in examples
ENOUGH = 15  # predictions of a relation on dev, for a threshold of its own
# Thresholds tried: 0.30 .. 0.90. What is less sure than that is rarely right in news, whatever it is on dev.
STEPS = tuple(step / 50 for step in range(15, 46))


def fit(examples: Sequence[Example], found: Sequence[Found], inventory: Inventory) -> Calibration:
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


def choose(judged: Sequence[Judged], gold: int, precision: float, cautious: frozenset[str] = frozenset()) -> Thresholds:
    """For each relation with enough predictions, the lowest threshold that is right `precision` of the time on dev.

    The others share the lowest one with which all predictions together are. `cautious` relations get the highest there
    is: dev does not show how often they are right in the texts that the reader is for.
    """
    values = {"default": _lowest(judged, precision)}
    by_key: defaultdict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_key[one.key].append(one)
    values.update(dict.fromkeys(sorted(cautious), STEPS[-1]))
    for key, mine in sorted(by_key.items()):
        if key in cautious:
            continue
        if sum(one.score >= STEPS[0] for one in mine) >= ENOUGH:
            values[key] = _lowest(mine, precision)
    kept = [one.right for one in judged if one.score >= values.get(one.key, values["default"])]
    return Thresholds(values, sum(kept) / max(1, len(kept)), sum(kept) / max(1, gold))


def _lowest(judged: Sequence[Judged], precision: float) -> float:
    """The lowest threshold from which on enough predictions are right; the highest one where there is none."""
    for threshold in STEPS:
        kept = [one.right for one in judged if one.score >= threshold]
        if kept and sum(kept) / len(kept) >= precision:
            return threshold
    return STEPS[-1]


def _mention_rows(
    examples: Sequence[Example], found: Sequence[Found], inventory: Inventory
) -> tuple[Floats, list[bool]]:
    rows, right = [], []
    for example, one in zip(examples, found, strict=True):
        gold = {(mention.start, mention.end): mention.type for mention in example.mentions}
        for mention in one.mentions if example.complete else ():
            kind = inventory.types[mention.type]
            told = gold.get((mention.start, mention.end))
            if kind in example.types and told != "":
                rows.append((mention.logit, 1.0))
                right.append(told == kind)
    rows_array = np.array(rows, np.float64).reshape(-1, 2)
    rows_array[:, 0] = clip(rows_array[:, 0])
    return rows_array, right


def _relation_rows(
    examples: Sequence[Example], found: Sequence[Found], inventory: Inventory
) -> tuple[Floats, list[str], list[bool]]:
    """Inputs, relation and rightness of every settled relation found; the row's number travels as its score."""
    inputs: list[Floats] = []
    predictions, count = [], 0
    for one in found:
        mentions = [ScoredSpan(item.start, item.end, inventory.types[item.type], 1.0) for item in one.mentions]
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
    wanted = np.asarray(right, np.float64)
    weights = np.zeros(inputs.shape[1])
    for _ in range(rounds):
        predicted = sigmoid(inputs @ weights)
        gradient = inputs.T @ (predicted - wanted) + pulls * weights
        curve = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs + np.diag(pulls)
        step = np.linalg.solve(curve, gradient)
        weights = weights - np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return weights
