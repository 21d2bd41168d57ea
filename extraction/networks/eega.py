"""EEGA: Edge-enhanced Graph Alignment Network with word-pair relation tagging.

Li Yuan, Yi Cai, Jin Wang, Qing Li: Joint Multimodal Entity-Relation Extraction Based on Edge-enhanced Graph Alignment
Network and Word-pair Relation Tagging. AAAI 2023. Equation numbers are the paper's.

    words ─▶ encoder (Eq. 1) ─▶ attribute transformer over the dependency tree (Eq. 3-4) ─▶ H_T ┐
    objects ─▶ attribute transformer over the visual graph (Eq. 2-4) ─▶ H_I ────────────────────┤ Eq. 8
      optimal transport of H_I and H_T, nodes and edges (Eq. 5-7): in training, a loss (Eq. 13) ┤
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
 9. The loss is masked to what a data set annotates: a cell's target is a set of allowed tags, and its loss the negative
    logarithm of their share in the probability of allowed and refused tags. A tag that the set does not annotate is
    neither. (Were it allowed where nothing is annotated, the network would learn to give it there.)
10. The tree is the shipped UD parser's. Hops are capped at `farthest`; words of two trees have an index of their own.
11. The visual graph has self-loops too, or an object without a relation would have an empty softmax. Its attention
    works at the encoder's width behind a linear layer; `lifted=False` is the paper's: at the vectors' own width (4096
    of a detector), which its FFN maps to d_T, with as many heads as divide it. A known class is embedded and added.
12. Optimal transport: see extraction/networks/layers/optimal_transport.py. The distances are averaged over the examples
    with objects, and the losses of Eq. 12 are means over words and over cells of candidate pairs, not its sum over all
    n x n cells: lambda weighs the alignment against another quantity than the paper's.
13. `objects=0` is a network without a visual side: what reads text alone is trained so. A picture that is missing is
    legal: O = LN(H_T), and the example has no part in the alignment loss.
14. For news: a tag is a type and a form (name, nominal, pronoun). `qualifiers` adds, of each related cell, factuality,
    claimant, time and amount; `coreference` adds the scorer of a mention's antecedents. The encoder may read
    neighbouring sentences as one sequence (features/windows.py); all that follows it takes each sentence alone.

15. The scorer of types adds the mean of a span's words and an embedding of its length. W-GCN's bias starts at 1, or
    half of a channel's values would never get a gradient under its ReLU, and the bias of relations at -4, since few
    cells have any.

Switches (Table 2, Figure 9): `graph_weight=0` is "w/o edge-enhanced"; `vanilla=True` is a transformer that knows no
edges ("w/o attribute transformer"); `channels=False` is "w/o multi-channel", together with `cell_channels=False`, which
keeps the channels and the tree's paths from our scorer of relations too. `graph_weight` is lambda, `node_share`
alpha (1 = nodes alone: Appendix D has it backwards).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from extraction.features.batch import SELF_LOOP, Batch, Needs, Objects
from extraction.features.targets import ROLES, Targets
from extraction.networks.encoders.text import SharedDropout, TextEncoder, gather_words
from extraction.networks.layers.coreference import AntecedentScorer, antecedent_loss, mention_states
from extraction.networks.layers.edge_attention import AttributeTransformer, ChannelConvolution, ObjectAttention
from extraction.networks.layers.optimal_transport import Graph, Solver, distances
from extraction.networks.layers.word_pair_scorers import Channels, QualifierScorer, RelationScorer, TypeScorer, cap
from extraction.schema import FACTUALITIES

# Of the corpora's relations nine in ten are stated; unweighted, nothing else would be learnt.
FACTUALITY_WEIGHTS = (1.0, 2.0, 2.0, 2.0)


@dataclass(frozen=True)
class EEGAConfig:
    """Sizes of the network. The paper's value is given where ours differs."""

    pos: int  # parts of speech, with padding at 0
    edges: int  # edge types, with "not adjacent" at 0 and the self-loop at 1
    together: int  # levels of the co-occurrence channel
    types: int  # tags: types, once for each form of mention
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
    cell_channels: bool = True  # ours: the scorer of relations knows the channels of a cell and the path between words
    attribute: bool = True
    dropout: float = 0.2
    relation_weight: float = 1.0
    objects: int = 0  # at most; 0 = a network without a visual side. Paper: 10
    object_width: int = 0  # of an object's vector. Paper: 4096
    object_edges: int = 2
    classes: int = 1  # of objects, with unknown at 0; 1 = no class is known
    lifted: bool = True  # paper: False
    vanilla: bool = False
    graph_weight: float = 0.6  # lambda of Eq. 13
    node_share: float = 0.4  # alpha of Eq. 7
    transport: float = 0.1  # regularisation; ours
    iterations: int = 20
    outer: int = 5  # ours
    qualifiers: bool = False
    qualifier_weight: float = 0.3
    coreference: bool = False
    coreference_hidden: int = 96
    coreference_weight: float = 0.3

    @property
    def sees(self) -> bool:
        """Whether the network has a visual side."""
        return self.objects > 0


