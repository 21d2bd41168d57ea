"""What networks are given: features of several sentences as tensors, and the training targets that belong to them.

A `Batch` has the parts that its network needs (`Needs`); a part that the whole batch lacks is None, and inside a part
masks say which example has what. Padding is 0 and never moves an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from extraction.features.featurizer import Features
from extraction.labels import Inventory
from extraction.schema import Example, WordSpan
from extraction.vision.scene_graph import FIRST_TYPE, PREDICATES

T = TypeVar("T")

SELF_LOOP = 1
OBJECT_WIDTH = 5  # of an object known by its box alone: cx, cy, w, h, area
OBJECT_EDGES = FIRST_TYPE + len(PREDICATES)
NOISE_WEIGHT = 0.3  # of a pair with a word that is no mention, beside a pair of mentions


PictureUse = Literal["", "whole", "objects", "focal", "crops"]


@dataclass(frozen=True)
class Needs:
    """What a network must be given; it follows from the network's config.

    `pictures` says what the slots of `Pictures` are: "whole": slot 0, the whole picture. "objects": slot 0 the whole
    picture, then one crop for each object. "focal": slot 0 the plain whole picture, slots 1-4 the whole picture with
    one grounded region's frame, slots 5-7 with one detected region's. "crops": the same slots, each region cut out.
    """

    markers: bool = False  # entity markers around head and tail
    objects: int = 0  # at most so many objects; 0 = none
    pictures: PictureUse = ""
    size: int = 0  # pixels of a picture's sides
    facts: bool = False
    graph: bool = False  # the dependency tree and the co-occurrence channel
    alignment: int = 0  # how many objects a word is structurally aligned with (networks/alignment.align); 0 = none


@dataclass(frozen=True)
class Objects:
    """Each example's objects, at most k. Absent ones are zero everywhere, and no edge touches them.

    Of a text with boxes alone, a vector is (cx, cy, w, h, area) and the edges are spatial relations
    (vision/scene_graph).
    """

    vectors: Tensor  # (B, k, d_I) float
    edges: Tensor  # (B, k, k) int: 0 none, 1 self-loop, then types; row looks at column
    present: Tensor  # (B, k) bool
    classes: Tensor  # (B, k) int, 0 unknown
    boxes: Tensor  # (B, k, 4) float: cx, cy, w, h in 0..1
    depth: Tensor  # (B, k) float 0..1; 0 where not measured


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
    """Each post's small graph of knowledge, m nodes of p word pieces each (0 = padding)."""

    ids: Tensor  # (B, m, p)
    present: Tensor  # (B, m) bool
    edges: Tensor  # (B, m, m) bool: symmetric, with a self-loop at every present node
    mention: Tensor  # (B, m) bool: nodes that belong to the pair's mention


@dataclass(frozen=True)
class Batch:
    """B sentences of at most L pieces and n words. Masks are True for real pieces and words; padding is 0 elsewhere."""

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
    alignment: Tensor | None = None  # (B, n, k) of MEGA's Eq. 18, from `align`, made once an example; 0 = not aligned


@dataclass(frozen=True)
class Targets:
    """What the data say of a batch's cells. M candidate cells a sentence, each of weight 0 where it is padding."""

    allowed: Tensor  # (B, n, band, 1 + types) bool: tags that the cell (i, i + k) may have; all = nothing is known
    i: Tensor  # (B, M) the head's word
    j: Tensor  # (B, M) the tail's word
    related: Tensor  # (B, M, relations) bool
    annotated: Tensor  # (B, M, relations) bool: whether the data say yes or no
    weights: Tensor  # (B, M)


@dataclass(frozen=True)
class TagTargets:
    """BIO tags (B, n): 0 = O, 1 + 2t = B of type t, 2 + 2t = I of type t; 0 beyond the sentence's end."""

    tags: Tensor


@dataclass(frozen=True)
class PairTargets:
    """The label of each row's pair (B,): 0 = no relation, 1 + r = relation r. `tags` where the mentions are known."""

    labels: Tensor
    tags: TagTargets | None = None


AnyTargets = Targets | TagTargets | PairTargets


def collate(features: Sequence[Features]) -> Batch:
    """Pads to the longest sentence of the batch."""
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


def to_device(value: T, device: str | torch.device) -> T:
    """The same batch or targets with their tensors on another device."""
    parts: Any = value
    moved = {field.name: _moved(getattr(parts, field.name), device) for field in fields(parts)}
    return replace(parts, **moved)


def _moved(item: Any, device: str | torch.device) -> Any:
    if isinstance(item, Tensor):
        return item.to(device, non_blocking=True)
    return to_device(item, device) if is_dataclass(item) else item


@dataclass(frozen=True)
class Cells:
    """One sentence's candidate cells: words (M, 2), related and annotated (M, relations), weights (M,)."""

    words: np.ndarray
    related: np.ndarray
    annotated: np.ndarray
    weights: np.ndarray


def targets(
    examples: Sequence[Example], inventory: Inventory, band: int, noise: int = 0, rng: np.random.Generator | None = None
) -> Targets:
    """Targets of a batch of examples.

    `noise`: how many words outside mentions, drawn by `rng`, stand as mentions without relations.
    """
    words = max(len(example.words) for example in examples)
    allowed = np.ones((len(examples), words, band, 1 + len(inventory.types)), bool)
    cells = []
    for row, example in enumerate(examples):
        size = len(example.words)
        allowed[row, :size] = _allowed(example, inventory, band)
        cells.append(_cells(example, inventory, _noise_words(example, noise, rng)))
    return Targets(torch.from_numpy(allowed), *_pad(cells, len(inventory.relations)))


