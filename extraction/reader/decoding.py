"""Decode a network's scores of word pairs, or tags, to mentions and relations.

Mentions: of all ways to cut a sentence into mentions and other words, the one whose grid (a type in each mention's
upper triangle, N elsewhere) is the most probable, cells taken as independent. A span's gain is the sum of log p(type) -
log p(N) over its block; blocks are summed by recurrence and the best cut found by dynamic programming, for a whole
batch at once.

Relations: for pairs of those mentions, the mean logit of two corners of their block (first word by first, last by
last), where the relation permits the types. A symmetric relation is the mean of both directions and given once, its
ends in the order of the text.

A tagger's BIO tags are turned into the same mentions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extraction.features.batch import Batch, block_cells
from extraction.features.targets import ROLES, permitted
from extraction.labels import Inventory
from extraction.networks.eega import EEGA, WordStates
from extraction.networks.outputs import BestTags

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DecodedMention:
    """A span of words, the index of its type, the mean log-odds of its block's cells against N, and the index of its
    form in FORMS."""

    start: int
    end: int
    type: int
    logit: float
    form: int = 0


@dataclass(frozen=True, slots=True)
class DecodedRelation:
    """Indexes of two mentions and of a relation, with the mean logit of the cells between them.

    `factuality`: its index in FACTUALITIES. `roles`: for each of ROLES the index of the mention that has it, or None.
    """

    head: int
    tail: int
    relation: int
    logit: float
    factuality: int = 0
    roles: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedSentence:
    """The mentions and relations of one sentence, in word positions, not yet calibrated."""

    mentions: tuple[DecodedMention, ...] = ()
    relations: tuple[DecodedRelation, ...] = ()


def find_mentions(logits: Floats, lengths: Sequence[int], types: int | None = None) -> list[tuple[DecodedMention, ...]]:
    """The best mentions of each sentence, from logits (B, n, band, 1 + tags) of cells (i, i + k).

    `types`: how many of them there are, where tags are the types once for each form; None = tags are types.
    """
    types = types or logits.shape[-1] - 1
    band = logits.shape[2]
    gains = _block_gains(logits)  # (B, n, band, types)
    for row, length in enumerate(lengths):
        for size in range(band):
            gains[row, max(0, length - size) :, size] = -np.inf
    kinds, best = gains.argmax(-1), gains.max(-1)  # (B, n, band)
    sizes = _best_cut(best)  # (B, n + 1): size of the mention that ends before this word, 0 = none
    sentence = []
    for row, length in enumerate(lengths):
        spans, end = [], length
        while end > 0:
            size = int(sizes[row, end])
            if not size:
                end -= 1
                continue
            start = end - size
            logit = float(best[row, start, size - 1]) / (size * (size + 1) / 2)
            form, kind = divmod(int(kinds[row, start, size - 1]), types)
            spans.append(DecodedMention(start, end, kind, logit, form))
            end = start
        sentence.append(tuple(reversed(spans)))
    return sentence


def _block_gains(logits: Floats) -> Floats:
    """(B, n, band, types): the gain of a mention that starts at i and has k + 1 words."""
    odds = logits[..., 1:] - logits[..., :1]
    edge = odds.copy()  # edge[i, k]: cells (i..i + k, i + k), the block's last column
    for size in range(1, odds.shape[2]):
        edge[:, :-1, size] += edge[:, 1:, size - 1]
        edge[:, -1, size] = 0.0
    gains: Floats = np.cumsum(edge, axis=2)
    return gains


def _best_cut(best: Floats) -> NDArray[np.int64]:
    count, words, band = best.shape
    total = np.zeros((count, words + 1), np.float64)
    chosen = np.zeros((count, words + 1), np.int64)
    rows = np.arange(count)
    for end in range(1, words + 1):
        sizes = np.arange(1, min(band, end) + 1)
        scores = total[:, end - sizes] + best[:, end - sizes, sizes - 1]  # (B, sizes)
        choice = scores.argmax(1)
        value = scores[rows, choice]
        better = value > total[:, end - 1]
        total[:, end] = np.where(better, value, total[:, end - 1])
        chosen[:, end] = np.where(better, sizes[choice], 0)
    return chosen


@dataclass(frozen=True)
class _Candidates:
    """Ordered pairs of mentions of one sentence and the cells of each pair; `pair_of[c]` is cell c's pair."""

    pairs: list[tuple[int, int]]
    cells: list[tuple[int, int]]
    pair_of: list[int]


