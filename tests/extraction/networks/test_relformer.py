"""RelFormer's parts against what its equations say, and by what only it would do."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn

from extraction.features.batch import Batch, Facts, Objects, Pairs, Pictures
from extraction.features.featurizer import SHAPES
from extraction.features.targets import PairTargets, TagTargets
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.networks.encoders.vit import ViT, tiny_vit
from extraction.networks.layers.cross_modal_attention import Attention, CrossLayer, Stream, rounds
from extraction.networks.layers.graph_attention import GraphAttention
from extraction.networks.layers.pair_filter import PairFilter
from extraction.networks.relformer import Fusion, RelFormer, RelFormerConfig

LABELS, TAGS, CLASSES, SIZE = 4, 5, 6, 32


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def network(layers: int = 3, vision: bool = True, **options) -> Any:
    config = RelFormerConfig(labels=LABELS, tags=TAGS, classes=CLASSES, **{"dropout": 0.0, **options})
    text = TextEncoder.blank(tiny(layers=layers), len(SHAPES))
    return RelFormer(config, text, ViT.blank(tiny_vit(SIZE)) if vision else None).eval()


def objects(count: int = 3) -> Objects:
    """Objects of two examples, the last object of the second absent."""
    made = torch.Generator().manual_seed(1)
    present = torch.ones(2, count, dtype=torch.bool)
    present[1, -1] = False
    there = present.unsqueeze(2)
    return Objects(
        vectors=torch.rand(2, count, 5, generator=made) * there,
        edges=torch.eye(count, dtype=torch.long).expand(2, -1, -1),
        present=present,
        classes=torch.randint(1, CLASSES, (2, count), generator=made) * present,
        boxes=torch.rand(2, count, 4, generator=made) * there,
        depth=torch.rand(2, count, generator=made) * present,
    )


def facts() -> Facts:
    """Two examples: 0 - 1 - 2 and 3 alone, of which 1 and 2 are the mention's; 0 - 1, of which none is."""
    edges = torch.eye(4, dtype=torch.bool).repeat(2, 1, 1)
    for example, one, other in ((0, 0, 1), (0, 1, 2), (1, 0, 1)):
        edges[example, one, other] = edges[example, other, one] = True
    present = torch.tensor([[True] * 4, [True, True, False, False]])
    edges &= present.unsqueeze(1) & present.unsqueeze(2)
    ids = torch.randint(4, 60, (2, 4, 3), generator=torch.Generator().manual_seed(2)) * present.unsqueeze(2)
    ids[:, 0, 2] = 0
    mention = torch.tensor([[False, True, True, False], [False] * 4])
    return Facts(ids, present, edges, mention)


