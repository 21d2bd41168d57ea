"""The input of networks: features of several sentences as tensors.

A `Batch` has the parts that its network needs (`Needs`); a part that the whole batch lacks is None, and within a part
masks mark the examples that have it. Padding is 0 and never changes a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from extraction.features.featurizer import Features
from extraction.vision.scene_graph import FIRST_TYPE, PREDICATES

T = TypeVar("T")

SELF_LOOP = 1
OBJECT_WIDTH = 5  # of an object known by its box alone: cx, cy, w, h, area
OBJECT_EDGES = FIRST_TYPE + len(PREDICATES)
LONGER, FEW_WORDS = 1.25, 2  # how much longer a sentence of one group may be than its shortest: a share, and words


PictureUse = Literal["", "whole", "objects", "focal", "crops"]


@dataclass(frozen=True)
class Needs:
    """The inputs that a network needs; they follow from its config.

    `pictures` gives what the slots of `Pictures` are: "whole": slot 0, the whole picture. "objects": slot 0 the whole
    picture, then one crop for each object. "focal": slot 0 the plain whole picture, slots 1-4 the whole picture with
    one grounded region's frame, slots 5-7 with one detected region's. "crops": the same slots, each region cut out.
    """

    markers: bool = False  # entity markers around head and tail
    objects: int = 0  # the most objects; 0 = none
    pictures: PictureUse = ""
    size: int = 0  # pixels of a picture's sides
    facts: bool = False
    graph: bool = False  # the dependency tree and the co-occurrence channel
    alignment: int = 0  # how many objects a word is structurally aligned with (graph_alignment.align); 0 = none


@dataclass(frozen=True)
class Objects:
    """Each example's objects, at most k. Absent ones are zero everywhere, and no edge touches them.

    A vector is (cx, cy, w, h, area), then the score, the depth and the features of what the pixels show, where the
    network is given these (features/visual_inputs.py). Edges are those of vision/scene_graph.sparse_types.
    """

    vectors: Tensor  # (B, k, d_I) float
    edges: Tensor  # (B, k, k) int: 0 none, 1 self-loop, then types; from row to column
    present: Tensor  # (B, k) bool
    classes: Tensor  # (B, k) int, 0 unknown
    boxes: Tensor  # (B, k, 4) float: cx, cy, w, h in 0..1
    depth: Tensor  # (B, k) float 0..1; 0 where not measured or not given


@dataclass(frozen=True)
class Pairs:
    """One candidate pair a row. Without markers in the text `head` and `tail` are the first pieces of the mentions."""

    head: Tensor  # (B,) piece index of [E1]
    tail: Tensor  # (B,) piece index of [E2]; 0 where the tail is a region
    head_word: Tensor  # (B,) first word of the head's mention
    tail_word: Tensor  # (B,) first word of the tail's mention; 0 where the tail is a region
    region: Tensor  # (B,) the tail's index into the objects, -1 where it is a mention


@dataclass(frozen=True)
class Pictures:
    """Pixels (B, f, 3, s, s) uint8, normalised on the device by the vision encoder, and which slots exist (B, f)."""

    pixels: Tensor
    present: Tensor


@dataclass(frozen=True)
class Facts:
    """Each post's graph of facts, m nodes of p word pieces each (0 = padding)."""

    ids: Tensor  # (B, m, p)
    present: Tensor  # (B, m) bool
    edges: Tensor  # (B, m, m) bool: symmetric, with a self-loop at every present node
    mention: Tensor  # (B, m) bool: nodes that belong to the pair's mention