def _candidates(mentions: Sequence[DecodedMention], possible: NDArray[np.bool_]) -> _Candidates:
    result = _Candidates([], [], [])
    for head, one in enumerate(mentions):
        for tail, other in enumerate(mentions):
            if head == tail or not possible[one.type, other.type]:
                continue
            block = block_cells((one.start, one.end), (other.start, other.end))
            result.cells.extend(block)
            result.pair_of.extend([len(result.pairs)] * len(block))
            result.pairs.append((head, tail))
    return result


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf


class Decoder:
    """Decodes a network's output for a batch. `minimum` is the lowest relation logit to keep."""

    def __init__(self, inventory: Inventory, minimum: float = -6.0, qualified: bool = False) -> None:
        """`qualified`: the network gives the factuality and roles of its relations."""
        self.qualified = qualified
        self.permitted = permitted(inventory)
        self.possible: NDArray[np.bool_] = np.asarray(self.permitted.any(-1))
        self.symmetric = np.array([relation.symmetric for relation in inventory.relations], bool)
        self.minimum = minimum
        self.types = len(inventory.types)
        self.fillers = [np.array([kind in types for kind in inventory.types], bool) for _, types in ROLES]

    def __call__(self, network: EEGA, batch: Batch, states: WordStates) -> list[DecodedSentence]:
        """Mentions and relations of each sentence, in the batch's order."""
        mentions = find_mentions(states.type_logits.float().cpu().numpy(), batch.real.sum(1).tolist(), self.types)
        return self.relate(network, states, mentions)

    def relate(
        self, network: EEGA, states: WordStates, mentions: Sequence[Sequence[DecodedMention]]
    ) -> list[DecodedSentence]:
        """Relations between known mentions, decoded or annotated."""
        candidates = [_candidates(sentence, self.possible) for sentence in mentions]
        rows = [row for row, one in enumerate(candidates) if one.cells]
        if not rows:
            return [DecodedSentence(tuple(sentence)) for sentence in mentions]
        scores = network.relate(states.rows(rows), *_pad([candidates[row].cells for row in rows], states.words.device))
        relations: list[tuple[DecodedRelation, ...]] = [()] * len(mentions)
        for row, cells in zip(rows, scores.float().cpu().numpy(), strict=True):
            relations[row] = self._relations(mentions[row], candidates[row], cells)
        if self.qualified:
            relations = self._qualified(network, states, mentions, relations)
        return [
            DecodedSentence(tuple(sentence), related) for sentence, related in zip(mentions, relations, strict=True)
        ]

    def _qualified(
        self,
        network: EEGA,
        states: WordStates,
        mentions: Sequence[Sequence[DecodedMention]],
        relations: Sequence[tuple[DecodedRelation, ...]],
    ) -> list[tuple[DecodedRelation, ...]]:
        """The relations with their factuality and roles, which a pair of mentions has once for all its relations."""
        pairs = [list(dict.fromkeys((one.head, one.tail) for one in found)) for found in relations]
        rows = [row for row, found in enumerate(pairs) if found]
        result = list(relations)
        if not rows:
            return result
        cells = [
            [cell for head, tail in pairs[row] for cell in _both_corners(mentions[row][head], mentions[row][tail])]
            for row in rows
        ]
        scores = network.qualify(states.rows(rows), *_pad(cells, states.words.device))
        for row, factualities, roles in zip(rows, *(part.float().cpu().numpy() for part in scores), strict=True):
            kinds = (factualities[0::2] + factualities[1::2]).argmax(-1)
            roles = roles[0::2] + roles[1::2]
            known = {
                pair: (int(kinds[place]), self._roles(mentions[row], pair, roles[place]))
                for place, pair in enumerate(pairs[row])
            }
            result[row] = tuple(
                replace(one, factuality=known[one.head, one.tail][0], roles=known[one.head, one.tail][1])
                for one in relations[row]
            )
        return result

    def _roles(
        self, mentions: Sequence[DecodedMention], pair: tuple[int, int], scores: Floats
    ) -> tuple[int | None, ...]:
        """For each role the mention with the highest score (roles, 1 + n), of those whose type may have it; None where
        none of them is likelier than none."""
        found: list[int | None] = []
        for fits, row in zip(self.fillers, scores, strict=True):
            best, place = float(row[0]), None
            for index, mention in enumerate(mentions):
                if fits[mention.type] and row[1 + mention.start] > best and index != pair[0]:
                    best, place = float(row[1 + mention.start]), index
            found.append(place)
        return tuple(found)

    def _relations(
        self, mentions: Sequence[DecodedMention], candidates: _Candidates, cells: Floats
    ) -> tuple[DecodedRelation, ...]:
        starts = np.flatnonzero(np.diff(candidates.pair_of, prepend=-1))
        sizes = np.diff(np.append(starts, len(candidates.cells)))
        logits = np.add.reduceat(cells[: len(candidates.cells)], starts, axis=0) / sizes[:, None]
        if self.symmetric.any():
            place = {pair: index for index, pair in enumerate(candidates.pairs)}
            turned = [place.get((tail, head), index) for (head, tail), index in place.items()]
            backward = np.array([head > tail for head, tail in candidates.pairs])
            logits[:, self.symmetric] = (logits[:, self.symmetric] + logits[turned][:, self.symmetric]) / 2
            logits[np.ix_(backward, self.symmetric)] = -np.inf
        heads = [mentions[head].type for head, _ in candidates.pairs]
        tails = [mentions[tail].type for _, tail in candidates.pairs]
        pairs, kinds = np.nonzero((logits > self.minimum) & self.permitted[heads, tails])
        return tuple(
            DecodedRelation(*candidates.pairs[pair], int(kind), float(logits[pair, kind]))
            for pair, kind in zip(pairs.tolist(), kinds.tolist(), strict=True)
        )


