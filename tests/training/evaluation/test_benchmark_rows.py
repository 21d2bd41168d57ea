"""Predictions of the whole inventory in a data set's own labels."""

from pathlib import Path

from extraction.datasets.registry import load
from extraction.labels import inventory
from training.evaluation.benchmark_rows import mapped_back
from training.evaluation.metrics import Prediction, mention_score, relation_score
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan

ROOT = Path(__file__).parents[2] / "fixtures" / "datasets"


def test_gold_mapped_and_mapped_back_is_gold():
    for name in ("conll04", "jmere", "redocred"):
        mapped, native = load(name, "train", ROOT), load(name, "train", ROOT, "native")
        gold = [
            Prediction(
                [ScoredSpan(m.start, m.end, m.type or "time", 1.0) for m in example.mentions],
                [ScoredRelation(r.head, r.tail, r.key, 1.0) for r in example.relations],
            )
            for example in mapped
        ]
        back = [mapped_back(prediction, name) for prediction in gold]
        own = inventory([name], "native")
        relations, mentions = relation_score(native, back, own), mention_score(native, back)
        assert relations.f1 == 1.0 and relations.gold > 0, name
        assert mentions.f1 == 1.0 and mentions.gold > 0, name


def test_what_the_set_has_no_label_for_is_left_out_and_indexes_follow():
    mentions = [
        ScoredSpan(0, 1, "time", 0.9),
        ScoredSpan(1, 2, "location", 0.9),
        ScoredSpan(2, 3, "location", 0.8),
    ]
    relations = [
        ScoredRelation(1, 0, "inception", 0.9),
        ScoredRelation(1, 2, "located_in", 0.7),
        ScoredRelation(1, 2, "capital_of", 0.6),
    ]
    back = mapped_back(Prediction(mentions, relations), "jmere")
    assert back.mentions == [ScoredSpan(1, 2, "loc", 0.9), ScoredSpan(2, 3, "loc", 0.8)]
    assert back.relations == [ScoredRelation(1, 0, "/loc/loc/contain", 0.7)]


def test_a_symmetric_relation_is_stated_as_the_set_states_it():
    people = [ScoredSpan(0, 1, "person", 0.9), ScoredSpan(1, 2, "person", 0.9)]
    found = Prediction(people, [ScoredRelation(1, 0, "sibling", 0.7), ScoredRelation(0, 1, "sibling", 0.6)])
    assert mapped_back(found, "jmere").relations == [ScoredRelation(0, 1, "/per/per/siblings", 0.7)]
    assert mapped_back(found, "redocred").relations == [
        ScoredRelation(0, 1, "P3373", 0.7),
        ScoredRelation(1, 0, "P3373", 0.7),
    ]
