"""The paper's grid (Figure 3 of EEGA), and what gold loses on its way through our targets and decoding."""

from dataclasses import replace

import numpy as np
import pytest

from extraction.labels import Inventory, inventory
from extraction.schema import Example, WordRelation, WordSpan
from training.evaluation.word_pair_grid import decode_figure3, encode_figure3

NATIVE = inventory(["jmere"], "native")
MEMBER, PEER, AWARDED = "/per/org/member_of", "/per/per/peer", "/per/misc/awarded"


def figure3() -> Example:
    """The words that Figure 3 shows (its dots left out), with its four mentions and five relations."""
    words = ("So", "happy", "NBA", "stars", "Thompson", ",", "Curry", "O'Brien", "Trophy")
    mentions = (WordSpan(2, 3, "org"), WordSpan(4, 5, "per"), WordSpan(6, 7, "per"), WordSpan(7, 9, "misc"))
    relations = (
        WordRelation(1, 0, MEMBER),
        WordRelation(2, 0, MEMBER),
        WordRelation(1, 2, PEER),
        WordRelation(1, 3, AWARDED),
        WordRelation(2, 3, AWARDED),
    )
    return Example(
        "fig3", "jmere", words, mentions, relations, frozenset(NATIVE.types), frozenset(NATIVE.relation_keys)
    )


def test_the_papers_grid_is_that_of_figure_3():
    keys = NATIVE.relation_keys
    tag = {"N": 0, "Mi": 1 + NATIVE.types.index("misc"), "Pe": 1 + NATIVE.types.index("per")}
    tag |= {"Or": 1 + NATIVE.types.index("org")}
    tag |= {name: 5 + keys.index(key) for name, key in (("R1", MEMBER), ("R2", PEER), ("R3", AWARDED))}
    rows = """
        N N N  N N  N N  N  N
        N N N  N N  N N  N  N
        N N Or N R1 N R1 N  N
        N N N  N N  N N  N  N
        N N R1 N Pe N R2 R3 R3
        N N N  N N  N N  N  N
        N N R1 N R2 N Pe R3 R3
        N N N  N R3 N R3 Mi Mi
        N N N  N R3 N R3 N  Mi
    """
    expected = np.array([[tag[cell] for cell in row.split()] for row in rows.strip().splitlines()])
    np.testing.assert_array_equal(encode_figure3(figure3(), NATIVE), expected)


def test_figure_3_decodes_to_its_mentions_and_relations_where_ends_or_order_give_the_head():
    example = figure3()
    mentions, relations = decode_figure3(encode_figure3(example, NATIVE), NATIVE)
    assert mentions == example.mentions
    assert set(relations) == set(example.relations)


def test_the_papers_grid_loses_the_direction_that_order_does_not_give():
    example = replace(figure3(), relations=(WordRelation(2, 1, PEER),))
    _, relations = decode_figure3(encode_figure3(example, NATIVE), NATIVE)
    assert relations == (WordRelation(1, 2, PEER),)


def test_neighbouring_mentions_of_one_type_stay_apart():
    example = Example("n", "jmere", ("Ada", "Holm", "Bertha"), (WordSpan(0, 2, "per"), WordSpan(2, 3, "per")))
    mentions, _ = decode_figure3(encode_figure3(example, NATIVE), NATIVE)
    assert mentions == example.mentions


# -------------------------------------------------------------------------------------------- our grid, both ways


def perfect(examples: list[Example], of: Inventory = NATIVE, band: int = 16):
    from training.evaluation.oracle import ceiling

    return ceiling(examples, of, band)


def test_our_grid_keeps_direction_and_several_relations_of_a_pair():
    example = figure3()
    both = (*example.relations, WordRelation(2, 1, PEER), WordRelation(1, 2, "/per/per/couple"))
    result = perfect([replace(example, relations=both)])
    assert result.relations.f1 == 1.0 and result.relations.gold == 7
    assert result.mentions.f1 == 1.0
    assert result.figure3.f1 < 1.0


@pytest.mark.parametrize(
    ("mentions", "band", "kept"),
    [
        ([WordSpan(0, 4, "org"), WordSpan(1, 2, "loc")], 16, {0}),  # nested: the grid holds disjoint mentions
        ([WordSpan(0, 4, "org")], 3, set()),  # longer than the band
        ([WordSpan(0, 3, "org"), WordSpan(3, 5, "org")], 3, {0, 1}),
    ],
)
def test_the_ceiling_counts_what_the_grid_cannot_hold(mentions, band, kept):
    example = replace(figure3(), mentions=tuple(mentions), relations=())
    result = perfect([example], band=band)
    assert result.mentions.gold == len(mentions)
    assert result.mentions.right <= len(kept)
    if len(kept) == len(mentions):
        assert result.mentions.f1 == 1.0


def test_a_relation_whose_ends_are_not_permitted_is_lost_and_counted():
    example = replace(figure3(), relations=(WordRelation(0, 1, MEMBER), WordRelation(1, 0, MEMBER)))
    result = perfect([example])
    assert (result.relations.right, result.relations.gold) == (1, 2)


def test_masked_mentions_and_pairs_do_not_lower_the_ceiling():
    example = figure3()
    masked = replace(
        example,
        mentions=(*example.mentions[:3], WordSpan(7, 9, "")),
        relations=example.relations[:2],
        masked_pairs=frozenset({(1, 2), (2, 1)}),
    )
    result = perfect([masked])
    assert result.mentions.f1 == 1.0 and result.relations.f1 == 1.0
