"""Scorers of word pairs: the types of a mention's own block, the relations of candidate cells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from extraction.networks.encoders.text import SharedDropout

RARE = -4.0  # a relation's logit before training: of a hundred cells few have any one relation
OFFSETS = 12  # distances of words beyond this are treated as equal


class TypeScorer(nn.Module):
    """Tags the cells (i, i + k), k < `band`, of the upper triangle with N or a type.

    A mention's block lies within the band unless the mention is longer than `band` words; cells outside it are never
    used. The state of a cell is GELU(A s_i + B s_j + C mean(s_i..s_j) + w_k).
    """

    def __init__(self, width: int, hidden: int, band: int, types: int, dropout: float) -> None:
        super().__init__()
        self.band = band
        self.left, self.right, self.inside = (nn.Linear(width, hidden) for _ in range(3))
        self.length = nn.Embedding(band, hidden)
        self.out = nn.Sequential(nn.GELU(), SharedDropout(dropout), nn.Linear(hidden, types + 1))

    def forward(self, words: Tensor) -> Tensor:
        """Words (B, n, d) -> logits (B, n, band, 1 + types); cells beyond the sentence hold nonsense."""
        cells = self.left(words).unsqueeze(2) + self._ends(self.right(words))  # (B, n, W, h)
        sums = torch.cumsum(self.inside(words).float(), dim=1)
        before = nn.functional.pad(sums, (0, 0, 1, 0))[:, :-1]
        lengths = torch.arange(1, self.band + 1, device=words.device, dtype=sums.dtype)
        mean = (self._ends(sums) - before.unsqueeze(2)) / lengths[:, None]
        logits: Tensor = self.out(cells + mean.to(cells.dtype) + self.length.weight)
        return logits

    def _ends(self, x: Tensor) -> Tensor:
        """(B, n, h) -> (B, n, W, h): the state of word i + k, zero beyond the end."""
        padded = nn.functional.pad(x, (0, 0, 0, self.band - 1))
        return padded.unfold(1, self.band, 1).transpose(2, 3)


class RelationScorer(nn.Module):
    """Scores every relation independently for chosen cells: row = a head's word, column = a tail's.

    The state of a cell is [GELU(A s_i + B s_j + C mean of the words on the dependency path + R^Pos + R^Sd + R^Co +
    order + types of i and j); (P s_i) * (Q s_j)].
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        values: tuple[int, int, int],
        types: int,
        out: int,
        drop: float,
        with_channels: bool = True,
    ) -> None:
        """`values`: of the channels Pos, Sd and Co. `with_channels`: whether a cell's state has these and the path."""
        super().__init__()
        self.with_channels = with_channels
        self.head, self.tail, self.path = (nn.Linear(width, hidden) for _ in range(3))
        self.head_key, self.tail_key = nn.Linear(width, hidden // 2), nn.Linear(width, hidden // 2)
        self.pos = nn.Embedding(values[0], hidden)
        self.distance = nn.Embedding(values[1], hidden)
        self.together = nn.Embedding(values[2], hidden)
        self.offset = nn.Embedding(2 * OFFSETS + 1, hidden)
        self.head_type, self.tail_type = (nn.Linear(types + 1, hidden, bias=False) for _ in range(2))
        for table in (self.pos, self.distance, self.together, self.offset):
            nn.init.normal_(table.weight, std=0.1)
        self.dropout = SharedDropout(drop)
        self.out = nn.Linear(hidden + hidden // 2, out)
        nn.init.constant_(self.out.bias, RARE)

    def forward(self, words: Tensor, types: Tensor, channels: Channels, i: Tensor, j: Tensor) -> Tensor:
        """Words (B, n, d), types' probabilities (B, n, 1 + types), cells i, j (B, M) -> logits (B, M, relations)."""
        logits: Tensor = self.out(self.cells(words, types, channels, i, j))
        return logits

    def cells(self, words: Tensor, types: Tensor, channels: Channels, i: Tensor, j: Tensor) -> Tensor:
        """The states of the cells (B, M, 3/2 hidden)."""
        rows = self.head(words) + self.head_type(types)
        columns = self.tail(words) + self.tail_type(types)
        if self.with_channels:
            rows, columns = rows + self.pos(channels.pos), columns + self.pos(channels.pos)
        pair = _take(rows, i) + _take(columns, j)
        if self.with_channels:
            pair = pair + self._path(self.path(words), channels, i, j)
            pair = pair + self.distance(_cell(channels.distance, i, j)) + self.together(_cell(channels.together, i, j))
        pair = pair + self.offset((j - i).clamp(-OFFSETS, OFFSETS) + OFFSETS)
        product = _take(self.head_key(words), i) * _take(self.tail_key(words), j)
        state: Tensor = self.dropout(torch.cat([nn.functional.gelu(pair), product], dim=-1))
        return state

    @staticmethod
    def _path(words: Tensor, channels: Channels, i: Tensor, j: Tensor) -> Tensor:
        """The mean state of the words on the way from i to j in the dependency tree, both included (B, M, h)."""
        from_head, from_tail = _take(channels.hops, i), _take(channels.hops, j)  # (B, M, n)
        whole = _cell(channels.hops, i, j).unsqueeze(-1)
        on_path = ((from_head + from_tail == whole) & channels.real.unsqueeze(1)).to(words.dtype)
        return (on_path @ words) / on_path.sum(-1, keepdim=True).clamp(min=1.0)


class QualifierScorer(nn.Module):
    """Of a related cell: its factuality, and which word of the sentence begins its claimant, time and amount."""

    def __init__(self, state: int, width: int, hidden: int, factualities: int, roles: int) -> None:
        super().__init__()
        self.roles = roles
        self.factuality = nn.Sequential(nn.Linear(state, hidden), nn.GELU(), nn.Linear(hidden, factualities))
        self.query, self.key = nn.Linear(state, roles * hidden), nn.Linear(width, roles * hidden)
        self.none = nn.Linear(state, roles)

    def forward(self, cells: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Cells (B, M, s), words (B, n, d) -> logits of the factualities (B, M, 4), and for each role those of none
        and of each word (B, M, roles, 1 + n)."""
        query = self.query(cells).unflatten(-1, (self.roles, -1))  # (B, M, r, h)
        key = self.key(words).unflatten(-1, (self.roles, -1))  # (B, n, r, h)
        scores = torch.einsum("bmrh,bnrh->bmrn", query, key) / query.shape[-1] ** 0.5
        return self.factuality(cells), torch.cat([self.none(cells).unsqueeze(-1), scores], dim=-1)


@dataclass(frozen=True)
class Channels:
    """The linguistic channels of a batch: parts of speech (B, n), hops, capped hops and co-occurrence (B, n, n)."""

    pos: Tensor
    hops: Tensor
    distance: Tensor
    together: Tensor
    real: Tensor  # (B, n) bool

    def rows(self, rows: list[int]) -> Channels:
        """The channels of these sentences of the batch alone."""
        parts = self.pos, self.hops, self.distance, self.together, self.real
        return Channels(*(part[rows] for part in parts))


def cap(hops: Tensor, farthest: int, unconnected: int) -> Tensor:
    """Hops as indexes of the distance channel: 0..farthest, and farthest + 1 for words of two trees."""
    return torch.where(hops == unconnected, farthest + 1, hops.clamp(max=farthest))


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Rows `index` (B, M) of x (B, n, d) -> (B, M, d)."""
    return torch.gather(x, 1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


def _cell(x: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Cells (i, j), each (B, M), of x (B, n, n) -> (B, M)."""
    return torch.gather(x.flatten(1), 1, i * x.shape[2] + j)
