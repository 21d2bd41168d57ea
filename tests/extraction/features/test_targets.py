"""What a batch's cells are trained towards: only what the data set settles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from extraction.features.targets import NOISE_WEIGHT, word_pair_targets
from extraction.labels import Inventory, RelationType
from extraction.schema import Example, WordRelation, WordSpan

ENDS = frozenset({"person", "place", "time"})
NAMES = Inventory(
    ("person", "place", "time"),
    (
        RelationType("born", "born", None, None, ENDS, ENDS),
        RelationType("friend", "friend", None, None, ENDS, ENDS, symmetric=True),
        RelationType("other", "other", None, None, ENDS, ENDS),
    ),
)
N, PERSON, PLACE, TIME = range(4)
EXAMPLE = Example(
    id="1",
    dataset="made up",
    words=("Ada", "B", "met", "Eve", "in", "Rome"),
    mentions=(WordSpan(0, 2, "person"), WordSpan(3, 4, "person"), WordSpan(5, 6, "place")),
    relations=(WordRelation(0, 1, "friend"), WordRelation(0, 2, "born")),
    types=frozenset({"person", "place"}),
    relation_keys=frozenset({"born", "friend"}),
)


def tags(example: Example, row: int, size: int) -> set[int]:
    """The tags that the cell (row, row + size) may have."""
    return set(np.flatnonzero(word_pair_targets([example], NAMES, band=3).allowed[0, row, size].numpy()).tolist())


def cells(example: Example, **options) -> dict[tuple[int, int], tuple[list[int], list[int], float]]:
    """(i, j) -> positive relations, annotated relations, weight."""
    made = word_pair_targets([example], NAMES, 3, **options)
    return {
        (int(i), int(j)): (yes.nonzero().flatten().tolist(), known.nonzero().flatten().tolist(), float(weight))
        for i, j, yes, known, weight in zip(
            made.i[0], made.j[0], made.related[0], made.annotated[0], made.weights[0], strict=True
        )
        if weight
    }


def test_a_type_fills_the_upper_triangle_of_its_block():
    assert tags(EXAMPLE, 0, 0) == tags(EXAMPLE, 0, 1) == tags(EXAMPLE, 1, 0) == {PERSON}
    assert tags(EXAMPLE, 5, 0) == {PLACE}


def test_elsewhere_is_n_or_a_type_that_the_data_set_does_not_annotate():
    assert tags(EXAMPLE, 2, 0) == tags(EXAMPLE, 1, 1) == {N, TIME}


def test_beyond_the_sentence_everything_is_allowed():
    assert tags(EXAMPLE, 5, 1) == {N, PERSON, PLACE, TIME}


def test_a_mention_of_unknown_type_is_some_type():
    unknown = dataclasses.replace(EXAMPLE, mentions=(WordSpan(0, 2, ""), *EXAMPLE.mentions[1:]))
    assert tags(unknown, 0, 1) == {PERSON, PLACE, TIME}


def test_where_mentions_are_incomplete_only_their_borders_are_settled():
    partial = dataclasses.replace(EXAMPLE, complete=False)
    assert tags(partial, 2, 0) == {N, PERSON, PLACE, TIME}
    assert tags(partial, 1, 1) == {N}  # half inside a mention
    assert tags(partial, 0, 1) == {PERSON}


def test_a_relation_stands_at_head_row_and_tail_column_only():
    found = cells(EXAMPLE)
    assert found[0, 5][0] == found[1, 5][0] == [0]  # first word by first, last by last
    assert found[5, 0][0] == []
    assert (0, 1) not in found and (2, 5) not in found


def test_a_symmetric_relation_stands_both_ways():
    found = cells(EXAMPLE)
    assert found[0, 3][0] == found[3, 0][0] == [1]


def test_relations_that_the_set_does_not_annotate_are_not_negative():
    assert all(known == [0, 1] for _, known, _ in cells(EXAMPLE).values())


def test_each_pair_weighs_one_however_many_words_it_has():
    found = cells(EXAMPLE)
    assert found[0, 3][2] + found[1, 3][2] == pytest.approx(1.0)
    assert found[3, 5][2] == 1.0


def test_a_pair_that_is_not_settled_is_left_out():
    masked = dataclasses.replace(EXAMPLE, masked_pairs=frozenset({(1, 2)}))
    assert (3, 5) in cells(EXAMPLE) and (3, 5) not in cells(masked)


def test_one_relation_of_a_settled_pair_can_be_left_out():
    masked = dataclasses.replace(EXAMPLE, masked_relations=frozenset({(0, 2, "friend")}))
    assert cells(masked)[0, 5][:2] == ([0], [0])


def test_noise_words_are_negative_and_weigh_less():
    rng = np.random.default_rng(0)
    found = cells(EXAMPLE, noise=9, rng=rng)
    assert found[2, 5] == ([], [0, 1], pytest.approx(NOISE_WEIGHT))
    assert found[5, 4] == ([], [0, 1], pytest.approx(NOISE_WEIGHT))


def test_no_noise_where_other_words_may_be_mentions():
    partial = dataclasses.replace(EXAMPLE, complete=False)
    assert set(cells(partial, noise=9, rng=np.random.default_rng(0))) == set(cells(partial))


def test_a_set_of_mentions_alone_trains_no_relation():
    alone = dataclasses.replace(EXAMPLE, relations=(), relation_keys=frozenset())
    assert cells(alone, noise=9, rng=np.random.default_rng(0)) == {}
