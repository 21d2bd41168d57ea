"""EEGA's parts against what the paper's equations say, and against slower ways to compute the same."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from extraction.features.batch import Batch, Objects, collate
from extraction.features.cooccurrence import LEVELS
from extraction.features.featurizer import SHAPES, Features, tree_hops
from extraction.features.targets import Targets
from extraction.networks.eega import EEGA, EEGAConfig, qualifier_loss, relation_loss, type_loss
from extraction.networks.encoders.text import TextEncoder, tiny
from extraction.networks.layers.edge_attention import AttributeTransformer, ChannelConvolution, ObjectAttention

WIDTH, EDGES = 16, 5


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def transformer() -> AttributeTransformer:
    return AttributeTransformer(WIDTH, EDGES, edge_width=6, heads=4, inner=8, dropout=0.0).eval()


def chain(words: int, kind: int = 2) -> torch.Tensor:
    """A graph in which each word is tied to the next, with self-loops."""
    edges = torch.eye(words, dtype=torch.long)
    edges[range(words - 1), range(1, words)] = edges[range(1, words), range(words - 1)] = kind
    return edges.unsqueeze(0)


def features(heads: list[int], seed: int = 0) -> Features:
    rng, size = np.random.default_rng(seed), len(heads)
    return Features(
        ids=rng.integers(4, 60, size + 2),
        shapes=rng.integers(0, len(SHAPES), size + 2),
        first=np.arange(1, size + 1),
        pos=rng.integers(1, 5, size),
        heads=np.array(heads),
        deps=rng.integers(2, EDGES, size),
        hops=tree_hops(np.array(heads)),
        together=rng.integers(0, LEVELS, (size, size)).astype(np.uint8),
    )


def network(**options) -> EEGA:
    sizes = {"heads": 4, "inner": 8, "edge_width": 6, "channel_width": 6, "channel_out": 8, "band": 4}
    config = EEGAConfig(pos=6, edges=EDGES, together=LEVELS, types=3, relations=4, **{**sizes, **options})
    return EEGA(config, TextEncoder.blank(tiny(), len(SHAPES))).eval()


def test_words_that_are_not_adjacent_do_not_move_a_word():
    block, x = transformer(), torch.randn(1, 5, WIDTH)
    moved = x.clone()
    moved[0, 4] += 10
    before, after = block(x, chain(5)), block(moved, chain(5))
    assert torch.equal(before[0, :3], after[0, :3])
    assert not torch.allclose(before[0, 3], after[0, 3])


def test_edge_types_act_through_their_two_weights_alone():
    block, x = transformer(), torch.randn(1, 4, WIDTH)
    assert not torch.allclose(block(x, chain(4, 2)), block(x, chain(4, 3)))
    nn.init.zeros_(block.edge_key.weight)
    nn.init.zeros_(block.edge_value.weight)
    assert torch.equal(block(x, chain(4, 2)), block(x, chain(4, 3)))


def test_gathering_by_edge_type_equals_the_equations_written_out():
    block, x, edges = transformer(), torch.randn(1, 5, WIDTH), chain(5)
    assert block.edge is not None
    z = block.edge(edges)[0]  # (n, n, d_z)
    rows = []
    for i in range(5):
        keys = block.key(x[0]) + block.edge_key(z[i])
        values = block.value(x[0]) + block.edge_value(z[i])
        near = (edges[0, i] != 0).nonzero().squeeze(1)
        heads = []
        for head in range(4):
            part = slice(4 * head, 4 * head + 4)
            scores = keys[near, part] @ block.query(x[0, i])[part] / math.sqrt(4)
            heads.append(torch.softmax(scores, 0) @ values[near, part])
        rows.append(block.out(torch.cat(heads)))
    hidden = block.norm(x[0] + torch.stack(rows))
    expected = block.feed_norm(hidden + block.feed(hidden))
    assert torch.allclose(block(x, edges)[0], expected, atol=1e-5)


def test_a_channel_equals_its_equation_written_out():
    channel = ChannelConvolution(values=7, channel_width=6, width=WIDTH, out=8, pairwise=True)
    x, indexes = torch.randn(1, 4, WIDTH), torch.randint(0, 7, (1, 4, 4))
    real = torch.tensor([[True, True, True, False]])
    scores = torch.relu(channel.weight(channel.embedding(indexes)).squeeze(-1))[0, :, :3]
    expected = torch.softmax(scores, -1) @ channel.project(x)[0, :3]
    assert torch.allclose(channel(indexes, x, real)[0], expected, atol=1e-6)


def test_parts_of_speech_are_added_for_a_pair():
    channel = ChannelConvolution(values=7, channel_width=6, width=WIDTH, out=8, pairwise=False)
    x, tags, real = torch.randn(1, 3, WIDTH), torch.tensor([[1, 4, 2]]), torch.ones(1, 3, dtype=torch.bool)
    pairs = channel.embedding(tags).unsqueeze(2) + channel.embedding(tags).unsqueeze(1)
    expected = torch.softmax(torch.relu(channel.weight(pairs).squeeze(-1)), -1) @ channel.project(x)
    assert torch.allclose(channel(tags, x, real), expected, atol=1e-6)


def test_without_a_picture_the_words_are_only_normalised():
    look, words = ObjectAttention(WIDTH, 4, 0.0, sees=True).eval(), torch.randn(2, 3, WIDTH)
    assert torch.equal(look(words, None, None), look.norm(words))
    absent = torch.zeros(2, 2, dtype=torch.bool)
    assert torch.allclose(look(words, torch.randn(2, 2, WIDTH), absent), look.norm(words))


def test_an_absent_object_changes_nothing_and_a_present_one_does():
    net = network(objects=2, object_width=5)
    batch = collate([features([1, 1, 1])])
    edges = torch.eye(2, dtype=torch.long).unsqueeze(0)
    present, classes = torch.tensor([[True, False]]), torch.zeros(1, 2, dtype=torch.long)
    both = Objects(torch.randn(1, 2, 5), edges, present, classes, torch.zeros(1, 2, 4), torch.zeros(1, 2))
    other = dataclasses.replace(both, vectors=both.vectors + torch.tensor([[[0.0], [9.0]]]))
    moved = dataclasses.replace(both, vectors=both.vectors + torch.tensor([[[9.0], [0.0]]]))
    words = [net(dataclasses.replace(batch, objects=one)).words for one in (both, other, moved)]
    assert torch.allclose(words[0], words[1], atol=1e-6)
    assert not torch.allclose(words[0], words[2], atol=1e-3)


def test_padding_has_no_effect():
    net = network()
    short, long = features([1, 1, 1], seed=1), features([1, 2, 2, 2, 3, 4, 4], seed=2)
    alone, together = net(collate([short])), net(collate([short, long]))
    assert torch.allclose(alone.words[0], together.words[0, :3], atol=1e-5)
    cells = torch.tensor([[0, 2]]), torch.tensor([[2, 1]])
    padded = tuple(torch.cat([side, side]) for side in cells)
    assert torch.allclose(net.relate(alone, *cells)[0], net.relate(together, *padded)[0], atol=1e-5)
    for start in range(3):
        inside = 3 - start
        assert torch.allclose(alone.type_logits[0, start, :inside], together.type_logits[0, start, :inside], atol=1e-5)


def four_cells(net: EEGA, batch: Batch) -> torch.Tensor:
    states = net(batch)
    i, j = torch.tensor([[0, 0, 3, 3]]), torch.tensor([[4, 5, 4, 5]])
    logits = net.relate(states, i, j)[0]
    return logits[0] + logits[3] - logits[1] - logits[2]


def test_the_papers_linear_scorer_cannot_pair_words_and_ours_can():
    batch = collate([features([1, 2, 2, 2, 3, 4], seed=3)])
    assert four_cells(network(scorer="linear"), batch).abs().max() < 1e-5
    assert four_cells(network(), batch).abs().max() > 1e-3


def test_direction_matters_to_a_relation():
    net, batch = network(), collate([features([1, 1, 1], seed=4)])
    one, other = torch.tensor([[0]]), torch.tensor([[2]])
    states = net(batch)
    assert not torch.allclose(net.relate(states, one, other), net.relate(states, other, one), atol=1e-3)


def test_type_loss_is_cross_entropy_where_one_tag_is_allowed_and_nothing_where_all_are():
    logits, real = torch.randn(1, 2, 1, 4), torch.ones(1, 2, dtype=torch.bool)
    allowed = torch.ones(1, 2, 1, 4, dtype=torch.bool)
    refused = torch.zeros_like(allowed)
    assert type_loss(logits, allowed, refused, real) == 0
    allowed[0, 0, 0] = torch.tensor([False, False, True, False])
    refused[0, 0, 0] = ~allowed[0, 0, 0]
    expected = nn.functional.cross_entropy(logits[0, 0], torch.tensor([2])) / 2
    assert torch.isclose(type_loss(logits, allowed, refused, real), expected)


def test_a_tag_that_is_not_annotated_gets_no_gradient():
    logits = torch.randn(1, 1, 1, 4, requires_grad=True)
    allowed = torch.tensor([True, False, False, False]).view(1, 1, 1, 4)
    refused = torch.tensor([False, True, False, False]).view(1, 1, 1, 4)
    type_loss(logits, allowed, refused, torch.ones(1, 1, dtype=torch.bool)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 0, 2:].tolist() == [0.0, 0.0] and logits.grad[0, 0, 0, 0] < 0 < logits.grad[0, 0, 0, 1]


def test_type_loss_does_not_choose_between_allowed_tags():
    logits = torch.randn(1, 1, 1, 4, requires_grad=True)
    allowed = torch.tensor([True, False, True, False]).view(1, 1, 1, 4)
    type_loss(logits, allowed, ~allowed, torch.ones(1, 1, dtype=torch.bool)).backward()
    assert logits.grad is not None
    gradient = logits.grad[0, 0, 0]
    shares = torch.softmax(logits.detach()[0, 0, 0, [0, 2]], 0)
    assert torch.allclose(gradient[[0, 2]] / gradient[[0, 2]].sum(), shares, atol=1e-5)


def test_relations_that_are_not_annotated_get_no_gradient():
    logits = torch.zeros(1, 1, 3, requires_grad=True)
    nothing = torch.zeros(1, 1, dtype=torch.long)
    targets = Targets(
        allowed=torch.ones(1, 1, 1, 2, dtype=torch.bool),
        refused=torch.zeros(1, 1, 1, 2, dtype=torch.bool),
        i=nothing,
        j=nothing,
        related=torch.tensor([[[True, False, True]]]),
        annotated=torch.tensor([[[True, True, False]]]),
        weights=torch.ones(1, 1),
        factuality=torch.full((1, 1), -1),
        roles=torch.full((1, 1, 3), -1),
        fillers=torch.zeros(1, 3, 1, dtype=torch.bool),
    )
    relation_loss(logits, targets).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].tolist() == [-0.5, 0.5, 0.0]


def test_every_weight_learns():
    from extraction.features.targets import word_pair_targets
    from extraction.labels import Inventory, RelationType
    from extraction.schema import Example, WordRelation, WordSpan

    ends = frozenset({"a", "b", "c"})
    names = Inventory(("a", "b", "c"), tuple(RelationType(key, key, None, None, ends, ends) for key in "wxyz"))
    example = Example(
        "1",
        "made up",
        ("one", "two", "three"),
        (WordSpan(0, 1, "a"), WordSpan(2, 3, "b")),
        (WordRelation(0, 1, "w"),),
        ends,
        frozenset("wxyz"),
    )
    net = network()
    net.encoder.freeze_pieces(False)
    losses = net.loss(collate([features([1, 1, 1])]), word_pair_targets([example], names, band=4))
    losses["total"].backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()}
    # a key's bias moves all scores of a softmax alike, and so does the bias under a channel's ReLU
    assert {name for name in still if not name.endswith("key.bias")} == set()


def test_an_encoder_with_untrained_shapes_is_the_stock_one():
    encoder = TextEncoder.blank(tiny(), len(SHAPES)).eval()
    ids, mask = torch.randint(4, 60, (2, 7)), torch.ones(2, 7, dtype=torch.bool)
    stock = encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.allclose(encoder(ids, torch.randint(0, len(SHAPES), (2, 7)), mask), stock, atol=1e-6)


def qualified(factuality: int, by: int) -> Targets:
    """One related cell of a sentence of four words, of which the second and the fourth begin possible claimants."""
    nothing = torch.zeros(1, 1, dtype=torch.long)
    fillers = torch.zeros(1, 3, 4, dtype=torch.bool)
    fillers[0, 0, [1, 3]] = True
    related = torch.ones(1, 1, 4, dtype=torch.bool)
    return Targets(
        allowed=torch.ones(1, 4, 4, 4, dtype=torch.bool),
        refused=torch.zeros(1, 4, 4, 4, dtype=torch.bool),
        i=nothing,
        j=nothing + 2,
        related=related,
        annotated=related,
        weights=torch.ones(1, 1),
        factuality=torch.full((1, 1), factuality),
        roles=torch.tensor([[[by, 0 if by >= 0 else -1, 0 if by >= 0 else -1]]]),
        fillers=fillers,
    )


def test_claimants_compete_with_each_other_and_with_none_alone():
    factualities, roles = torch.zeros(1, 1, 4), torch.zeros(1, 1, 3, 5, requires_grad=True)
    qualifier_loss(factualities, roles, qualified(2, by=1 + 3)).backward()
    assert roles.grad is not None
    gradient = roles.grad[0, 0]
    assert gradient[0].tolist() == pytest.approx([1 / 3, 0, 1 / 3, 0, -2 / 3], abs=1e-6)
    assert gradient[1].tolist() == [0.0] * 5  # no word may be the time, so that there is none is certain


def test_what_is_not_annotated_qualifies_nothing():
    logits = torch.randn(1, 1, 4, requires_grad=True), torch.randn(1, 1, 3, 5, requires_grad=True)
    assert qualifier_loss(*logits, qualified(-1, -1)).item() == 0.0


def test_a_network_with_qualifiers_and_coreference_learns_them():
    torch.manual_seed(1)
    net = network(qualifiers=True, coreference=True).train()
    one = features([1, 1, 1, 2])
    parts = net.loss(collate([one]), qualified(1, by=0))
    assert "coreference" not in parts and parts["qualifiers"] > 0
    parts["total"].backward()
    assert net.qualifiers is not None
    assert all(weight.grad is not None for weight in net.qualifiers.parameters())


def test_the_papers_scorer_has_no_states_to_qualify():
    with pytest.raises(ValueError, match="qualifiers need the states of cells"):
        network(qualifiers=True, scorer="linear")
