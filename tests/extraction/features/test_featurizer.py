"""From the parser's words to arrays: pieces, shapes, trees, co-occurrence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.features.cooccurrence import NEGATIVE, UNSEEN, ZERO, PmiTable, hashes
from extraction.features.featurizer import SHAPES, UNCONNECTED, Featurizer, TooManyPieces, shape, tree_hops
from extraction.schema import Words
from tests.tiny import tokenizer


def words(*tokens: str, heads: tuple[int, ...] = ()) -> Words:
    size = len(tokens)
    spans = tuple((index, index + 1) for index in range(size))
    return Words(spans, tokens, ("NOUN",) * size, heads or tuple(range(size)), ("dep",) * size)


def featurizer(pmi: PmiTable | None = None, pieces: int = 512) -> Featurizer:
    return Featurizer(tokenizer(), ("NOUN", "VERB"), ("dep", "nsubj"), pmi or PmiTable.empty(), pieces)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("paris", "lower"),
        ("Paris", "title"),
        ("NATO", "upper"),
        ("A", "initial"),
        ("McDonald", "mixed"),
        ("1,200", "number"),
        ("$3.5", "number"),
        ("40%", "number"),
        ("F16", "digits"),
        ("...", "mark"),
        ("@bbc", "at"),
        ("#Brexit", "hash"),
        ("https://example.org", "url"),
        ("U.S.", "dotted"),
        ("Jean-Luc", "mixed"),
        ("東京", "other"),
        ("", "mark"),
    ],
)
def test_shapes(word, expected):
    assert SHAPES[shape(word)] == expected


@given(st.text(max_size=12))
def test_every_word_has_a_shape(word):
    assert 0 < shape(word) < len(SHAPES)


def test_hops_of_a_tree():
    hops = tree_hops(np.array([1, 1, 1, 2]))  # 0 <- 1 -> 2 -> 3
    assert hops.tolist() == [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]


def test_words_of_two_trees_and_of_a_ring_are_not_connected():
    hops = tree_hops(np.array([0, 0, 2, 4, 3]))
    assert hops[0, 1] == 1
    assert hops[0, 2] == hops[3, 4] == hops[0, 3] == UNCONNECTED


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10))
def test_hops_are_a_distance(heads):
    hops = tree_hops(np.array([min(head, index) for index, head in enumerate(heads)])).astype(int)
    assert (hops == hops.T).all() and (np.diag(hops) == 0).all()
    for middle in range(len(heads)):
        around = hops[:, middle, None] + hops[None, middle, :]
        assert (hops <= np.minimum(around, UNCONNECTED)).all()


def test_a_words_first_piece_is_found_behind_a_title():
    made = featurizer().make([words("ab", "C", "de")], [("xyz", "B")])[0]
    tokens = [featurizer().tokenizer.id_to_token(int(index)) for index in made.ids]
    assert tokens == ["[CLS]", "x", "##y", "##z", "b", "[SEP]", "a", "##b", "c", "d", "##e", "[SEP]"]
    assert [tokens[place] for place in made.first] == ["a", "c", "d"]
    assert [SHAPES[index] for index in made.shapes[[1, 4, 6, 7, 8, 11]]] == [
        "lower",
        "initial",
        "lower",
        "lower",
        "initial",
        "",
    ]


def test_a_title_changes_nothing_but_the_pieces():
    sentence = words("ab", "c", heads=(1, 1))
    bare, titled = (featurizer().make([sentence], before)[0] for before in (None, [("x",)]))
    for name in ("pos", "heads", "deps", "hops", "together"):
        assert np.array_equal(getattr(bare, name), getattr(titled, name))
    assert len(titled.ids) == len(bare.ids) + 2


def test_a_word_that_the_tokenizer_drops_keeps_its_place():
    made = featurizer().make([words("a", "\u200b", "b")])[0]
    assert len(made) == 3
    assert made.first[1] == 0


def test_unknown_labels_have_an_index_of_their_own():
    sentence = Words(((0, 1), (1, 2)), ("a", "b"), ("NOUN", "???"), (0, 0), ("nsubj", "???"))
    made = featurizer().make([sentence])[0]
    assert made.pos.tolist() == [1, 3] and made.deps.tolist() == [3, 4]
    assert featurizer().pos_size == 4 and featurizer().edge_size == 5


def test_a_sentence_with_too_many_pieces_is_named():
    with pytest.raises(TooManyPieces) as problem:
        featurizer(pieces=8).make([words("a"), words("abcdefgh")])
    assert problem.value.args == (1,)


def test_pmi_counts_pairs_within_the_window_regardless_of_order_and_case():
    filler = [f"w{index}" for index in range(20)]
    table = PmiTable.count([["New", "York"], ["york", "new"], filler], minimum=2)
    assert len(table.keys) == 1
    found = table.look_up(["york", "w1", "NEW"])
    assert found[0, 2] == found[2, 0] > ZERO
    assert found[0, 1] == UNSEEN and (np.diag(found) == UNSEEN).all()


def test_pmi_leaves_a_training_sentence_out_of_its_own_count():
    often = [["new", "york", "a", "b"]] * 8
    table = PmiTable.count([*often, *[["new", "c"], ["york", "d"]] * 2], minimum=1)
    assert (table.look_up(["new", "c"], own=True) <= table.look_up(["new", "c"])).all()
    once = PmiTable.count([["x", "y"]], minimum=1)
    assert once.look_up(["x", "y"])[0, 1] > UNSEEN
    assert once.look_up(["x", "y"], own=True)[0, 1] == UNSEEN


def test_words_that_are_independent_have_no_mutual_information():
    """Two different words stand in two orders, and both are counted as one pair."""
    rng = np.random.default_rng(0)
    names = [f"w{number}" for number in range(12)]
    table = PmiTable.count([[names[one] for one in rng.integers(0, 12, 12)] for _ in range(1500)])
    levels = table.look_up(names)[np.triu_indices(12, 1)].astype(int)
    assert set(levels.tolist()) == {NEGATIVE, ZERO + 1}, "a little under 0, or a little above and rounded up"
    assert 0.2 < (levels == NEGATIVE).mean() < 0.8
    twice = table.look_up(["w1", "w1"])[0, 1]
    assert twice in (NEGATIVE, ZERO + 1), "a word with itself stands in one order"


def test_words_that_avoid_each_other_are_negative():
    apart = [["a", f"b{index}"] for index in range(30)] + [["c", f"d{index}"] for index in range(30)]
    table = PmiTable.count([*apart, ["a", "c"]], minimum=1)
    assert table.look_up(["a", "c"])[0, 1] == NEGATIVE


def test_pmi_keeps_the_commonest_pairs():
    sentences = [["a", "b"]] * 5 + [["c", "d"]] * 3 + [["e", "f"]] * 4
    table = PmiTable.count(sentences, minimum=1, largest=2)
    seen = [table.look_up(list(pair))[0, 1] > UNSEEN for pair in ("ab", "cd", "ef")]
    assert seen == [True, False, True]


def test_hashes_are_stable():
    assert hashes(["Paris", "paris"]).tolist() == [2519518178, 2519518178]