def pictures() -> Pictures:
    pixels = torch.randint(0, 256, (2, 1, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    return Pictures(pixels, torch.ones(2, 1, dtype=torch.bool))


def batch(**parts) -> Any:
    none = torch.zeros(2, 4, 4, dtype=torch.long)
    real = torch.tensor([[True] * 4, [True, True, True, False]])
    pairs = Pairs(*(torch.tensor(column) for column in ([1, 2], [3, 3], [0, 1], [2, 2], [2, 0])))
    text = Batch(
        ids=torch.randint(4, 60, (2, 6), generator=torch.Generator().manual_seed(4)),
        shapes=torch.zeros(2, 6, dtype=torch.long),
        pieces=torch.tensor([[True] * 6, [True] * 5 + [False]]),
        first=torch.arange(1, 5).expand(2, -1),
        real=real,
        pos=none[:, 0],
        edges=none,
        hops=none,
        together=none,
        pairs=pairs,
    )
    return dataclasses.replace(text, **parts)


def everything() -> Any:
    return batch(objects=objects(), pictures=pictures(), facts=facts())


def logits(net: Any, given: Batch) -> torch.Tensor:
    found: torch.Tensor = net(given).logits
    return found


def inputs_of_layers(net: Any, given: Batch) -> list[torch.Tensor]:
    """What each of the text's layers is given, and then the last one's answer."""
    seen: list[torch.Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for layer in net.encoder.layers]
    net(given)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("part", ["pictures", "objects", "facts"])
def test_up_to_layer_8_nothing_crosses_and_at_9_it_does(part):
    net, given = network(layers=12), everything()
    one, other = inputs_of_layers(net, given), inputs_of_layers(net, dataclasses.replace(given, **{part: None}))
    for layer in range(9):  # the input of layer 9 is H_t of layer 8
        assert torch.equal(one[layer], other[layer])
    assert not torch.allclose(one[9], other[9], atol=1e-4)  # and that of layer 10 is H_t of layer 9


def test_layers_are_split_in_the_papers_proportion():
    assert rounds(12, 4, 12) == [range(0, 8), range(8, 9), range(9, 10), range(10, 11), range(11, 12)]
    assert rounds(6, 2, 6) == [range(0, 4), range(4, 5), range(5, 6)]
    assert rounds(12, 2, 6) == [range(0, 8), range(8, 10), range(10, 12)]
    assert rounds(4, 2, 6) == [range(0, 3), range(3, 3), range(3, 4)]
    assert rounds(6, 0, 6) == [range(0, 6)]
    assert len(network(layers=6).cross) == 2 and len(network(layers=12).cross) == 4


def test_every_layer_is_passed_once_and_in_order():
    net, seen = network(layers=6), []
    for number, layer in enumerate(net.encoder.layers):
        layer.register_forward_hook(lambda *_, number=number: seen.append(number))
    net(everything())
    assert seen == [0, 1, 2, 3, 4, 5]


def test_attention_is_equation_1():
    look, x, y = Attention(6, 10, 8, heads=2, dropout=0.0), torch.randn(1, 3, 6), torch.randn(1, 5, 10)
    real = torch.tensor([[True, True, False, True, True]])
    query, keys, values = look.query(x)[0], look.key(y)[0, real[0]], look.value(y)[0, real[0]]
    mixed = []
    for part in (slice(0, 4), slice(4, 8)):
        mixed.append(torch.softmax(query[:, part] @ keys[:, part].T / math.sqrt(4), -1) @ values[:, part])
    found, shares = look(x, y, real)
    assert torch.allclose(found[0], look.out(torch.cat(mixed, -1)), atol=1e-6)
    assert torch.allclose(shares.sum(-1), torch.ones(1, 3)) and not shares[..., 2].any()


def test_crossing_is_the_sum_of_the_terms_that_are_there():
    cross = CrossLayer(8, 6, 8, heads=2, dropout=0.0)
    text, sight, facts_ = (Stream(torch.randn(2, n, d), torch.ones(2, n) > 0) for n, d in ((3, 8), (4, 6), (2, 8)))
    sight.real[1] = False  # the second example has no picture
    found = cross(text, sight, facts_)
    looks = [cross.to_sight(text, sight)[0], cross.to_facts(text, facts_)[0]]  # type: ignore[misc]
    assert torch.equal(looks[0][1], torch.zeros(3, 8))
    assert torch.allclose(found.text.states, cross.text_norm(text.states + looks[0] + looks[1]))
    back = cross.sight_to_text(sight, text)[0]  # type: ignore[misc]
    assert torch.allclose(found.sight.states, cross.sight_norm(sight.states + back))  # type: ignore[misc]
    alone = cross(text, None, None)
    assert torch.equal(alone.text.states, cross.text_norm(text.states)) and alone.sight is None and alone.facts is None


def test_without_a_path_in_the_graph_a_fact_has_no_effect():
    graph = nn.ModuleList(GraphAttention(8, 2, 0.0) for _ in range(3))
    edges = torch.eye(5, dtype=torch.bool).unsqueeze(0)
    for one, other in ((0, 1), (1, 2), (3, 4)):
        edges[0, one, other] = edges[0, other, one] = True

    def read(nodes: torch.Tensor) -> torch.Tensor:
        for layer in graph:
            nodes = layer(nodes, edges)
        return nodes[0]

    nodes = torch.randn(1, 5, 8)
    moved = nodes.clone()
    moved[0, 2] += 5 * torch.randn(8)
    before, after = read(nodes), read(moved)
    assert torch.equal(before[3:], after[3:])
    assert not torch.allclose(before[0], after[0], atol=1e-4)  # two steps away


def test_graph_attention_equals_its_equations_written_out():
    layer, nodes = GraphAttention(4, 2, 0.0), torch.randn(1, 3, 4)
    edges = torch.tensor([[[True, True, False], [True, True, True], [False, True, True]]])
    projected = layer.project(nodes)[0]
    rows = []
    for i in range(3):
        heads = []
        for head in range(2):
            part = slice(2 * head, 2 * head + 2)
            a = torch.cat([layer.from_node[head], layer.to_node[head]])
            near = edges[0, i].nonzero().squeeze(1)
            scores = torch.stack([torch.cat([projected[i, part], projected[j, part]]) @ a for j in near])
            shares = torch.softmax(nn.functional.leaky_relu(scores, 0.2), 0)
            heads.append(shares @ projected[near, part])
        rows.append(torch.cat(heads))
    expected = layer.norm(nodes[0] + nn.functional.elu(torch.stack(rows)))
    assert torch.allclose(layer(nodes, edges)[0], expected, atol=1e-5)


def test_the_order_of_facts_and_of_objects_does_not_matter():
    net, given = network(), everything()
    turn = torch.tensor([3, 1, 0, 2])
    graph = given.facts
    turned = Facts(graph.ids[:, turn], graph.present[:, turn], graph.edges[:, turn][:, :, turn], graph.mention[:, turn])
    things, swap = given.objects, torch.tensor([1, 2, 0])
    parts = {name: value[:, swap] for name, value in vars(things).items() if name != "edges"}
    pairs = dataclasses.replace(given.pairs, region=torch.argsort(swap)[given.pairs.region])
    other = batch(facts=turned, objects=Objects(edges=things.edges, **parts), pictures=given.pictures, pairs=pairs)
    assert torch.allclose(logits(net, given), logits(net, other), atol=1e-5)
    assert not torch.allclose(logits(net, given), logits(net, dataclasses.replace(other, pairs=given.pairs)), atol=1e-4)


def test_two_objects_that_swap_their_boxes_swap_their_answers():
    net, given = network(), everything()
    alike = dataclasses.replace(
        given.objects,
        classes=given.objects.classes.clone(),
        depth=given.objects.depth.clone(),
        present=given.objects.present,
    )
    alike.classes[:, :2], alike.depth[:, :2] = 2, 0.5
    swapped = dataclasses.replace(alike, boxes=alike.boxes[:, [1, 0, 2]])

    def answer(things: Objects, region: int) -> torch.Tensor:
        pairs = dataclasses.replace(given.pairs, region=torch.full((2,), region))
        return logits(net, dataclasses.replace(given, objects=things, pairs=pairs))

    assert torch.allclose(answer(alike, 0), answer(swapped, 1), atol=1e-5)
    assert torch.allclose(answer(alike, 1), answer(swapped, 0), atol=1e-5)
    assert not torch.allclose(answer(alike, 0), answer(alike, 1), atol=1e-4)


def test_no_picture_no_object_and_no_fact_are_legal():
    net, given = network(), everything()
    absent = batch(
        objects=dataclasses.replace(given.objects, present=torch.zeros(2, 3, dtype=torch.bool)),
        pictures=Pictures(given.pictures.pixels, torch.zeros(2, 1, dtype=torch.bool)),
        facts=Facts(*(torch.zeros_like(part) for part in vars(given.facts).values())),
    )
    expected = logits(net, batch())
    assert expected.isfinite().all()
    # an object that the row does not have is no object of its pair either
    absent = dataclasses.replace(absent, pairs=dataclasses.replace(given.pairs, region=torch.tensor([-1, -1])))
    assert torch.allclose(logits(net, absent), expected, atol=1e-5)
    for part in ("objects", "pictures", "facts"):
        assert logits(net, dataclasses.replace(given, **{part: None})).isfinite().all()


def test_what_is_padding_does_not_matter():
    net, given = network(), everything()
    things, graph = given.objects, given.facts
    boxes, depth, ids = things.boxes.clone(), things.depth.clone(), graph.ids.clone()
    boxes[1, 2], depth[1, 2], ids[1, 2:] = 9.0, 9.0, 7
    other = batch(
        objects=dataclasses.replace(things, boxes=boxes, depth=depth),
        facts=dataclasses.replace(graph, ids=ids),
        pictures=given.pictures,
    )
    assert torch.equal(logits(net, given), logits(net, other))


def test_depth_knowledge_objects_and_pictures_are_switches():
    given = everything()
    deeper = dataclasses.replace(given, objects=dataclasses.replace(given.objects, depth=1 - given.objects.depth))
    net = network()
    assert torch.equal(logits(net, given), logits(net, deeper)), "a depth that no training has shown says nothing"
    nn.init.normal_(net.vision.embed.depth.weight)
    assert not torch.allclose(logits(net, given), logits(net, deeper), atol=1e-4)
    net = network(depth=False)
    assert torch.equal(logits(net, given), logits(net, deeper))
    net = network(knowledge=False)
    assert torch.equal(logits(net, given), logits(net, dataclasses.replace(given, facts=None)))
    assert not net.needs.facts
    blind = network(image=False)
    assert torch.equal(logits(blind, given), logits(blind, dataclasses.replace(given, pictures=None)))
    assert blind.needs.pictures == "" and network().needs.pictures == "whole"
    net = network(objects=False)
    assert torch.equal(logits(net, given), logits(net, dataclasses.replace(given, objects=None)))
    late = network(crossing=0)
    states = inputs_of_layers(late, given), inputs_of_layers(late, batch())
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_fusion_is_equation_4():
    fuse, mention, tail, known = Fusion(6, 4, 5), torch.randn(2, 6), torch.randn(2, 4), torch.randn(2, 5)
    fused = fuse.from_mention(mention) + fuse.from_tail(tail) + fuse.from_facts(known)  # type: ignore[misc]
    assert torch.allclose(fuse(mention, tail, known), fuse.norm(fused + fuse.mlp(fused)))
    absent = fuse(mention, torch.zeros(2, 4), None)
    assert torch.allclose(absent, fuse(mention, None, torch.zeros(2, 5)))


def test_two_mentions_are_a_pair_too():
    net, given = network(head="pair"), everything()
    pairs = given.pairs
    turned = dataclasses.replace(pairs, head_word=pairs.tail_word, tail_word=pairs.head_word)
    assert not torch.allclose(logits(net, given), logits(net, dataclasses.replace(given, pairs=turned)), atol=1e-4)


@pytest.mark.parametrize("vision", [True, False])
@pytest.mark.parametrize("head", ["region_pair", "pair"])
def test_every_weight_learns(head, vision):
    net, tags = (
        network(layers=6, head=head, vision=vision, filter=True).train(),
        torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0]]),
    )
    losses = net.loss(everything(), PairTargets(torch.tensor([1, 0]), TagTargets(tags)))
    assert set(losses) == {"total", "relations", "filter"} | ({"mentions"} if head == "region_pair" else set())
    losses["total"].backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()}
    # a key's bias moves all scores of a softmax alike
    assert {name for name in still if not name.endswith("key.bias")} == set()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_it_learns_in_mixed_precision(attention):
    net, tags = network(filter=True).train(), torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0]])
    for part in (net.encoder.model, net.vision.encoder.model):
        part.set_attn_implementation(attention)
    with torch.autocast("cpu", torch.bfloat16):
        loss = net.loss(everything(), PairTargets(torch.tensor([1, 0]), TagTargets(tags)))
    loss["total"].backward()
    assert all(weight.grad.isfinite().all() for weight in net.parameters())


