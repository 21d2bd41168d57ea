"""The outputs of networks, by head. That of the word-pair head is `eega.WordStates`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TagOutput:
    """Scores of each word's tag before the CRF."""

    emissions: Tensor  # (B, n, tags)


@dataclass(frozen=True)
class BestTags:
    """The best tags of a sentence and their confidence: the tag's marginal probability. 0 beyond the sentence."""

    tags: Tensor  # (B, n) int
    certainty: Tensor  # (B, n) float


@dataclass(frozen=True)
class PairOutput:
    """Logits of the pair's relation, index 0 for none; and, where the network has them, attention weights.

    The weights are shares of attention for display, without gradient: of words, objects, facts. `tags` where the
    network also tags mentions (RelFormer).
    """

    logits: Tensor  # (B, labels)
    words: Tensor | None = None  # (B, n)
    objects: Tensor | None = None  # (B, k)
    facts: Tensor | None = None  # (B, m)
    tags: TagOutput | None = None
