"""FocalMRE by what only it would do: frames on whole pictures, attended to by words, gated, averaged over those
there."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from extraction.features.targets import PairTargets
from extraction.networks.encoders.text import VisionEncoderMissing
from extraction.networks.encoders.vit import VISION, ViT, small, tiny_vit
from extraction.networks.focalmre import DETECTED, GROUNDED, FocalMRE, FocalMREConfig, Gate
from extraction.vision.focal_frames import COLOURS, canvas, line_width, slots
from tests.batches import batch, encoder, regions, row

LABELS, SIZE = 5, 32
TREES = [0, 0, 1, 1, 2], [1, 1, 1]


def network(**options) -> Any:
    torch.manual_seed(0)
    config = FocalMREConfig(LABELS, **{"size": SIZE, "hidden": 8, **options})
    net = FocalMRE(config, encoder(), ViT.blank(tiny_vit(SIZE))).eval()
    with torch.no_grad():
        for weight in (net.grounded.weight, net.detected.weight):
            weight.copy_(torch.rand(len(weight)) + 0.5)
    return net


def shown(net: Any, kinds: tuple[tuple[int, int], ...] = ((2, 3), (0, 1))) -> Any:
    """A batch with so many grounded and detected regions in each row."""
    rows = []
    for seed, (heads, (grounded, detected)) in enumerate(zip(TREES, kinds, strict=True)):
        found = (*regions(grounded, seed, grounded=True), *regions(detected, 7 + seed))
        rows.append(row(net.needs, heads, found, seed))
    return batch(net.needs, *rows)


def repainted(one: Any, pixels: torch.Tensor, present: torch.Tensor | None = None) -> Any:
    old = one.pictures
    return dataclasses.replace(
        one, pictures=dataclasses.replace(old, pixels=pixels, present=old.present if present is None else present)
    )


def without(one: Any, *gone: int) -> Any:
    present = one.pictures.present.clone()
    present[:, list(gone)] = False
    return repainted(one, one.pictures.pixels, present)


def test_the_forward_pass_is_equations_3_to_7_word_for_word():
    net = network()
    one = shown(net)
    with torch.no_grad():
        got = net(one).logits[0]
        hidden = net.encoder(one.ids, one.shapes, one.pieces)[0]
        z = []
        for kind, fusion in ((GROUNDED, net.grounded), (DETECTED, net.detected)):
            for place in (one.pairs.head[0], one.pairs.tail[0]):
                text, total, weights = hidden[place], torch.zeros(16), 0.0
                for slot in range(8)[kind]:
                    if not one.pictures.present[0, slot]:
                        continue
                    patches = net.vision(one.pictures.pixels[0, slot : slot + 1])[0]
                    scores = net.attend.key(patches) @ net.attend.query(text) / 16**0.5
                    seen = torch.softmax(scores, 0) @ net.attend.value(patches)
                    share = torch.sigmoid(net.gate.text(text) + net.gate.image(seen))
                    weight = fusion.weight[slot - kind.start]
                    total, weights = total + weight * ((1 - share) * text + share * seen), weights + weight
                z.append(total / weights)
        assert torch.allclose(got, net.head(torch.cat(z)), atol=1e-5)


@pytest.mark.parametrize("bias,reads", [(-1e4, "text"), (1e4, "image")])
def test_the_gate_closed_reads_the_text_and_open_the_picture(bias, reads):
    net = network()
    nn.init.constant_(net.gate.text.bias, bias)
    one = shown(net)
    frames = torch.randint(0, 255, one.pictures.pixels.shape, dtype=torch.uint8)
    other = repainted(one, frames)
    with torch.no_grad():
        seen = net._fused(torch.zeros(2, 2, 16), one.pictures)[0], net._fused(torch.ones(2, 2, 16), one.pictures)[0]
    if reads == "text":
        assert torch.equal(net(one).logits, net(other).logits)
        assert torch.equal(seen[0][0, 1], torch.zeros(2, 16)) and torch.equal(seen[1][0, 1], torch.ones(2, 16))
    else:
        assert not torch.allclose(net(one).logits, net(other).logits)
        nn.init.zeros_(net.attend.query.weight)  # with one query for all, the text is nowhere in what is seen
        with torch.no_grad():
            again = [net._fused(torch.full((2, 2, 16), fill), one.pictures)[0] for fill in (0.0, 1.0)]
        assert torch.allclose(again[0], again[1], atol=1e-6)


def test_the_gate_starts_as_far_open_as_configured():
    for start in (0.1, 0.5):
        gate = Gate(8, True, start)
        assert gate.text is not None and gate.image is not None
        nn.init.zeros_(gate.text.weight)
        nn.init.zeros_(gate.image.weight)
        mixed = gate(torch.zeros(1, 2, 8), torch.ones(1, 2, 8))
        assert torch.allclose(mixed, torch.full((1, 2, 8), start))
    with pytest.raises(ValueError, match="between 0 and 1, not 1"):
        Gate(8, True, 1.0)


def test_pixels_inside_and_outside_a_frames_line_are_the_plain_pictures():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    box = (0.25, 0.25, 0.5, 0.5)
    pixels, present = slots("focal", 224, picture, detected=[box], grounded=[box])
    assert np.flatnonzero(present).tolist() == [0, 1, 5]
    line = line_width(224)
    on_line = np.zeros((224, 224), bool)
    on_line[56:168, 56:168] = True
    on_line[56 + line : 168 - line, 56 + line : 168 - line] = False
    for slot, kind in ((1, "grounded"), (5, "detected")):
        assert (pixels[slot][:, ~on_line] == pixels[0][:, ~on_line]).all()
        assert (COLOURS[kind] == pixels[slot][:, on_line].T).all()


def test_cut_out_regions_fill_the_same_slots():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:20, :20] = 200
    pixels, present = slots("crops", SIZE, picture, detected=[(0.0, 0.0, 0.5, 0.5)])
    assert np.flatnonzero(present).tolist() == [0, 5]
    assert (pixels[5] == 200).all() and (pixels[0] == 0).any()


def test_what_lies_in_an_absent_slot_is_irrelevant():
    net = network()
    one = shown(net)
    dirty = one.pictures.pixels.clone()
    dirty[~one.pictures.present] = 77
    assert torch.equal(net(one).logits, net(repainted(one, dirty)).logits)


@pytest.mark.parametrize("slot,place", [(1, 0), (6, 1)])
def test_a_slot_weight_of_zero_is_the_slot_taken_away(slot, place):
    net = network()
    one = shown(net, ((2, 3), (2, 3)))
    removed = net(without(one, slot)).logits
    assert not torch.allclose(net(one).logits, removed)
    with torch.no_grad():
        (net.grounded if slot < DETECTED.start else net.detected).weight[place] = 0.0
    assert torch.allclose(net(one).logits, removed, atol=1e-6)


def test_how_many_frames_there_are_does_not_show_through():
    """The same frame once, twice or three times is the same average: the count is what leaks in published crops."""
    net = network()
    one = shown(net, ((4, 3), (4, 3)))
    same = one.pictures.pixels.clone()
    same[:, GROUNDED] = same[:, 1:2]
    same[:, DETECTED] = same[:, 5:6]
    whole = repainted(one, same)
    assert torch.allclose(net(whole).logits, net(without(whole, 2, 3, 4, 6, 7)).logits, atol=1e-6)


def test_the_plain_picture_stands_in_for_a_kind_without_frames_and_the_text_for_no_picture():
    net = network()
    one = shown(net, ((2, 3), (2, 3)))
    plain = one.pictures.pixels.clone()
    plain[:, DETECTED] = plain[:, :1]
    assert torch.allclose(net(without(one, 5, 6, 7)).logits, net(repainted(one, plain)).logits, atol=1e-6)
    nothing, never = net(without(one, *range(8))).logits, net(dataclasses.replace(one, pictures=None)).logits
    assert torch.equal(nothing, never)
    nn.init.constant_(net.gate.text.bias, -1e4)
    assert torch.allclose(net(one).logits, never, atol=1e-6)


def test_attention_sums_to_one_over_49_patches():
    vision = ViT.blank(small(width=12, layers=1))
    net = FocalMRE(FocalMREConfig(LABELS), encoder(), vision).eval()
    patches = vision(torch.randint(0, 255, (2, 3, 224, 224), dtype=torch.uint8))
    weights = net.attend.weights(torch.randn(2, 6, 16), patches)
    assert weights.shape == (2, 6, 49) == (2, 6, vision.patches)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 6))
    assert weights.std(-1).min() > 0


def test_moving_a_frame_moves_the_answer():
    net = network()
    here, there = (((0.1, 0.1, 0.3, 0.3),), ((0.6, 0.5, 0.3, 0.3),))
    picture = np.full((64, 64, 3), 90, np.uint8)
    one = shown(net)
    answers = []
    for box in (here, there):
        pixels, present = slots("focal", SIZE, picture, detected=list(box))
        both = torch.from_numpy(np.stack([pixels] * 2)), torch.from_numpy(np.stack([present] * 2))
        answers.append(net(repainted(one, *both)).logits)
    assert (answers[0] - answers[1]).abs().max() > 1e-5


def test_companions_in_the_batch_change_nothing():
    net = network()
    both = shown(net)
    alone = batch(net.needs, row(net.needs, TREES[1], regions(1, 8), 1))
    assert torch.allclose(net(both).logits[1:], net(alone).logits, atol=1e-5)


def test_the_switches_are_the_papers_variants():
    one = shown(network())
    text, image = torch.randn(2, 2, 16), torch.randn(2, 2, 16)
    assert torch.equal(network(gate=False).gate(text, image), (text + image) / 2)
    even = network(attention=False)
    patches = torch.randn(2, 4, 12)
    mean = even.attend.value(patches).mean(1, keepdim=True).expand(2, 3, 16)
    assert torch.allclose(even.attend(torch.randn(2, 3, 16), patches), mean, atol=1e-6)
    assert network(input="original").needs.pictures == "whole"
    assert network(input="crops").needs.pictures == "crops"
    fewer = network(grounded=1, detected=2)
    assert torch.equal(fewer(one).logits, fewer(without(one, 2, 3, 4, 7)).logits)


def test_the_original_picture_alone_stands_in_for_both_kinds():
    original, framed = network(input="original"), network()
    framed.load_state_dict(original.state_dict())
    answers = original(shown(original)).logits, framed(without(shown(framed), *range(1, 8))).logits
    assert torch.allclose(*answers, atol=1e-6)


def test_each_words_attention_to_patches_is_that_of_its_frames_by_their_weights_and_gates():
    net = network()
    with torch.no_grad():
        net.grounded.weight[:2] = torch.tensor([2.0, 0.5])
    one = shown(net, ((2, 3), (0, 0)))
    looked = net.attention_weights(one)
    assert looked.shape == (2, 5, 4)
    assert torch.allclose(looked[0].sum(1), torch.ones(5))
    assert not looked[1].any()
    with torch.no_grad():
        word = net.encoder(one.ids, one.shapes, one.pieces)[0, one.first[0, 2]][None, None]
        frames, counts = [], []
        for slot, weight in zip((1, 2, 5, 6, 7), (2.0, 0.5, *net.detected.weight), strict=True):
            patches = net.vision(one.pictures.pixels[:1, slot])
            frames.append(net.attend.weights(word, patches)[0, 0])
            counts.append(weight * net.gate.share(word, net.attend(word, patches)).mean())
        shares = torch.stack(counts) / sum(counts)
    assert torch.allclose(looked[0, 2], shares @ torch.stack(frames), atol=1e-6)
    rows, slots, each, gates = net.frame_attention(one)
    assert rows.tolist() == [0] * 5 and slots.tolist() == [1, 2, 5, 6, 7]
    assert torch.allclose(each[:, 2], torch.stack(frames), atol=1e-6) and gates.shape == (5, 5)
    assert net.attention_weights(dataclasses.replace(one, pictures=None)) is None


def test_every_weight_learns_but_key_biases():
    net = network()
    net.loss(shown(net, ((4, 3), (2, 2))), PairTargets(torch.tensor([1, 2])))["total"].backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or weight.grad.abs().max() < 1e-12}
    assert {name for name in still if not name.endswith("key.bias")} == set()


def test_a_grey_canvas_with_its_boxes_is_a_picture_and_nothing_at_all_is_not():
    net = network()
    one = shown(net, ((0, 0), (0, 2)))
    assert one.pictures.present[0].tolist() == [False] * 8
    assert one.pictures.present[1].tolist() == [True] + [False] * 4 + [True, True, False]
    assert len(np.unique(canvas([(0.2, 0.2, 0.5, 0.5)], SIZE, SIZE))) == 2


def test_a_vision_encoder_for_pictures_of_another_size_is_refused():
    with pytest.raises(ValueError, match="224"):
        FocalMRE(FocalMREConfig(LABELS), encoder(), ViT.blank(tiny_vit(SIZE)))


def test_a_vit_is_built_again_from_its_architecture_and_one_that_is_not_there_is_named(tmp_path):
    first = ViT.blank(tiny_vit(SIZE)).eval()
    again = VISION["vit"].blank(first.architecture).eval()  # type: ignore[attr-defined]
    again.load_state_dict(first.state_dict())
    pixels = torch.randint(0, 255, (1, 3, SIZE, SIZE), dtype=torch.uint8)
    assert torch.equal(first(pixels), again(pixels))
    assert first(pixels).shape == (1, 4, 12)
    with pytest.raises(VisionEncoderMissing, match="blank"):
        ViT.pretrained(str(tmp_path / "nowhere"))
