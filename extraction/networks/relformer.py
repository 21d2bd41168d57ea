"""RelFormer: relations between an entity of a headline and an object of its picture, with a knowledge graph beside.

PeiLing Li, Lin Li: A Knowledge Augmented Framework for Multimodal News Object-Entity Relation Extraction. 2025.
Equation numbers are the paper's.

    words ─▶ encoder, layers 1-8 (Eq. 1) ─▶ H_t ─▶ CRF: mentions           ┐
    picture's patches, objects as class + box + depth ─▶ layers 1-8 ─▶ H_v ├─▶ layers 9-12: self-attention, then text
    facts ─▶ graph attention ─▶ layers 1-8 ─▶ H_k                          ┘   with vision and with facts (Eq. 2-3)
                                                                                              │
       relation ◀── classifier ◀── F' = LN(F + MLP(F)) (Eq. 4) ◀── F = mention, object, the mention's facts

Differences from the paper, numbered. Those that can be switched off name their field of RelFormerConfig.

 1. The text of the paper has queries from text and keys from vision (and facts); Eq. 2 and 3 have the reverse and add
    rows of two lengths. Built both ways, as "bidirectional" and "dual path" say: H_t = LN(H_t + CA(H_t; H_v) +
    CA(H_t; H_k)), H_v = LN(H_v + CA(H_v; H_t)), H_k = LN(H_k + CA(H_k; H_t)), each after its own self-attention. An
    absent modality drops its term.
 2. The paper has twelve layers in every modality. Here the text encoder's number counts: its last third crosses
    (`crossing` is their number), and a vision encoder of another depth is split in the same proportion. Facts, and
    objects without pictures, have layers of their own, as many as the text, with random weights. Widths may differ;
    keys and values are normalised before attention.
 3. Mentions are tagged from H_t after the layers within the text: they must be known before facts can be requested.
    Only beside regions: the sets of pairs of mentions do not annotate all mentions.
 4. Patches are a ViT's (the introduction says CLIP's), the class token among them. Objects stand in the same sequence.
    An object is the sum of the embeddings of its class, its box and its depth (3.1) and, where a run has them, of its
    features. The paper encodes the region of the depth map; here its depth is one number, the median of the map within
    the box. An unknown class, and a depth that was not measured, add nothing. `scaled_boxes` (ours) embeds boxes as
    waves of several lengths: without, an object without a class was lost beside what all objects have in common.
 5. A fact's nodes start as the mean of their word pieces' embeddings. The paper does not say how they are encoded.
    Edges of the graph have no weights of their own: what relates two entities is a node beside the edge that joins them
    (features/fact_graph.py).
 6. F (the paper: "concatenation or weighted summation") is a linear map of [the mention's first piece in H_t; its
    object in H_v; the mean of its nodes in H_k]. A part that is absent adds nothing. `skip=True` (ours) adds the object
    as it was embedded: all layers add one vector to all objects, until at the tail of F two objects of a picture had a
    cosine of 0.9999 and got the same answer.
 7. The filter of candidate pairs (its mechanism is open): a learnt score of the mention's facts and the object, and the
    highest threshold that keeps 99 % of dev's related pairs (`settle`). A mention of which nothing is known is never
    filtered. Off unless `filter` is on.
 8. The loss is open: cross-entropy of the pair, plus the CRF's for each word and the filter's, by their weights.
 9. `head="pair"` classifies the relation of two mentions, for the graph: the tail's first piece stands for the object.
    The paper has no such relations.
10. In a ViT the LayerNorm of a crossing (Eq. 2) stands between layers that have their norms in front, and so brings
    their residual stream to one scale; the ViT's own last norm is left out, because that of the last crossing stands
    there.
11. The text encoder takes each word's shape as a further embedding, which starts at zero; our recipes draw one dropout
    mask a sentence and none for attention.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from extraction.features.batch import OBJECT_WIDTH, Batch, Needs, Pairs
from extraction.features.targets import PairTargets
from extraction.networks.encoders.text import SharedDropout, TextEncoder, gather_words
from extraction.networks.encoders.vit import ViT
from extraction.networks.layers.crf import LinearChainCRF
from extraction.networks.layers.cross_modal_attention import Crossed, CrossLayer, Stream, rounds
from extraction.networks.layers.modalities import Knowledge, ObjectParts, Own, Vision
from extraction.networks.layers.pair_filter import PairFilter
from extraction.networks.outputs import BestTags, PairOutput, TagOutput

CROSSING, OF = 4, 12  # layers 9 to 12 of twelve


@dataclass(frozen=True)
class RelFormerConfig:
    """Sizes and switches; the paper's values unless marked "ours". The paper has no ablations of its own."""

    labels: int  # of a pair, with none at 0
    tags: int
    classes: int  # of objects, with unknown at 0
    head: Literal["region_pair", "pair"] = "region_pair"
    image: bool = True
    objects: bool = True
    depth: bool = True
    knowledge: bool = True
    filter: bool = False
    crossing: int | None = None  # layers that cross; None: a third of the text encoder's, as 4 of 12. 0: none
    most: int = 10  # objects a picture
    graph_layers: int = 1  # ours
    tagging: bool = True
    tag_weight: float = 1.0  # ours
    filter_weight: float = 0.1  # ours
    filter_recall: float = 0.99  # ours
    dropout: float = 0.1  # ours
    object_width: int = OBJECT_WIDTH  # of an object's vector
    skip: bool = True  # ours
    scaled_boxes: bool = True  # ours


