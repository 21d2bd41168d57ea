"""A graph attention layer: nodes attend to their neighbours.

Veličković, Cucurull, Casanova, Romero, Liò, Bengio: Graph Attention Networks. ICLR 2018. Equation numbers are theirs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.2  # of the LeakyReLU, as published


class GraphAttention(nn.Module):
    """h'_i = LN(h_i + ELU(||_k sum_j a_ij^k W^k h_j)), a_ij = softmax_j(LeakyReLU(a^T [W h_i; W h_j])) (Eq. 1-5).

    j runs over the neighbours of i. The residual and its norm are ours: they let several layers stand on each other.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, width, bias=False)  # W^1 .. W^K
        self.from_node = nn.Parameter(torch.empty(heads, width // heads))  # the half of a^k for W h_i
        self.to_node = nn.Parameter(torch.empty(heads, width // heads))  # and for W h_j
        for weight in (self.from_node, self.to_node):
            nn.init.xavier_uniform_(weight)
        self.leaky, self.elu = nn.LeakyReLU(SLOPE), nn.ELU()
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        """Nodes (B, m, d), edges (B, m, m) bool, from row to column -> (B, m, d). A node without edges gets none."""
        projected = self.project(nodes).unflatten(2, (self.heads, -1))  # (B, m, K, d/K)
        ends = [(projected * half).sum(-1).transpose(1, 2) for half in (self.from_node, self.to_node)]  # (B, K, m)
        scores = self.leaky(ends[0].unsqueeze(3) + ends[1].unsqueeze(2)).float()
        apart = ~edges.unsqueeze(1)
        shares = torch.softmax(scores.masked_fill(apart, torch.finfo(scores.dtype).min), dim=-1)
        shares = self.dropout(shares.masked_fill(apart, 0.0)).to(projected.dtype)  # padding: a row without any edge
        gathered = (shares @ projected.transpose(1, 2)).transpose(1, 2).flatten(2)
        return self.norm(nodes + self.elu(gathered))
