"""The grid of word pairs as the paper draws it, and the scored spans and relations that a decoded grid gives.

EEGA (Yuan et al., AAAI 2023), section "Word-pair Relation Tagging" and Figure 3: n words make an (n, n) grid with one
tag a cell. A type fills the upper triangle of its mention's block, a relation both blocks of its pair, so the grid is
symmetric and does not say which end is the head. Our reader fills head row by tail column only
(`extraction.features.batch` and `extraction.reader.decoding`); the paper's grid is kept to measure what the difference
is worth (`manage.py dataset_ceiling`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory
from extraction.schema import Example, WordRelation, WordSpan

TagGrid = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A decoded mention in word positions, half-open, with its score 0..1."""

    start: int
    end: int
    type: str
    score: float
    form: str = "name"


@dataclass(frozen=True, slots=True)
class ScoredRelation:
    """A decoded relation between two of the decoded mentions, by index, with its score 0..1."""

    head: int
    tail: int
    key: str
    score: float


def encode_figure3(example: Example, inventory: Inventory) -> TagGrid:
    """(n, n) tags: 0 is N, 1..T the types, T + 1.. the relations. Of a pair's several relations the last one stands."""
    grid = np.zeros((len(example.words),) * 2, dtype=np.int16)
    for relation in example.relations:
        tag = 1 + len(inventory.types) + inventory.relation_keys.index(relation.key)
        head, tail = example.mentions[relation.head], example.mentions[relation.tail]
        grid[head.start : head.end, tail.start : tail.end] = tag
        grid[tail.start : tail.end, head.start : head.end] = tag
    for mention in example.mentions:
        rows = slice(mention.start, mention.end)
        block = np.triu(np.ones((mention.end - mention.start,) * 2, dtype=bool))
        grid[rows, rows][block] = 1 + inventory.types.index(mention.type) if mention.type else 0
    return grid


def decode_figure3(grid: TagGrid, inventory: Inventory) -> tuple[tuple[WordSpan, ...], tuple[WordRelation, ...]]:
    """Mentions: runs of one type on the diagonal, joined while the cell beside has it. Relations: a block's majority.

    The grid does not say which end is the head. The relation's permitted ends decide, and where they leave it open, the
    first in the text is taken for the head.
    """
    kinds = len(inventory.types)
    mentions = _runs(grid, inventory)
    relations = []
    for h, head in enumerate(mentions):
        for t in range(h + 1, len(mentions)):
            tail = mentions[t]
            tags = Counter(grid[head.start : head.end, tail.start : tail.end].ravel().tolist())
            tag = tags.most_common(1)[0][0]
            if tag <= kinds:
                continue
            relation = inventory.relations[tag - kinds - 1]
            if relation.permits(head.type, tail.type):
                relations.append(WordRelation(h, t, relation.key))
            elif relation.permits(tail.type, head.type):
                relations.append(WordRelation(t, h, relation.key))
    return tuple(mentions), tuple(relations)


def _runs(grid: TagGrid, inventory: Inventory) -> list[WordSpan]:
    kinds, n = len(inventory.types), len(grid)
    mentions, start = [], 0
    while start < n:
        tag, end = int(grid[start, start]), start + 1
        if not 0 < tag <= kinds:
            start += 1
            continue
        while end < n and grid[end, end] == tag and grid[end - 1, end] == tag:
            end += 1
        mentions.append(WordSpan(start, end, inventory.types[tag - 1]))
        start = end
    return mentions
