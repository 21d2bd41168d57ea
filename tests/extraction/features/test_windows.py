"""Neighbouring sentences as one sequence: which are neighbours, where their words stand, and that it matters."""

from __future__ import annotations

import numpy as np
import torch

from extraction.features.batch import collate
from extraction.features.featurizer import Features
from extraction.features.windows import TITLE_PIECES, Window, in_windows, windows_of
from tests.extraction.networks.test_eega import features, network

ROOM = TITLE_PIECES + 3


def sentences() -> list[Features]:
    return [features([1, 1, 1, 2], seed=1), features([0, 0, 1], seed=2), features([0, 0], seed=3)]


def test_a_window_holds_neighbours_of_one_text_up_to_its_limit():
    assert windows_of("aaab", [12, 12, 12, 12], ROOM + 20) == [[0, 1], [2], [3]]
    assert windows_of("aaab", [12, 12, 12, 12], ROOM + 30) == [[0, 1, 2], [3]]
    assert windows_of("a", [900], 100) == [[0]]
    assert windows_of("", [], 100) == []


def test_only_the_first_window_of_a_text_has_the_other_limit():
    assert windows_of("aaaabb", [12] * 6, ROOM + 20, first=ROOM + 10) == [[0], [1, 2], [3], [4], [5]]


def test_pieces_stand_one_after_the_other_and_each_word_finds_its_own():
    own = sentences()
    batch = in_windows(collate(own), own, [Window((0, 2)), Window((1,), title=own[2])])
    assert batch.window is not None and batch.window.tolist() == [0, 1, 0]
    for row, one in enumerate(own):
        pieces = batch.ids[batch.window[row], batch.first[row, : len(one)]]
        assert pieces.tolist() == one.ids[one.first].tolist()
    assert batch.pieces.sum(1).tolist() == [2 + 4 + 2, 2 + (2 + 1) + 3]
    assert batch.ids[0, 0] == own[0].ids[0]


def test_a_word_that_has_no_piece_uses_the_first_one():
    own = sentences()
    own[1].first[1] = 0
    batch = in_windows(collate(own), own, [Window((0, 1, 2))])
    assert batch.first[1, 1] == 0 and batch.first[1, 0] > 0


def test_a_sentence_alone_is_read_as_without_windows_and_a_neighbour_changes_it():
    own, net = sentences(), network()
    alone = net(collate(own)).words
    singly = net(in_windows(collate(own), own, [Window((0,)), Window((1,)), Window((2,))])).words
    together = net(in_windows(collate(own), own, [Window((0, 1)), Window((2,))])).words
    assert torch.allclose(alone[2, :2], singly[2, :2], atol=1e-5)
    assert not torch.allclose(alone[1, :3], together[1, :3], atol=1e-3)
    assert torch.allclose(alone[2, :2], together[2, :2], atol=1e-5)


def test_the_title_is_read_before_the_window_and_cut():
    own = sentences()
    long = features(list(range(60)), seed=5)
    batch = in_windows(collate(own), own, [Window((0,), title=long), Window((1,)), Window((2,))])
    assert int(batch.pieces[0].sum()) == 1 + TITLE_PIECES + 1 + 4 + 1
    assert np.array_equal(batch.ids[0, 1 : 1 + TITLE_PIECES].numpy(), long.ids[1 : 1 + TITLE_PIECES])
