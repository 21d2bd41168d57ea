"""Scored cells back as mentions and relations, by batches of sentences. The scheme stands in `extraction.grid`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.labels import Inventory
from extraction.schema import WordSpan

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# The longest mention that is decoded, in words; of Re-DocRED's mentions 2 in 10,000 are longer.
MAX_WIDTH = 16
# Log-odds of one cell are cut here, so that a single over-confident cell cannot outvote a block.
_MAX_LOG_ODDS = 12.0


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A decoded mention in word positions, half-open; `score` is the mean of p(type) over its block."""

    start: int
    end: int
    type: str
    score: float


@dataclass(frozen=True, slots=True)
class ScoredRelation:
    """A decoded relation between two of the decoded mentions; `score` is the mean over its block."""

    head: int
    tail: int
    key: str
    score: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """The candidate pairs of a batch of sentences: P pairs of C cells in all.

    sentence, head, tail: (P,) int64; sentence of the batch, and indexes into that sentence's mentions
    cells:                (C, 3) int64; sentence, row, column; the cells of a pair stand together
    starts:               (P,) int64; where each pair's cells begin
    permitted:            (P, R) bool; relations whose permitted ends the pair's types obey
    """

    sentence: IntArray
    head: IntArray
    tail: IntArray
    cells: IntArray
    starts: IntArray
    permitted: BoolArray


def decode_mentions(
    probabilities: FloatArray,
    lengths: Sequence[int],
    inventory: Inventory,
    *,
    bias: float = 0.0,
    max_width: int = MAX_WIDTH,
) -> list[list[ScoredSpan]]:
    """The most probable non-overlapping mentions of each sentence of a batch, in the order of the text.

    probabilities: (B, n, n, 1 + T), N first; only the upper triangle of the first `lengths[b]` words is read.
    bias: added to a span's log-odds; above 0 finds more mentions, below 0 fewer.
    """
    batch, n = probabilities.shape[:2]
    upper = np.triu(np.ones((n, n), dtype=bool))[None, :, :, None]
    logs = np.log(np.clip(probabilities, 1e-9, 1.0))
    odds = np.clip(logs[..., 1:] - logs[..., :1], -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    odds_sums, score_sums = _prefix_sums(odds * upper), _prefix_sums(probabilities[..., 1:] * upper)
    limits = np.asarray(lengths)[:, None]
    candidates: list[list[tuple[float, int, int, int, float]]] = [[] for _ in range(batch)]
    for width in range(1, min(n, max_width) + 1):
        starts = np.arange(n - width + 1)
        totals = _block_sums(odds_sums, starts, width) + bias  # (B, starts, T)
        types = totals.argmax(axis=-1)
        best = np.take_along_axis(totals, types[..., None], axis=-1)[..., 0]
        hits = np.argwhere((best > 0) & (starts + width <= limits))
        if len(hits):
            means = _block_sums(score_sums, starts, width) / (width * (width + 1) / 2)
            for b, i in hits.tolist():
                t = int(types[b, i])
                candidates[b].append((float(best[b, i]), i, i + width, t, float(means[b, i, t])))
    return [
        [ScoredSpan(start, end, inventory.types[t], score) for _, start, end, t, score in _best_disjoint(spans)]
        for spans in candidates
    ]


def _prefix_sums(values: FloatArray) -> FloatArray:
    """(B, n, n, T) -> (B, n + 1, n + 1, T): sums over the rectangle before each corner."""
    batch, n, _, kinds = values.shape
    sums = np.zeros((batch, n + 1, n + 1, kinds), dtype=np.float64)
    np.cumsum(values, axis=1, out=sums[:, 1:, 1:])
    np.cumsum(sums[:, 1:, 1:], axis=2, out=sums[:, 1:, 1:])
    return sums


def _block_sums(sums: FloatArray, starts: IntArray, width: int) -> FloatArray:
    """Sums over the blocks [i, i + width) x [i, i + width): (B, starts, T)."""
    ends = starts + width
    return sums[:, ends, ends] - sums[:, starts, ends] - sums[:, ends, starts] + sums[:, starts, starts]


def _best_disjoint(
    spans: list[tuple[float, int, int, int, float]],
) -> list[tuple[float, int, int, int, float]]:
    """Of (value, start, end, type, score) the disjoint spans of greatest total value (interval scheduling)."""
    spans = sorted(spans, key=lambda span: (span[2], span[1]))
    if all(a[2] <= b[1] for a, b in itertools.pairwise(spans)):
        return spans
    ends = np.array([span[2] for span in spans])
    before = np.searchsorted(ends, [span[1] for span in spans], side="right").tolist()
    totals = [0.0]
    for index, span in enumerate(spans):
        totals.append(max(totals[-1], totals[before[index]] + span[0]))
    chosen, index = [], len(spans)
    while index:
        if totals[index] == totals[index - 1]:
            index -= 1
        else:
            chosen.append(spans[index - 1])
            index = before[index - 1]
    return chosen[::-1]


def permitted_ends(inventory: Inventory) -> BoolArray:
    """(T, T, R): whether relation r permits a head of type a and a tail of type b."""
    table = np.zeros((len(inventory.types), len(inventory.types), len(inventory.relations)), dtype=bool)
    for r, relation in enumerate(inventory.relations):
        for a, head in enumerate(inventory.types):
            for b, tail in enumerate(inventory.types):
                table[a, b, r] = relation.permits(head, tail)
    return table


def candidate_pairs(
    mentions: Sequence[Sequence[ScoredSpan | WordSpan]], permitted: BoolArray, inventory: Inventory
) -> Pairs:
    """All ordered pairs of two mentions of one sentence whose types at least one relation permits, with their cells."""
    numbers = {key: index for index, key in enumerate(inventory.types)}
    pairs: list[tuple[int, int, int]] = []
    cells: list[tuple[int, int, int]] = []
    starts: list[int] = []
    kinds: list[tuple[int, int]] = []
    some = np.asarray(permitted.any(axis=-1)).tolist()
    for b, spans in enumerate(mentions):
        for h, head in enumerate(spans):
            for t, tail in enumerate(spans):
                if h == t or not head.type or not tail.type:
                    continue
                kind = numbers[head.type], numbers[tail.type]
                if not some[kind[0]][kind[1]]:
                    continue
                pairs.append((b, h, t))
                kinds.append(kind)
                starts.append(len(cells))
                cells.extend((b, i, j) for i in range(head.start, head.end) for j in range(tail.start, tail.end))
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 3)
    ends = np.array(kinds, dtype=np.int64).reshape(-1, 2)
    return Pairs(
        sentence=columns[:, 0],
        head=columns[:, 1],
        tail=columns[:, 2],
        cells=np.array(cells, dtype=np.int64).reshape(-1, 3),
        starts=np.array(starts, dtype=np.int64),
        permitted=permitted[ends[:, 0], ends[:, 1]].reshape(len(pairs), len(inventory.relations)),
    )


