"""Calibration: from logits to the probability that a mention, or a relation with both its mentions, is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from extraction.reader.decoding import DecodedSentence, logit

Floats = NDArray[np.float64]
LARGEST = 12.0  # logits are clipped at this value


@dataclass(frozen=True)
class Calibration:
    """Platt scaling, fitted on dev. The inputs for a relation are its logit, those of its two mentions, their distance
    (a network is overconfident about distant ones), and the relation's own bias.

    `mention` is (slope, bias); `relation` holds the slopes of the relation's logit, the weaker mention's, the stronger
    one's, and log(1 + words between the mentions), then the bias.
    """

    mention: tuple[float, float] = (1.0, 0.0)
    relation: tuple[float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 0.0)
    biases: dict[str, float] = field(default_factory=dict)

    def mentions(self, found: DecodedSentence) -> list[float]:
        """The probability of each mention's span and type."""
        logits = np.array([mention.logit for mention in found.mentions])
        return sigmoid(clip(logits) * self.mention[0] + self.mention[1]).tolist()

    def relations(self, found: DecodedSentence, keys: Sequence[str]) -> list[float]:
        """The probability of each relation with both its mentions; `keys[r]` names relation r."""
        if not found.relations:
            return []
        own = np.array([self.biases.get(keys[relation.relation], 0.0) for relation in found.relations])
        scores = relation_inputs(found) @ np.array(self.relation) + own
        return sigmoid(scores).tolist()

    def labels(self, odds: Floats) -> Floats:
        """The probability of each label of a pair network, from its log odds given that both mentions are right."""
        slope, *_, bias = self.relation
        return sigmoid(clip(odds) * slope + bias)

    def lowest_logit(self, floor: float) -> float:
        """The lowest logit of a relation that may still have the probability `floor`, whatever its mentions' logits."""
        slope, weak, strong, gap, bias = self.relation
        best = LARGEST * (max(weak, 0.0) + max(strong, 0.0) + max(gap, 0.0)) + bias + max([0.0, *self.biases.values()])
        return (logit(max(floor, 1e-6)) - best) / slope if slope > 0 else -math.inf


def relation_inputs(found: DecodedSentence) -> Floats:
    """(relations, 5): the relation's logit, its weaker mention's, its stronger mention's, log(1 + gap), 1."""
    rows = []
    for one in found.relations:
        head, tail = found.mentions[one.head], found.mentions[one.tail]
        gap = max(0, max(head.start, tail.start) - min(head.end, tail.end))
        rows.append((one.logit, *sorted((head.logit, tail.logit)), math.log1p(gap), 1.0))
    return clip(np.array(rows, np.float64).reshape(-1, 5))


def log_odds(logits: NDArray[np.floating]) -> Floats:
    """(items, labels): log p - log (1 - p) of each label, from the logits of a softmax."""
    top = np.asarray(logits, np.float64)
    top = top - top.max(1, keepdims=True)
    raised = np.exp(top)
    rest = raised.sum(1, keepdims=True) - raised
    odds: Floats = top - np.log(np.maximum(rest, 1e-30))
    return odds


def clip(logits: Floats) -> Floats:
    return np.clip(logits, -LARGEST, LARGEST)


def sigmoid(x: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp(-x))
    return result
