"""Attention within a modality and across modalities: RelFormer's RelModule (Eq. 1-3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Stream:
    """One modality's states (B, n, d), and which of them are real (B, n)."""

    states: Tensor
    real: Tensor

    def moved(self, states: Tensor) -> Stream:
        return replace(self, states=states)


class Attention(nn.Module):
    """softmax(x W_q (y W_k)^T / sqrt(d_h)) y W_v (Eq. 1), several heads; x attends to y, which may be x.

    A row with nothing to attend to gets zero: an absent modality adds nothing.
    """

    def __init__(self, width: int, other: int, inner: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = nn.Linear(width, inner), nn.Linear(other, inner), nn.Linear(other, inner)
        self.out, self.dropout = nn.Linear(inner, width), nn.Dropout(dropout)

    def forward(self, x: Tensor, y: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, n, d), y (B, m, d'), real (B, m) -> attended states (B, n, d), and shares of attention (B, n, m)."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query(x), self.key(y), self.value(y))
        )
        scores = (query @ key.transpose(2, 3)).float() / math.sqrt(query.shape[-1])
        absent = ~real[:, None, None, :]
        shares = torch.softmax(scores.masked_fill(absent, torch.finfo(scores.dtype).min), dim=-1)
        shares = shares.masked_fill(absent, 0.0)
        seen = self.out((self.dropout(shares).to(value.dtype) @ value).transpose(1, 2).flatten(2))
        return seen.masked_fill(~real.any(1)[:, None, None], 0.0), shares.mean(1)


class SelfLayer(nn.Module):
    """A transformer layer for a modality without a pretrained encoder, its norms in front."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, width, width, heads, dropout)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, stream: Stream) -> Stream:
        x = self.attention_norm(stream.states)
        states = stream.states + self.dropout(self.attention(x, x, stream.real)[0])
        return stream.moved(states + self.dropout(self.feed(self.feed_norm(states))))


class CrossLayer(nn.Module):
    """Attention between modalities, after the layer's own self-attention (Eq. 2-3, both ways):

    H_t = LN(H_t + CA(H_t; H_v) + CA(H_t; H_k)), H_v = LN(H_v + CA(H_v; H_t)), H_k = LN(H_k + CA(H_k; H_t)).

    All of them attend to the states before this layer. Keys and values are normalised, since modalities differ in
    scale.
    """

    def __init__(self, text: int, sight: int, facts: int, heads: int, dropout: float, answered: bool = True) -> None:
        """Widths of the modalities, 0 for one that the network does not have.

        `answered`: whether the other modalities attend to the text, which is useless where nothing uses the result.
        """
        super().__init__()
        self.to_sight = CrossAttention(text, sight, text, heads, dropout) if sight else None
        self.to_facts = CrossAttention(text, facts, text, heads, dropout) if facts else None
        self.sight_to_text = CrossAttention(sight, text, text, heads, dropout) if sight and answered else None
        self.facts_to_text = CrossAttention(facts, text, text, heads, dropout) if facts else None
        self.text_norm = nn.LayerNorm(text)
        self.sight_norm = nn.LayerNorm(sight) if sight and answered else None
        self.facts_norm = nn.LayerNorm(facts) if facts else None

    def forward(self, text: Stream, sight: Stream | None, facts: Stream | None) -> Crossed:
        at_sight, sight_shares = _attend(self.to_sight, text, sight)
        at_facts, fact_shares = _attend(self.to_facts, text, facts)
        return Crossed(
            text.moved(self.text_norm(text.states + at_sight + at_facts)),
            _answer(self.sight_to_text, self.sight_norm, sight, text),
            _answer(self.facts_to_text, self.facts_norm, facts, text),
            sight_shares,
            fact_shares,
        )


@dataclass(frozen=True)
class Crossed:
    """The modalities after a crossing layer, and the text's attention: shares (B, n, positions of the other)."""

    text: Stream
    sight: Stream | None
    facts: Stream | None
    sight_shares: Tensor | None = None
    fact_shares: Tensor | None = None


class CrossAttention(nn.Module):
    """Attention of one modality to another: CA(x; y) with y normalised."""

    def __init__(self, width: int, other: int, inner: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(other), Attention(width, other, inner, heads, dropout)

    def forward(self, x: Stream, y: Stream) -> tuple[Tensor, Tensor]:
        seen: tuple[Tensor, Tensor] = self.attention(x.states, self.norm(y.states), y.real)
        return seen


def _attend(attention: nn.Module | None, x: Stream, y: Stream | None) -> tuple[Tensor, Tensor | None]:
    if attention is None or y is None:
        return torch.zeros_like(x.states), None
    seen: tuple[Tensor, Tensor] = attention(x, y)
    return seen


def _answer(attention: nn.Module | None, norm: nn.Module | None, x: Stream | None, text: Stream) -> Stream | None:
    if attention is None or norm is None or x is None:
        return x
    return x.moved(norm(x.states + attention(x, text)[0]))


def rounds(layers: int, crossing: int, of: int) -> list[range]:
    """How many of a modality's layers stand before the first crossing and before each one after: `crossing` + 1 ranges.

    Its last `crossing` / `of` layers are spread over the crossings, so that an encoder of another depth than the
    text's `of` layers takes part in all of them.
    """
    late = round(layers * crossing / of)
    first = layers - late
    ends = [first + late * number // crossing for number in range(crossing + 1)] if crossing else [first]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]
