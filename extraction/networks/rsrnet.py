"""RSRNeT: a pyramid of visual features as a prefix in every layer of a text encoder, for mentions or for relations.

Min Wang, Hongbin Chen, Dingcai Shen, Baolei Li, Shiyu Hu: RSRNeT: a novel multi-modal network framework for named
entity recognition and relation extraction. PeerJ Computer Science 10:e1856, 2024. Equation numbers are the paper's.

    whole picture, m objects ─▶ ResNeSt, 4 stages (Eq. 1-3) ─▶ pool, 1x1 convolution (Eq. 4-5) ─▶ V_1 .. V_4
                                                                                                   │
          for each layer of the encoder: gate over the stages (Eq. 6-8) ─▶ side by side (Eq. 9) ◀──┘
                                                   │ keys and values (Eq. 11)
                                                   ▼
    words ─▶ XLM-R (mentions) or RoBERTa (relations), each layer attending to prefix and words (Eq. 10, 12) ─▶ H
                                                                                                            │
                                   BIO tags ◀── CRF (Eq. 13-14) ◀── first pieces of words ◀─────────────────┤
                                   relation ◀── softmax (Eq. 15) ◀── [CLS] ◀────────────────────────────────┘

Differences from the paper, numbered. Those that can be switched off name their field of RSRNeTConfig.

 1. Eq. 4 leaves the last stage at 7 x 7 while the sizes given after Eq. 5 are 2 x 2 for all: every stage is pooled to
    2 x 2. Those sizes keep 256 to 2048 channels, which Eq. 6 cannot average: the convolution maps to the encoder's
    width, as its purpose implies.
 2. The paper's relations name no entity markers, without which all pairs of a sentence look alike: four new tokens mark
    head and tail. `state="starts"` predicts the relation from their start tokens, as HVPNeT does, `"cls"` from [CLS].
 3. The prefix shifts no position of the text: with a masked prefix, and so without a picture, the network is exactly
    the stock encoder. What is absent (a picture, one of its objects) is masked out of every layer's attention.
 4. A word has its tag at its first piece (the paper does not say; HVPNeT tags the other pieces X). A sequence that is
    not BIO has probability 0.
 5. `stages="one_to_three"` sends stage i to layers 3i-2 to 3i of twelve; with another number of layers the stages are
    spread in the same proportion.
 6. Losses are means over a batch's examples, where Eq. 14-15 sum: a rate does not depend on the batch's size.
 7. A pyramid with pretrained weights keeps the statistics of its batch norms.
 8. The encoder is any BERT or RoBERTa; for one that is uncased each word's shape is a further embedding of its pieces,
    which starts at zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from extraction.features.batch import Batch, Needs, Pictures
from extraction.features.targets import PairTargets, TagTargets
from extraction.networks.encoders.pyramid import STAGES, Pyramid
from extraction.networks.encoders.text import Prefix, SharedDropout, TextEncoder, gather_words
from extraction.networks.layers.crf import LinearChainCRF
from extraction.networks.outputs import BestTags, PairOutput, TagOutput

SIDE = 2  # every stage is pooled to SIDE x SIDE


@dataclass(frozen=True)
class RSRNeTConfig:
    """Sizes and switches; the paper's values unless marked "ours"."""

    labels: int  # of a pair, with none at 0
    tags: int
    head: Literal["pair", "tags"] = "pair"
    image: bool = True  # False: BERT-CRF, or the entity markers' baseline
    objects: int = 3  # m
    size: int = 224  # pixels of each picture's sides
    stages: Literal["gated", "last", "one_to_three"] = "gated"  # "last" is RSRNeT-plain, "one_to_three" RSRNeT-1T3
    gate: Literal["selu", "leaky_relu"] = "selu"  # "leaky_relu" is HVPNeT's
    state: Literal["cls", "starts"] = "cls"
    dropout: float = 0.1  # ours