@dataclass(frozen=True)
class Batch:
    """B sentences of at most L pieces and n words. Masks are True for real pieces and words; padding is 0 elsewhere.

    Where sentences share windows (features/windows.py), pieces are (W, L) and `window` gives each sentence's row.
    """

    ids: Tensor  # (B, L)
    shapes: Tensor  # (B, L)
    pieces: Tensor  # (B, L) bool
    first: Tensor  # (B, n) each word's first piece, entity markers counted
    real: Tensor  # (B, n) bool
    pos: Tensor  # (B, n)
    edges: Tensor  # (B, n, n) 0 = not adjacent
    hops: Tensor  # (B, n, n)
    together: Tensor  # (B, n, n)
    objects: Objects | None = None
    pairs: Pairs | None = None
    pictures: Pictures | None = None
    facts: Facts | None = None
    window: Tensor | None = None  # (B,) the row of the pieces that a sentence lies in; None = its own
    alignment: Tensor | None = (
        None  # (B, n, k) of MEGA's Eq. 18, from `align`, computed once per example; 0 = not aligned
    )


def collate(features: Sequence[Features]) -> Batch:
    """A batch of these sentences, padded to the longest."""
    count, words = len(features), max(len(one) for one in features)
    pieces = max(len(one.ids) for one in features)
    ids, shapes = np.zeros((2, count, pieces), np.int64)
    first, pos = np.zeros((2, count, words), np.int64)
    edges, hops, together = np.zeros((3, count, words, words), np.int64)
    lengths = np.array([[len(one.ids), len(one)] for one in features])
    for row, one in enumerate(features):
        size, place = len(one), np.arange(len(one))
        ids[row, : len(one.ids)], shapes[row, : len(one.ids)] = one.ids, one.shapes
        first[row, :size], pos[row, :size] = one.first, one.pos
        edges[row, place, one.heads] = edges[row, one.heads, place] = one.deps
        edges[row, place, place] = SELF_LOOP
        hops[row, :size, :size], together[row, :size, :size] = one.hops, one.together
    return Batch(
        ids=torch.from_numpy(ids),
        shapes=torch.from_numpy(shapes),
        pieces=torch.from_numpy(np.arange(pieces) < lengths[:, :1]),
        first=torch.from_numpy(first),
        real=torch.from_numpy(np.arange(words) < lengths[:, 1:]),
        pos=torch.from_numpy(pos),
        edges=torch.from_numpy(edges),
        hops=torch.from_numpy(hops),
        together=torch.from_numpy(together),
    )


def by_length(batch: Batch) -> list[list[int]]:
    """The batch's rows in groups of sentences of similar length, so that little is computed for padding."""
    lengths = batch.real.sum(1).tolist()
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not groups or lengths[row] > LONGER * lengths[groups[-1][0]] + FEW_WORDS:
            groups.append([])
        groups[-1].append(row)
    return groups


def sentences(batch: Batch, rows: list[int]) -> Batch:
    """These sentences of a batch of text alone, cut to the longest of them. The encoder's input stays the whole
    batch's, so that its states go with either."""
    assert batch.objects is None and batch.pairs is None and batch.pictures is None and batch.facts is None
    words = int(batch.real[rows].sum(1).max())
    places = torch.tensor(rows, device=batch.ids.device)
    own = {name: getattr(batch, name)[places, :words] for name in ("first", "real", "pos")}
    between = {name: getattr(batch, name)[places, :words, :words] for name in ("edges", "hops", "together")}
    return replace(batch, **own, **between, window=places if batch.window is None else batch.window[places])


def to_device(value: T, device: str | torch.device) -> T:
    """The same batch or targets with their tensors on another device."""
    parts: Any = value
    moved = {field.name: _moved(getattr(parts, field.name), device) for field in fields(parts)}
    result: T = replace(parts, **moved)
    return result


def _moved(item: Any, device: str | torch.device) -> Any:
    if isinstance(item, Tensor):
        return item.to(device, non_blocking=True)
    return to_device(item, device) if is_dataclass(item) else item


def block_cells(head: tuple[int, int], tail: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells that stand for the block of two mentions (start, end): first words by first, last by last."""
    first, last = (head[0], tail[0]), (head[1] - 1, tail[1] - 1)
    return [first] if first == last else [first, last]
