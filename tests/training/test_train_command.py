"""`manage.py train` and `evaluate`: their messages when something is missing; symmetric facts when mapped back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from training.__main__ import Reporter, configured
from training.config import TrainConfig
from training.data.preparation import prepare
from training.evaluation.benchmark_rows import _turned_too
from training.evaluation.metrics import Prediction
from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan
from training.heads import HEADS
from training.recipes import RECIPES

FIXTURES = Path(__file__).parents[1] / "fixtures" / "datasets"


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


def test_progress_reports_the_time_left():
    from training.engine.loop import RunProgress

    lines: list[str] = []
    report = Reporter(lines.append)
    report(RunProgress(step=100, steps=400, seconds=60.0, losses=[{"total": 3.0, "types": 2.0}]))
    report.next = 0
    losses = [{"total": 3.0, "types": 2.0}, {"total": 1.0, "types": 1.0}]
    scores: list[dict[str, float]] = [{"epoch": 1, "step": 199, "f1": 0.5}]
    report(RunProgress(step=200, steps=400, epoch=1, batch=1, seconds=120.0, losses=losses, scores=scores))
    assert lines[-2] == "dev after epoch 1: f1 0.500"
    assert lines[-1] == "step 200 of 400 (50%), epoch 2, loss 2.000 total 1.500 types, about 2 min left"


def test_a_symmetric_relation_is_scored_both_ways_where_a_set_annotates_both():
    mentions = (ScoredSpan(0, 1, "person", 1.0), ScoredSpan(2, 3, "person", 1.0))
    relations = (ScoredRelation(0, 1, "sibling", 0.9), ScoredRelation(0, 1, "father", 0.9))
    turned = _turned_too(Prediction(mentions, relations)).relations
    assert [(one.head, one.tail, one.key) for one in turned] == [(0, 1, "sibling"), (0, 1, "father"), (1, 0, "sibling")]


def test_a_recipe_that_continues_requires_its_checkpoint():
    with pytest.raises(ValueError, match="recipe 'general': name it with --start"):
        configured("news", {})


def test_the_command_trains_what_a_recipe_continues_from_first_and_once(tmp_path, monkeypatch):
    ran: list[tuple[str, str]] = []

    def run(self: Any, recipe: str, options: dict[str, Any]) -> None:
        ran.append((recipe, options["start"] or ""))
        folder = Path(options["out"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text("made")

    monkeypatch.setattr("training.management.commands.train.Command._run", run)
    out = tmp_path / "out"
    for _ in range(2):
        call_command("train", "eega", recipe="news", data_root=str(tmp_path), out=str(out))
    assert ran == [("general", ""), ("news", str(out / "start")), ("news", str(out / "start"))]
    call_command("train", "eega", recipe="news", data_root=str(tmp_path), out=str(out), start="elsewhere")
    assert ran[-1] == ("news", "elsewhere")


def tiny(**changes):
    few = {"edge_width": 8, "channel_width": 8, "channel_out": 16, "inner": 16, "heads": 2}
    given = {"data": ("conll04",), "network": few, "epochs": 1, "limit": 3, "average": 0.0, "evaluate_every": 0}
    return TrainConfig(**{**given, **changes})


def begin(config, prepared):
    from extraction.features.featurizer import SHAPES
    from extraction.networks.encoders import text
    from extraction.networks.encoders.text import TextEncoder
    from training.engine.networks import assembled

    return assembled(config, prepared.vocabularies, TextEncoder.blank(text.tiny(30522), len(SHAPES)))


def test_a_run_continues_from_a_checkpoint_without_what_it_leaves_out(tmp_path):
    from training.engine.loop import Run
    from training.engine.networks import new_network
    from training.publishing.publish import finished
    from training.run import parser_for

    config = tiny()
    parser = parser_for("eega", None)
    prepared = prepare(config, HEADS["word_pairs"], FIXTURES, parser)
    first = Run(config, prepared, begin(config, prepared))
    first.train()
    finished(first, "first", parser.version).save(tmp_path)
    on = tiny(start=str(tmp_path), left_out={"conll04": ["residence"]}, seed=9)
    again = prepare(on, HEADS["word_pairs"], FIXTURES, parser)
    assert again.vocabularies.featurizer.pmi.keys.tolist() == prepared.vocabularies.featurizer.pmi.keys.tolist()
    weights = first.network.state_dict()
    for name, weight in new_network(on, again.vocabularies).state_dict().items():
        assert weight.allclose(weights[name], atol=1e-3), name  # kept as fp16
    assert all("residence" not in one.relation_keys for one in again.examples)
    assert any("employer" in one.relation_keys for one in again.examples)
    assert again.vocabularies.classes == prepared.vocabularies.classes
    with pytest.raises(ValueError, match="continues with its own network: leave inner 16 as there"):
        prepare(
            tiny(start=str(tmp_path), network={**config.network, "inner": 32}), HEADS["word_pairs"], FIXTURES, parser
        )
    with pytest.raises(ValueError, match="its own encoder, all-MiniLM-L6-v2: name that one, not bert-base-uncased"):
        prepare(tiny(start=str(tmp_path), encoder="bert-base-uncased"), HEADS["word_pairs"], FIXTURES, parser)


def test_a_run_continues_only_from_its_own_kind(tmp_path):
    from extraction.reader.checkpoint import SHIPPED
    from training.run import parser_for

    config = tiny(start=str(SHIPPED))
    with pytest.raises(ValueError, match="other types or relations"):
        prepare(config, HEADS["word_pairs"], FIXTURES, parser_for("eega", None))


def test_labels_are_found_in_the_data_folder_beside_the_other_sets(tmp_path, settings):
    from training.management.commands.train import _with_labels

    settings.DATA_DIR, root, out = tmp_path / "var", tmp_path / "sets", tmp_path / "out"
    for folder in (settings.DATA_DIR / "labels" / "2026-12-01", root / "voa"):
        folder.mkdir(parents=True)
    assert _with_labels(("voa",), root, out) == root
    for _ in ("first", "resumed"):
        linked = _with_labels(("voa", "labels-2026-12-01"), root, out)
        assert (linked / "labels" / "2026-12-01").is_dir() and (linked / "voa").is_dir()
    (root / "labels").mkdir()
    assert _with_labels(("labels",), root, out) == root
