"""The attention blocks of EEGA: over a graph with typed edges, over a picture's objects, and by linguistic channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from extraction.networks.encoders.text import SharedDropout

ALIVE = 1.0  # start of the bias under W-GCN's ReLU: at 0 half of a channel's values would never get a gradient
NO_EDGE = 0  # the index of "not adjacent" among edge types


class AttributeTransformer(nn.Module):
    """One transformer layer whose keys and values carry the type of the edge (Yuan et al. 2023, Eq. 3-4).

    k_ij = W_K x_j + W_z z_ij and v_ij = W_V x_j + W_r z_ij. z depends on the type of the edge alone, so q_i . W_z z is
    computed once for each type and gathered, and the attention is summed by type before W_r: no (n, n, d) tensor.
    """

    def __init__(
        self, width: int, edge_types: int, edge_width: int, heads: int, inner: int, dropout: float, out: int = 0
    ) -> None:
        """`edge_types` 0: the vanilla transformer, which uses adjacency without types.

        `out`: the width that the FFN maps to, 0 = `width`; where they differ the FFN has no residual.
        """
        super().__init__()
        self.heads = heads
        self.edge: nn.Embedding | None = nn.Embedding(edge_types, edge_width) if edge_types else None
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        if edge_types:
            self.edge_key = nn.Linear(edge_width, width, bias=False)  # W_z
            self.edge_value = nn.Linear(edge_width, width, bias=False)  # W_r
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, out or width))
        self.feed_norm = nn.LayerNorm(out or width)
        self.dropout = SharedDropout(dropout)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Nodes (B, n, d) and edge types (B, n, n), 0 for "not adjacent" -> (B, n, out). No edges: x alone."""
        weights = self._weights(x, edges)  # (B, h, n, n)
        mixed = weights @ self._split(self.value(x))  # (B, h, n, d/h)
        if self.edge is not None:
            by_type = self._sum_by_type(weights, edges, self.edge.num_embeddings)  # (B, h, n, T)
            mixed = mixed + by_type @ self._split_types(self.edge_value(self.edge.weight))
        batch, _, nodes, _ = mixed.shape
        attended = self.out(mixed.transpose(1, 2).reshape(batch, nodes, -1))
        hidden = self.norm(x + self.dropout(attended))
        fed = self.dropout(self.feed(hidden))
        return self.feed_norm(hidden + fed if fed.shape == hidden.shape else fed)

    def _weights(self, x: Tensor, edges: Tensor) -> Tensor:
        query = self._split(self.query(x))
        scores = query @ self._split(self.key(x)).transpose(-1, -2)  # (B, h, n, n)
        if self.edge is not None:
            typed = query @ self._split_types(self.edge_key(self.edge.weight)).transpose(-1, -2)  # (B, h, n, T)
            scores = scores + typed.gather(-1, self._by_head(edges))
        apart = (edges == NO_EDGE).unsqueeze(1)
        scores = (scores / math.sqrt(query.shape[-1])).masked_fill(apart, torch.finfo(scores.dtype).min)
        # a row without any edge is padding or an absent object: with -inf its softmax, and every gradient, would be NaN
        return torch.softmax(scores, dim=-1).masked_fill(apart, 0.0)

    def _sum_by_type(self, weights: Tensor, edges: Tensor, types: int) -> Tensor:
        sums = weights.new_zeros(*weights.shape[:-1], types)
        return sums.scatter_add(-1, self._by_head(edges), weights)

    def _by_head(self, edges: Tensor) -> Tensor:
        return edges.unsqueeze(1).expand(-1, self.heads, -1, -1)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, h, n, d/h)

    def _split_types(self, x: Tensor) -> Tensor:
        return x.view(len(x), self.heads, -1).transpose(0, 1)  # (h, T, d/h)


class ObjectAttention(nn.Module):
    """Attention of words to a picture's objects: O = LN(H_T + MultiHead(H_T, H_I, H_I)) (Eq. 8); without a picture
    LN(H_T)."""

    def __init__(self, width: int, heads: int, dropout: float, sees: bool) -> None:
        """`sees` is False for a network without a visual side, which then has no attention weights."""
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True) if sees else None
        self.norm = nn.LayerNorm(width)

    def forward(self, words: Tensor, objects: Tensor | None, present: Tensor | None) -> Tensor:
        """Words (B, n, d), objects (B, k, d) or None, their mask (B, k) with True for real ones -> (B, n, d)."""
        if self.attention is None or objects is None or present is None:
            return self.norm(words)
        seen, _ = self.attention(words, objects, objects, key_padding_mask=_hidden(present), need_weights=False)
        return self.norm(words + seen.masked_fill(~present.any(dim=1)[:, None, None], 0.0))

    def weights(self, words: Tensor, objects: Tensor, present: Tensor) -> Tensor:
        """The share of each object in a word's attention, the mean over heads (B, n, k); 0 for absent ones."""
        assert self.attention is not None
        _, weights = self.attention(words, objects, objects, key_padding_mask=_hidden(present))
        return weights * present.unsqueeze(1)


def _hidden(present: Tensor) -> Tensor:
    """Masked objects (B, k): the absent ones, but none where all are absent: an empty softmax would be NaN."""
    return ~present & present.any(dim=1, keepdim=True)


class ChannelConvolution(nn.Module):
    """W-GCN of one linguistic channel: S_i = softmax_j(ReLU(w . R_ij + b)) (W O) (Eq. 9), padding masked.

    `pairwise` is False for parts of speech, whose R_ij = e(i) + e(j), and True for a channel with one value a pair.
    w . R is computed for each of the channel's values and looked up: no (n, n, d_l) tensor.
    """

    def __init__(self, values: int, channel_width: int, width: int, out: int, pairwise: bool) -> None:
        super().__init__()
        self.pairwise = pairwise
        self.embedding = nn.Embedding(values, channel_width)
        self.weight = nn.Linear(channel_width, 1)
        nn.init.constant_(self.weight.bias, ALIVE)
        self.project = nn.Linear(width, out, bias=False)

    def forward(self, channel: Tensor, x: Tensor, real: Tensor) -> Tensor:
        """Channel (B, n, n) or (B, n) of indexes, words (B, n, d), mask (B, n) -> (B, n, out)."""
        table = nn.functional.linear(self.embedding.weight, self.weight.weight).squeeze(-1)  # (values,)
        scores = table[channel]
        if not self.pairwise:
            scores = scores.unsqueeze(2) + scores.unsqueeze(1)
        scores = torch.relu(scores + self.weight.bias).masked_fill(~real.unsqueeze(1), -torch.inf)
        return torch.softmax(scores, dim=-1) @ self.project(x)
