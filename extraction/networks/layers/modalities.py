"""The modalities of RelFormer beside the text: a picture with its objects (3.1), and a graph of facts (3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from extraction.features.batch import Facts, Objects, Pictures
from extraction.networks.encoders.text import layer_mask
from extraction.networks.encoders.vit import ViT, normalised
from extraction.networks.layers.cross_modal_attention import SelfLayer, Stream
from extraction.networks.layers.graph_attention import GraphAttention

WAVES = 4


@dataclass(frozen=True)
class Own:
    """The layers of a modality that has no pretrained encoder."""

    count: int
    width: int
    heads: int
    dropout: float

    def layers(self) -> nn.ModuleList:
        return nn.ModuleList(SelfLayer(self.width, self.heads, self.dropout) for _ in range(self.count))


@dataclass(frozen=True)
class ObjectParts:
    """What an object is embedded from: how many classes (0: there are no objects), and the numbers of its vector.

    `scaled`: boxes as waves of several lengths, at the scale of a class. A box as four numbers through a linear layer
    differs from another one by a twentieth of what all objects have in common, and the layers smooth that away.
    """

    classes: int
    depth: bool
    vector: int = 0  # 0: its geometry alone, which the box already says
    scaled: bool = True


class ObjectEmbedding(nn.Module):
    """An object as the sum of its class, its box, its depth and its features (3.1). Of an unknown class and of a depth
    that is not measured nothing is added."""

    def __init__(self, parts: ObjectParts, width: int) -> None:
        super().__init__()
        self.kind = nn.Embedding(parts.classes, width, padding_idx=0 if parts.scaled else None)
        sides = 4 * (1 + 2 * WAVES) if parts.scaled else 4
        self.box = nn.Sequential(nn.Linear(sides, width), nn.GELU(), nn.Linear(width, width))
        self.depth = nn.Linear(1, width, bias=False) if parts.depth else None
        self.features = nn.Linear(parts.vector, width) if parts.vector else None
        self.scaled, self.norm = parts.scaled, nn.LayerNorm(width)
        if self.depth is not None and parts.scaled:
            nn.init.zeros_(self.depth.weight)  # where training shows no depth, a depth must not count in use either

    def forward(self, objects: Objects) -> Tensor:
        """-> (B, k, d)."""
        if self.scaled:
            box = self.box(waves(objects.boxes))
            states = self.kind(objects.classes) + nn.functional.layer_norm(box, box.shape[-1:])
        else:
            states = self.kind(objects.classes) + self.box(objects.boxes)
        if self.depth is not None:
            states = states + self.depth(objects.depth.unsqueeze(-1))
        if self.features is not None:
            states = states + self.features(objects.vectors)
        normed: Tensor = self.norm(states)
        return normed


def waves(boxes: Tensor) -> Tensor:
    """Numbers of 0..1 (..., 4) as themselves and as sines and cosines of 1 to 2^(WAVES - 1) half turns (..., 36)."""
    angles = boxes.unsqueeze(-1) * (math.pi * 2.0 ** torch.arange(WAVES, device=boxes.device, dtype=boxes.dtype))
    return torch.cat([boxes, angles.sin().flatten(-2), angles.cos().flatten(-2)], dim=-1)


class Vision(nn.Module):
    """H_v: objects, then patches, in the layers of a ViT, or in our own where there are no pictures."""

    def __init__(self, encoder: ViT | None, objects: ObjectParts, own: Own) -> None:
        """`own` layers where there is no encoder."""
        super().__init__()
        self.encoder = encoder
        self.width = encoder.width if encoder is not None else own.width
        self.embed = ObjectEmbedding(objects, self.width) if objects.classes else None
        self.own = own.layers() if encoder is None else nn.ModuleList()
        if encoder is not None:
            encoder.model.layernorm = nn.Identity()  # it stands behind the last layer, where ours is

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self.own) if self.encoder is None else len(self._stock)

    @property
    def _stock(self) -> nn.ModuleList:
        assert self.encoder is not None
        layers: nn.ModuleList = self.encoder.model.layers  # type: ignore[assignment]
        return layers

    def start(self, objects: Objects | None, pictures: Pictures | None) -> Stream | None:
        """Embedded objects and patches (B, k + P, d); None where there is neither."""
        parts = []
        if self.embed is not None and objects is not None:
            parts.append(Stream(self.embed(objects), objects.present))
        if self.encoder is not None and pictures is not None:
            patches = self.encoder.model.embeddings(normalised(pictures.pixels[:, 0]))  # type: ignore[operator]
            parts.append(Stream(patches, pictures.present[:, :1].expand(-1, patches.shape[1])))
        if not parts:
            return None
        states = torch.cat([part.states for part in parts], dim=1)
        return Stream(states, torch.cat([part.real for part in parts], dim=1))

    def advance(self, stream: Stream | None, numbers: range) -> Stream | None:
        """Through layers `numbers` of Eq. 1."""
        if stream is None:
            return None
        for number in numbers:
            if self.encoder is None:
                stream = self.own[number](stream)
            else:
                mask = layer_mask(self.encoder.model, stream.states, stream.real)
                stream = stream.moved(self._stock[number](stream.states, mask))
        return stream


class Knowledge(nn.Module):
    """H_k: a graph of facts through graph attention, then through transformer layers (3.3.1)."""

    def __init__(self, graph_layers: int, own: Own) -> None:
        super().__init__()
        width, heads, drop = own.width, own.heads, own.dropout
        self.embed = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width))
        self.graph = nn.ModuleList(GraphAttention(width, heads, drop) for _ in range(graph_layers))
        self.layers = own.layers()

    def start(self, facts: Facts | None, pieces: nn.Module) -> Stream | None:
        """Each node as the mean of its pieces, then with attention to its neighbours (B, m, d)."""
        if facts is None:
            return None
        known = (facts.ids > 0).unsqueeze(-1)
        mean = (pieces(facts.ids) * known).sum(2) / known.sum(2).clamp(min=1)
        states = self.embed(mean)
        for layer in self.graph:
            states = layer(states, facts.edges)
        return Stream(states, facts.present)

    def advance(self, stream: Stream | None, numbers: range) -> Stream | None:
        for number in numbers if stream is not None else ():
            stream = self.layers[number](stream)
        return stream
