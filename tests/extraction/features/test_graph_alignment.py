"""Structural alignment against a direct computation, optimal transport against answers that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from extraction.features.graph_alignment import Structure, align, first_of_equals, landmarks, similarities
from extraction.networks.layers.optimal_transport import (
    Graph,
    Solver,
    adjacent,
    along_edges,
    cosine_distances,
    distances,
    edge_plan,
    gromov_wasserstein,
    transport_plan,
    wasserstein,
)

SHARP = Solver(reg=0.01)


def tree(size: int, seed: int = 0) -> np.ndarray:
    """A random tree as an adjacency matrix with self-loops, as a batch has it."""
    rng = np.random.default_rng(seed)
    graph = np.eye(size, dtype=int)
    for node in range(1, size):
        above = rng.integers(node)
        graph[node, above] = graph[above, node] = 2
    return graph


def permuted(graph: np.ndarray, seed: int = 1) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(len(graph))
    return graph[np.ix_(order, order)]


def identity(graph: np.ndarray, node: int, hops: int = 2, discount: float = 0.01) -> dict[int, float]:
    """d_u of Eq. 12-13 by breadth-first search."""
    near = {u: [v for v in range(len(graph)) if v != u and (graph[u, v] or graph[v, u])] for u in range(len(graph))}
    found: dict[int, float] = {}
    seen, ring = {node}, {node}
    for hop in range(hops):
        ring = {v for u in ring for v in near[u]} - seen
        seen |= ring
        for v in ring:
            place = int(math.log2(len(near[v])))
            found[place] = found.get(place, 0.0) + discount**hop
    return found


def test_alpha_is_the_closed_form_over_nodes_found_by_breadth_first_search():
    words, objects = tree(14, 3), permuted(tree(9, 4))
    objects[0, 5] = 3  # one direction alone
    expected = np.zeros((14, 9))
    for i in range(14):
        for j in range(9):
            one, other = identity(words, i), identity(objects, j)
            apart = sum((one.get(key, 0.0) - other.get(key, 0.0)) ** 2 for key in one | other)
            expected[i, j] = math.exp(-2 * (1 - math.exp(-apart)))
    assert np.allclose(similarities(words, objects, Structure()), expected, atol=1e-12)


def test_the_embedding_of_all_nodes_gives_the_closed_form():
    """Eq. 15-17 step by step, with the singular value decomposition, where every node is a landmark."""
    from extraction.features.graph_alignment import _distances, _identities, _undirected, embed

    words, objects = tree(20), tree(8, 5)
    identities = np.concatenate(_identities(_undirected(words), _undirected(objects), Structure()))
    embedded = embed(identities, np.arange(28), 1.0)
    long_way = np.exp(-_distances(embedded[:20], embedded[20:]))
    assert np.allclose(similarities(words, objects, Structure()), long_way, atol=1e-5)


@pytest.mark.parametrize("top", [1, 5, 10])
def test_equally_similar_objects_share_the_places_that_are_left_for_them(top):
    words, objects = tree(12), tree(10, 2)
    similar = similarities(words, objects, Structure())
    alpha = align(words, objects, top)
    shares = alpha / similar
    assert np.allclose(shares.sum(1), top), "as many objects as are kept, in parts"
    for word in range(12):
        for one in range(10):
            level = similar[word].round(9)
            alike, better = level == level[one], level > level[one]
            assert np.allclose(shares[word, alike], shares[word, one]), "none of equals goes before another"
            assert shares[word, one] == pytest.approx(min(1, max(0, top - better.sum()) / alike.sum()))


def test_alpha_turns_with_the_order_of_the_objects():
    words, objects = tree(12), tree(6, 2)
    order = np.random.default_rng(3).permutation(6)
    assert np.allclose(align(words, objects)[:, order], align(words, objects[np.ix_(order, order)]), atol=1e-6)


@pytest.mark.parametrize("top", [1, 5, 10])
def test_checkpoints_of_before_keep_the_first_of_equal_objects(top):
    words, objects = tree(12), tree(10, 2)
    similar = similarities(words, objects, Structure())
    alpha = first_of_equals(words, objects, top)
    assert ((alpha > 0).sum(1) == top).all()
    for word in range(12):
        best = sorted(range(10), key=lambda j: (-round(similar[word, j], 9), j))[:top]
        assert sorted(best) == np.flatnonzero(alpha[word]).tolist()
        assert np.allclose(alpha[word, best], similar[word, best])


@pytest.mark.parametrize("size", [7, 40])
def test_isomorphic_graphs_give_every_word_a_twin(size):
    """40 and 40 nodes have fewer landmarks than nodes: the long way."""
    graph = tree(size)
    alpha = first_of_equals(graph, permuted(graph))
    assert np.allclose(alpha.max(1), 1.0, atol=1e-6)


def test_two_draws_of_a_large_graph_agree_and_leave_the_global_generator_alone():
    words, objects = tree(60), tree(10, 1)
    assert landmarks(70) < 70
    assert landmarks(58) == 58
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    first = align(words, objects)
    np.random.seed(5)
    torch.manual_seed(5)
    assert (align(words, objects) == first).all()
    np.random.set_state(("MT19937", before, 624, 0, 0.0))
    assert first.any(1).all()
    assert np.isfinite(first).all()


def test_a_large_graph_is_aligned_almost_as_by_all_of_its_nodes():
    from extraction.features.graph_alignment import _identities, _similar, _undirected

    words, objects = tree(60), tree(10, 1)
    one, other = _identities(_undirected(words), _undirected(objects), Structure())
    whole = np.exp(-2 * (1 - _similar(one, other, 1.0)))
    apart = np.abs(similarities(words, objects, Structure()) - whole)
    assert apart.mean() < 1e-3
    assert apart.max() < 0.3  # the few nodes that are like no landmark


def test_an_object_without_a_relation_and_a_single_word_have_an_answer():
    assert align(np.eye(1), np.eye(1)).tolist() == [[1.0]]
    assert align(tree(5), np.zeros((0, 0))).shape == (5, 0)


def masks(*sizes: int) -> torch.Tensor:
    return torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]


def states(count: int, nodes: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, nodes, 8, generator=torch.Generator().manual_seed(seed))


def test_a_graph_is_carried_to_itself_node_by_node():
    x = states(2, 6)
    real = masks(6, 6)
    plan = transport_plan(cosine_distances(x, x), real, real, SHARP)
    assert torch.allclose(plan, torch.eye(6).expand(2, 6, 6) / 6, atol=1e-3)


def test_plans_keep_their_marginals_and_give_padding_nothing():
    left, right = masks(3, 5), masks(7, 4)
    cost = cosine_distances(states(2, 5), states(2, 7, 1))
    solver = Solver(iterations=200)
    for plan in (
        transport_plan(cost, left, right, solver),
        edge_plan(
            along_edges(states(2, 5), torch.ones(2, 5, 5)),
            along_edges(states(2, 7), torch.ones(2, 7, 7)),
            left,
            right,
            solver,
        ),
    ):
        assert torch.allclose(plan.sum(2), left / left.sum(1, keepdim=True), atol=1e-3)
        assert torch.allclose(plan.sum(1), right / right.sum(1, keepdim=True), atol=1e-3)
        assert not plan[0, 3:].any()
        assert not plan[1, :, 4:].any()


@pytest.mark.parametrize("solver", [Solver(), SHARP])
def test_what_lies_in_padding_changes_no_distance_and_companions_do_not_either(solver):
    left, right = masks(3, 5), masks(6, 4)
    x, y = states(2, 5), states(2, 6, 1)
    edges = torch.ones(2, 5, 5, dtype=torch.long), torch.ones(2, 6, 6, dtype=torch.long)
    together = distances(Graph(x, edges[0], left), Graph(y, edges[1], right), solver)
    x[0, 3:], y[1, 4:] = 7.0, -3.0
    again = distances(Graph(x, edges[0], left), Graph(y, edges[1], right), solver)
    alone = distances(
        Graph(x[:1, :3], edges[0][:1, :3, :3], left[:1, :3]), Graph(y[:1], edges[1][:1], right[:1]), solver
    )
    for kind in range(2):
        assert torch.allclose(together[kind], again[kind], atol=1e-4)
        assert torch.allclose(together[kind][:1], alone[kind], atol=1e-4)
        assert (together[kind] > 1e-3).all()


def test_a_permuted_copy_costs_almost_nothing():
    x = states(3, 9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    real = masks(9, 9, 9)
    assert wasserstein(cosine_distances(x, x[:, order]), real, real, SHARP).max() < 1e-3


def test_isomorphic_graphs_cost_no_edges_in_any_order_and_after_a_rotation():
    x, graph = states(1, 8), torch.from_numpy(tree(8))[None]
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    turn = torch.linalg.qr(states(1, 8, 2)[0])[0]
    real = masks(8)
    near, joined = along_edges(x, graph), adjacent(graph)
    for features in (x[:, order], x[:, order] @ turn):
        turned = graph[:, order][:, :, order]
        far = along_edges(features, turned)
        assert gromov_wasserstein(near, far, real, real, SHARP, (joined, adjacent(turned))).item() < 1e-5
    graph = torch.from_numpy(tree(8, 7))[None]
    other = along_edges(x[:, order], graph)
    assert gromov_wasserstein(near, other, real, real, SHARP, (joined, adjacent(graph))).item() > 1e-5


def test_the_distance_over_edges_is_equation_6_over_the_neighbours_of_both_graphs():
    """i' of N(i) and j' of N(j): a visual edge that stands where the text has no edge is no part of it."""
    left, right = masks(3, 4), masks(6, 2)
    graphs = [torch.from_numpy(np.stack([tree(size, seed) for seed in (1, 2)])) for size in (4, 6)]
    near, far = along_edges(states(2, 4), graphs[0]), along_edges(states(2, 6, 1), graphs[1])
    plan = edge_plan(near, far, left, right, Solver())
    slow = torch.zeros(2)
    for row, one, other in np.ndindex(2, 4, 4):
        if one == other or not graphs[0][row, one, other]:
            continue
        for third, fourth in np.ndindex(6, 6):
            if third != fourth and graphs[1][row, third, fourth]:
                apart = (near[row, one, other] - far[row, third, fourth]) ** 2
                slow[row] += apart * plan[row, one, third] * plan[row, other, fourth]
    found = gromov_wasserstein(near, far, left, right, Solver(), (adjacent(graphs[0]), adjacent(graphs[1])))
    assert slow.min() > 1e-5 and torch.allclose(found, slow, atol=1e-6)


def test_examples_without_objects_are_left_out_and_gradients_are_finite():
    x, y = states(2, 4).requires_grad_(), states(2, 5, 1)
    present = torch.tensor([[True, True, False, False], [False] * 4])
    edges = torch.eye(4, dtype=torch.long).expand(2, 4, 4), torch.eye(5, dtype=torch.long).expand(2, 5, 5)
    nodes, links = distances(Graph(x, edges[0], present), Graph(y, edges[1], masks(5, 3)), Solver())
    assert nodes.shape == links.shape == (1,)
    (nodes.sum() + links.sum()).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad[0, :2].any()
    assert not x.grad[0, 2:].any()
    assert not x.grad[1].any()
