"""MTB: entity markers and their start states, the text-only baseline of all pair systems.

Livio Baldini Soares, Nicholas FitzGerald, Jeffrey Ling, Tom Kwiatkowski: Matching the Blanks: Distributional Similarity
for Relation Learning. ACL 2019 (the model of its section 3.2 (f), without the pretraining of section 4).

    [E1] head [/E1] ... [E2] tail [/E2] ─▶ encoder ─▶ states at [E1] and at [E2] ─▶ norm ─▶ linear ─▶ relation

Differences from the paper, numbered.

 1. It is the baseline as MEGA uses it (its Table 2): a stock encoder fine-tuned on the data set. The pretraining by
    matching blanks needs a linked corpus of Wikipedia and is not done.
 2. Section 4.3 chooses between a linear layer and a layer norm behind the states by development set; ours is the norm
    (`transform`).
 3. The encoder also takes the shape of each word (case, digits, punctuation) beside its pieces, as in all systems here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from extraction.features.batch import Batch, Needs, Pairs
from extraction.features.targets import PairTargets
from extraction.networks.encoders.text import TextEncoder
from extraction.networks.outputs import PairOutput
from extraction.networks.pairs import pair_loss, pair_states, pairs_of


@dataclass(frozen=True)
class MTBConfig:
    """Sizes of the network."""

    labels: int  # with none at 0
    transform: Literal["norm", "linear"] = "norm"
    dropout: float = 0.1  # ours


class StartStates(nn.Module):
    """The relation representation of both markers' states and its classifier (section 3.2, (f), and 4.3)."""

    def __init__(self, width: int, config: MTBConfig) -> None:
        super().__init__()
        self.transform = nn.LayerNorm(2 * width) if config.transform == "norm" else nn.Linear(2 * width, 2 * width)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(2 * width, config.labels)

    def forward(self, hidden: Tensor, pairs: Pairs) -> Tensor:
        """States of the pieces (B, L, D) -> logits (B, labels)."""
        logits: Tensor = self.out(self.dropout(self.transform(pair_states(hidden, pairs).flatten(1))))
        return logits


class MTB(nn.Module):
    """The whole network."""

    def __init__(self, config: MTBConfig, encoder: TextEncoder) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        self.head = StartStates(encoder.width, config)

    @property
    def needs(self) -> Needs:
        return Needs(markers=True)

    def forward(self, batch: Batch) -> PairOutput:
        hidden = self.encoder(batch.ids, batch.shapes, batch.pieces)  # (B, L, D)
        return PairOutput(self.head(hidden, pairs_of(batch)))

    def loss(self, batch: Batch, targets: PairTargets) -> dict[str, Tensor]:
        """The cross-entropy of the pairs' labels."""
        return pair_loss(self(batch), targets)