def _allowed(example: Example, inventory: Inventory, band: int) -> np.ndarray:
    """(n, band, 1 + types): which tags a cell may have, given what the data set annotates."""
    size = len(example.words)
    known = np.array([kind in example.types for kind in inventory.types])
    result = np.ones((size, band, 1 + len(known)), bool)
    if example.complete:
        result[:, :, 1:] = ~known  # N, or a type that this data set does not annotate
    row, column = np.arange(size)[:, None], np.arange(band)[None, :]
    for mention in example.mentions:
        block = (row >= mention.start) & (row + column < mention.end)
        result[block] = _tags(mention, inventory, known)
        if not example.complete:  # the words beside a known mention do not belong to it
            result[_border(mention, row, column), 1:] = False
            result[_border(mention, row, column), 0] = True
    result[row + column >= size] = True
    return result


def _tags(mention: WordSpan, inventory: Inventory, known: np.ndarray) -> np.ndarray:
    tags = np.ones(1 + len(known), bool)
    if mention.type in inventory.types:
        tags[:] = False
        tags[1 + inventory.types.index(mention.type)] = True
    elif not mention.type:
        tags[0] = False  # some type, and we are not told which
    return tags


def _border(mention: WordSpan, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Cells with one word inside the mention and one outside."""
    last = row + column
    row_in = (row >= mention.start) & (row < mention.end)
    last_in = (last >= mention.start) & (last < mention.end)
    border: np.ndarray = row_in != last_in
    return border


def _noise_words(example: Example, count: int, rng: np.random.Generator | None) -> list[int]:
    if not count or rng is None or not example.complete or not example.relation_keys:
        return []
    inside = {word for mention in example.mentions for word in range(mention.start, mention.end)}
    outside = [word for word in range(len(example.words)) if word not in inside]
    return [int(word) for word in rng.choice(outside, min(count, len(outside)), replace=False)] if outside else []


def _cells(example: Example, inventory: Inventory, noise: list[int]) -> Cells:
    keys = inventory.relation_keys
    annotated = np.array([key in example.relation_keys for key in keys], bool)
    ends = [(mention.start, mention.end) for mention in example.mentions] + [(word, word + 1) for word in noise]
    gold = _gold(example, inventory)
    masked: dict[tuple[int, int], list[int]] = {}
    for head, tail, key in example.masked_relations:
        if key in keys:
            masked.setdefault((head, tail), []).append(keys.index(key))
    words, related, known, weights = [], [], [], []
    nothing = np.zeros(len(keys), bool)
    for head in range(len(ends) if annotated.any() else 0):
        for tail in range(len(ends)):
            yes = gold.get((head, tail), nothing)
            unsettled = (head, tail) in example.masked_pairs
            if head == tail or (unsettled and not yes.any()):
                continue
            noisy = head >= len(example.mentions) or tail >= len(example.mentions)
            settled = yes if unsettled else annotated
            if (head, tail) in masked:
                settled = settled.copy()
                settled[masked[head, tail]] = False
            block = block_cells(ends[head], ends[tail])
            words += block
            related += [yes] * len(block)
            known += [settled | yes] * len(block)
            weights += [(NOISE_WEIGHT if noisy else 1.0) / len(block)] * len(block)
    shape = (len(words), len(keys))
    return Cells(
        np.array(words, np.int64).reshape(-1, 2),
        np.array(related, bool).reshape(shape),
        np.array(known, bool).reshape(shape),
        np.array(weights, np.float32),
    )


def _gold(example: Example, inventory: Inventory) -> dict[tuple[int, int], np.ndarray]:
    """For each related pair the relations that it has; a symmetric one holds both ways."""
    keys = inventory.relation_keys
    gold: dict[tuple[int, int], np.ndarray] = {}
    for relation in example.relations:
        if relation.key not in keys:
            continue
        place = keys.index(relation.key)
        pairs = [(relation.head, relation.tail)]
        if inventory.relations[place].symmetric:
            pairs.append((relation.tail, relation.head))
        for pair in pairs:
            gold.setdefault(pair, np.zeros(len(keys), bool))[place] = True
    return gold


def block_cells(head: tuple[int, int], tail: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells that stand for the block of two mentions (start, end): first words by first, last by last."""
    first, last = (head[0], tail[0]), (head[1] - 1, tail[1] - 1)
    return [first] if first == last else [first, last]


def _pad(cells: Sequence[Cells], relations: int) -> tuple[Tensor, ...]:
    most = max(1, *(len(one.words) for one in cells)) if cells else 1
    i, j = np.zeros((2, len(cells), most), np.int64)
    related, annotated = np.zeros((2, len(cells), most, relations), bool)
    weights = np.zeros((len(cells), most), np.float32)
    for row, one in enumerate(cells):
        size = len(one.words)
        i[row, :size], j[row, :size] = one.words.T
        related[row, :size], annotated[row, :size], weights[row, :size] = one.related, one.annotated, one.weights
    return tuple(torch.from_numpy(array) for array in (i, j, related, annotated, weights))
