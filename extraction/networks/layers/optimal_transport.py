"""Optimal transport between a sentence's graph and its picture's, batched: EEGA's Eq. 5-7.

Li Yuan et al., AAAI 2023, after Liqun Chen et al.: Graph Optimal Transport for Cross-Domain Alignment. ICML 2020.
The solvers are POT's (`ot.batch`). Plans are computed without gradient; a distance's gradient goes through its costs
(the envelope theorem).

Differences from the paper, numbered.

 1. L of Eq. 6 is the squared difference of the two distances: the batched solver offers no absolute one.
 2. All weights are uniform over an example's real nodes (open in the paper).
 3. The distance is <T, C> without the entropy term, which would make it negative.
 4. Costs, plans and distances are float32 whatever the precision of training.
 5. D_gwd (Eq. 6) sums over the edges of both graphs, as the paper does: i' over the neighbours of i, j' over those of
    j. A node is no neighbour of itself. The plan T^ comes from a solver that knows no edges: it is given the distances
    along edges, and 0 between nodes that no edge joins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

INVISIBLE = 1e-20  # weight of padding: at 0 the solvers' logarithms are NaN
FARTHEST = 2.0  # the largest cosine distance
BEYOND = 100.0  # how many times the regularisation padding lies beyond it: e^-100 is nothing in float32
APART = 10.0  # distance to padding inside a graph: a squared difference of 64 or more


@dataclass(frozen=True)
class Graph:
    """One side of a batch: node states (B, n, d), edge types (B, n, n) with 0 for none, mask (B, n)."""

    states: Tensor
    edges: Tensor
    real: Tensor

    def rows(self, rows: Tensor) -> Graph:
        return Graph(self.states[rows], self.edges[rows], self.real[rows])


@dataclass(frozen=True)
class Solver:
    """Iterations of Sinkhorn (the paper's), and what it leaves open: the regularisation and the outer iterations."""

    reg: float = 0.1
    iterations: int = 20
    outer: int = 5


def distances(objects: Graph, words: Graph, solver: Solver) -> tuple[Tensor, Tensor]:
    """D_wd and D_gwd of each example that has words and objects (Eq. 5-6): two tensors (b,), b <= B."""
    both = objects.real.any(1) & words.real.any(1)  # an empty side has no plan, and the solvers return NaN
    objects, words = objects.rows(both), words.rows(both)
    if not len(objects.states):
        return objects.states.new_zeros(0), objects.states.new_zeros(0)
    with torch.autocast(objects.states.device.type, enabled=False):
        cost = cosine_distances(objects.states.float(), words.states.float())
        nodes = wasserstein(cost, objects.real, words.real, solver)
        near, far = along_edges(objects.states, objects.edges), along_edges(words.states, words.edges)
        joined = adjacent(objects.edges), adjacent(words.edges)
        return nodes, gromov_wasserstein(near, far, objects.real, words.real, solver, joined)


def cosine_distances(left: Tensor, right: Tensor) -> Tensor:
    """1 - cosine of all rows: (B, n, d), (B, m, d) -> (B, n, m)."""
    units = torch.nn.functional.normalize(left, dim=-1), torch.nn.functional.normalize(right, dim=-1)
    return 1.0 - units[0] @ units[1].transpose(1, 2)


def uniform(real: Tensor) -> Tensor:
    """Masks (B, n), each with a True -> weights that sum to 1 over the real nodes."""
    shares = real.float()
    return shares / shares.sum(1, keepdim=True)


def transport_plan(cost: Tensor, left: Tensor, right: Tensor, solver: Solver) -> Tensor:
    """T (B, n, m) of Eq. 5: costs (B, n, m), masks (B, n) and (B, m), each row with a True. No gradient."""
    solve_batch = _solvers().solve_batch

    a, b = uniform(left).clamp(min=INVISIBLE), uniform(right).clamp(min=INVISIBLE)
    real = _pairs(left, right)
    # tol = 0: with a tolerance an example's result would depend on the others in its batch
    options = {"max_iter": solver.iterations, "tol": 0.0, "method": "log_sinkhorn", "grad": "detach"}
    with torch.no_grad(), torch.autocast(cost.device.type, enabled=False):
        masked = cost.detach().float().masked_fill(~real, FARTHEST + BEYOND * solver.reg)
        plan: Tensor = solve_batch(masked, solver.reg, a, b, **options).plan
    return plan * real


def wasserstein(cost: Tensor, left: Tensor, right: Tensor, solver: Solver) -> Tensor:
    """D_wd of Eq. 5 (B,): the cost of carrying the nodes of one graph to the other's."""
    plan = transport_plan(cost, left, right, solver)
    return (plan * cost.float()).sum((1, 2))


def edge_plan(near: Tensor, far: Tensor, left: Tensor, right: Tensor, solver: Solver) -> Tensor:
    """T^ (B, n, m) of Eq. 6: distances inside each graph (B, n, n) and (B, m, m), symmetric. No gradient."""
    solve_gromov_batch = _solvers().solve_gromov_batch

    a, b = uniform(left).clamp(min=INVISIBLE), uniform(right).clamp(min=INVISIBLE)
    options = {"max_iter": solver.outer, "max_iter_inner": solver.iterations, "tol": 0.0, "tol_inner": 0.0}
    with torch.no_grad(), torch.autocast(near.device.type, enabled=False):
        inside = near.detach().float().masked_fill(~_pairs(left, left), APART)
        outside = far.detach().float().masked_fill(~_pairs(right, right), APART)
        solved = solve_gromov_batch(inside, outside, solver.reg, a, b, symmetric=True, grad="detach", **options)
    plan: Tensor = solved.plan
    return plan * _pairs(left, right)


def gromov_wasserstein(
    near: Tensor, far: Tensor, left: Tensor, right: Tensor, solver: Solver, joined: tuple[Tensor, Tensor]
) -> Tensor:
    """D_gwd of Eq. 6 (B,): how much distances along edges change when the nodes of one graph stand for the other's.

    sum T_ij T_kl (near_ik - far_jl)^2 over the edges ik and jl (`joined`: (B, n, n) and (B, m, m) bool), multiplied
    out: no (n, n, m, m) tensor.
    """
    plan = edge_plan(near, far, left, right, solver)
    edges = joined[0].float(), joined[1].float()
    near, far = near.float() * edges[0], far.float() * edges[1]
    parts = (
        _carried(near.square(), edges[1], plan),
        _carried(edges[0], far.square(), plan),
        -2.0 * _carried(near, far, plan),
    )
    return torch.stack(parts).sum(0).clamp(min=0.0)


def _solvers() -> Any:
    """POT's batched solvers. Raises RuntimeError with the remedy where POT is not installed."""
    try:
        import ot.batch
    except ImportError as error:
        raise RuntimeError(
            "Aligning EEGA's graphs needs POT: pip install pot, or set the network's graph_weight to 0"
        ) from error
    return ot.batch


def _pairs(left: Tensor, right: Tensor) -> Tensor:
    """Masks (B, n) and (B, m) -> whether both nodes are real (B, n, m)."""
    return left.unsqueeze(2) & right.unsqueeze(1)


def _carried(inside: Tensor, outside: Tensor, plan: Tensor) -> Tensor:
    """sum T_ij T_kl inside_ik outside_jl (B,)."""
    return (plan * (inside @ plan @ outside.transpose(1, 2))).sum((1, 2))


def adjacent(edges: Tensor) -> Tensor:
    """Which nodes an edge of a type (B, n, n) joins, in either direction (B, n, n); none is joined to itself."""
    loops = torch.eye(edges.shape[1], dtype=torch.bool, device=edges.device)
    return ((edges != 0) | (edges != 0).transpose(1, 2)) & ~loops


def along_edges(states: Tensor, edges: Tensor) -> Tensor:
    """Cosine distances (B, n, n) of adjacent nodes, 0 elsewhere: states (B, n, d), edge types (B, n, n), 0 for none."""
    return cosine_distances(states.float(), states.float()) * adjacent(edges)