def _both_corners(head: DecodedMention, tail: DecodedMention) -> list[tuple[int, int]]:
    """The two corners of a pair's block, equal where both mentions are one word long."""
    return [(head.start, tail.start), (head.end - 1, tail.end - 1)]


def _pad(cells: Sequence[Sequence[tuple[int, int]]], device: torch.device) -> tuple[Tensor, Tensor]:
    padded = np.zeros((len(cells), max(len(one) for one in cells), 2), np.int64)
    for row, one in enumerate(cells):
        padded[row, : len(one)] = one
    tensor = torch.from_numpy(padded).to(device)
    return tensor[..., 0], tensor[..., 1]


def mentions_of(best: BestTags, batch: Batch) -> list[tuple[DecodedMention, ...]]:
    """The spans that BIO tags mark, an I without its B begins one; their logit is that of the least certain word."""
    tags, certainty = best.tags.cpu().tolist(), best.certainty.float().cpu().tolist()
    return [_spans(tags[row][:length], certainty[row]) for row, length in enumerate(batch.real.sum(1).tolist())]


def _spans(tags: Sequence[int], certainty: Sequence[float]) -> tuple[DecodedMention, ...]:
    spans: list[DecodedMention] = []
    start, kind = 0, -1
    for place, tag in enumerate([*tags, 0]):
        if tag and tag % 2 == 0 and (tag - 2) // 2 == kind:
            continue
        if kind >= 0:
            lowest = min(max(min(certainty[start:place]), 1e-5), 1 - 1e-5)
            spans.append(DecodedMention(start, place, kind, math.log(lowest / (1 - lowest))))
        start, kind = place, (tag - 1) // 2 if tag else -1
    return tuple(spans)
