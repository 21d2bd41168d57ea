"""Whole runs of a tiny network: killed and resumed, in two processes, early stopping, publishing, comparing."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from extraction.reader.calibration import log_odds
from extraction.reader.checkpoint import LoadedCheckpoint
from kgbuilder.conf.environment import ROOT
from tests.generated import Chain, config, decided_by_the_picture, eight, network, prepared
from tests.patience import PATIENCE_S
from training.data.parse_cache import ParseCache, ParsesMissing, Unparsed
from training.data.preparation import prepare_held_out
from training.engine.loop import Run, RunProgress
from training.engine.run_state import StateError
from training.evaluation.bootstrap import difference, interval, spread
from training.evaluation.metrics import Prediction
from training.evaluation.pair_scores import score_pairs
from training.evaluation.quintuple_scores import mentions_of_quintuples
from training.publishing.publish import finished, publish
from training.scores import Calibrated

STEPS = 16
# A run in a process of its own: `python -c PROGRAM folder finish`, killed unless it is to finish.
PROGRAM = """
import sys, torch
from pathlib import Path
from tests.training.test_run import the_run
torch.set_num_threads(1)
run = the_run()
run.resume(Path(sys.argv[1]))
print("at", run.progress.step, flush=True)
for progress in run.steps(Path(sys.argv[1])):
    print("step", progress.step, flush=True)
run.save(Path(sys.argv[1]))
"""
SHARED = """
import sys, torch
from tests.training.test_run import the_run
from training.engine.distributed import World
from safetensors.torch import save_file
torch.set_num_threads(1)
run = the_run(World.current("cpu"))
run.train()
if run.world.main:
    save_file({str(n): w.detach().clone() for n, w in enumerate(run.parameters)}, sys.argv[1])