def test_the_layers_one_by_one_are_the_stock_encoder():
    net, given = network(layers=3, vision=False, knowledge=False, objects=False, crossing=0), batch()
    for attention in ("eager", "sdpa"):
        net.encoder.model.set_attn_implementation(attention)
        stock = net.encoder(given.ids, given.shapes, given.pieces)
        assert torch.allclose(net._text(given).states[given.pieces], stock[given.pieces], atol=1e-5)


def test_mentions_are_tagged_from_the_text_alone():
    net = network()
    output = net(everything())
    assert torch.equal(output.tags.emissions, net.tag(batch(pairs=None)).emissions)
    assert net.decode(output.tags, batch()).tags.shape == (2, 4)


def test_the_mention_s_attention_is_part_of_the_output():
    output = network()(everything())
    assert output.objects.shape == (2, 3) and output.facts.shape == (2, 4)
    assert output.objects[1, 2] == 0 and not output.facts[1, 2:].any() and output.objects.any() and output.facts.any()


def test_the_filters_threshold_keeps_99_of_100_related_pairs():
    keep = PairFilter(4, 4)
    scores = torch.randn(5000, generator=torch.Generator().manual_seed(6))
    related = torch.arange(5000) % 4 == 0
    keep.settle(scores, related, 0.99)
    kept = scores >= keep.threshold
    assert 0.99 <= kept[related].float().mean() < 0.995
    keep.half()
    assert (scores >= keep.threshold.float())[related].float().mean() >= 0.99
    keep.settle(scores[:50], related[:50], 0.99)  # of 13 none may be lost
    assert (scores[:50] >= keep.threshold)[related[:50]].all()


