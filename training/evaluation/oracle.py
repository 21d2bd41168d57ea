"""What a perfect network could reach on a data set: gold as the reader's targets, decoded as the reader decodes.

What is lost on the way (mentions that overlap or are longer than the band, ends that a relation does not permit) no
network can win back. Beside it, the same for the paper's own grid, which loses direction and second relations of a
pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from extraction.features.targets import Targets, word_pair_targets
from extraction.labels import Inventory
from extraction.networks.eega import EEGA, WordStates
from extraction.reader.decoding import DecodedSentence, Decoder, find_mentions
from extraction.schema import Example
from training.evaluation.metrics import F1Score, Prediction, mention_score, relation_score
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan, decode_figure3, encode_figure3

CERTAIN = 20.0  # a logit, and minus a log-probability, of practically 1


@dataclass(frozen=True, slots=True)
class Ceiling:
    mentions: F1Score
    relations: F1Score
    figure3: F1Score


def ceiling(examples: Sequence[Example], inventory: Inventory, band: int) -> Ceiling:
    """Strict scores of gold that went through the reader's targets and decoding; `band` is its longest mention."""
    ours = [
        prediction
        for start in range(0, len(examples), 32)
        for prediction in _round_trip(examples[start : start + 32], inventory, band)
    ]
    papers = [_prediction3(example, inventory) for example in examples]
    return Ceiling(
        mentions=mention_score(examples, ours),
        relations=relation_score(examples, ours, inventory),
        figure3=relation_score(examples, papers, inventory),
    )


class _Oracle:
    """Stands where the network stands in decoding: its relation logits are the gold cells of the batch's targets."""

    def __init__(self, gold: Targets, relations: int) -> None:
        self.relations = relations
        self.cells = [
            {(int(i), int(j)): related for i, j, related, weight in zip(*columns, strict=True) if float(weight) > 0}
            for columns in zip(gold.i, gold.j, gold.related, gold.weights, strict=True)
        ]

    def relate(self, states: _Rows, i: Tensor, j: Tensor) -> Tensor:
        logits = torch.full((*i.shape, self.relations), -CERTAIN)
        for place, row in enumerate(states.numbers):
            for cell, key in enumerate(zip(i[place].tolist(), j[place].tolist(), strict=True)):
                if key in self.cells[row]:
                    logits[place, cell][self.cells[row][key]] = CERTAIN
        return logits


class _Rows:
    """Word states without words: which sentences of the batch they stand for is all that the oracle needs."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers, self.words = numbers, torch.zeros(1)

    def rows(self, rows: list[int]) -> _Rows:
        return _Rows([self.numbers[row] for row in rows])


def _round_trip(examples: Sequence[Example], inventory: Inventory, band: int) -> list[Prediction]:
    gold = word_pair_targets(examples, inventory, band)
    logs = _log_probabilities(gold.allowed.numpy())
    mentions = find_mentions(logs, [len(example.words) for example in examples])
    oracle, rows = _Oracle(gold, len(inventory.relations)), _Rows(list(range(len(examples))))
    # The decoder asks its network and states for nothing but what these two have.
    found = Decoder(inventory, minimum=0.0).relate(cast(EEGA, oracle), cast(WordStates, rows), mentions)
    return [_prediction(one, inventory) for one in found]


def _log_probabilities(allowed: np.ndarray) -> np.ndarray:
    """Certainty of the one tag that a cell may have; of N where the data leave it open."""
    certain = np.full(allowed.shape, -CERTAIN, np.float32)
    tag = np.where(allowed.sum(-1) == 1, allowed.argmax(-1), 0)
    np.put_along_axis(certain, tag[..., None], 0.0, axis=-1)
    return certain


def _prediction(found: DecodedSentence, inventory: Inventory) -> Prediction:
    return Prediction(
        [ScoredSpan(one.start, one.end, inventory.types[one.type], 1.0) for one in found.mentions],
        [ScoredRelation(one.head, one.tail, inventory.relation_keys[one.relation], 1.0) for one in found.relations],
    )


def _prediction3(example: Example, inventory: Inventory) -> Prediction:
    mentions, relations = decode_figure3(encode_figure3(example, inventory), inventory)
    return Prediction(
        [ScoredSpan(mention.start, mention.end, mention.type, 1.0) for mention in mentions],
        [ScoredRelation(relation.head, relation.tail, relation.key, 1.0) for relation in relations],
    )