print("processes", run.world.size)
run.world.leave()
"""


def the_run(world=None, **changes) -> Run:
    chosen = config("mega", "pair", epochs=STEPS, average=0.9, evaluate_every=5, save_minutes=0.0, **changes)
    given = prepared(chosen, eight())
    made = network(chosen, given.vocabularies)
    return Run(chosen, given, made, lambda net: given.score(net).figures, world)


def weights(run: Run) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in run.parameters]


def environ(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}


def test_a_run_killed_at_any_step_ends_as_one_that_was_not(tmp_path):
    torch.set_num_threads(1)
    whole = the_run()
    whole.train()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    for last in (4, 11):
        process = subprocess.Popen(command, cwd=ROOT, env=environ(), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if line.split() == ["step", str(last)]:
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    ended = subprocess.run(
        command, cwd=ROOT, env=environ(), capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert int(ended.stdout.split()[1]) >= 10
    rest = the_run()
    assert rest.resume(tmp_path) and rest.progress.finished and rest.progress.step == STEPS
    assert rest.progress.losses == whole.progress.losses and rest.progress.scores == whole.progress.scores
    for mine, theirs in zip(
        (weights(whole), whole.average, whole.best), (weights(rest), rest.average, rest.best), strict=True
    ):
        assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))


def test_two_processes_take_the_steps_of_one(tmp_path):
    alone = the_run()
    alone.train()
    path = tmp_path / "weights.safetensors"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_endpoint", "127.0.0.1:0"]
    launch += ["--rdzv_backend", "c10d"]
    program = tmp_path / "shared.py"
    program.write_text(SHARED)
    ended = subprocess.run(
        [*launch, str(program), str(path)], cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=180
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "processes 2" in ended.stdout
    from safetensors.torch import load_file

    together = load_file(path)
    for number, weight in enumerate(alone.parameters):
        assert torch.allclose(weight.detach(), together[str(number)], atol=2e-3), number


def test_a_damaged_state_is_reported(tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"half of it")
    with pytest.raises(StateError, match="cannot be read"):
        the_run().resume(tmp_path)


def test_a_full_disk_is_an_error_and_leaves_the_old_state(tmp_path, monkeypatch):
    run = the_run()
    run.save(tmp_path)
    before = (tmp_path / "state.safetensors").read_bytes()

    def full(*args, **kwargs):
        from safetensors import SafetensorError

        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("training.engine.run_state.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        run.save(tmp_path)
    monkeypatch.setattr("extraction.reader.checkpoint.save_file", full)
    whole = finished(run, "tiny", Chain().version)
    with pytest.raises(OSError, match=f"cannot be written to {tmp_path / 'out'}"):
        whole.save(tmp_path / "out")
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_a_run_stops_early_on_dev_and_keeps_its_best_weights():
    chosen = config("mtb", "pair", epochs=20, evaluate_every=1, patience=2)
    given = prepared(chosen, eight())
    scores = iter([0.2, 0.6, 0.5, 0.6, 0.9])
    seen = []

    def on_dev(net):
        seen.append([weight.detach().clone() for weight in net.parameters()])
        return {"f1": next(scores)}

    run = Run(chosen, given, network(chosen, given.vocabularies), on_dev)
    assert run.train()
    assert [one["f1"] for one in run.progress.scores] == [0.2, 0.6, 0.5, 0.6] and run.progress.best == 1
    kept = list(run.averaged().parameters())
    assert all(torch.equal(one, other) for one, other in zip(kept, seen[1], strict=True))


def test_with_the_best_weights_go_the_statistics_that_they_were_scored_with(tmp_path):
    chosen = config("mtb", "pair", epochs=3, evaluate_every=1)
    given = prepared(chosen, eight())
    scores = iter([0.2, 0.6, 0.5])

    def on_dev(net):
        net.seen += 1
        return {"f1": next(scores)}

    def begun():
        net = network(chosen, given.vocabularies)
        net.register_buffer("seen", torch.zeros(()))
        return Run(chosen, given, net, on_dev)

    run = begun()
    assert run.train(tmp_path) and run.network.seen == 3
    again = begun()
    assert again.resume(tmp_path) and again.network.seen == 3
    assert run.averaged().seen == again.averaged().seen == 2


def test_a_loss_that_not_every_step_has_is_averaged_over_those_that_have_it():
    rows = [{"total": 1.0, "filter": 4.0}, {"total": 3.0}]
    assert RunProgress(losses=rows).recent() == {"total": 2.0, "filter": 4.0}
    assert RunProgress().recent() == {}


def test_a_time_limit_counts_from_this_start():
    chosen = config("mtb", "pair", epochs=2, max_minutes=30)
    given = prepared(chosen, eight())
    run = Run(chosen, given, network(chosen, given.vocabularies))
    run.progress.seconds = 7200.0
    assert run.train() and run.progress.seconds > 7200


def test_a_pair_run_is_published_with_figures_and_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("training.publishing.calibration.best_pair_threshold", lambda logits, gold: 0.3)
    chosen = config("focalmre", "pair", epochs=2)
    given = prepared(chosen, decided_by_the_picture(16, boxed=False))
    run = Run(chosen, given, network(chosen, given.vocabularies))
    run.train()
    dev = prepare_held_out(given, decided_by_the_picture(12, first=500, boxed=False), Unparsed(), False)
    checkpoint, judged = publish(finished(run, "tiny", Unparsed.version), dev, dev, Unparsed(), tmp_path, tmp_path)
    assert checkpoint.manifest.metrics["test"]["figures"] == judged["test"].figures
    assert LoadedCheckpoint.load(tmp_path).digest == checkpoint.digest
    stored = json.loads((tmp_path / "predictions-test.json").read_text())
    assert np.array(stored["counts"]).shape == (12, 3) and "text" not in json.dumps(stored["items"])
    card = (tmp_path / "README.md").read_text()
    assert checkpoint.digest in card and "random initial weights" in card
    saved = LoadedCheckpoint.load(tmp_path)
    assert saved.manifest.metrics["dev"]["best_f1_threshold"] == 0.3 and stored["rule"] == "probability"
    again = dev.score(saved.network, Calibrated(best=0.3))
    assert again.figures == judged["test"].figures


def test_pairs_are_scored_without_the_label_none():
    given = prepared(config("mtb", "pair"), eight())  # none, lives, born, none, lives, born, none, lives
    keys = ("", *given.inventory.relation_keys)
    logits = np.full((8, len(keys)), -5.0, np.float32)
    found = ["", "/per/loc/place_of_residence", "", "/per/loc/place_of_birth", *[""] * 4]
    for row, key in enumerate(found):
        logits[row, keys.index(key)] = 5.0
    judged = score_pairs(given, logits, Calibrated())
    assert judged.figures["precision"] == 0.5 and judged.figures["recall"] == 0.2
    assert judged.figures["f1"] == pytest.approx(2 * 1 / (2 + 5)) and judged.figures["accuracy"] == 3 / 8
    assert judged.confusion["none"] == {"none": 2, "/per/loc/place_of_birth": 1}
    assert judged.by_relation["/per/loc/place_of_residence"]["recall"] == pytest.approx(1 / 3)


def test_a_pair_counts_as_related_from_the_probability_that_was_best_on_dev():
    from training.evaluation.pair_scores import best_pair_threshold, decided

    # none is the likeliest of all three; the second's 0.4 is right, the third's 0.2 is not
    logits = np.log(np.array([[0.2, 0.7, 0.1], [0.5, 0.4, 0.1], [0.7, 0.1, 0.2]], np.float32))
    gold = np.array([1, 1, 0])
    assert decided(logits).tolist() == [1, 0, 0]
    assert decided(logits, 0.3).tolist() == [1, 1, 0] and decided(logits, 0.1).tolist() == [1, 1, 2]
    assert decided(logits, 0.75).tolist() == [0, 0, 0] and decided(logits[:0], 0.5).tolist() == []
    assert best_pair_threshold(logits, gold) == 0.25
    assert (
        best_pair_threshold(logits, np.zeros(3, np.int64)) is None and best_pair_threshold(logits[:0], gold[:0]) is None
    )


def test_the_likeliest_labels_figures_stand_beside_those_of_the_chosen_probability():
    given = prepared(config("mtb", "pair"), eight())  # none, lives, born, none, lives, born, none, lives
    rows = np.full((8, 1 + len(given.inventory.relation_keys)), -9.0, np.float32)
    lives = 1 + given.inventory.relation_keys.index("/per/loc/place_of_residence")
    rows[:, 0], rows[:, lives] = np.log(0.6), np.log(0.4)
    assert score_pairs(given, rows, Calibrated()).figures["f1"] == 0.0
    bold = score_pairs(given, rows, Calibrated(best=0.35)).figures
    assert bold["f1"] > 0 and bold["argmax_f1"] == 0.0 and bold["argmax_accuracy"] == 3 / 8


def test_mentions_of_quintuples_are_those_that_are_related():
    from training.evaluation.word_pair_grid import ScoredRelation, ScoredSpan

    example = eight()[1]
    spans = (ScoredSpan(0, 1, "per", 1.0), ScoredSpan(2, 3, "loc", 1.0))
    found = Prediction(spans, (ScoredRelation(0, 1, "/per/loc/place_of_birth", 1.0),))
    score = mentions_of_quintuples([example], [found])
    assert (score.right, score.predicted, score.gold) == (1, 2, 2)
    assert mentions_of_quintuples([example], [Prediction(spans, ())]).predicted == 0


def test_log_odds_are_those_of_the_softmax():
    logits = np.array([[1.0, 2.0, -1.0]], np.float32)
    shares = np.exp(logits) / np.exp(logits).sum()
    assert log_odds(logits) == pytest.approx(np.log(shares / (1 - shares)), abs=1e-5)


def test_intervals_hold_the_figure_and_pairs_distinguish_systems():
    rng = np.random.default_rng(0)
    gold = np.ones((400, 1), np.int64)
    good, bad = ((rng.random((400, 1)) < share).astype(np.int64) for share in (0.8, 0.6))
    one, other = (np.hstack([right, gold, gold]) for right in (good, bad))
    sure = interval(one)
    assert sure.value == pytest.approx(good.mean()) and sure.low < sure.value < sure.high
    assert 0.06 < sure.high - sure.low < 0.1  # 4 standard errors of a share of 0.8 in 400
    apart = difference(one, other)
    assert apart.p < 0.01 and apart.low > 0 and apart.value == pytest.approx(good.mean() - bad.mean())
    assert difference(one, one).p == 1.0
    with pytest.raises(ValueError, match="same items"):
        difference(one, other[:-1])
    assert spread([0.5, 0.7]).mean == pytest.approx(0.6) and spread([0.5, 0.7]).deviation == pytest.approx(
        0.1414, abs=1e-4
    )


def test_parses_are_kept_and_a_missing_one_is_named(tmp_path):
    cache = ParseCache("chain", Chain.pos_labels, Chain.dep_labels)
    assert cache.add(Chain(), [("a", "b"), ("a", "b"), ("c",)]) == 2
    cache.save(tmp_path / "parses.gz")
    loaded = ParseCache.load(tmp_path / "parses.gz")
    (words,) = loaded.parse_words([("a", "b")])
    assert words.heads == (0, 0) and words.deps == ("root", "next") and words.spans == ((0, 1), (2, 3))
    with pytest.raises(ParsesMissing, match="no parse of 'x y'"):
        loaded.parse_words([("x", "y")])
    (tmp_path / "parses.gz").write_bytes(b"nothing")
    with pytest.raises(ParsesMissing, match="cache of parses"):
        ParseCache.load(tmp_path / "parses.gz")


def test_training_needs_neither_django_nor_spacy():
    program = "import training.run, training.__main__, sys; print(*{n.split('.')[0] for n in sys.modules})"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environ(), stdout=subprocess.PIPE, check=True)
    assert not {"django", "spacy", "thinc", "ot", "celery"} & set(ended.stdout.decode().split())


def test_settings_of_another_run_are_named(tmp_path):
    the_run().save(tmp_path)
    other = the_run()
    other.config = dataclasses.replace(other.config, seed=5)
    with pytest.raises(StateError, match="other settings \\(seed\\)"):
        other.resume(tmp_path)