class StageProjection(nn.Module):
    """V_i = Conv_1x1(Pool(F_i)) (Eq. 4-5): each stage as SIDE * SIDE vectors of the encoder's width."""

    def __init__(self, channels: tuple[int, ...], used: tuple[int, ...], width: int) -> None:
        """`channels` of all stages; only the stages `used` have weights."""
        super().__init__()
        self.used = used
        self.convolutions = nn.ModuleList(nn.Conv2d(channels[stage], width, kernel_size=1) for stage in used)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (N, channels[i], h_i, w_i) -> V (N, stages used, 4, d)."""
        stages = zip(self.convolutions, self.used, strict=True)
        return torch.stack(
            [convolve(pool(maps[stage])).flatten(2).transpose(1, 2) for convolve, stage in stages], dim=1
        )


def pool(features: Tensor) -> Tensor:
    """Maps (N, C, h, w) as means over SIDE * SIDE windows, which overlap where a side is odd (N, C, SIDE, SIDE).

    What torch's adaptive pooling gives; its gradient on a GPU is not the same at every run.
    """
    rows, columns = (
        [slice(i * side // SIDE, -(-(i + 1) * side // SIDE)) for i in range(SIDE)] for side in features.shape[2:]
    )
    means = [features[:, :, row, column].mean(dim=(2, 3)) for row in rows for column in columns]
    return torch.stack(means, dim=2).unflatten(2, (SIDE, SIDE))


class StageGate(nn.Module):
    """g^(l) = softmax(f(W_l mean_i GAP(V_i))) (Eq. 6-7), for all layers l at once."""

    def __init__(self, width: int, stages: int, layers: int, activation: str) -> None:
        super().__init__()
        self.stages, self.layers = stages, layers
        self.weight = nn.Linear(width, layers * stages)  # W_1 .. W_L
        self.activate = nn.SELU() if activation == "selu" else nn.LeakyReLU()

    def forward(self, v: Tensor) -> Tensor:
        """V (N, stages, 4, d) -> (N, layers, stages); the stages of a layer sum to 1."""
        signal = self.activate(self.weight(v.mean(dim=(1, 2))))
        return torch.softmax(signal.unflatten(1, (self.layers, self.stages)), dim=-1)


class VisualPrefix(nn.Module):
    """From pictures to the prefix of every layer: Eq. 4-9 and 11."""

    def __init__(self, config: RSRNeTConfig, pyramid: Pyramid, layers: int, width: int) -> None:
        super().__init__()
        self.stage_of = [math.ceil(STAGES * layer / layers) - 1 for layer in range(1, layers + 1)]
        if config.stages == "last":
            self.stage_of = [STAGES - 1] * layers
        used = tuple(range(STAGES)) if config.stages == "gated" else tuple(sorted(set(self.stage_of)))
        self.place = [used.index(stage) if stage in used else 0 for stage in self.stage_of]
        self.pyramid = pyramid
        self.project = StageProjection(pyramid.channels, used, width)
        gated = config.stages == "gated"
        self.gate = StageGate(width, STAGES, layers, config.gate) if gated else None
        self.keys_values = nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(layers))  # W_l (Eq. 11)

    def forward(self, pictures: Pictures) -> Prefix | None:
        """The prefix of 4 positions a picture, absent pictures masked; None where the batch has no picture."""
        present = pictures.present
        if not present.any():
            return None
        v = self.project(self.pyramid(pictures.pixels[present]))  # (N, stages, 4, d), N pictures that are there
        chosen = self.choose(v)  # (N, L, 4, d)
        placed = chosen.new_zeros(*present.shape, *chosen.shape[1:])
        placed[present] = chosen  # (B, m + 1, L, 4, d)
        by_layer = placed.permute(2, 0, 1, 3, 4).flatten(2, 3)  # (L, B, 4 (m + 1), d) (Eq. 9)
        pairs = [project(one).chunk(2, dim=-1) for project, one in zip(self.keys_values, by_layer, strict=True)]
        positions = present.repeat_interleave(SIDE * SIDE, dim=1)
        return Prefix([keys for keys, _ in pairs], [values for _, values in pairs], positions)

    def choose(self, v: Tensor) -> Tensor:
        """V (N, stages, 4, d) -> the input of each layer (N, L, 4, d): the gated sum of stages (Eq. 8), or one."""
        if self.gate is None:
            return v[:, self.place]
        return torch.einsum("nls,nspd->nlpd", self.gate(v), v)


class RSRNeT(nn.Module):
    """Tags mentions (`head="tags"`) or classifies the relation of a pair (`head="pair"`)."""

    def __init__(self, config: RSRNeTConfig, encoder: TextEncoder, vision: Pyramid | None = None) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        width, layers = encoder.width, len(encoder.layers)
        self.see = VisualPrefix(config, vision, layers, width) if config.image and vision is not None else None
        self.dropout = SharedDropout(config.dropout)
        if config.head == "tags":
            self.emit, self.crf = nn.Linear(width, config.tags), LinearChainCRF(config.tags)
        else:
            self.classify = nn.Linear(width * (2 if config.state == "starts" else 1), config.labels)

    @property
    def needs(self) -> Needs:
        markers, config = self.config.head == "pair", self.config
        if self.see is None:
            return Needs(markers=markers)
        return Needs(markers=markers, objects=config.objects, pictures="objects", size=config.size)

    def forward(self, batch: Batch) -> TagOutput | PairOutput:
        seen = self.see is not None and batch.pictures is not None
        prefix = self.see(batch.pictures) if seen else None  # type: ignore[misc]  # Eq. 1-9, 11
        hidden = self.encoder(batch.ids, batch.shapes, batch.pieces, prefix)  # H^L (Eq. 10, 12)
        if self.config.head == "tags":
            return TagOutput(self.emit(self.dropout(gather_words(hidden, batch.first))))
        return PairOutput(self.classify(self.dropout(self._pair(hidden, batch))))

    def attention_weights(self, batch: Batch) -> Tensor | None:
        """The share of each object in a word's attention to all objects of the prefix (B, n, m), the mean over layers,
        for display; 0 where there is no object, None where the batch has no picture."""
        prefix = self.see(batch.pictures) if self.see is not None and batch.pictures is not None else None
        if prefix is None:
            return None
        shares = self.encoder.prefix_shares(batch.ids, batch.shapes, batch.pieces, prefix)
        objects = shares.unflatten(2, (-1, SIDE * SIDE)).sum(dim=3)[..., 1:]  # (B, L, m): the whole picture apart
        words = gather_words(objects / objects.sum(dim=2, keepdim=True).clamp(min=1e-9), batch.first)
        return words * batch.real.unsqueeze(-1)

    def _pair(self, hidden: Tensor, batch: Batch) -> Tensor:
        """The state that the relation is predicted from: (B, d), or (B, 2 d) from the two start markers."""
        if self.config.state == "cls":
            return hidden[:, 0]
        if batch.pairs is None:
            raise ValueError("RSRNeT cannot predict a relation: the batch has no pairs")
        rows = torch.arange(len(hidden), device=hidden.device)
        return torch.cat([hidden[rows, batch.pairs.head], hidden[rows, batch.pairs.tail]], dim=-1)

    def decode(self, output: TagOutput, batch: Batch) -> BestTags:
        """The best tags of each sentence (Eq. 13) and their certainty."""
        return self.crf.decode(output.emissions, batch.real)

    def loss(self, batch: Batch, targets: TagTargets | PairTargets) -> dict[str, Tensor]:
        """-log p of the tags (Eq. 14) or of the relation (Eq. 15), as a mean over the batch."""
        output = self(batch)
        if isinstance(targets, TagTargets):
            total = self.crf.loss(output.emissions, targets.tags, batch.real)
            return {"total": total, "mentions": total}
        total = nn.functional.cross_entropy(output.logits.float(), targets.labels)
        return {"total": total, "relations": total}
