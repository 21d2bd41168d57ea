"""Logits to probabilities that hold, and thresholds that keep their promise."""

from __future__ import annotations

import numpy as np
import pytest

from extraction.labels import Inventory, RelationType
from extraction.reader.calibration import Calibration, relation_inputs, sigmoid
from extraction.reader.decoding import DecodedMention, DecodedRelation, DecodedSentence
from extraction.schema import Example, WordRelation, WordSpan
from training.evaluation.metrics import JudgedRelation, calibration_error
from training.publishing.calibration import choose, fit

ENDS = frozenset({"a"})
NAMES = Inventory(("a",), tuple(RelationType(key, key, None, None, ENDS, ENDS) for key in ("x", "y")))


def sentence(right: bool, key: int, logit: float, mentions: float = 3.0) -> tuple[Example, DecodedSentence]:
    """A sentence whose one relation was found with this logit, rightly or not."""
    spans = (WordSpan(0, 1, "a"), WordSpan(2, 3, "a"))
    relations = (WordRelation(0, 1, NAMES.relation_keys[key]),) if right else ()
    example = Example("1", "made up", ("u", "v", "w"), spans, relations, ENDS, frozenset(NAMES.relation_keys))
    found = tuple(DecodedMention(span.start, span.end, 0, mentions) for span in spans)
    return example, DecodedSentence(found, (DecodedRelation(0, 1, key, logit),))


def drawn(count: int, slope: float, bias: tuple[float, float]) -> list[tuple[Example, DecodedSentence]]:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        key, logit = int(rng.integers(2)), float(rng.normal(0, 2))
        right = rng.random() < sigmoid(np.array(slope * logit + bias[key]))
        rows.append(sentence(bool(right), key, logit))
    return rows


def test_the_fit_finds_the_slope_and_each_relations_bias():
    rows = drawn(6000, slope=0.5, bias=(1.0, -1.0))
    fitted = fit([row[0] for row in rows], [row[1] for row in rows], NAMES)
    assert fitted.relation[0] == pytest.approx(0.5, abs=0.08)
    assert fitted.biases["x"] - fitted.biases["y"] == pytest.approx(2.0, abs=0.3)


def test_probabilities_hold_on_other_draws():
    rows = drawn(4000, slope=0.4, bias=(0.5, -1.5))
    fitted = fit([row[0] for row in rows[:3000]], [row[1] for row in rows[:3000]], NAMES)
    held_out = rows[3000:]
    scores = [fitted.relations(found, NAMES.relation_keys)[0] for _, found in held_out]
    right = [bool(example.relations) for example, _ in held_out]
    raw = [float(sigmoid(np.array(found.relations[0].logit))) for _, found in held_out]
    assert calibration_error(scores, right) < 0.05 < calibration_error(raw, right)


def test_a_relation_rests_on_its_mentions():
    calibration = Calibration(relation=(1.0, 1.0, 0.0, 0.0, 0.0))
    _, sure = sentence(True, 0, 1.0, mentions=3.0)
    _, unsure = sentence(True, 0, 1.0, mentions=-1.0)
    assert calibration.relations(sure, ("x", "y"))[0] > calibration.relations(unsure, ("x", "y"))[0]


def test_the_weaker_mention_comes_first_and_the_words_between_are_counted():
    mentions = (DecodedMention(0, 1, 0, 5.0), DecodedMention(4, 6, 0, -2.0), DecodedMention(6, 7, 0, 0.0))
    found = DecodedSentence(
        mentions, (DecodedRelation(0, 1, 0, 1.0), DecodedRelation(1, 0, 0, 99.0), DecodedRelation(2, 1, 0, 3.0))
    )
    gap = pytest.approx(np.log(4))
    assert relation_inputs(found).tolist() == [
        [1.0, -2.0, 5.0, gap, 1.0],
        [12.0, -2.0, 5.0, gap, 1.0],
        [3.0, -2.0, 0.0, 0.0, 1.0],
    ]


def test_nothing_to_fit_leaves_the_network_its_word():
    assert fit([], [], NAMES) == Calibration()


def test_nothing_found():
    assert Calibration().mentions(DecodedSentence()) == [] and Calibration().relations(DecodedSentence(), ("x",)) == []


def test_a_threshold_keeps_the_precision_it_was_chosen_for():
    rng = np.random.default_rng(1)
    judged = [JudgedRelation("x", score, bool(rng.random() < score)) for score in rng.random(4000)]
    chosen = choose(judged, gold=2000, precision=0.8)
    assert chosen.precision >= 0.8
    lower = [one.right for one in judged if one.score >= chosen.values["x"] - 0.1]
    assert sum(lower) / len(lower) < 0.8


def test_a_rare_relation_has_the_common_threshold():
    judged = [JudgedRelation("often", 0.9, True)] * 50 + [JudgedRelation("rare", 0.9, False)] * 3
    assert set(choose(judged, 50, 0.8).values) == {"default", "often"}


def test_cautious_relations_get_the_highest_threshold():
    judged = [JudgedRelation("x", 0.9, True)] * 50
    values = choose(judged, 50, 0.8, frozenset({"x", "unseen"})).values
    assert values["x"] == values["unseen"] > values["default"]


def test_a_relation_that_is_never_right_gets_the_highest_threshold():
    judged = [JudgedRelation("bad", score, False) for score in np.linspace(0.1, 0.85, 40)]
    assert choose(judged, 10, 0.8).values["bad"] > 0.85
