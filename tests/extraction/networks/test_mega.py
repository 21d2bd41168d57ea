"""MEGA by what only it would do: text alone is summed, the picture weighs it; and its switches down to MTB."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from extraction.features.batch import OBJECT_WIDTH
from extraction.features.graph_alignment import Structure, align_batch, similarities
from extraction.features.targets import PairTargets
from extraction.networks.mega import MEGA, MEGAConfig
from extraction.networks.mtb import MTB, MTBConfig
from tests.batches import MARKERS, batch, encoder, regions, row

LABELS = 5
TREES = [0, 0, 1, 1, 2, 4, 1], [1, 1, 1, 2]


def network(**options) -> Any:
    torch.manual_seed(0)
    config = MEGAConfig(LABELS, object_width=OBJECT_WIDTH, **{"align": 12, "hidden": 8, **options})
    return MEGA(config, encoder()).eval()


def pair(net: Any, counts: tuple[int, ...] = (4, 3), trees=TREES) -> Any:
    both = enumerate(zip(trees, counts, strict=True))
    return batch(net.needs, *(row(net.needs, heads, regions(count, seed), seed) for seed, (heads, count) in both))


def moved(one, **parts):
    return dataclasses.replace(one, objects=dataclasses.replace(one.objects, **parts))


def test_the_forward_pass_is_equations_20_to_28_word_for_word():
    net = network()
    one = pair(net, (4, 0))
    with torch.no_grad():
        got = net(one).logits[0]
        hidden = net.encoder(one.ids, one.shapes, one.pieces)[0]
        keys, values = net.semantic.key(hidden), net.semantic.value(hidden)
        y = torch.zeros(12)
        for place in range(4):
            query = net.semantic.query(one.objects.vectors[0, place])
            beta = torch.softmax(torch.stack([query @ key for key in keys[: one.pieces[0].sum()]]) / 12**0.5, 0)
            y += sum(weight * value for weight, value in zip(beta, values, strict=False))
            for word in range(len(TREES[0])):
                y += one.alignment[0, word, place] * values[one.first[0, word]]
        z = torch.cat([values[one.pairs.head[0]], values[one.pairs.tail[0]], y])
        assert torch.allclose(got, net.head(z), atol=1e-5)
    assert one.ids[0, one.pairs.head[0]] == MARKERS[0]


def test_without_values_nothing_reaches_the_answer():
    """V is text and all that is summed: at W_v = b_v = 0 the answer is the same for every sentence and picture."""
    net = network()
    nn.init.zeros_(net.semantic.value.weight)
    nn.init.zeros_(net.semantic.value.bias)
    one = pair(net)
    logits = net(one).logits
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits, net(moved(one, vectors=torch.rand_like(one.objects.vectors))).logits)


def test_alpha_is_the_graphs_alone_and_the_answer_is_the_features_too():
    net = network()
    one = pair(net)
    other = moved(one, vectors=one.objects.vectors.roll(1, 2))
    assert torch.equal(net.alpha(dataclasses.replace(one, alignment=None)), one.alignment)
    assert torch.equal(net.alpha(dataclasses.replace(other, alignment=None)), one.alignment)
    assert not torch.allclose(net(one).logits, net(other).logits)


def test_the_rows_carry_each_words_best_object_by_the_closed_form():
    net = network()
    one = pair(net, (4, 0))
    tree = np.zeros((7, 7), int)
    tree[range(7), TREES[0]] = 1
    similar = similarities(tree, one.objects.edges[0, :4, :4].numpy(), Structure())
    best = similar.round(9).max(1, keepdims=True)
    alike = similar.round(9) == best
    assert np.allclose(one.alignment[0].numpy(), similar * alike / alike.sum(1, keepdims=True), atol=1e-6)
    assert not one.alignment[1].any()


@pytest.mark.parametrize("top", [1, 3])
def test_the_alignment_weighs_the_first_pieces_of_its_words(top):
    net = network(top=top)
    one = pair(net)
    less = dataclasses.replace(one, alignment=torch.zeros_like(one.alignment))
    with torch.no_grad():
        with_alpha, without = (net._weights(each, net.encoder(one.ids, one.shapes, one.pieces)) for each in (one, less))
    share = (with_alpha - without)[0]  # (k, L)
    assert torch.allclose(share[:, one.first[0]].T, one.alignment[0], atol=1e-6)
    assert torch.allclose(share.sum(), one.alignment[0].sum(), atol=1e-5)
    assert ((one.alignment[0] > 0).sum(1) >= top).all()


def test_a_padded_object_or_word_and_companions_change_nothing():
    net = network()
    both = pair(net)
    assert both.objects.present[1].tolist() == [True, True, True, False]
    shorter = row(net.needs, TREES[1], regions(3, 1), 1)
    alone = net(batch(net.needs, shorter)).logits
    dirty = moved(both, vectors=both.objects.vectors.masked_fill(~both.objects.present[..., None], 9.0))
    dirty = dataclasses.replace(dirty, ids=dirty.ids.masked_fill(~dirty.pieces, 7))
    assert torch.allclose(net(both).logits[1:], alone, atol=1e-5)
    assert torch.allclose(net(both).logits, net(dirty).logits, atol=1e-6)


def test_no_object_and_no_picture_are_legal_and_say_the_same():
    net = network()
    none = net(pair(net, (0, 0))).logits
    mixed = net(pair(net, (4, 0))).logits
    assert torch.allclose(mixed[1], none[1], atol=1e-6)
    assert not torch.allclose(mixed[0], none[0])


def test_the_switches_are_the_papers_variants():
    one = pair(network())
    semantic, averaged, text = network(structural=False), network(attention=False), network(image=False)
    unaligned = dataclasses.replace(one, alignment=torch.zeros_like(one.alignment))
    assert torch.allclose(semantic(one).logits, network()(unaligned).logits, atol=1e-6)
    assert semantic.needs.alignment == 0
    with torch.no_grad():  # BERT+SG: objects averaged beside the entities
        hidden = averaged.encoder(one.ids, one.shapes, one.pieces)
        values, mean = averaged.semantic.value(hidden)[0], averaged.semantic.query(one.objects.vectors[0]).mean(0)
        z = torch.cat([values[one.pairs.head[0]], values[one.pairs.tail[0]], mean])
        assert torch.allclose(averaged(one).logits[0], averaged.head(z), atol=1e-5)
    assert not any("key" in name for name, _ in averaged.semantic.named_parameters())
    baseline = MTB(MTBConfig(LABELS), encoder()).eval()
    baseline.load_state_dict(text.state_dict())
    assert torch.equal(text(one).logits, baseline(one).logits)
    assert text.needs == baseline.needs


def test_known_classes_move_the_answer_and_unknown_ones_do_not():
    net = network(classes=3)
    one = pair(net)
    assert not torch.allclose(net(one).logits, net(moved(one, classes=torch.ones_like(one.objects.classes))).logits)
    nn.init.zeros_(net.semantic.kind.weight[1:].detach())
    plain = network()
    plain.load_state_dict({name: w for name, w in net.state_dict().items() if "kind" not in name})
    assert torch.allclose(net(one).logits, plain(one).logits)


def test_attention_is_shared_among_real_words_and_objects():
    net = network()
    one = pair(net)
    output = net(one)
    assert torch.allclose(output.words.sum(1), torch.ones(2))
    assert not output.objects[1, 3:].any() and not output.words[1, 4:].any()


def test_an_objects_share_is_what_the_answer_loses_without_its_part():
    net = network()
    one = pair(net)
    shares, best = net(one).objects, 1 + net(one).logits[:, 1:].argmax(1)
    whole = torch.softmax(net(one).logits, 1)
    lost = torch.zeros_like(shares)
    for place in range(4):
        present = one.objects.present.clone()
        present[:, place] = False
        bare = torch.softmax(net(moved(one, present=present)).logits, 1)
        lost[:, place] = (whole - bare)[range(2), best].clamp(min=0)
    assert torch.allclose(shares, lost / lost.sum(1, keepdim=True).clamp(min=1e-9), atol=1e-3)
    assert shares[0].unique().numel() > 2, "objects are distinguished"
    other = net(moved(one, vectors=torch.rand_like(one.objects.vectors) * one.objects.present[..., None])).objects
    assert not torch.allclose(shares, other, atol=1e-3), "by what they show"


def test_each_words_share_of_each_object_is_alpha_and_beta_together():
    net = network()
    one = pair(net, (4, 0))
    looked = net.attention_weights(one)
    with torch.no_grad():
        beta = net.semantic.beta(net.encoder(one.ids, one.shapes, one.pieces), one.pieces, one.objects)
    assert torch.allclose(looked[0], one.alignment[0] + beta[0][:, one.first[0]].T, atol=1e-6)
    assert not looked[1].any()
    assert net.attention_weights(dataclasses.replace(one, objects=None)) is None


def test_every_weight_learns_but_key_biases():
    net = network()
    net.loss(pair(net), PairTargets(torch.tensor([1, 2])))["total"].backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or weight.grad.abs().max() < 1e-12}
    assert {name for name in still if not name.endswith("key.bias")} == set()


def test_a_batch_without_pairs_is_named_as_such():
    net = MTB(MTBConfig(LABELS), encoder())
    one = dataclasses.replace(pair(network()), pairs=None)
    with pytest.raises(ValueError, match="names no pairs"):
        net(one)


def test_mtb_reads_the_two_start_states():
    net = MTB(MTBConfig(LABELS, transform="linear"), encoder()).eval()
    one = pair(network())
    with torch.no_grad():
        hidden = net.encoder(one.ids, one.shapes, one.pieces)[0]
        states = torch.cat([hidden[one.pairs.head[0]], hidden[one.pairs.tail[0]]])
        assert torch.allclose(net(one).logits[0], net.head.out(net.head.transform(states)), atol=1e-5)


def test_an_alignment_that_was_not_kept_is_made_from_the_batch():
    net = network(top=2)
    one = pair(net)
    assert torch.equal(align_batch(one, 2), one.alignment)
    assert align_batch(dataclasses.replace(one, objects=None), 2).shape == (2, 7, 0)