@dataclass(frozen=True)
class RelFormerOutput(PairOutput):
    """With the filter's scores (B,), and which pairs' mentions have facts (B,)."""

    related: tuple[Tensor, Tensor] | None = None


class Fusion(nn.Module):
    """F from the three parts, and F' = LN(F + MLP(F)) (Eq. 4)."""

    def __init__(self, text: int, tail: int, facts: int, embedded: int = 0) -> None:
        """Widths of the parts, 0 for one that the network does not have; F has the text's. `embedded`: of an object
        before all layers."""
        super().__init__()
        self.from_mention = nn.Linear(text, text)
        self.from_tail = nn.Linear(tail, text, bias=False) if tail else None
        self.from_facts = nn.Linear(facts, text, bias=False) if facts else None
        self.from_embedded = nn.Linear(embedded, text, bias=False) if embedded else None
        self.mlp = nn.Sequential(nn.Linear(text, 4 * text), nn.GELU(), nn.Linear(4 * text, text))
        self.norm = nn.LayerNorm(text)

    def forward(
        self, mention: Tensor, tail: Tensor | None, facts: Tensor | None, embedded: Tensor | None = None
    ) -> Tensor:
        """The mention (B, d), its tail and its facts, zero or None where absent -> F' (B, d)."""
        fused = self.from_mention(mention)
        if self.from_tail is not None and tail is not None:
            fused = fused + self.from_tail(tail)
        if self.from_facts is not None and facts is not None:
            fused = fused + self.from_facts(facts)
        if self.from_embedded is not None and embedded is not None:
            fused = fused + self.from_embedded(embedded)
        result: Tensor = self.norm(fused + self.mlp(fused))
        return result


