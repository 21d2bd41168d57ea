"""EEGA: Edge-enhanced Graph Alignment Network with word-pair relation tagging.

Li Yuan, Yi Cai, Jin Wang, Qing Li: Joint Multimodal Entity-Relation Extraction Based on Edge-enhanced Graph Alignment
Network and Word-pair Relation Tagging. AAAI 2023. Equation numbers are the paper's.

    words ─▶ encoder (Eq. 1) ─▶ attribute transformer over the dependency tree (Eq. 3-4) ─▶ H_T ┐
    objects ─▶ attribute transformer over the visual graph (Eq. 2-4) ─▶ H_I ────────────────────┤ Eq. 8
                                                                                                ▼
      types of mentions ◀─ pairs (Eq. 11) ◀─ S ◀─ three channels: Pos, Sd, Co (Eq. 9-10) ◀────── O
      relations         ◀┘

Differences from the paper, numbered. Those that can be switched off name their field of EEGAConfig
(`manage.py train eega --network` sets it).

 1. A type fills the upper triangle of its mention's block and a relation only the cells head row by tail column. The
    paper's Figure 3 fills (tail, head) too, and so loses the direction.
 2. Types and relations are separate outputs: a softmax over N and the types for cells i <= j, and a sigmoid for each
    relation (the paper: one softmax of 26 tags, Eq. 11). A quarter of Re-DocRED's pairs have several relations.
 3. Relations are scored only for cells between mentions (`relate`), and of a block only two corners; in training
    those of the gold mentions and of some words that are none. Type cells lie at most `band` words off the diagonal. So
    nothing of size (n, n, d) is computed: this is what makes the network cheap.
 4. A linear layer on [S_i; S_j] (Eq. 11) is a sum of a term in i and a term in j: it can say that a word is a head and
    another a tail, not that they belong together. `scorer="linear"` is the paper's; ours has a hidden layer with an
    elementwise product of both words, the channels' R_ij of the cell, and the mean of the words on the dependency path.
 5. The relation scorer is shown the types that the network itself gives the two words (softmax of their diagonal
    cells), in training as in use.
 6. A masked attention score is -inf. A multiplied onto the scores (Eq. 3) leaves weight on words that are not adjacent.
 7. W-GCN has no residual in the paper; `residual=True` adds O to the MLP's output and normalises. W^r2 maps to
    `channel_out` instead of d_T, the transformer's inner layer is `inner` instead of 4 d_T: both for speed.
 8. The encoder is uncased, so each word's shape (case, digits, punctuation) is a further input embedding of its pieces.
 9. The loss is masked to what a data set annotates: a cell's target is a set of allowed tags and its loss the negative
    logarithm of their summed probability (a word without a tag may be of a type that its set does not know).
10. The tree is the shipped UD parser's. Hops are capped at `farthest`; words of two trees have an index of their own.

The graph alignment loss (Eq. 5-7) and its term in Eq. 13 are not done: here the visual side is an optional input only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from extraction.batch import Batch, Targets
from extraction.networks.attention import AttributeTransformer, ChannelConvolution, ObjectAttention
from extraction.networks.encoders import SharedDropout, TextEncoder, gather_words
from extraction.networks.heads import Channels, RelationScorer, TypeScorer, cap


@dataclass(frozen=True)
class EEGAConfig:
    """Sizes of the network. The paper's value is given where ours differs."""

    pos: int  # parts of speech, with padding at 0
    edges: int  # edge types, with "not adjacent" at 0 and the self-loop at 1
    together: int  # levels of the co-occurrence channel
    types: int
    relations: int
    edge_width: int = 100
    channel_width: int = 100
    heads: int = 12
    inner: int = 768  # paper: 4 times the encoder's width
    channel_out: int = 128  # paper: the encoder's width
    farthest: int = 8  # open in the paper
    unconnected: int = 127
    band: int = 12  # paper: the whole triangle
    type_hidden: int = 64
    relation_hidden: int = 192
    scorer: Literal["interacting", "linear"] = "interacting"  # paper: linear
    residual: bool = True  # paper: False
    channels: bool = True
    attribute: bool = True
    dropout: float = 0.2
    relation_weight: float = 1.0
    objects: int = 0  # width of an object's vector; 0 = a network without a visual side. Paper: 4096
    object_edges: int = 2


@dataclass(frozen=True)
class WordStates:
    """What `relate` needs of the first stage: words S (B, n, d), type logits (B, n, band, 1 + types), channels."""

    words: Tensor
    type_logits: Tensor
    channels: Channels

    def rows(self, rows: list[int]) -> WordStates:
        """The states of these sentences of the batch alone."""
        if len(rows) == len(self.words):
            return self
        return WordStates(self.words[rows], self.type_logits[rows], self.channels.rows(rows))


@dataclass(frozen=True)
class Losses:
    """Scalars: the mean over words of the type loss, and over cells of the relation loss."""

    types: Tensor
    relations: Tensor


class LinearRelations(nn.Module):
    """The paper's Eq. 11 for relations: W [S_i; S_j] + b, for the cells given."""

    def __init__(self, width: int, relations: int) -> None:
        super().__init__()
        self.head, self.tail = nn.Linear(width, relations), nn.Linear(width, relations, bias=False)

    def forward(self, words: Tensor, types: Tensor, channels: Channels, i: Tensor, j: Tensor) -> Tensor:
        rows, columns = self.head(words), self.tail(words)
        shape = (-1, -1, rows.shape[-1])
        return rows.gather(1, i.unsqueeze(-1).expand(shape)) + columns.gather(1, j.unsqueeze(-1).expand(shape))


