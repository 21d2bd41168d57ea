"""MEGA: Multimodal Neural Network with Efficient Graph Alignment.

Changmeng Zheng, Junhao Feng, Ze Fu, Yi Cai, Qing Li, Tao Wang: Multimodal Relation Extraction with Efficient Graph
Alignment. ACM Multimedia 2021. Equation numbers are the paper's.

    words with [E1] [/E1] [E2] [/E2] ─▶ encoder (Eq. 1-2) ─▶ X ─▶ K, V (Eq. 20, 22) ┐
    objects of the picture (Eq. 3) ─▶ Y ─▶ Q (Eq. 21) ──────────────────────────────┴▶ beta (Eq. 23) ┐
    dependency tree, relations of objects (Eq. 4-10) ─▶ structural alignment (Eq. 11-18) ─▶ alpha ───┤
                                                                                                     ▼
          relation ◀─ MLP (Eq. 28) ◀─ [V at E1; V at E2; y] (Eq. 26-27) ◀─ y = sum of (alpha^T + beta) V (Eq. 24-25)

The picture reaches the answer through alpha and beta alone: what is summed, V, is text.

Differences from the paper, numbered.

 1. Eq. 20-22 are X W_k with W_k (d_x, d_a), and so on: the shapes printed, l x d_a and m x d_a, cannot be multiplied.
 2. Word pieces, where the paper writes "character embedding"; and the parser is ours, where it writes "ELMo".
 3. A word's row of alpha goes to its first piece; markers, [CLS] and other pieces have none.
 4. Padding is masked out of beta's softmax, and absent objects out of the sum of Eq. 25: through b_q they would vote.
 5. The MLP has one hidden layer of `hidden` (open in the paper), dropout before each of its layers (0.5 in the paper,
    0.2 in our recipe, which trains for three epochs). v and y are brought to one scale before it by `normalised=True`
    (not the paper's, but our recipe's): y is a sum over words and objects, tens of times as long as v.
 6. An object's vector has the width of what is at hand: 4096 of a detector in the paper, (cx, cy, w, h, area) where
    boxes are all there is. A known class is embedded and added to Q.
 7. A picture without objects, or no picture, is legal: y is 0. An object's share in an answer, for display, is what
    the answer's probability loses when that object's part is taken out of y (Eq. 25). Attention weights would not tell
    objects apart: those of beta sum to 1 over the words for every object.
 8. Structural alignment: see extraction/features/graph_alignment.py.

Switches (Table 2 and 4): `structural=False` is BERT+SG+Att; `attention=False` is BERT+SG, the mean of the objects
beside the entities; `image=False` is MTB; `top` is the number of objects kept for a word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from extraction.features.batch import Batch, Needs, Objects, Pairs
from extraction.features.graph_alignment import align_batch
from extraction.features.targets import PairTargets
from extraction.networks.encoders.text import TextEncoder
from extraction.networks.mtb import MTBConfig, StartStates
from extraction.networks.outputs import PairOutput
from extraction.networks.pairs import pair_loss, pair_states, pairs_of


@dataclass(frozen=True)
class MEGAConfig:
    """Sizes of the network; the paper's values, but those marked."""

    labels: int  # with none at 0
    object_width: int = 4096
    classes: int = 1  # of objects, with unknown at 0; 1 = no class is known
    objects: int = 10  # at most
    align: int = 1536  # d_a
    hidden: int = 768  # ours
    dropout: float = 0.5
    normalised: bool = False  # v and y brought to one scale: ours, and what our recipe sets
    structural: bool = True
    attention: bool = True
    image: bool = True
    top: int = 1


class SemanticAlignment(nn.Module):
    """Keys and values of words, queries of objects (Eq. 20-23)."""

    def __init__(self, config: MEGAConfig, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(width, config.align) if config.attention else None  # BERT+SG compares nothing
        self.value = nn.Linear(width, config.align)
        self.query = nn.Linear(config.object_width, config.align)
        self.kind = nn.Embedding(config.classes, config.align, padding_idx=0) if config.classes > 1 else None

    def queries(self, objects: Objects) -> Tensor:
        """Q = Y W_q + b_q (B, k, d_a)."""
        queries: Tensor = self.query(objects.vectors)
        return queries if self.kind is None else queries + self.kind(objects.classes)

    def beta(self, hidden: Tensor, pieces: Tensor, objects: Objects) -> Tensor:
        """softmax(Q K^T / sqrt(d_a)) over the real pieces (B, k, L)."""
        assert self.key is not None
        keys = self.key(hidden)
        scores = self.queries(objects) @ keys.transpose(1, 2) / math.sqrt(keys.shape[-1])
        return torch.softmax(scores.float().masked_fill(~pieces.unsqueeze(1), -torch.inf), dim=-1)


class Classifier(nn.Module):
    """The MLP of Eq. 28 over z = [v; y]."""

    def __init__(self, config: MEGAConfig) -> None:
        super().__init__()
        self.normalised, self.width = config.normalised, config.align
        self.layers = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(3 * config.align, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.labels),
        )

    def forward(self, z: Tensor) -> Tensor:
        if self.normalised:  # without scale or shift: no picture remains 0
            parts = z.split([2 * self.width, self.width], dim=-1)
            z = torch.cat([nn.functional.layer_norm(part, part.shape[-1:]) for part in parts], dim=-1)
        logits: Tensor = self.layers(z)
        return logits


