"""Mentions by one checkpoint, relations by another, as quintuples."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.extraction.reader.test_pair_classifier import pair_checkpoint
from tests.generated import Chain, eight
from training.evaluation import pipeline_evaluation
from training.evaluation.metrics import Prediction
from training.evaluation.word_pair_grid import ScoredSpan
from training.heads import HEADS


def gold_mentions(examples: Any) -> list[Prediction]:
    return [Prediction([ScoredSpan(one.start, one.end, one.type, 0.9) for one in row.mentions], ()) for row in examples]


def test_pairs_of_found_mentions_are_asked_about_where_types_permit(tmp_path, monkeypatch):
    pairs = pair_checkpoint(tmp_path, "mtb", "pair")
    examples = eight()
    label = 1 + pairs.manifest.inventory.relation_keys.index("/per/loc/place_of_residence")
    wrong = 1 + pairs.manifest.inventory.relation_keys.index("/org/org/subsidiary")
    asked = []

    def answers(net, given):
        asked.extend(given.items)
        logits = np.full((len(given.items), 1 + len(given.inventory.relations)), -9.0, np.float32)
        for row, item in enumerate(given.items):
            logits[row, wrong if item.example == 0 else label] = 9.0
        return logits

    monkeypatch.setattr(pipeline_evaluation, "pair_logits", answers)
    found = pipeline_evaluation.related(pairs, HEADS["pair"], examples, gold_mentions(examples), Chain())
    # per and loc: the ordered pair (per, loc) alone may be related
    assert [(item.candidate.head, item.candidate.tail) for item in asked] == [(0, 1)] * 8
    assert found[0].relations == ()
    assert all(len(one.relations) == 1 and one.relations[0].score > 0.99 for one in found[1:])
    judged = pipeline_evaluation.score_predictions(examples, found, pairs.manifest.inventory)
    gold = sum(one.relations[0].key.endswith("residence") for one in examples if one.relations)
    assert judged.counts.sum(0).tolist() == [gold, 7, 5]


def test_of_both_orders_of_a_pair_the_more_confident_answer_stands(tmp_path, monkeypatch):
    pairs = pair_checkpoint(tmp_path, "mtb", "pair")
    names = pairs.manifest.inventory.relation_keys
    peer, couple = 1 + names.index("/per/per/peer"), 1 + names.index("/per/per/couple")
    two = [
        dataclasses.replace(one, mentions=tuple(dataclasses.replace(span, type="per") for span in one.mentions))
        for one in eight()
    ]

    def answers(net, given):
        logits = np.zeros((len(given.items), 1 + len(names)), np.float32)
        for row, item in enumerate(given.items):
            backward = item.candidate.head > item.candidate.tail
            logits[row, couple if backward else peer] = 9.0 if backward == (item.example % 2 == 0) else 6.0
        return logits

    monkeypatch.setattr(pipeline_evaluation, "pair_logits", answers)
    found = pipeline_evaluation.related(pairs, HEADS["pair"], two, gold_mentions(two), Chain())
    relations = [[(relation.head, relation.tail, relation.key) for relation in one.relations] for one in found]
    assert relations == [[(1, 0, "/per/per/couple")], [(0, 1, "/per/per/peer")]] * 4


def test_a_pair_checkpoint_finds_no_mentions(tmp_path):
    pairs = pair_checkpoint(tmp_path, "mtb", "pair")
    with pytest.raises(ValueError, match="finds no mentions"):
        pipeline_evaluation.score_pipeline(pairs, pairs, HEADS, eight(), Chain())


def test_a_tagger_before_a_pair_system(tmp_path):
    tagger = pair_checkpoint(tmp_path / "tagger", "rsrnet", "tags")
    pairs = pair_checkpoint(tmp_path / "pairs", "mega", "pair")
    judged = pipeline_evaluation.score_pipeline(tagger, pairs, HEADS, eight(), Chain())
    assert len(judged.counts) == 8 and {"f1", "blind_f1", "mention_f1"} <= set(judged.figures)


@pytest.mark.parametrize("images", ["", "pictures"])
def test_a_tagger_is_shown_pictures_where_it_was_trained_on_them(tmp_path, monkeypatch, images):
    tagger = pair_checkpoint(tmp_path / "tagger", "rsrnet", "tags")
    pairs = pair_checkpoint(tmp_path / "pairs", "mega", "pair")
    trained = {**tagger.manifest.training, "config": {**tagger.manifest.training["config"], "images": images}}
    tagger = dataclasses.replace(tagger, manifest=dataclasses.replace(tagger.manifest, training=trained))
    shown, real = [], pipeline_evaluation.prepare_for

    def prepare_for(one, head, given, parser, folder):
        shown.append(folder)
        return real(one, head, given, parser)

    monkeypatch.setattr(pipeline_evaluation, "prepare_for", prepare_for)
    pipeline_evaluation.score_pipeline(tagger, pairs, HEADS, eight(), Chain(), "here")
    assert shown == ["here" if images else "", "here"]