class LinearTypes(nn.Module):
    """The paper's Eq. 11 for types: W [S_i; S_j] + b over the band."""

    def __init__(self, width: int, band: int, types: int) -> None:
        super().__init__()
        self.band = band
        self.left, self.right = nn.Linear(width, types + 1), nn.Linear(width, types + 1, bias=False)

    def forward(self, words: Tensor) -> Tensor:
        padded = nn.functional.pad(self.right(words), (0, 0, 0, self.band - 1))
        logits: Tensor = self.left(words).unsqueeze(2) + padded.unfold(1, self.band, 1).transpose(2, 3)
        return logits


class MultiChannel(nn.Module):
    """Three W-GCNs and their MLP: S_i = MLP[S_i^Pos; S_i^Sd; S_i^Co] (Eq. 10), with or without the residual."""

    def __init__(self, config: EEGAConfig, width: int) -> None:
        super().__init__()
        sizes = config.channel_width, width, config.channel_out
        self.pos = ChannelConvolution(config.pos, *sizes, pairwise=False)
        self.distance = ChannelConvolution(config.farthest + 2, *sizes, pairwise=True)
        self.together = ChannelConvolution(config.together, *sizes, pairwise=True)
        self.mlp = nn.Sequential(nn.GELU(), SharedDropout(config.dropout), nn.Linear(3 * config.channel_out, width))
        self.norm = nn.LayerNorm(width) if config.residual else None

    def forward(self, x: Tensor, channels: Channels) -> Tensor:
        mixed: Tensor = self.mlp(
            torch.cat(
                [
                    self.pos(channels.pos, x, channels.real),
                    self.distance(channels.distance, x, channels.real),
                    self.together(channels.together, x, channels.real),
                ],
                dim=-1,
            )
        )
        return mixed if self.norm is None else self.norm(x + mixed)


class EEGA(nn.Module):
    """The whole network: `forward` tags mentions, `relate` scores relations of cells, `loss` is for training."""

    def __init__(self, config: EEGAConfig, encoder: TextEncoder) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        width = encoder.width
        shape = (config.edge_width, config.heads, config.inner, config.dropout)
        self.text_graph = AttributeTransformer(width, config.edges, *shape) if config.attribute else None
        if config.objects:
            self.object_in = nn.Linear(config.objects, width)
            self.object_graph = AttributeTransformer(width, config.object_edges, *shape)
        self.look = ObjectAttention(width, config.heads, config.dropout, sees=config.objects > 0)
        self.multi_channel = MultiChannel(config, width) if config.channels else None
        self.dropout = SharedDropout(config.dropout)
        self.types: nn.Module
        self.relations: nn.Module
        if config.scorer == "linear":
            self.types = LinearTypes(width, config.band, config.types)
            self.relations = LinearRelations(width, config.relations)
        else:
            values = (config.pos, config.farthest + 2, config.together)
            self.types = TypeScorer(width, config.type_hidden, config.band, config.types, config.dropout)
            self.relations = RelationScorer(
                width, config.relation_hidden, values, config.types, config.relations, config.dropout
            )

    def encode(self, batch: Batch) -> Tensor:
        """The encoder alone: pieces -> (B, L, D)."""
        hidden: Tensor = self.encoder(batch.ids, batch.shapes, batch.pieces)
        return hidden

    def forward(self, batch: Batch) -> WordStates:
        return self.tag(batch, self.encode(batch))

    def tag(self, batch: Batch, hidden: Tensor) -> WordStates:
        """Everything after the encoder that needs no mentions: Eq. 3-4, 8, 9-10, and the types of Eq. 11."""
        config = self.config
        distance = cap(batch.hops, config.farthest, config.unconnected)
        channels = Channels(batch.pos, batch.hops, distance, batch.together, batch.real)
        words = self.dropout(gather_words(hidden, batch.first))  # X_T (B, n, d)
        if self.text_graph is not None:
            words = self.text_graph(words, batch.edges)  # H_T
        words = self.look(words, *self._objects(batch))  # O
        if self.multi_channel is not None:
            words = self.multi_channel(words, channels)  # S
        return WordStates(words, self.types(words), channels)

    def _objects(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        if batch.objects is None or not self.config.objects:
            return None, None
        return self.object_graph(self.object_in(batch.objects.vectors), batch.objects.edges), batch.objects.present

    def relate(self, states: WordStates, i: Tensor, j: Tensor) -> Tensor:
        """Logits (B, M, relations) of the cells (i, j), each (B, M): i in the head's mention, j in the tail's."""
        types = torch.softmax(states.type_logits[:, :, 0].float(), dim=-1).to(states.words.dtype)
        logits: Tensor = self.relations(states.words, types.detach(), states.channels, i, j)
        return logits

    def loss(self, batch: Batch, targets: Targets) -> Losses:
        """The masked losses of Eq. 12, one for each kind of tag."""
        states = self(batch)
        logits = self.relate(states, targets.i, targets.j)
        return Losses(
            types=type_loss(states.type_logits.float(), targets.allowed, batch.real),
            relations=relation_loss(logits.float(), targets),
        )


def type_loss(logits: Tensor, allowed: Tensor, real: Tensor) -> Tensor:
    """-log of the summed probability of the allowed tags (B, n, band, 1 + types), over the number of words."""
    total = torch.logsumexp(logits, dim=-1)
    good = torch.logsumexp(logits.masked_fill(~allowed, torch.finfo(logits.dtype).min), dim=-1)
    return ((total - good) * ~allowed.all(dim=-1)).sum() / real.sum().clamp(min=1)


def relation_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Binary cross-entropy over the annotated relations of each cell, weighted by cell."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, targets.related.to(logits.dtype), reduction="none")
    per_cell = (each * targets.annotated).sum(-1)
    return (per_cell * targets.weights).sum() / targets.weights.sum().clamp(min=1.0)
