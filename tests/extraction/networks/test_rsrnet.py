"""RSRNeT's parts against what its equations say, and by what only it would do."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import nn

from extraction.features.batch import Batch, Pairs, Pictures
from extraction.features.featurizer import SHAPES
from extraction.features.targets import PairTargets, TagTargets
from extraction.networks.encoders.pyramid import TINY, Pyramid
from extraction.networks.encoders.text import Prefix, TextEncoder, tiny
from extraction.networks.rsrnet import RSRNeT, RSRNeTConfig, StageGate, StageProjection, pool

LABELS, TAGS, SIZE, SLOTS = 4, 5, 32, 4
KINDS = ("bert", "roberta", "xlm-roberta")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def encoder(kind: str = "bert", layers: int = 2) -> Any:
    architecture = {**tiny(layers=layers), "model_type": kind}
    if kind != "bert":
        architecture["pad_token_id"] = 1
    return TextEncoder.blank(architecture, len(SHAPES))


def network(layers: int = 2, kind: str = "bert", **options) -> Any:
    config = RSRNeTConfig(labels=LABELS, tags=TAGS, **{"size": SIZE, "dropout": 0.0, **options})
    return RSRNeT(config, encoder(kind, layers), Pyramid.blank(TINY)).eval()


def pictures(present: list[list[bool]], seed: int = 0) -> Pictures:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (len(present), SLOTS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    return Pictures(pixels, torch.tensor(present))


def batch(size: int = 2, seen: Pictures | None = None, pieces: int = 6) -> Any:
    words = pieces - 2
    none = torch.zeros(size, words, words, dtype=torch.long)
    places = torch.arange(1, words + 1).expand(size, -1)
    first, second = torch.ones(size, dtype=torch.long), torch.full((size,), 3)
    ids = torch.randint(4, 60, (size, pieces), generator=torch.Generator().manual_seed(5))
    return Batch(
        ids=ids,
        shapes=torch.zeros(size, pieces, dtype=torch.long),
        pieces=torch.ones(size, pieces, dtype=torch.bool),
        first=places,
        real=torch.ones(size, words, dtype=torch.bool),
        pos=torch.zeros(size, words, dtype=torch.long),
        edges=none,
        hops=none,
        together=none,
        pairs=Pairs(first, second, first - 1, second - 1, torch.full((size,), -1)),
        pictures=seen,
    )


def logits(net: Any, given: Batch) -> torch.Tensor:
    output = net(given)
    return output.emissions if net.config.head == "tags" else output.logits


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_prefix_leaves_the_stock_encoder(kind, attention):
    text, given = encoder(kind), batch()
    text.model.set_attn_implementation(attention)
    noise = [torch.randn(2, 8, text.width) for _ in text.layers]
    masked = Prefix(noise, noise, torch.zeros(2, 8, dtype=torch.bool))
    stock = text.eval().model(inputs_embeds=text._embedded(given.ids, given.shapes)).last_hidden_state
    read = [text(given.ids, given.shapes, given.pieces, prefix) for prefix in (None, masked)]
    assert torch.allclose(read[0], stock, atol=1e-6) and torch.allclose(read[1], stock, atol=1e-5)
    open_prefix = dataclasses.replace(masked, present=torch.ones(2, 8, dtype=torch.bool))
    assert not torch.allclose(text(given.ids, given.shapes, given.pieces, open_prefix), stock, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_attends_to_prefix_and_words_as_in_equation_12(kind):
    text, given = encoder(kind, layers=1).eval(), batch(1)
    keys, values = torch.randn(2, 1, 4, text.width)
    found = text(given.ids, given.shapes, given.pieces, Prefix([keys], [values], torch.ones(1, 4, dtype=torch.bool)))
    layer, states = text.layers[0], text.embed(given.ids, given.shapes)
    own, heads = layer.attention.self, text.model.config.num_attention_heads
    part, mixed = text.width // heads, []
    for head in range(heads):
        cut = slice(part * head, part * (head + 1))
        all_keys = torch.cat([keys, own.key(states)], 1)[..., cut]
        all_values = torch.cat([values, own.value(states)], 1)[..., cut]
        scores = own.query(states)[..., cut] @ all_keys.transpose(1, 2) / math.sqrt(part)
        mixed.append(torch.softmax(scores, -1) @ all_values)
    hidden = layer.attention.output(torch.cat(mixed, -1), states)
    assert torch.allclose(layer.output(layer.intermediate(hidden), hidden), found, atol=1e-5)


def test_a_network_without_pictures_is_the_text_network():
    net, given = network(), batch()
    absent = dataclasses.replace(given, pictures=pictures([[False] * SLOTS] * 2))
    mixed = dataclasses.replace(given, pictures=pictures([[False] * SLOTS, [True] * SLOTS]))
    expected = logits(net, given)
    assert torch.equal(logits(net, absent), expected)
    assert torch.allclose(logits(net, mixed)[0], expected[0], atol=1e-6)
    assert not torch.allclose(logits(net, mixed)[1], expected[1], atol=1e-3)


def test_the_order_of_objects_does_not_matter_and_what_an_absent_one_shows_neither():
    net, seen = network(), pictures([[True, True, True, False]] * 2)
    turned = Pictures(seen.pixels[:, [0, 2, 1, 3]], seen.present)
    hidden = seen.pixels.clone()
    hidden[:, 3] = 255 - hidden[:, 3]
    moved = seen.pixels.clone()
    moved[:, 1] = 255 - moved[:, 1]
    answers = [logits(net, batch(seen=one)) for one in (seen, turned, Pictures(hidden, seen.present))]
    assert torch.allclose(answers[0], answers[1], atol=1e-5) and torch.equal(answers[0], answers[2])
    assert not torch.allclose(answers[0], logits(net, batch(seen=Pictures(moved, seen.present))), atol=1e-4)


@pytest.mark.parametrize("sides", [(8, 8), (7, 7), (1, 1), (5, 4)])
def test_pooling_is_torchs(sides):
    maps = torch.randn(2, 3, *sides)
    assert torch.allclose(pool(maps), nn.functional.adaptive_avg_pool2d(maps, 2), atol=1e-6)


def test_stages_become_four_vectors_each_as_equations_4_and_5_say():
    project = StageProjection((3, 5), (0, 1), width=6)
    maps = [torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)]
    found = project(maps)
    assert found.shape == (2, 2, 4, 6)
    corner = maps[0][1, :, :4, 4:].mean(dim=(1, 2))  # the upper right quarter is position 1
    first: Any = project.convolutions[0]
    assert torch.allclose(found[1, 0, 1], first.weight[:, :, 0, 0] @ corner + first.bias, atol=1e-5)


@pytest.mark.parametrize(("name", "activate"), [("selu", nn.functional.selu), ("leaky_relu", nn.functional.leaky_relu)])
def test_the_gate_of_a_layer_is_a_softmax_over_the_stages(name, activate):
    gate, v = StageGate(6, 4, layers=3, activation=name), torch.randn(2, 4, 4, 6)
    found = gate(v)
    assert torch.allclose(found.sum(-1), torch.ones(2, 3))
    pooled = torch.stack([v[:, i].mean(1) for i in range(4)]).mean(0)  # mean over the stages of GAP
    rows = slice(4, 8)  # W of layer 2
    signal = activate(pooled @ gate.weight.weight[rows].T + gate.weight.bias[rows])
    assert torch.allclose(found[:, 1], torch.softmax(signal, -1), atol=1e-6)


def test_what_a_layer_is_shown_is_the_gated_sum_of_stages():
    see, v = network().see, torch.randn(3, 4, 4, 16)
    expected = sum(see.gate(v)[:, 1, stage, None, None] * v[:, stage] for stage in range(4))
    assert torch.allclose(see.choose(v)[:, 1], expected, atol=1e-6)


def test_the_prefix_does_not_pass_the_layers_own_keys_and_values():
    net, seen = network(), pictures([[True] * SLOTS])
    for layer in net.encoder.layers:
        for part in (layer.attention.self.key, layer.attention.self.value):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)
    other = Pictures(255 - seen.pixels, seen.present)
    one, two = (net.encoder(b.ids, b.shapes, b.pieces, net.see(p)) for b, p in ((batch(1), seen), (batch(1), other)))
    assert not torch.allclose(one, two, atol=1e-4)


@pytest.mark.parametrize("head", ["pair", "tags"])
@pytest.mark.parametrize("stages", ["gated", "last", "one_to_three"])
def test_every_weight_learns(head, stages):
    net = network(layers=4, head=head, stages=stages).train()
    wanted = (
        TagTargets(torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0]])) if head == "tags" else PairTargets(torch.tensor([1, 2]))
    )
    losses = net.loss(batch(seen=pictures([[True] * SLOTS] * 2)), wanted)
    losses["total"].backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert still == set()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_it_learns_in_mixed_precision(attention):
    net = network(dropout=0.1).train()
    net.encoder.model.set_attn_implementation(attention)
    with torch.autocast("cpu", torch.bfloat16):
        loss = net.loss(
            batch(seen=pictures([[True] * SLOTS, [True, False, False, False]])), PairTargets(torch.tensor([1, 2]))
        )
    loss["total"].backward()
    assert all(weight.grad.isfinite().all() for weight in net.parameters())


def test_the_gradient_reaches_all_four_stages():
    net = network()
    v = torch.randn(1, 4, 4, 16, requires_grad=True)
    net.see.choose(v).sum().backward()
    assert v.grad is not None and (v.grad.abs().sum(dim=(2, 3)) > 0).all()


def test_one_to_three_shows_layer_5_stage_2_alone():
    net = network(layers=12, stages="one_to_three")
    v = torch.randn(1, 4, 4, 16)
    shown = net.see.choose(v)
    for layer in range(12):
        assert torch.equal(shown[:, layer], v[:, layer // 3])
    assert torch.equal(shown[:, 5 - 1], v[:, 2 - 1])
    assert [network(layers=6, stages="one_to_three").see.stage_of[layer] for layer in range(6)] == [0, 1, 1, 2, 3, 3]


def test_plain_sees_the_last_stage_alone():
    net = network(stages="last")
    assert net.see.project.used == (3,) and net.see.gate is None
    v = torch.randn(1, 1, 4, 16)
    assert torch.equal(net.see.choose(v), v.expand(-1, 2, -1, -1))


def test_the_relation_is_read_off_the_first_token_or_the_start_markers():
    given = batch()
    swapped = dataclasses.replace(given.pairs, head=given.pairs.tail, tail=given.pairs.head)
    other = dataclasses.replace(given, pairs=swapped)
    net = network()
    assert torch.equal(logits(net, given), logits(net, other))
    net = network(state="starts")
    assert not torch.allclose(logits(net, given), logits(net, other), atol=1e-4)


def test_without_an_image_there_is_no_visual_side():
    net = network(image=False)
    assert net.see is None and net.needs.pictures == "" and net.needs.objects == 0
    seen = pictures([[True] * SLOTS] * 2)
    assert torch.equal(logits(net, batch()), logits(net, batch(seen=seen)))


def test_the_pyramids_backbones_have_resnets_four_stages():
    net = Pyramid.blank({"name": "resnest50d"}).eval()
    assert net.channels == (256, 512, 1024, 2048)
    with torch.no_grad():
        maps = net(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert [tuple(one.shape[1:]) for one in maps] == [(256, 16, 16), (512, 8, 8), (1024, 4, 4), (2048, 2, 2)]


def test_a_single_picture_can_be_trained_on_and_still_norms_stay():
    net = Pyramid.blank({"name": "resnet18", "still": True}).train()
    norm: Any = next(m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.running_mean.clone()
    pixels = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    assert len(net(pixels)[3]) == 1 and torch.equal(norm.running_mean, before)
    moving = Pyramid.blank({"name": "resnet18"}).train()
    assert len(moving(pixels)[3]) == 1
    norm = next(m for m in moving.modules() if isinstance(m, nn.BatchNorm2d))
    assert norm.running_mean.any()


@pytest.mark.parametrize("kind", KINDS)
def test_attention_weights_are_those_on_the_prefix(kind):
    net, one = network(kind=kind, head="pair"), batch(seen=pictures([[True, True, False, True], [False] * 4]))
    prefix = net.see(one.pictures)
    shares = net.encoder.prefix_shares(one.ids, one.shapes, one.pieces, prefix)
    net.encoder.model.set_attn_implementation("eager")
    attentions = net.encoder.model(
        inputs_embeds=net.encoder._embedded(one.ids, one.shapes),
        attention_mask=torch.cat([prefix.present, one.pieces], dim=1).long(),
        position_ids=net.encoder._positions(one.ids),
        past_key_values=net.encoder._cache(prefix),
        output_attentions=True,
    ).attentions
    expected = torch.stack([layer.mean(dim=1) for layer in attentions]).mean(dim=0)[..., : shares.shape[2]]
    assert torch.allclose(shares, expected, atol=1e-5)
    looked = net.attention_weights(one)
    assert looked.shape == (2, 4, SLOTS - 1)
    assert torch.allclose(looked[0].sum(1), torch.ones(4), atol=1e-5) and not looked[0, :, 1].any()
    assert not looked[1].any()
    assert net.attention_weights(dataclasses.replace(one, pictures=None)) is None
