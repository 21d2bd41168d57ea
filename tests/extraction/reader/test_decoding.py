"""Reading the grid: against the plain decoder of `word_pair_grid`, and from perfect scores back to gold."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.labels import Inventory, RelationType
from extraction.networks.eega import WordStates
from extraction.reader.decoding import DecodedMention, Decoder, find_mentions, permitted

NAMES = Inventory(
    ("person", "place"),
    (
        RelationType("born", "born", None, None, frozenset({"person"}), frozenset({"place"})),
        RelationType("friend", "friend", None, None, frozenset({"person"}), frozenset({"person"}), symmetric=True),
    ),
)

BORN = NAMES.relations[0]


def scores(batch: int, words: int, band: int, seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 2, (batch, words, band, 3))
    return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)


def best_by_trying(odds: np.ndarray, start: int, words: int) -> tuple[float, tuple[tuple[int, int, int], ...]]:
    """The greatest gain of any set of disjoint mentions in words start.., from log-odds (n, band, types)."""
    if start >= words:
        return 0.0, ()
    best = best_by_trying(odds, start + 1, words)
    for end in range(start + 1, min(words, start + odds.shape[1]) + 1):
        block = sum(odds[row, column - row] for row in range(start, end) for column in range(row, end))
        gain, rest = best_by_trying(odds, end, words)
        for kind in range(odds.shape[2]):
            if block[kind] + gain > best[0]:
                best = block[kind] + gain, ((start, end, kind), *rest)
    return best


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 10_000))
def test_the_best_cut_is_found(words, band, seed):
    banded = scores(2, words, band, seed)
    lengths = [words, max(1, words - 2)]
    for row, found in enumerate(find_mentions(banded, lengths)):
        odds = banded[row, :, :, 1:] - banded[row, :, :, :1]
        _, expected = best_by_trying(odds, 0, lengths[row])
        assert tuple((one.start, one.end, one.type) for one in found) == expected


def test_a_mentions_logit_is_the_mean_of_its_blocks_log_odds():
    banded = np.log(np.full((1, 2, 2, 3), [0.2, 0.7, 0.1], np.float32))
    (mention,) = find_mentions(banded, [2])[0]
    assert (mention.start, mention.end, mention.type) == (0, 2, 0)
    assert mention.logit == pytest.approx(np.log(0.7 / 0.2), abs=1e-5)


def test_padding_is_never_a_mention():
    banded = np.log(np.full((1, 4, 3, 3), [0.01, 0.98, 0.01], np.float32))
    assert [(one.start, one.end) for one in find_mentions(banded, [2])[0]] == [(0, 2)]


class Table:
    """A network whose relation logits are given cell by cell; everything else is `other`."""

    def __init__(self, cells: dict[tuple[int, int], list[float]], other: float = -9.0) -> None:
        self.cells, self.other = cells, other
        self.asked: set[tuple[int, int]] = set()

    def relate(self, states: WordStates, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        rows = []
        for head, tail in zip(i[0].tolist(), j[0].tolist(), strict=True):
            self.asked.add((head, tail))
            rows.append(self.cells.get((head, tail), [self.other] * 2))
        return torch.tensor([rows])


def relations(network: Any, *mentions: DecodedMention) -> list[tuple[int, int, int, float]]:
    states: Any = SimpleNamespace(words=torch.zeros(1, 9, 1), rows=lambda rows: states)
    (found,) = Decoder(NAMES).relate(network, states, [mentions])
    return [(one.head, one.tail, one.relation, one.logit) for one in found.relations]


def person(start: int, end: int) -> DecodedMention:
    return DecodedMention(start, end, 0, 1.0)


def place(start: int, end: int) -> DecodedMention:
    return DecodedMention(start, end, 1, 1.0)


def test_permitted_ends_and_direction_are_obeyed():
    table = permitted(NAMES)
    assert table[0, 1].tolist() == [True, False] and table[0, 0].tolist() == [False, True]
    network = Table({(0, 5): [3.0, 3.0], (5, 0): [3.0, 3.0]})
    assert relations(network, person(0, 1), place(5, 6)) == [(0, 1, 0, 3.0)]
    assert network.asked == {(0, 5)} or (5, 0) not in network.asked


def test_a_pairs_logit_is_the_mean_over_two_corners_of_its_block():
    network = Table({(0, 5): [1.0, -9], (2, 6): [5.0, -9]}, other=-100.0)
    assert relations(network, person(0, 3), place(5, 7)) == [(0, 1, 0, 3.0)]


def test_a_symmetric_relation_is_given_once_in_the_order_of_the_text():
    network = Table({(0, 5): [-9, 1.0], (5, 0): [-9, 2.0]})
    assert relations(network, person(0, 1), person(5, 6)) == [(0, 1, 1, 1.5)]


def test_nothing_is_scored_where_no_pair_is_possible():
    network = Table({})
    assert relations(network, place(0, 1), place(2, 3)) == []
    assert relations(network, person(0, 1)) == []
    assert not network.asked


def test_a_tag_gives_a_mentions_type_and_form():
    banded = np.log(np.full((1, 1, 1, 7), 0.05, np.float32))
    banded[0, 0, 0, 6] = np.log(0.7)
    (mention,) = find_mentions(banded, [1], types=2)[0]
    assert (mention.type, mention.form) == (1, 2)


class Qualified(Table):
    """Relates the pairs of `Table`; of each cell the factuality and the scores of words are given."""

    def __init__(self, factuality: list[float], words: list[float]) -> None:
        super().__init__({(0, 1): [2.0, -9.0]})
        self.factuality, self.words = factuality, words

    def qualify(self, states: Any, i: torch.Tensor, j: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cells = i.shape[1]
        roles = torch.full((1, cells, 3, 1 + len(self.words)), -5.0)
        roles[:, :, :, 0] = 0.0
        roles[0, :, 0, 1:] = torch.tensor(self.words)
        return torch.tensor([[self.factuality] * cells]), roles


@pytest.mark.parametrize(
    "words, by",
    [
        ([9.0, -1.0, 1.0], 2),  # the head makes no claim about itself here,
        ([-1.0, -2.0, -3.0], None),  # none of them is likelier than none
        ([-1.0, 2.0, 1.0], 1),
    ],
)
def test_a_relation_has_its_factuality_and_its_likeliest_claimant(words, by):
    mentions = [DecodedMention(0, 1, 0, 1.0), DecodedMention(1, 2, 1, 1.0), DecodedMention(2, 3, 0, 1.0)]
    names = Inventory(("person", "location"), (dataclasses.replace(BORN, tails=frozenset({"location"})),))
    network: Any = Qualified([0.0, 3.0, 1.0, 2.0], words)
    network.relate = lambda states, i, j: torch.tensor(
        [[[2.0] if (a, b) == (0, 1) else [-9.0] for a, b in pairs(i, j)]]
    )
    states: Any = SimpleNamespace(words=torch.zeros(1, 3, 2), rows=lambda rows: states)
    ((sentence),) = Decoder(names, qualified=True).relate(network, states, [mentions])
    (relation,) = sentence.relations
    assert relation.factuality == 1 and relation.roles == (by, None, None)


def pairs(i: torch.Tensor, j: torch.Tensor) -> list[tuple[int, int]]:
    return list(zip(i[0].tolist(), j[0].tolist(), strict=True))