def test_a_filtered_pair_is_unrelated_and_one_without_facts_is_never_filtered():
    net, given = network(filter=True), everything()
    before = logits(net, given)
    assert torch.equal(before, logits(net, dataclasses.replace(given)))
    net.filter.threshold.fill_(1e4)
    after = logits(net, given)
    assert after[0].argmax() == 0 and after[0, 1:].max() < -1000
    assert torch.equal(after[1], before[1])  # of whose mention nothing is known
    assert net.train()(given).logits.min() > -1000  # training is shown every pair


def test_settling_reads_the_scores_of_dev():
    net, given = network(filter=True), everything()
    net.settle([(given, PairTargets(torch.tensor([1, 1])))])
    score = net(given).related[0][0]
    assert torch.isclose(net.filter.threshold, score - 0.02, atol=1e-5)
    net.settle([(given, PairTargets(torch.tensor([0, 1])))])  # the only related pair is one of which nothing is known
    assert net.filter.threshold == -1e4


def test_publishing_settles_the_filter_on_dev(monkeypatch):
    from training.evaluation import predictions

    net, given, wanted = network(filter=True), everything(), PairTargets(torch.tensor([1, 1]))
    monkeypatch.setattr(predictions, "batches", lambda *_: iter([([0, 1], given)]))
    monkeypatch.setattr(predictions, "_pair_targets", lambda *_: wanted)
    prepared: Any = type("Dev", (), {"items": [None, None]})
    predictions.settle(net, prepared)
    assert torch.isclose(net.filter.threshold, net(given).related[0][0] - 0.02, atol=1e-5)
    predictions.settle(object(), prepared)  # a network with nothing to choose