class MEGA(nn.Module):
    """The whole network."""

    def __init__(self, config: MEGAConfig, encoder: TextEncoder) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        if config.image:
            self.semantic = SemanticAlignment(config, encoder.width)
            self.head: nn.Module = Classifier(config)
        else:
            self.head = StartStates(encoder.width, MTBConfig(config.labels))

    @property
    def needs(self) -> Needs:
        if not self.config.image:
            return Needs(markers=True)
        aligned = self.config.attention and self.config.structural
        top = self.config.top if aligned else 0
        return Needs(markers=True, objects=self.config.objects, graph=aligned, alignment=top)

    def forward(self, batch: Batch) -> PairOutput:
        pairs = pairs_of(batch)
        hidden = self.encoder(batch.ids, batch.shapes, batch.pieces)  # X (B, L, d_x)
        if not self.config.image:
            return PairOutput(self.head(hidden, pairs))
        values = self.semantic.value(hidden)  # V (B, L, d_a)
        if not self.config.attention:
            return PairOutput(self._classify(values, pairs, self._mean(batch, values)))
        weights = self._weights(batch, hidden)  # alpha^T + beta (B, k, L)
        aligned = weights.to(values.dtype) @ values  # Y* (B, k, d_a)
        logits = self._classify(values, pairs, aligned.sum(1))
        objects = None if self.training else self._contributions(values, pairs, aligned, logits, batch)
        return PairOutput(logits, _word_shares(weights.detach(), batch), objects)

    def loss(self, batch: Batch, targets: PairTargets) -> dict[str, Tensor]:
        """The cross-entropy of the pairs' labels."""
        return pair_loss(self(batch), targets)

    @torch.no_grad()
    def attention_weights(self, batch: Batch) -> Tensor | None:
        """The alignment of words and objects, structural and semantic (B, n, k), for display: alpha^T + beta at the
        words' first pieces. None where the network takes no objects."""
        if batch.objects is None or not (self.config.image and self.config.attention):
            return None
        hidden = self.encoder(batch.ids, batch.shapes, batch.pieces)
        weights = self._weights(batch, hidden).transpose(1, 2)
        return weights.gather(1, batch.first.unsqueeze(-1).expand(-1, -1, weights.shape[-1])) * batch.real.unsqueeze(-1)

    def _classify(self, values: Tensor, pairs: Pairs, image: Tensor) -> Tensor:
        """Eq. 26-28: V at both start markers and y."""
        entities = pair_states(values, pairs).flatten(1)  # v (B, 2 d_a)
        logits: Tensor = self.head(torch.cat([entities, image], dim=1))
        return logits

    @torch.no_grad()
    def _contributions(
        self, values: Tensor, pairs: Pairs, aligned: Tensor, logits: Tensor, batch: Batch
    ) -> Tensor | None:
        """The share of each object (B, k) in what the objects add to the most probable relation's probability: what it
        loses without that one. 0 for all where none adds anything; None without objects."""
        if batch.objects is None:
            return None
        best = 1 + logits[:, 1:].argmax(1) if logits.shape[1] > 1 else logits.argmax(1)
        rows = torch.arange(len(logits), device=logits.device)
        whole = torch.softmax(logits.float(), dim=1)[rows, best]
        lost = []
        for place in range(aligned.shape[1]):
            rest = self._classify(values, pairs, aligned.sum(1) - aligned[:, place])
            lost.append(whole - torch.softmax(rest.float(), dim=1)[rows, best])
        found = torch.stack(lost, dim=1) if lost else whole.new_zeros(len(whole), 0)
        found = found.clamp(min=0.0) * batch.objects.present
        return found / found.sum(1, keepdim=True).clamp(min=1e-9)

    def _weights(self, batch: Batch, hidden: Tensor) -> Tensor:
        """alpha^T + beta, 0 for absent objects (B, k, L); without objects in the whole batch k is 0."""
        objects = batch.objects
        if objects is None:
            return hidden.new_zeros(len(hidden), 0, hidden.shape[1])
        weights = self.semantic.beta(hidden, batch.pieces, objects)
        if self.config.structural:
            weights = weights + _at_pieces(self.alpha(batch), batch).transpose(1, 2)
        return weights * objects.present.unsqueeze(-1)

    def alpha(self, batch: Batch) -> Tensor:
        """The structural alignment of words and objects (B, n, k) (Eq. 18)."""
        return align_batch(batch, self.config.top) if batch.alignment is None else batch.alignment

    def _mean(self, batch: Batch, values: Tensor) -> Tensor:
        """BERT+SG: the mean of the real objects' projections (B, d_a), 0 where there is none."""
        if batch.objects is None:
            return values.new_zeros(len(values), values.shape[-1])
        present = batch.objects.present.unsqueeze(-1)
        queries = self.semantic.queries(batch.objects) * present
        return queries.sum(1) / present.sum(1).clamp(min=1)


def _at_pieces(alpha: Tensor, batch: Batch) -> Tensor:
    """Rows of words (B, n, k) at their first pieces (B, L, k); [CLS], which stands in for lost words, keeps none."""
    rows = alpha * (batch.real & (batch.first > 0)).unsqueeze(-1)
    places = batch.first.unsqueeze(-1).expand_as(rows)
    return rows.new_zeros(len(rows), batch.ids.shape[1], rows.shape[-1]).scatter_add(1, places, rows)


def _word_shares(weights: Tensor, batch: Batch) -> Tensor | None:
    """The share of all alignment that each word has (B, n); None without objects."""
    if batch.objects is None:
        return None
    words = weights.sum(1).gather(1, batch.first) * batch.real
    return words / words.sum(1, keepdim=True).clamp(min=1e-9)
