"""`manage.py train` and `evaluate`: what they say when something is missing; symmetric facts when mapped back."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from extraction.grid import ScoredRelation, ScoredSpan
from training.config import RECIPES, TrainConfig
from training.figures import _turned_too
from training.management.commands.train import Reporter
from training.metrics import Prediction


@pytest.fixture(autouse=True)
def _no_data_root(monkeypatch):
    monkeypatch.delenv("KGBUILDER_DATA", raising=False)


def test_train_asks_for_the_data_sets(tmp_path):
    with pytest.raises(CommandError, match="--data-root or in KGBUILDER_DATA"):
        call_command("train", "eega", out=str(tmp_path))


def test_train_names_a_file_that_is_missing(tmp_path):
    with pytest.raises(CommandError, match=r"conll04_train\.json"):
        call_command("train", "eega", recipe="conll04", data_root=str(tmp_path), out=str(tmp_path / "out"))


def test_train_refuses_a_data_set_that_it_does_not_know(tmp_path):
    with pytest.raises(CommandError, match="ontonotes"):
        call_command("train", "eega", data="ontonotes", data_root=str(tmp_path), out=str(tmp_path / "out"))


def test_recalibrate_needs_a_checkpoint(tmp_path):
    with pytest.raises(CommandError, match="no checkpoint in"):
        call_command("train", "eega", recalibrate=True, data_root=str(tmp_path), out=str(tmp_path / "out"))


def test_evaluate_asks_for_the_data_sets():
    with pytest.raises(CommandError, match="--data-root or in KGBUILDER_DATA"):
        call_command("evaluate")


def test_evaluate_needs_a_checkpoint(tmp_path):
    with pytest.raises(CommandError, match="no checkpoint in"):
        call_command("evaluate", str(tmp_path), data_root=str(tmp_path))


def test_a_config_survives_being_written_down():
    for recipe in RECIPES.values():
        assert TrainConfig.from_dict(recipe.as_dict()) == recipe


def test_progress_says_how_long_it_will_take():
    from training.loop import Progress

    lines: list[str] = []
    report = Reporter(lines.append)
    report(Progress(step=100, steps=400, seconds=60.0, losses=[(2.0, 1.0)]))
    report.next = 0
    report(Progress(step=200, steps=400, epoch=1, seconds=120.0, losses=[(2.0, 1.0), (1.0, 0.5)]))
    assert lines[-1] == "step 200 of 400 (50%), epoch 2, loss 1.500 types 0.750 relations, about 2 min left"


def test_a_symmetric_relation_is_scored_both_ways_where_a_set_annotates_both():
    mentions = (ScoredSpan(0, 1, "person", 1.0), ScoredSpan(2, 3, "person", 1.0))
    relations = (ScoredRelation(0, 1, "sibling", 0.9), ScoredRelation(0, 1, "father", 0.9))
    turned = _turned_too(Prediction(mentions, relations)).relations
    assert [(one.head, one.tail, one.key) for one in turned] == [(0, 1, "sibling"), (0, 1, "father"), (1, 0, "sibling")]
