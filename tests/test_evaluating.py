"""What an evaluation of the training pages measures, and what it says that a system was shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from extraction import datasets
from extraction.checkpoint import Checkpoint
from extraction.schema import Example
from tests.generated import Chain, eight
from tests.test_composition import pair_checkpoint
from training import evaluating
from training.evaluating import Measured, measure
from training.judging import judge


def measured(
    checkpoint: Checkpoint, root: Path, patch: pytest.MonkeyPatch, examples: list[Example], **options: Any
) -> Measured:
    patch.setattr(datasets, "load", lambda *asked: examples)
    return measure(checkpoint, "mnre", "test", root, Chain(), lambda line: None, **options)


def with_least(checkpoint: Checkpoint, least: float) -> Checkpoint:
    manifest = dataclasses.replace(checkpoint.manifest, metrics={"dev": {"best_f1_threshold": least}})
    return dataclasses.replace(checkpoint, manifest=manifest)


def test_the_most_probable_label_stands_beside_the_one_from_a_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = pair_checkpoint(tmp_path, "mtb", "pair")
    alone = measured(plain, tmp_path, monkeypatch, eight())
    assert [one["name"] for one in alone.figures] == ["relations"]
    both = measured(with_least(plain, 0.0), tmp_path, monkeypatch, eight())
    assert [one["name"] for one in both.figures] == ["relations", "relations, most probable label"]
    assert both.figures[0]["found"] == 8  # from a probability of nothing every pair is related
    assert both.figures[1] == {**alone.figures[0], "name": both.figures[1]["name"], "accuracy": alone.accuracy}
    prepared = evaluating.prepared_for(plain, eight(), Chain())
    judged = judge(plain.network, prepared, thresholds={"default": 0.0}).figures
    assert (both.figures[1]["f1"], both.figures[1]["accuracy"]) == (judged["argmax_f1"], judged["argmax_accuracy"])
    assert (both.figures[0]["f1"], both.accuracy) == (judged["f1"], judged["accuracy"])