class RelFormer(nn.Module):
    """Classifies the relation of a mention and a region (`head="region_pair"`) or of two mentions (`head="pair"`)."""

    def __init__(self, config: RelFormerConfig, encoder: TextEncoder, vision: ViT | None = None) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        width, layers = encoder.width, len(encoder.layers)
        heads = int(encoder.model.config.num_attention_heads)  # type: ignore[union-attr, arg-type]
        count = max(1, round(layers * CROSSING / OF)) if config.crossing is None else config.crossing
        if not 0 <= count <= layers:
            raise ValueError(f"the text encoder has {layers} layers, so {count} of them cannot cross")
        of_regions = config.head == "region_pair"
        has_vision = (config.objects or (config.image and vision is not None)) and (of_regions or count > 0)
        own = Own(layers, width, heads, config.dropout)
        parts = ObjectParts(
            config.classes if config.objects else 0,
            config.depth,
            config.object_width if config.object_width > OBJECT_WIDTH else 0,
            config.scaled_boxes,
        )
        self.vision = Vision(vision if config.image else None, parts, own) if has_vision else None
        self.knowledge = Knowledge(config.graph_layers, own) if config.knowledge else None
        sight, facts = self.vision.width if self.vision else 0, width if config.knowledge else 0
        self.cross = nn.ModuleList(
            CrossLayer(width, sight, facts, heads, config.dropout, answered=of_regions or number + 1 < count)
            for number in range(count)
        )
        self.plan = [rounds(depth, count, layers) for depth in (layers, self.vision.depth if self.vision else 0)]
        self.tagging = config.tagging and of_regions
        if self.tagging:
            self.emit, self.crf = nn.Linear(width, config.tags), LinearChainCRF(config.tags)
        embedded = sight if of_regions and config.skip and self.vision and self.vision.embed else 0
        self.fuse = Fusion(width, sight if of_regions else width, facts, embedded)
        self.dropout = SharedDropout(config.dropout)
        self.classify = nn.Linear(width, config.labels)
        tail = sight if of_regions else width
        self.filter = PairFilter(width, tail) if config.filter and config.knowledge and tail else None

    @property
    def needs(self) -> Needs:
        config, vision = self.config, self.vision
        pictures = vision is not None and vision.encoder is not None
        objects = config.head == "region_pair" or (vision is not None and config.objects)
        size = vision.encoder.size if vision is not None and vision.encoder is not None else 0
        return Needs(
            objects=config.most if objects else 0,
            pictures="whole" if pictures else "",
            size=size,
            facts=config.knowledge,
        )

    def forward(self, batch: Batch) -> RelFormerOutput:
        seen = self._seen(batch)
        text, sight, facts = self._text(batch), self._sight(seen), self._facts(batch)  # layers 1-8 (Eq. 1)
        crossed = Crossed(text, sight, facts)
        for number, cross in enumerate(self.cross, 1):  # layers 9-12 (Eq. 1-3)
            crossed = cross(*self._advance(crossed, number))
        mention = _at(crossed.text.states, _first_piece(batch, _pairs(batch).head_word))
        tail = self._tail(crossed.text, crossed.sight, batch)
        fused = self.fuse(mention, tail, _known(crossed.facts, batch), self._embedded(seen, batch))
        logits = self.classify(self.dropout(fused))  # Eq. 4
        related = self._related(text, batch)
        if self.filter is not None and related is not None and not self.training:
            logits = self.filter.apply_to(logits, *related)
        tags = TagOutput(self._emissions(text, batch)) if self.tagging else None
        return RelFormerOutput(logits, None, *self._shares(crossed, batch), tags, related)

    def tag(self, batch: Batch) -> TagOutput:
        """Mentions alone, which need neither pairs nor pictures nor facts."""
        return TagOutput(self._emissions(self._text(batch), batch))

    def decode(self, output: TagOutput, batch: Batch) -> BestTags:
        """The best tags of each sentence and their certainty."""
        return self.crf.decode(output.emissions, batch.real)

    def loss(self, batch: Batch, targets: PairTargets) -> dict[str, Tensor]:
        """Cross-entropy of the pairs; the CRF's -log p a word and the filter's cross-entropy where it is used."""
        output = self(batch)
        losses = {"relations": nn.functional.cross_entropy(output.logits.float(), targets.labels)}
        total = losses["relations"]
        if self.tagging and targets.tags is not None:
            words = batch.real.sum() / len(
                batch.real
            )  # a sentence's -log p grows with its words: it would drown the pairs
            losses["mentions"] = self.crf.loss(output.tags.emissions, targets.tags.tags, batch.real) / words
            total = total + self.config.tag_weight * losses["mentions"]
        if self.filter is not None and output.related is not None:
            scores, known = output.related
            losses["filter"] = self.filter.loss(scores, known, targets.labels > 0)
            total = total + self.config.filter_weight * losses["filter"]
        return {"total": total, **losses}

    @torch.no_grad()
    def settle(self, batches: Iterable[tuple[Batch, PairTargets]]) -> None:
        """Set the filter's threshold by the pairs of dev whose mentions have facts."""
        if self.filter is None:
            return
        scores, related = [], []
        for batch, targets in batches:
            result = self._related(self._text(batch), batch)
            if result is not None:
                scores.append(result[0][result[1]])
                related.append((targets.labels > 0)[result[1]])
        if scores:
            self.filter.settle(torch.cat(scores), torch.cat(related), self.config.filter_recall)

    def _text(self, batch: Batch) -> Stream:
        """H_t after the layers within the text."""
        stream = Stream(self.encoder.embed(batch.ids, batch.shapes), batch.pieces)
        return self._advance_text(stream, self.plan[0][0])

    def _seen(self, batch: Batch) -> Stream | None:
        """Objects and patches as they are embedded."""
        return None if self.vision is None else self.vision.start(batch.objects, batch.pictures)

    def _sight(self, seen: Stream | None) -> Stream | None:
        return None if self.vision is None else self.vision.advance(seen, self.plan[1][0])

    def _embedded(self, seen: Stream | None, batch: Batch) -> Tensor | None:
        """The pair's object before all layers (B, d), zero where it has none."""
        pairs = _pairs(batch)
        if self.fuse.from_embedded is None or seen is None or batch.objects is None:
            return None
        return _at(seen.states, pairs.region.clamp(min=0)) * (pairs.region >= 0).unsqueeze(1)

    def _facts(self, batch: Batch) -> Stream | None:
        if self.knowledge is None:
            return None
        return self.knowledge.advance(self._graph(batch), self.plan[0][0])

    def _graph(self, batch: Batch) -> Stream | None:
        """The facts after graph attention."""
        if self.knowledge is None:
            return None
        pieces: nn.Module = self.encoder.model.get_input_embeddings()  # type: ignore[operator]
        return self.knowledge.start(batch.facts, pieces)

    def _advance(self, crossed: Crossed, number: int) -> tuple[Stream, Stream | None, Stream | None]:
        """Each modality through its own layers before crossing `number`."""
        text, sight, facts = self._advance_text(crossed.text, self.plan[0][number]), crossed.sight, crossed.facts
        if self.vision is not None:
            sight = self.vision.advance(sight, self.plan[1][number])
        if self.knowledge is not None:
            facts = self.knowledge.advance(facts, self.plan[0][number])
        return text, sight, facts

    def _advance_text(self, stream: Stream, numbers: range) -> Stream:
        for number in numbers:
            stream = stream.moved(self.encoder.attend(self.encoder.layers[number], stream.states, stream.real))
        return stream

    def _emissions(self, text: Stream, batch: Batch) -> Tensor:
        emissions: Tensor = self.emit(self.dropout(gather_words(text.states, batch.first)))
        return emissions

    def _tail(self, text: Stream, sight: Stream | None, batch: Batch) -> Tensor | None:
        """The state of the tail (B, d): its object, the mean of all visual states without objects, or its mention."""
        pairs = _pairs(batch)
        if self.config.head == "pair":
            return _at(text.states, _first_piece(batch, pairs.tail_word))
        if sight is None:
            return None
        if self.vision is None or self.vision.embed is None or batch.objects is None:
            return _mean(sight.states, sight.real)
        has_region = pairs.region >= 0
        return _at(sight.states, pairs.region.clamp(min=0)) * has_region.unsqueeze(1)

    def _related(self, text: Stream, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The filter's scores (B,), and which pairs' mentions have facts (B,)."""
        graph = self._graph(batch) if self.filter is not None else None
        if self.filter is None or graph is None or batch.facts is None:
            return None
        tail = self._tail(text, self._seen(batch), batch)
        if tail is None:
            return None
        known = (batch.facts.mention & batch.facts.present).any(1)
        return self.filter(_known(graph, batch), tail), known

    def _shares(self, crossed: Crossed, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """The mention's attention in the last crossing: shares of objects (B, k) and of facts (B, m)."""
        place, shares = _first_piece(batch, _pairs(batch).head_word), crossed.sight_shares
        objects = batch.objects if self.vision is not None and self.vision.embed is not None else None
        of_objects = (
            None if shares is None or objects is None else _at(shares, place)[:, : objects.present.shape[1]].detach()
        )
        of_facts = None if crossed.fact_shares is None else _at(crossed.fact_shares, place).detach()
        return of_objects, of_facts


def _pairs(batch: Batch) -> Pairs:
    if batch.pairs is None:
        raise ValueError("RelFormer cannot predict a relation: the batch has no pairs")
    return batch.pairs


def _first_piece(batch: Batch, word: Tensor) -> Tensor:
    return batch.first.gather(1, word.unsqueeze(1)).squeeze(1)


def _at(states: Tensor, place: Tensor) -> Tensor:
    """States (B, n, d) at one place each (B,) -> (B, d)."""
    return states[torch.arange(len(states), device=states.device), place]


def _mean(states: Tensor, real: Tensor) -> Tensor:
    """The mean of the real states (B, d), zero where there is none."""
    share = real.unsqueeze(2).to(states.dtype)
    return (states * share).sum(1) / share.sum(1).clamp(min=1)


def _known(facts: Stream | None, batch: Batch) -> Tensor | None:
    """The mean of the nodes that belong to the pair's mention (B, d)."""
    if facts is None or batch.facts is None:
        return None
    return _mean(facts.states, facts.real & batch.facts.mention)
