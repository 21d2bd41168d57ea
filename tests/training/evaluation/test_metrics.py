"""Scores counted by hand; what an example does not settle is neither right nor wrong."""

from dataclasses import replace

import pytest

from extraction.labels import inventory
from extraction.schema import Example, WordRelation, WordSpan
from training.evaluation.metrics import (
    F1Score,
    Prediction,
    calibration_error,
    empty_share,
    judged_relations,
    mention_score,
    relation_score,
    relation_scores,
    reliability,
)
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan

INVENTORY = inventory(["redocred", "conll04"])
WORDS = ("Ada", "Holm", "of", "Bergen", ",", "Norway", ",", "met", "Bertha", "Lund", ".")
ADA, BERGEN, NORWAY, BERTHA = (
    WordSpan(0, 2, "person"),
    WordSpan(3, 4, "location"),
    WordSpan(5, 6, "location"),
    WordSpan(8, 10, "person"),
)
EXAMPLE = Example(
    "1",
    "redocred",
    WORDS,
    (ADA, BERGEN, NORWAY, BERTHA),
    (WordRelation(0, 1, "residence"), WordRelation(1, 2, "located_in"), WordRelation(1, 2, "country")),
    frozenset(INVENTORY.types),
    frozenset(INVENTORY.relation_keys),
)


def scored(*mentions: WordSpan) -> list[ScoredSpan]:
    return [ScoredSpan(mention.start, mention.end, mention.type, 0.9) for mention in mentions]


def predicted(*relations: tuple[int, int, str], mentions: tuple[WordSpan, ...] = EXAMPLE.mentions) -> Prediction:
    return Prediction(scored(*mentions), [ScoredRelation(head, tail, key, 0.8) for head, tail, key in relations])


def test_mentions_need_span_and_type():
    found = Prediction(scored(ADA, replace(BERGEN, type="organization"), replace(NORWAY, end=7)))
    assert mention_score([EXAMPLE], [found]) == F1Score(1, 3, 4)
    assert mention_score([EXAMPLE] * 2, [found, Prediction()]) == F1Score(1, 3, 8)


def test_scores_add_up_and_an_empty_one_is_zero():
    score = F1Score(2, 4, 8)
    assert (score.precision, score.recall) == (0.5, 0.25) and score.f1 == pytest.approx(1 / 3)
    assert (F1Score().precision, F1Score().recall, F1Score().f1) == (0.0, 0.0, 0.0)
    assert str(score) == "P 50.0%  R 25.0%  F1 33.3%  (2 of 8)"


def test_relations_are_strict_in_ends_types_key_and_direction():
    found = predicted((0, 1, "residence"), (2, 1, "located_in"), (1, 2, "country"), (0, 2, "residence"))
    assert relation_score([EXAMPLE], [found], INVENTORY) == F1Score(2, 4, 3)
    assert relation_score([EXAMPLE], [found], INVENTORY, directed=False) == F1Score(3, 4, 3)
    wrong_type = predicted((0, 1, "residence"), mentions=(ADA, replace(BERGEN, type="organization"), NORWAY, BERTHA))
    assert relation_score([EXAMPLE], [wrong_type], INVENTORY) == F1Score(0, 1, 3)


def test_each_relation_has_its_own_score():
    scores = relation_scores([EXAMPLE], [predicted((0, 1, "residence"), (0, 3, "spouse"))], INVENTORY)
    assert scores == {
        "residence": F1Score(1, 1, 1),
        "spouse": F1Score(0, 1, 0),
        "located_in": F1Score(0, 0, 1),
        "country": F1Score(0, 0, 1),
    }


def test_a_symmetric_relation_counts_once_whichever_end_comes_first():
    gold = replace(EXAMPLE, relations=(WordRelation(0, 3, "sibling"), WordRelation(3, 0, "sibling")))
    for found in (((0, 3),), ((3, 0),), ((0, 3), (3, 0))):
        prediction = predicted(*((head, tail, "sibling") for head, tail in found))
        assert relation_score([gold], [prediction], INVENTORY) == F1Score(1, 1, 1)


def test_what_is_masked_is_not_counted():
    masked = replace(
        EXAMPLE,
        mentions=(ADA, BERGEN, NORWAY, replace(BERTHA, type="")),
        masked_pairs=frozenset({(0, 2)}),
        masked_relations=frozenset({(1, 2, "continent")}),
        relation_keys=frozenset(INVENTORY.relation_keys) - {"killed_by"},
        types=frozenset(INVENTORY.types) - {"time"},
    )
    found = predicted((0, 2, "residence"), (1, 2, "continent"), (3, 0, "killed_by"))
    assert relation_score([masked], [found], INVENTORY) == F1Score(0, 0, 3)
    # The other direction of a masked pair, another relation of it where others are settled: wrong.
    found = predicted((2, 0, "residence"), (1, 2, "basin_country"))
    assert relation_score([masked], [found], INVENTORY) == F1Score(0, 2, 3)
    mentions = Prediction(scored(ADA, BERTHA, WordSpan(8, 9, "person"), WordSpan(10, 11, "time")))
    assert mention_score([masked], [mentions]) == F1Score(1, 2, 3)


def test_a_masked_symmetric_pair_is_masked_both_ways():
    masked = replace(EXAMPLE, relations=(), masked_pairs=frozenset({(3, 0)}))
    assert relation_score([masked], [predicted((0, 3, "spouse"))], INVENTORY) == F1Score(0, 0, 0)
    assert relation_score([masked], [predicted((0, 3, "child"))], INVENTORY) == F1Score(0, 1, 0)


def test_where_not_every_mention_is_annotated_other_words_are_not_judged():
    some = replace(EXAMPLE, mentions=(ADA, BERGEN), relations=(WordRelation(0, 1, "residence"),), complete=False)
    found = predicted((0, 1, "residence"), (0, 2, "residence"), (1, 0, "located_in"))
    assert relation_score([some], [found], INVENTORY) == F1Score(1, 2, 1)
    mentions = Prediction(scored(ADA, WordSpan(3, 6, "location"), BERTHA))
    assert mention_score([some], [mentions]) == F1Score(1, 2, 2)  # 3-6 crosses a known mention, Bertha does not


def test_empty_sentences_are_those_without_gold_and_masked_finds_do_not_spoil_them():
    bare = replace(EXAMPLE, relations=(), masked_pairs=frozenset({(0, 2)}))
    examples = [EXAMPLE, bare, bare, bare]
    found = [
        predicted((0, 1, "residence")),
        Prediction(),
        predicted((0, 2, "residence")),
        predicted((0, 1, "residence")),
    ]
    assert empty_share(examples, found, INVENTORY) == (2, 3)


def test_judged_relations_carry_score_and_truth():
    judged = judged_relations([EXAMPLE], [predicted((0, 1, "residence"), (0, 3, "spouse"))], INVENTORY)
    assert [(one.key, one.score, one.right) for one in judged] == [("residence", 0.8, True), ("spouse", 0.8, False)]


def test_calibration_error_is_the_weighted_gap_between_score_and_truth():
    scores, right = [0.95, 0.95, 0.15, 0.15, 1.0], [True, False, False, False, True]
    bins = reliability(scores, right)
    assert [(one.low, one.count) for one in bins] == [(0.1, 2), (0.9, 3)]
    assert bins[1].right == pytest.approx(2 / 3) and bins[1].score == pytest.approx(2.9 / 3)
    assert calibration_error(scores, right) == pytest.approx((2 * 0.15 + 3 * (2.9 - 2) / 3) / 5)
    assert calibration_error([], []) == 0.0
    assert calibration_error([1.0, 0.0], [True, False]) == 0.0