@dataclass(frozen=True)
class WordStates:
    """The first stage's results for `relate`: words S (B, n, d), type logits (B, n, band, 1 + types), channels."""

    words: Tensor
    type_logits: Tensor
    channels: Channels

    def rows(self, rows: list[int]) -> WordStates:
        """The states of these sentences of the batch alone."""
        if len(rows) == len(self.words):
            return self
        return WordStates(self.words[rows], self.type_logits[rows], self.channels.rows(rows))


class LinearRelations(nn.Module):
    """The paper's Eq. 11 for relations: W [S_i; S_j] + b, for chosen cells."""

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


class VisualGraph(nn.Module):
    """The attribute transformer over a picture's objects (Eq. 2-4), with a self-loop at each."""

    def __init__(self, config: EEGAConfig, width: int) -> None:
        super().__init__()
        inside = width if config.lifted else config.object_width
        self.lift = nn.Linear(config.object_width, width) if config.lifted else None
        self.kind = nn.Embedding(config.classes, inside, padding_idx=0) if config.classes > 1 else None
        heads = config.heads if config.lifted else math.gcd(inside, config.heads)
        shape = (config.edge_width, heads, config.inner, config.dropout, width)
        self.graph = AttributeTransformer(inside, 0 if config.vanilla else config.object_edges, *shape)
        self.vanilla = config.vanilla

    def forward(self, objects: Objects) -> Graph:
        """Vectors (B, k, d_I) -> H_I (B, k, d)."""
        vectors = objects.vectors if self.lift is None else self.lift(objects.vectors)
        if self.kind is not None:
            vectors = vectors + self.kind(objects.classes)
        real = whole(objects.present)
        loops = torch.eye(real.shape[1], dtype=torch.bool, device=real.device) & real.bool()
        edges = torch.where(loops, SELF_LOOP, objects.edges * real)
        return Graph(self.graph(vectors, real if self.vanilla else edges), edges, objects.present)


def whole(real: Tensor) -> Tensor:
    """The complete graph over the real nodes (B, n) as edges (B, n, n) of type 1."""
    return (real.unsqueeze(1) & real.unsqueeze(2)).long()


