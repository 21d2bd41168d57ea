"""RelFormer's filter of candidate pairs by facts: whether the mention, given its facts, is related to the tail at
all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

KEEP_ALL = -1e4  # a threshold under every score; finite, since weights that are not are refused
MARGIN = 0.02  # of a score, below the threshold from dev: checkpoints hold weights in half precision


class PairFilter(nn.Module):
    """A score for each pair, and the threshold below which a pair is taken for unrelated."""

    threshold: Tensor

    def __init__(self, facts: int, tail: int) -> None:
        """Widths of the facts' states and of the tail's."""
        super().__init__()
        self.from_facts, self.from_tail = nn.Linear(facts, facts), nn.Linear(tail, facts, bias=False)
        self.score = nn.Sequential(nn.GELU(), nn.Linear(facts, 1))
        self.register_buffer("threshold", torch.tensor(KEEP_ALL))

    def forward(self, facts: Tensor, tail: Tensor) -> Tensor:
        """The mention's facts and the tail, (B, d) each -> scores (B,)."""
        scores: Tensor = self.score(self.from_facts(facts) + self.from_tail(tail)).squeeze(-1)
        return scores.float()

    def apply_to(self, logits: Tensor, scores: Tensor, known: Tensor) -> Tensor:
        """Logits (B, labels) with label 0 for known pairs (B,) whose score lies under the threshold."""
        out = (known & (scores < self.threshold)).unsqueeze(1).repeat(1, logits.shape[1])
        out[:, 0] = False
        return logits.masked_fill(out, KEEP_ALL)

    def loss(self, scores: Tensor, known: Tensor, related: Tensor) -> Tensor:
        """Cross-entropy over the pairs with facts; 0 where there is none."""
        each = nn.functional.binary_cross_entropy_with_logits(scores, related.to(scores.dtype), reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    @torch.no_grad()
    def settle(self, scores: Tensor, related: Tensor, recall: float) -> None:
        """Set the highest threshold that keeps this share of the related pairs, less a margin; none without such
        pairs."""
        gold = torch.sort(scores[related]).values
        spare = int((1 - recall) * len(gold) + 1e-9)  # related pairs that may be lost
        self.threshold.fill_(float(gold[spare]) - MARGIN if len(gold) else KEEP_ALL)
