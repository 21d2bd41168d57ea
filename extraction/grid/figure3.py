"""The paper's own grid (EEGA, Figure 3), to measure what its symmetry costs: one tag a cell, relations both ways."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory
from extraction.schema import Example, WordRelation, WordSpan


def encode_figure3(example: Example, inventory: Inventory) -> NDArray[np.int16]:
    """(n, n) tags: 0 is N, 1..T types on the upper triangle of a mention's block, T + 1.. relations in both blocks."""
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


def decode_figure3(
    grid: NDArray[np.int16], inventory: Inventory
) -> tuple[tuple[WordSpan, ...], tuple[WordRelation, ...]]:
    """Mentions: runs of one type on the diagonal, joined while the cell beside has that type; relations: a majority.

    The grid does not say which end is the head: the relation's permitted ends decide, and where they leave it open, the
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


def _runs(grid: NDArray[np.int16], inventory: Inventory) -> list[WordSpan]:
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