def decode_relations(
    cell_scores: FloatArray,
    pairs: Pairs,
    mentions: Sequence[Sequence[ScoredSpan]],
    inventory: Inventory,
    floor: float | FloatArray = 0.5,
) -> list[list[ScoredRelation]]:
    """The relations of each sentence whose score reaches the floor, with permitted ends.

    cell_scores: (C, R) scores of `pairs.cells`, 0..1; a pair's score is their mean.
    floor: one number, or (R,) one for each relation.
    A symmetric relation is scored by the mean of both directions and given once, ends in the order of the text.
    """
    found: list[list[ScoredRelation]] = [[] for _ in mentions]
    if not len(pairs.starts):
        return found
    scores = pool(cell_scores, pairs)
    scores = _both_ways(scores, pairs, inventory)
    for p, r in np.argwhere((scores >= floor) & pairs.permitted).tolist():
        head, tail = int(pairs.head[p]), int(pairs.tail[p])
        if inventory.relations[r].symmetric and head > tail:
            continue
        found[int(pairs.sentence[p])].append(
            ScoredRelation(head, tail, inventory.relations[r].key, float(scores[p, r]))
        )
    return found


def pool(cell_scores: FloatArray, pairs: Pairs) -> FloatArray:
    """(C, R) scores of cells -> (P, R) means over each pair's block."""
    counts = np.diff(np.append(pairs.starts, len(pairs.cells)))
    sums: FloatArray = np.add.reduceat(cell_scores, pairs.starts, axis=0)
    return sums / counts[:, None]


def _both_ways(scores: FloatArray, pairs: Pairs, inventory: Inventory) -> FloatArray:
    """Scores where a symmetric relation has the mean of the pair's and the turned pair's, if that is a candidate."""
    symmetric = np.array([relation.symmetric for relation in inventory.relations], dtype=bool)
    if not symmetric.any():
        return scores
    place = {
        key: p
        for p, key in enumerate(zip(pairs.sentence.tolist(), pairs.head.tolist(), pairs.tail.tolist(), strict=True))
    }
    turned = np.array([place.get((b, t, h), p) for (b, h, t), p in place.items()])
    result = scores.copy()
    result[:, symmetric] = (scores[:, symmetric] + scores[turned][:, symmetric]) / 2
    return result
