"""An example as a grid of cells: targets and masks. The scheme stands in `extraction.grid`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory
from extraction.schema import Example, WordSpan

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grid:
    """Targets and masks of one example of n words, T types and R relations of an inventory.

    types:            (n, n) int8; 0 is N, 1 + t a type of the inventory; meaningful where type_mask holds
    type_mask:        (n, n) bool; cells of the upper triangle to train on
    known_types:      (1 + T,) bool; what the data set annotates. At a cell tagged N the truth is "N or a type that the
    set does not annotate": the loss is -log of the sum of their probabilities
    relations:        (k, 3) int64; row, column, relation of every positive cell
    relation_mask:    (n, n) bool; cells to train on
    known_relations:  (R,) bool; relations that the data set annotates; the others are masked everywhere
    masked_relations: (m, 3) int64; single (row, column, relation) to leave out of the loss
    """

    types: NDArray[np.int8]
    type_mask: BoolArray
    known_types: BoolArray
    relations: IntArray
    relation_mask: BoolArray
    known_relations: BoolArray
    masked_relations: IntArray


def encode(example: Example, inventory: Inventory) -> Grid:
    """The grid that a reader of this example should produce, with what the example's data set does not settle masked.

    ValueError where the example has a type or relation that the inventory lacks. Where mentions overlap, the longer
    one's type stands in the shared cells.
    """
    n = len(example.words)
    type_ids = {key: index for index, key in enumerate(inventory.types, 1)}
    relation_ids = {key: index for index, key in enumerate(inventory.relation_keys)}
    try:
        types, type_mask = _encode_types(example, type_ids)
        cells = _relation_cells(example, inventory, relation_ids)
        masked = _masked_cells(example, relation_ids)
    except KeyError as problem:
        raise ValueError(f"{example.dataset} {example.id}: {problem.args[0]!r} is not in the inventory") from problem
    return Grid(
        types=types,
        type_mask=type_mask,
        known_types=np.array([True, *(key in example.types for key in inventory.types)]),
        relations=cells,
        relation_mask=_relation_mask(example, n),
        known_relations=np.array([key in example.relation_keys for key in inventory.relation_keys], dtype=bool),
        masked_relations=masked,
    )


def _encode_types(example: Example, type_ids: dict[str, int]) -> tuple[NDArray[np.int8], BoolArray]:
    n = len(example.words)
    types = np.zeros((n, n), dtype=np.int8)
    mask = np.triu(np.ones((n, n), dtype=bool)) if example.complete else np.zeros((n, n), dtype=bool)
    for mention in sorted(example.mentions, key=lambda mention: mention.end - mention.start):
        rows = slice(mention.start, mention.end)
        if not example.complete:
            # What crosses the border of a known mention is no mention's block, whatever else is not annotated.
            mask[: mention.start, rows] = mask[rows, mention.end :] = True
    for mention in sorted(example.mentions, key=lambda mention: mention.end - mention.start):
        block = np.triu(np.ones((mention.end - mention.start,) * 2, dtype=bool))
        rows = slice(mention.start, mention.end)
        types[rows, rows][block] = type_ids[mention.type] if mention.type else 0
        mask[rows, rows][block] = bool(mention.type)
    return types, mask


def _blocks(pairs: Sequence[tuple[WordSpan, WordSpan, int]]) -> IntArray:
    """(k, 3): every (row, column, number) of the blocks head rows by tail columns."""
    parts = [
        np.stack(
            np.broadcast_arrays(
                np.arange(head.start, head.end)[:, None], np.arange(tail.start, tail.end)[None, :], number
            ),
            axis=-1,
        ).reshape(-1, 3)
        for head, tail, number in pairs
    ]
    return np.unique(np.concatenate(parts), axis=0) if parts else np.zeros((0, 3), dtype=np.int64)


def _relation_cells(example: Example, inventory: Inventory, relation_ids: dict[str, int]) -> IntArray:
    pairs = []
    for relation in example.relations:
        number = relation_ids[relation.key]
        head, tail = example.mentions[relation.head], example.mentions[relation.tail]
        pairs.append((head, tail, number))
        if inventory.relations[number].symmetric:
            pairs.append((tail, head, number))
    return _blocks(pairs)


def _masked_cells(example: Example, relation_ids: dict[str, int]) -> IntArray:
    return _blocks(
        [
            (example.mentions[head], example.mentions[tail], relation_ids[key])
            for head, tail, key in sorted(example.masked_relations)
        ]
    )


def _relation_mask(example: Example, n: int) -> BoolArray:
    mask = np.full((n, n), example.complete)
    if not example.complete:
        for head in example.mentions:
            for tail in example.mentions:
                mask[head.start : head.end, tail.start : tail.end] = True
    for head_index, tail_index in example.masked_pairs:
        head, tail = example.mentions[head_index], example.mentions[tail_index]
        mask[head.start : head.end, tail.start : tail.end] = False
    for relation in example.relations:
        head, tail = example.mentions[relation.head], example.mentions[relation.tail]
        mask[head.start : head.end, tail.start : tail.end] = True
    return mask
