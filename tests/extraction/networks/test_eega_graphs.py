"""EEGA's two graphs: the visual one, the words' attention to it, and the alignment of both (Eq. 2-8, 13)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from extraction.features.batch import SELF_LOOP
from extraction.features.cooccurrence import LEVELS
from extraction.features.targets import word_pair_targets
from extraction.labels import Inventory, RelationType
from extraction.networks.eega import EEGA, EEGAConfig
from extraction.networks.layers.optimal_transport import (
    Solver,
    adjacent,
    along_edges,
    cosine_distances,
    gromov_wasserstein,
    wasserstein,
)
from extraction.schema import Example, WordRelation, WordSpan
from tests.batches import DEPS, batch, encoder, features, objects
from training.heads import HEADS

TREES = [1, 1, 1], [1, 2, 2, 2, 3]
WIDTH = 5


def network(**options) -> Any:
    torch.manual_seed(0)
    small: dict[str, Any] = {"heads": 4, "inner": 8, "edge_width": 6, "channel_width": 6, "channel_out": 8, "band": 4}
    visual: dict[str, Any] = {"objects": 10, "object_width": WIDTH, "object_edges": 6}
    sizes: dict[str, Any] = {"pos": 6, "edges": DEPS, "together": LEVELS, "types": 3, "relations": 4}
    return EEGA(EEGAConfig(**sizes, **{**small, **visual, **options}), encoder()).eval()


def seen(counts: tuple[int, int] = (3, 2), seed: int = 0) -> Any:
    """Two sentences whose pictures show so many objects, each related to the next."""
    from extraction.features.model_inputs import InputRow

    made = batch(network().needs, *(InputRow(features(heads, place)) for place, heads in enumerate(TREES)))
    generator = torch.Generator().manual_seed(seed)
    present = torch.arange(3) < torch.tensor(counts)[:, None]
    vectors = torch.rand(2, 3, WIDTH, generator=generator) * present.unsqueeze(-1)
    chain = torch.tensor([[0, 2, 0], [3, 0, 4], [0, 5, 0]]).expand(2, 3, 3)
    edges = chain * (present.unsqueeze(1) & present.unsqueeze(2))
    return dataclasses.replace(made, objects=objects(vectors, edges, present))


def changed(one: Any, **parts: torch.Tensor) -> Any:
    assert one.objects is not None
    return dataclasses.replace(one, objects=dataclasses.replace(one.objects, **parts))


def wanted(one: Any):
    ends = frozenset({"a", "b", "c"})
    names = Inventory(("a", "b", "c"), tuple(RelationType(key, key, None, None, ends, ends) for key in "wxyz"))
    mentions = (WordSpan(0, 1, "a"), WordSpan(2, 3, "b"))
    examples = [
        Example("1", "made up", ("w",) * len(heads), mentions, (WordRelation(0, 1, "w"),), ends, frozenset("wxyz"))
        for heads in TREES
    ]
    return word_pair_targets(examples, names, band=4)


def test_an_object_is_moved_by_the_objects_it_is_related_to_and_no_others():
    graph, one = network().visual_graph, seen((3, 3))
    far = one.objects.vectors.clone()
    far[0, 2] += 5
    before, after = graph(one.objects).states, graph(dataclasses.replace(one.objects, vectors=far)).states
    assert torch.equal(before[0, 0], after[0, 0])
    assert not torch.allclose(before[0, 1], after[0, 1])


@pytest.mark.parametrize("lifted", [True, False])
def test_an_object_without_any_relation_looks_at_itself(lifted):
    """Without self-loops of our own its softmax would be empty."""
    graph = network(lifted=lifted).visual_graph
    one = seen((3, 3))
    alone = graph(dataclasses.replace(one.objects, edges=torch.zeros_like(one.objects.edges)))
    assert (alone.edges == torch.eye(3, dtype=torch.long) * SELF_LOOP).all()
    loops = graph(dataclasses.replace(one.objects, edges=torch.eye(3, dtype=torch.long).expand(2, 3, 3)))
    assert torch.equal(alone.states, loops.states)
    assert alone.states.shape == (2, 3, 16)
    assert len({tuple(state) for state in alone.states[0].tolist()}) == 3


def test_what_lies_in_absent_objects_and_companions_change_nothing():
    net, one = network(), seen()
    dirty = changed(one, vectors=one.objects.vectors.masked_fill(~one.objects.present[..., None], 9.0))
    tied = changed(dirty, edges=torch.where(one.objects.edges == 0, 2, one.objects.edges))
    tied = changed(tied, edges=tied.objects.edges * (one.objects.present[..., None] | ~one.objects.present[:, None]))
    assert torch.allclose(net(one).words, net(dirty).words, atol=1e-6)
    only = seen((2, 2))
    assert torch.allclose(net(one).words[1], net(only).words[1], atol=1e-5)
    graphs = [net._graphs(each, net.encode(each)) for each in (one, dirty)]
    assert torch.allclose(net.graph_loss(*graphs[0]), net.graph_loss(*graphs[1]), atol=1e-6)


def test_no_picture_is_legal_for_one_example_and_for_all():
    net = network()
    mixed, without = net(seen((3, 0))).words, net(seen((0, 0))).words
    none = net(dataclasses.replace(seen(), objects=None)).words
    assert torch.allclose(without, none, atol=1e-6)
    assert torch.allclose(mixed[1], none[1], atol=1e-6) and not torch.allclose(mixed[0], none[0], atol=1e-3)
    for one in (seen((3, 0)), seen((0, 0)), dataclasses.replace(seen(), objects=None)):
        losses = net.loss(one, wanted(one))
        assert all(torch.isfinite(part) for part in losses.values())
    assert losses["graph"] == 0


def test_the_joint_loss_is_equation_13_over_equations_5_to_7():
    net, one = network(), seen()
    losses = net.loss(one, wanted(one))
    text, visual = net._graphs(one, net.encode(one))
    parts = []
    for row, (words, found) in enumerate(((3, 3), (5, 2))):
        h_t, h_i = text.states[row : row + 1, :words], visual.states[row : row + 1, :found]
        graphs = visual.edges[row : row + 1, :found, :found], one.edges[row : row + 1, :words, :words]
        near, far = along_edges(h_i, graphs[0]), along_edges(h_t, graphs[1])
        joined = adjacent(graphs[0]), adjacent(graphs[1])
        masks = torch.ones(1, found, dtype=torch.bool), torch.ones(1, words, dtype=torch.bool)
        nodes = wasserstein(cosine_distances(h_i, h_t), *masks, Solver())
        parts.append(0.4 * nodes + 0.6 * gromov_wasserstein(near, far, *masks, Solver(), joined))
    assert torch.allclose(losses["graph"], torch.cat(parts).mean(), atol=1e-5)
    expected = losses["types"] + losses["relations"] + 0.6 * losses["graph"]
    assert torch.allclose(losses["total"], expected)
    assert torch.allclose(net.loss(dataclasses.replace(one, objects=None), wanted(one))["graph"], torch.zeros(()))


def test_at_alpha_1_edges_get_no_gradient_and_at_0_nothing_else_does():
    one = seen((3, 3))
    gradients = {}
    for share in (0.0, 0.4, 1.0):
        net = network(node_share=share)
        text, visual = net._graphs(one, net.encode(one))
        states = visual.states.detach().requires_grad_()
        still = dataclasses.replace(text, states=text.states.detach())
        (gradients[share],) = torch.autograd.grad(
            net.graph_loss(still, dataclasses.replace(visual, states=states)), states
        )
        cost = cosine_distances(states, still.states)
        masks = visual.real, text.real
        nodes = torch.autograd.grad(wasserstein(cost, *masks, Solver()).mean(), states)[0]
        if share == 1.0:
            assert torch.allclose(gradients[1.0], nodes, atol=1e-7)
    assert torch.allclose(gradients[0.4], 0.4 * gradients[1.0] + 0.6 * gradients[0.0], atol=1e-6)
    assert gradients[0.0].abs().max() > 1e-4


def test_the_alignment_loss_teaches_both_graphs():
    net, one = network(), seen()
    net.loss(one, wanted(one))["graph"].backward()
    for part in (net.text_graph, net.visual_graph, net.encoder):
        assert any(weight.grad is not None and weight.grad.abs().max() > 0 for weight in part.parameters())
    assert net.look.attention.in_proj_weight.grad is None


def test_training_on_the_alignment_alone_brings_the_graphs_together():
    net, one = network(), seen()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    history = []
    for _ in range(30):
        loss = net.graph_loss(*net._graphs(one, net.encode(one)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < history[0] / 2


def test_the_switches_are_the_papers_variants():
    one = seen()
    plain = network(graph_weight=0.0)
    assert set(plain.loss(one, wanted(one))) == {"total", "types", "relations"}
    vanilla = network(vanilla=True)
    names = {name.split(".")[-2] for name, _ in vanilla.named_parameters() if "graph" in name}
    assert not names & {"edge", "edge_key", "edge_value"}
    retyped = changed(one, edges=torch.where(one.objects.edges > 1, 5, one.objects.edges))
    other = dataclasses.replace(retyped, edges=torch.where(one.edges > 1, 2, one.edges))
    assert torch.allclose(vanilla(one).words, vanilla(other).words, atol=1e-6)
    assert not torch.allclose(network()(one).words, network()(other).words, atol=1e-4)
    blind = network(objects=0)
    assert blind.needs.objects == 0 and network().needs.objects == 10
    assert torch.equal(blind(one).words, blind(dataclasses.replace(one, objects=None)).words)


def test_known_classes_move_the_objects():
    net, one = network(classes=4), seen()
    named = changed(one, classes=one.objects.present.long() * 2)
    assert not torch.allclose(net(one).words, net(named).words, atol=1e-4)


def test_words_share_their_attention_among_real_objects():
    net, one = network(), seen((3, 0))
    looked = net.attention_weights(one, net.encode(one))
    assert torch.allclose(looked[0].sum(1), torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]), atol=1e-6)
    assert not looked[1].any()
    assert net.attention_weights(dataclasses.replace(one, objects=None), net.encode(one)) is None


@pytest.mark.parametrize("lifted", [True, False])
def test_every_weight_learns(lifted):
    net, one = network(lifted=lifted), seen()
    net.loss(one, wanted(one))["total"].backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()}
    # the bias of a key, and that under a channel's ReLU, move all scores of a softmax alike
    assert {name for name in still if not name.endswith(("key.bias", ".weight.bias"))} == set()


def test_a_checkpoint_is_measured_with_the_objects_of_its_pictures():
    from extraction.features.batch import OBJECT_EDGES, OBJECT_WIDTH
    from extraction.schema import Region
    from tests.generated import Chain
    from tests.tiny import tiny_checkpoint
    from training.data.preparation import prepare_for
    from training.evaluation.predictions import found_by_word_pairs

    parser: Any = Chain()
    blind = tiny_checkpoint(parser)
    config = dataclasses.replace(
        blind.manifest.network, objects=2, object_width=OBJECT_WIDTH, object_edges=OBJECT_EDGES
    )
    checkpoint = dataclasses.replace(blind, network=EEGA(config, blind.network.encoder))
    shown: list[Any] = []
    checkpoint.network.register_forward_pre_hook(lambda _, given: shown.append(given[0].objects))
    box = Region((0.1, 0.1, 0.5, 0.5))
    examples = [Example("1", "made up", ("a", "b"), regions=(box, box, box)), Example("2", "made up", ("a", "b"))]
    prepared = prepare_for(checkpoint, HEADS["word_pairs"], examples, parser, title=False)
    assert len(found_by_word_pairs(checkpoint.network, prepared)) == 2
    assert shown[0].present.tolist() == [[True, True], [False, False]]
