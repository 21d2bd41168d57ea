"""From a network's logits to probabilities: of a mention being right, of a relation being right with both its ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from extraction.decoding import Found

Floats = NDArray[np.float64]
LARGEST = 12.0  # logits beyond this say no more


@dataclass(frozen=True)
class Calibration:
    """Platt scaling, fitted on dev. A relation's logit is joined by those of its two mentions and its own bias.

    `mention` is (slope, bias); `relation` (slope of the relation, of the weaker mention, of the stronger, bias).
    """

    mention: tuple[float, float] = (1.0, 0.0)
    relation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    biases: dict[str, float] = field(default_factory=dict)

    def mentions(self, found: Found) -> list[float]:
        """The probability of each mention's span and type."""
        logits = np.array([mention.logit for mention in found.mentions])
        return sigmoid(clip(logits) * self.mention[0] + self.mention[1]).tolist()

    def relations(self, found: Found, keys: Sequence[str]) -> list[float]:
        """The probability of each relation with both its mentions; `keys[r]` names relation r."""
        if not found.relations:
            return []
        own = np.array([self.biases.get(keys[relation.relation], 0.0) for relation in found.relations])
        scores = relation_inputs(found) @ np.array(self.relation) + own
        return sigmoid(scores).tolist()


def relation_inputs(found: Found) -> Floats:
    """(relations, 4): the relation's logit, its weaker mention's, its stronger mention's, 1."""
    mentions = [mention.logit for mention in found.mentions]
    rows = [(one.logit, *sorted((mentions[one.head], mentions[one.tail])), 1.0) for one in found.relations]
    return clip(np.array(rows, np.float64).reshape(-1, 4))


def clip(logits: Floats) -> Floats:
    return np.clip(logits, -LARGEST, LARGEST)


def sigmoid(x: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp(-x))
    return result
