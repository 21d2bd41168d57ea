"""Structural alignment of two graphs: which object of a picture stands where a word stands in its sentence.

Changmeng Zheng et al.: Multimodal Relation Extraction with Efficient Graph Alignment. ACM MM 2021, Eq. 11-18, after
REGAL (Mark Heimann et al., CIKM 2018), from which the values that the paper leaves open are taken.

    degrees k hops away (Eq. 12-13) ─▶ similarity of all nodes (Eq. 14) ─▶ landmarks' embedding (Eq. 15-16)
      ─▶ similarity of words and objects (Eq. 17) ─▶ the best objects of each word (Eq. 18)

It learns nothing: a function of the two graphs alone, in numpy, computed once for each example.

Differences from the paper, numbered.

 1. With p = min(int(10 log2 n), n) landmarks (REGAL's rule) all nodes of a graph pair with n <= 58 are landmarks. Then
    P P^T is sim itself and its rows have length 1, so a_ij = exp(-2 (1 - sim_ij)): no landmarks to draw and no singular
    value decomposition, where the sums of tied singular values come out in an order of their own.
 2. Landmarks of a larger pair are drawn by a generator seeded with the graphs' content, never by a global one: the same
    example is aligned alike in every run.
 3. A degree counts neighbours. In a tree that is "in and out"; between boxes a spatial relation and its converse
    (left of, right of) are one edge.
 4. Of objects that are equally similar to a word none goes before another: those that tie for the last of the `top`
    places share these places, each with its part of the similarity. So alpha turns with the order of the objects, and
    where all objects are alike it says nothing of any of them. (Checkpoints trained before decision 32 kept the first
    of equally similar objects, `first_of_equals`; of a complete graph that is always object 0.)
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from extraction.features.batch import Batch

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TIE = 9  # decimals: similarities that differ by less differ by the way they were computed


@dataclass(frozen=True)
class Structure:
    """What the paper leaves open, at REGAL's values: hops K, discount delta, gamma_s."""

    hops: int = 2
    discount: float = 0.01
    gamma: float = 1.0


def align(
    words: NDArray[Any], objects: NDArray[Any], top: int = 1, structure: Structure | None = None
) -> NDArray[np.float32]:
    """alpha (n, m) of Eq. 18: each word's `top` most similar objects with their similarity, 0 elsewhere; equally
    similar ones share what places are left for them.

    `words` (n, n) and `objects` (m, m): a cell that is not 0 is an edge, in either direction; self-loops do not count.
    """
    similar = similarities(words, objects, structure or Structure())
    level = similar.round(TIE)
    better = (level[:, None, :] > level[:, :, None]).sum(2)  # (n, m): objects that are more similar to the word
    alike = (level[:, None, :] == level[:, :, None]).sum(2)  # and those that are as similar, itself among them
    share = np.clip((top - better) / np.maximum(alike, 1), 0.0, 1.0)
    return np.asarray(similar * share, np.float32)


def first_of_equals(
    words: NDArray[Any], objects: NDArray[Any], top: int = 1, structure: Structure | None = None
) -> NDArray[np.float32]:
    """alpha as checkpoints of before decision 32 were trained with it: of equally similar objects the first is kept."""
    similar = similarities(words, objects, structure or Structure())
    rank = np.argsort(-similar.round(TIE), axis=1, kind="stable")[:, :top]
    alpha = np.zeros(similar.shape, np.float32)
    np.put_along_axis(alpha, rank, np.take_along_axis(similar, rank, 1).astype(np.float32), 1)
    return alpha


def align_batch(batch: Batch, top: int, structure: Structure | None = None) -> Tensor:
    """alpha of a whole batch (B, n, k), 0 for padding, on the batch's device.

    It reads the graphs back from the device: where an example comes by often, make its alignment once, by `align`.
    """
    import torch

    if batch.objects is None:
        return torch.zeros(*batch.real.shape, 0, device=batch.ids.device)
    graphs = batch.edges.cpu().numpy(), batch.objects.edges.cpu().numpy()
    real, present = batch.real.cpu().numpy(), batch.objects.present.cpu().numpy()
    alpha = np.zeros((*real.shape, present.shape[1]), np.float32)
    for row, (words, objects) in enumerate(zip(real, present, strict=True)):
        if words.any() and objects.any():
            sides = graphs[0][row][np.ix_(words, words)], graphs[1][row][np.ix_(objects, objects)]
            alpha[row][np.ix_(words, objects)] = align(*sides, top, structure)
    return torch.from_numpy(alpha).to(batch.ids.device)


