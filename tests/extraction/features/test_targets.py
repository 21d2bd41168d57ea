"""What a batch's cells are trained towards: only what the data set settles."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from extraction.features.targets import NOISE_WEIGHT, word_pair_targets
from extraction.labels import Inventory, RelationType, inventory
from extraction.schema import FACTUALITIES, Example, WordRelation, WordSpan

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


def refused(example: Example, row: int, size: int) -> set[int]:
    """The tags that the cell (row, row + size) cannot have."""
    return set(np.flatnonzero(word_pair_targets([example], NAMES, band=3).refused[0, row, size].numpy()).tolist())


def test_elsewhere_is_n_and_a_type_that_the_data_set_does_not_annotate_is_neither():
    assert tags(EXAMPLE, 2, 0) == tags(EXAMPLE, 1, 1) == {N}
    assert refused(EXAMPLE, 2, 0) == refused(EXAMPLE, 1, 1) == {PERSON, PLACE}
    assert refused(EXAMPLE, 0, 1) == {N, PLACE}


def test_beyond_the_sentence_nothing_is_settled():
    assert tags(EXAMPLE, 5, 1) == {N, PERSON, PLACE, TIME} and refused(EXAMPLE, 5, 1) == set()


def test_a_mention_of_unknown_type_is_some_type():
    unknown = dataclasses.replace(EXAMPLE, mentions=(WordSpan(0, 2, ""), *EXAMPLE.mentions[1:]))
    assert tags(unknown, 0, 1) == {PERSON, PLACE, TIME} and refused(unknown, 0, 1) == {N}


def test_where_mentions_are_incomplete_only_their_borders_are_settled():
    partial = dataclasses.replace(EXAMPLE, complete=False)
    assert refused(partial, 2, 0) == set()
    assert tags(partial, 1, 1) == {N} and refused(partial, 1, 1) == {PERSON, PLACE, TIME}  # half inside a mention
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


NEWS = inventory(("voa",))
CLAIM = Example(
    id="1",
    dataset="voa",
    words=("Ann", "says", "she", "bought", "Northwind", "for", "£3m", "today"),
    mentions=(
        WordSpan(0, 1, "person"),
        WordSpan(2, 3, "person", "pronoun"),
        WordSpan(4, 5, "organization"),
        WordSpan(6, 7, "number"),
        WordSpan(7, 8, "time"),
    ),
    relations=(WordRelation(1, 2, "acquired", "alleged", by=0, when=4, amount=3), WordRelation(2, 1, "founded_by")),
    types=frozenset(NEWS.types),
    relation_keys=frozenset(NEWS.relation_keys),
    news=True,
)


def news_tags(example: Example, row: int) -> set[tuple[str, str]]:
    allowed = word_pair_targets([example], NEWS, band=2).allowed[0, row, 0].numpy()
    return {NEWS.tags[tag - 1] if tag else ("", "") for tag in np.flatnonzero(allowed).tolist()}


def test_a_tag_is_a_type_and_a_form():
    assert news_tags(CLAIM, 0) == {("person", "name")} and news_tags(CLAIM, 2) == {("person", "pronoun")}
    assert news_tags(CLAIM, 1) == {("", "")}


def test_a_set_of_names_settles_nothing_of_pronouns_and_its_wide_type_is_a_sum():
    older = dataclasses.replace(
        CLAIM,
        news=False,
        types=frozenset({"person", "miscellaneous", "location"}),
        mentions=(WordSpan(0, 1, "miscellaneous"), WordSpan(4, 5, "location")),
        relations=(),
    )
    assert news_tags(older, 0) == {(kind, "name") for kind in ("miscellaneous", "event", "group", "role")}
    assert news_tags(older, 4) == {("location", "name")} and news_tags(older, 2) == {("", "")}
    made = word_pair_targets([older], NEWS, band=2)
    cannot = {NEWS.tags[tag - 1] for tag in np.flatnonzero(made.refused[0, 2, 0].numpy()).tolist()}
    assert cannot == {("person", "name"), ("miscellaneous", "name"), ("location", "name")}


def test_a_related_cell_has_its_factuality_and_who_says_so():
    made = word_pair_targets([CLAIM], NEWS, band=2)
    rows = {
        (int(i), int(j)): (int(factuality), roles.tolist())
        for i, j, factuality, roles in zip(made.i[0], made.j[0], made.factuality[0], made.roles[0], strict=True)
    }
    alleged = FACTUALITIES.index("alleged")
    assert rows[2, 4] == rows[4, 2] == (alleged, [1, 8, 7])  # by Ann, today, £3m
    assert rows[0, 4] == (-1, [-1, -1, -1])
    assert made.fillers[0, 1].nonzero().flatten().tolist() == [7]
    assert made.fillers[0, 2].nonzero().flatten().tolist() == [6]
    other = word_pair_targets([dataclasses.replace(CLAIM, news=False)], NEWS, band=2)
    assert (other.factuality == -1).all()


def test_in_news_an_inverse_holds_from_the_other_end_and_impossible_pairs_are_no_cells():
    near = dataclasses.replace(
        CLAIM,
        words=("Rome", "Italy", "3,000"),
        mentions=(WordSpan(0, 1, "location"), WordSpan(1, 2, "location"), WordSpan(2, 3, "number")),
        relations=(WordRelation(0, 1, "located_in"),),
    )
    made = word_pair_targets([near], NEWS, band=2)
    related = {
        (int(i), int(j)): [NEWS.relation_keys[key] for key in yes.nonzero().flatten().tolist()]
        for i, j, yes, weight in zip(made.i[0], made.j[0], made.related[0], made.weights[0], strict=True)
        if weight
    }
    assert related[0, 1] == ["located_in"] and related[1, 0] == ["contains"]
    assert (2, 0) not in related and (0, 2) in related  # a number is the population of a place
