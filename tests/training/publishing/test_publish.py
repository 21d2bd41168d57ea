"""A run of each head, from its config to the files of its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extraction.datasets import registry
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import LoadedCheckpoint
from extraction.schema import Example
from tests.generated import SMALL, Chain, config, decided_by_the_picture, network
from tests.tiny import tokenizer
from training.config import TrainConfig
from training.heads import HEADS
from training.run import Start, recalibrate, run

FIRST = {"train": 0, "dev": 500, "test": 900}
START = Start(lambda name: tokenizer(), lambda config, known: network(config, known))


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every split is generated; none of its sentences stands in another."""

    def load(name: str, split: str, *rest: Any) -> list[Example]:
        return decided_by_the_picture(12, FIRST[split])

    monkeypatch.setattr(registry, "load", load)
    monkeypatch.setattr(registry, "training_set", lambda *asked: load("mnre", "train"))


def published(folder: Path, chosen: TrainConfig) -> tuple[str, dict[str, Any]]:
    """The card of a finished run, and its metrics."""
    result = run(chosen, folder, folder, Chain(), start=START)
    return (folder / "README.md").read_text(), result


def eega(**network: Any) -> TrainConfig:
    return config("eega", "word_pairs", network={**SMALL["eega"], **network})


def test_a_head_has_the_name_by_which_configs_and_systems_know_it() -> None:
    assert all(head.name == name for name, head in HEADS.items())
    assert {name for system in SYSTEMS.values() for name in system.heads} == HEADS.keys()


def test_the_card_names_the_inputs_that_the_network_takes(tmp_path: Path) -> None:
    with_boxes, _ = published(tmp_path / "boxes", eega(objects=4))
    assert "Its inputs: text, boxes.\n" in with_boxes
    words_alone, _ = published(tmp_path / "words", eega(objects=0))
    assert "Its inputs: text.\n" in words_alone


@pytest.mark.parametrize(("system", "head"), [("mtb", "pair"), ("rsrnet", "tags"), ("eega", "word_pairs")])
def test_the_card_and_the_files_hold_what_was_measured(tmp_path: Path, system: str, head: str) -> None:
    card, result = published(tmp_path, config(system, head, evaluate_every=1))
    saved = LoadedCheckpoint.load(tmp_path)
    assert result["digest"] == saved.digest and f"Digest `{saved.digest}`" in card
    assert saved.manifest.metrics["test"]["figures"] == result["test"]["figures"]
    assert f"| test | {' | '.join(f'{value:.1%}' for value in result['test']['figures'].values())} |" in card
    predictions = json.loads((tmp_path / "predictions-test.json").read_text())
    assert predictions["digest"] == saved.digest and len(predictions["counts"]) == 12
    assert ("own labels" in card) == HEADS[saved.manifest.head].by_data_set


@pytest.mark.parametrize(("system", "head"), [("relformer", "region_pair"), ("eega", "word_pairs")])
def test_a_checkpoint_that_is_calibrated_again_is_the_same(tmp_path: Path, system: str, head: str) -> None:
    card, result = published(tmp_path, config(system, head))
    recalibrate(tmp_path, tmp_path, Chain())
    assert LoadedCheckpoint.load(tmp_path).digest == result["digest"]
    assert (tmp_path / "README.md").read_text() == card
