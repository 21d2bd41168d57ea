"""Functions of pair networks: the pairs, the states at their markers, and the loss of their labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from extraction.features.batch import Batch, Pairs
from extraction.features.targets import PairTargets
from extraction.networks.outputs import PairOutput


def pairs_of(batch: Batch) -> Pairs:
    """The batch's candidate pairs. Raises ValueError where it has none: it was made for another head."""
    if batch.pairs is None:
        raise ValueError("this batch names no pairs: a pair network needs one candidate pair for each row")
    return batch.pairs


def pair_states(hidden: Tensor, pairs: Pairs) -> Tensor:
    """States (B, L, D) at the start markers of head and tail -> (B, 2, D)."""
    places = torch.stack([pairs.head, pairs.tail], dim=1)
    return hidden.gather(1, places.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))


def pair_loss(output: PairOutput, targets: PairTargets) -> dict[str, Tensor]:
    """The mean cross-entropy of the labels, which is the total."""
    return {"total": nn.functional.cross_entropy(output.logits.float(), targets.labels)}