class EEGA(nn.Module):
    """The whole network: `forward` tags mentions, `relate` scores relations of cells, `loss` is for training."""

    def __init__(self, config: EEGAConfig, encoder: TextEncoder) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        width = encoder.width
        shape = (config.edge_width, config.heads, config.inner, config.dropout)
        edges = 0 if config.vanilla else config.edges
        self.text_graph = AttributeTransformer(width, edges, *shape) if config.attribute else None
        self.visual_graph = VisualGraph(config, width) if config.sees else None
        self.look = ObjectAttention(width, config.heads, config.dropout, sees=config.sees)
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
            sizes = config.types, config.relations, config.dropout, config.cell_channels
            self.relations = RelationScorer(width, config.relation_hidden, values, *sizes)
        if config.qualifiers and config.scorer == "linear":
            raise ValueError("qualifiers need the states of cells, which the paper's linear scorer does not have")
        state = config.relation_hidden + config.relation_hidden // 2
        self.qualifiers = (
            QualifierScorer(state, width, config.type_hidden, len(FACTUALITIES), len(ROLES))
            if config.qualifiers
            else None
        )
        self.coreference = (
            AntecedentScorer(width, config.coreference_hidden, config.dropout) if config.coreference else None
        )

    def encode(self, batch: Batch) -> Tensor:
        """The encoder alone: pieces -> (B, L, D)."""
        hidden: Tensor = self.encoder(batch.ids, batch.shapes, batch.pieces)
        return hidden

    def forward(self, batch: Batch) -> WordStates:
        return self.tag(batch, self.encode(batch))

    def tag(self, batch: Batch, hidden: Tensor) -> WordStates:
        """Everything after the encoder that needs no mentions: Eq. 3-4, 8, 9-10, and the types of Eq. 11."""
        return self._tag(batch, *self._graphs(batch, hidden))

    def attention_weights(self, batch: Batch, hidden: Tensor) -> Tensor | None:
        """The share of each object in a word's attention of Eq. 8 (B, n, k); None where there are no objects."""
        words, objects = self._graphs(batch, hidden)
        if objects is None:
            return None
        return self.look.weights(words.states, objects.states, objects.real).detach() * batch.real.unsqueeze(-1)

    def _graphs(self, batch: Batch, hidden: Tensor) -> tuple[Graph, Graph | None]:
        """Eq. 3-4: H_T, and H_I where there are objects."""
        words = self.dropout(gather_words(hidden, batch.first, batch.window))  # X_T (B, n, d)
        if self.text_graph is not None:
            words = self.text_graph(words, whole(batch.real) if self.config.vanilla else batch.edges)  # H_T
        text = Graph(words, batch.edges, batch.real)
        return text, None if self.visual_graph is None or batch.objects is None else self.visual_graph(batch.objects)

    def _tag(self, batch: Batch, text: Graph, objects: Graph | None) -> WordStates:
        """Eq. 8-11."""
        config = self.config
        distance = cap(batch.hops, config.farthest, config.unconnected)
        channels = Channels(batch.pos, batch.hops, distance, batch.together, batch.real)
        visual = (None, None) if objects is None else (objects.states, objects.real)
        words = self.look(text.states, *visual)  # O
        if self.multi_channel is not None:
            words = self.multi_channel(words, channels)  # S
        return WordStates(words, self.types(words), channels)

    def relate(self, states: WordStates, i: Tensor, j: Tensor) -> Tensor:
        """Logits (B, M, relations) of the cells (i, j), each (B, M): i in the head's mention, j in the tail's."""
        logits: Tensor = self.relations(states.words, _types(states), states.channels, i, j)
        return logits

    def qualify(self, states: WordStates, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
        """For cells as in `relate`: logits of the factualities (B, M, 4), and of each role of ROLES for none and each
        word (B, M, 3, 1 + n). Only of a network with qualifiers."""
        assert isinstance(self.relations, RelationScorer) and self.qualifiers is not None
        cells = self.relations.cells(states.words, _types(states), states.channels, i, j)
        scored: tuple[Tensor, Tensor] = self.qualifiers(cells, states.words)
        return scored

    @property
    def needs(self) -> Needs:
        return Needs(graph=True, objects=self.config.objects)

    def loss(self, batch: Batch, targets: Targets) -> dict[str, Tensor]:
        """Eq. 13: the masked losses of Eq. 12 (the mean over words for types, over cells for relations) and, of a
        network with a visual side, the alignment of both graphs ("graph", Eq. 7)."""
        text, objects = self._graphs(batch, self.encode(batch))
        states = self._tag(batch, text, objects)
        logits, cells = self._related(states, targets)
        types = type_loss(states.type_logits.float(), targets.allowed, targets.refused, batch.real)
        relations = relation_loss(logits.float(), targets)
        parts = {"types": types, "relations": relations}
        total = types + self.config.relation_weight * relations
        if self.qualifiers is not None and cells is not None:
            factualities, roles = self.qualifiers(cells, states.words)
            parts["qualifiers"] = qualifier_loss(factualities, roles, targets)
            total = total + self.config.qualifier_weight * parts["qualifiers"]
        if self.coreference is not None and targets.coreference is not None:
            mentions = mention_states(states.words, targets.coreference)
            scores, none = self.coreference(mentions, targets.coreference)
            parts["coreference"] = antecedent_loss(scores, none, targets.coreference)
            total = total + self.config.coreference_weight * parts["coreference"]
        if self.config.sees and self.config.graph_weight:
            parts["graph"] = self.graph_loss(text, objects)
            total = total + self.config.graph_weight * parts["graph"]
        return {"total": total, **parts}

    def _related(self, states: WordStates, targets: Targets) -> tuple[Tensor, Tensor | None]:
        """The logits of the targets' cells and, for qualifiers, the cells' states."""
        if self.qualifiers is None:
            return self.relate(states, targets.i, targets.j), None
        assert isinstance(self.relations, RelationScorer)
        cells = self.relations.cells(states.words, _types(states), states.channels, targets.i, targets.j)
        return self.relations.out(cells), cells

    def graph_loss(self, text: Graph, objects: Graph | None) -> Tensor:
        """alpha D_wd + (1 - alpha) D_gwd (Eq. 7), the mean over the examples with objects; 0 without any."""
        if objects is None:
            return text.states.new_zeros(())
        config = self.config
        nodes, edges = distances(objects, text, Solver(config.transport, config.iterations, config.outer))
        return (config.node_share * nodes + (1 - config.node_share) * edges).sum() / max(1, len(nodes))


def _types(states: WordStates) -> Tensor:
    """The probabilities that the network itself gives each word's tags (B, n, 1 + tags)."""
    return torch.softmax(states.type_logits[:, :, 0].float(), dim=-1).to(states.words.dtype).detach()


def type_loss(logits: Tensor, allowed: Tensor, refused: Tensor, real: Tensor) -> Tensor:
    """-log of the summed probability of the allowed tags (B, n, band, 1 + tags) among these and the refused ones, over
    the number of words. A tag that is neither gets no gradient: it is not annotated there."""
    lowest = torch.finfo(logits.dtype).min
    total = torch.logsumexp(logits.masked_fill(~(allowed | refused), lowest), dim=-1)
    good = torch.logsumexp(logits.masked_fill(~allowed, lowest), dim=-1)
    return ((total - good) * refused.any(dim=-1)).sum() / real.sum().clamp(min=1)


def relation_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Binary cross-entropy over the annotated relations of each cell, weighted by cell."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, targets.related.to(logits.dtype), reduction="none")
    per_cell = (each * targets.annotated).sum(-1)
    return (per_cell * targets.weights).sum() / targets.weights.sum().clamp(min=1.0)


def qualifier_loss(factualities: Tensor, roles: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy of factuality and of each role over the related cells, weighted by cell; rare factualities count
    more (`FACTUALITY_WEIGHTS`)."""
    known = targets.factuality >= 0
    if not known.any():
        return factualities.new_zeros(())
    weight = targets.weights[known]
    emphasis = weight.new_tensor(FACTUALITY_WEIGHTS)[targets.factuality[known]]
    lowest = torch.finfo(torch.float32).min
    fillers = nn.functional.pad(targets.fillers, (1, 0), value=True).unsqueeze(1)  # (B, 1, 3, 1 + n)
    allowed = fillers.expand(-1, known.shape[1], -1, -1)[known]
    each = nn.functional.cross_entropy(factualities[known].float(), targets.factuality[known], reduction="none")
    scores = roles[known].float().masked_fill(~allowed, lowest)
    filled = nn.functional.cross_entropy(scores.transpose(1, 2), targets.roles[known], reduction="none")
    return (each * emphasis * weight + filled.sum(-1) * weight).sum() / weight.sum().clamp(min=1.0)