def similarities(words: NDArray[Any], objects: NDArray[Any], structure: Structure) -> Floats:
    """a_ij (n, m) of Eq. 17, before any object is left out."""
    identities = np.concatenate(_identities(_undirected(words), _undirected(objects), structure))
    first, nodes = len(words), len(identities)
    if landmarks(nodes) == nodes:
        return np.asarray(np.exp(-2.0 * (1.0 - _similar(identities[:first], identities[first:], structure.gamma))))
    chosen = np.sort(_generator(words, objects).permutation(nodes)[: landmarks(nodes)])
    embedded = embed(identities, chosen, structure.gamma)
    return np.asarray(np.exp(-_distances(embedded[:first], embedded[first:])))


def landmarks(nodes: int) -> int:
    """p, the number of landmarks among the nodes of both graphs: REGAL's rule."""
    return min(int(10 * math.log2(nodes)), nodes) if nodes > 1 else nodes


def embed(identities: Floats, chosen: NDArray[np.int64], gamma: float) -> Floats:
    """Rows of length 1 (nodes, p) whose products approach sim (Eq. 15-16). `chosen`: the landmarks' indexes."""
    to_landmarks = _similar(identities, identities[chosen], gamma)  # C
    left, singular, _ = np.linalg.svd(np.linalg.pinv(to_landmarks[chosen], hermitian=True))
    embedded = to_landmarks @ left * np.sqrt(singular)
    lengths = np.linalg.norm(embedded, axis=1, keepdims=True)
    return np.asarray(embedded / np.where(lengths, lengths, 1.0))


def _identities(words: Bools, objects: Bools, structure: Structure) -> tuple[Floats, Floats]:
    """d_u of all nodes of both graphs (Eq. 12-13), over the same bins: floor(log2 degree)."""
    degrees = words.sum(1), objects.sum(1)
    most = max(int(counts.max(initial=1)) for counts in degrees)
    bins = int(math.log2(most)) + 1
    return tuple(  # type: ignore[return-value]
        _degree_histograms(graph, counts, bins, structure)
        for graph, counts in zip((words, objects), degrees, strict=True)
    )


def _degree_histograms(graph: Bools, degrees: NDArray[Any], bins: int, structure: Structure) -> Floats:
    """sum over k of delta^(k - 1) times the histogram of the degrees of the nodes exactly k hops away (n, bins)."""
    place = np.log2(np.maximum(degrees, 1)).astype(np.int64)
    binned = np.eye(bins)[place]  # (n, bins)
    total = np.zeros((len(graph), bins))
    seen, ring = np.eye(len(graph), dtype=bool), np.eye(len(graph), dtype=bool)
    steps = graph.astype(np.float32)
    for hop in range(structure.hops):
        ring = (ring.astype(np.float32) @ steps > 0) & ~seen
        seen |= ring
        total += structure.discount**hop * (ring @ binned)
    return total


def _undirected(graph: NDArray[Any]) -> Bools:
    linked: Bools = (graph != 0) | (graph != 0).T
    np.fill_diagonal(linked, False)
    return linked


def _similar(left: Floats, right: Floats, gamma: float) -> Floats:
    """sim of Eq. 14, between all rows of both."""
    return np.asarray(np.exp(-gamma * _distances(left, right)))


def _distances(left: Floats, right: Floats) -> Floats:
    """Squared distances; by differences, because equal rows must come out as exactly 0."""
    return np.asarray(((left[:, None] - right[None, :]) ** 2).sum(-1))


def _generator(words: NDArray[Any], objects: NDArray[Any]) -> np.random.Generator:
    content = hashlib.sha256()
    for graph in (words, objects):
        linked = _undirected(graph)
        content.update(len(linked).to_bytes(4, "big") + np.packbits(linked).tobytes())
    return np.random.default_rng(int.from_bytes(content.digest()[:8], "big"))
