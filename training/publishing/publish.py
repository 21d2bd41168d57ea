"""A finished run of a pair or tag system becomes a checkpoint: calibrated on dev, scored on test, with its card."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from extraction.reader.checkpoint import Checkpoint
from training.data.parse_cache import Parses
from training.data.preparation import Prepared
from training.engine.loop import Run
from training.evaluation.decision_threshold import best_least
from training.evaluation.predictions import pair_logits, settle, tagged
from training.evaluation.predictions_file import write_predictions
from training.evaluation.scoring import Judgement, gold_labels, judge
from training.publishing.calibration import mention_calibration, pair_calibration
from training.publishing.checkpoints import manifest_of, rounded
from training.publishing.model_card import judged_card


def publish_judged(
    run: Run, name: str, parser: Parses, dev: Prepared, test: Prepared, folder: Path
) -> tuple[Checkpoint, dict[str, Judgement]]:
    """Writes the run's checkpoint to `folder`, with its figures on dev and test and what it said of each item."""
    network = rounded(run)
    settle(network, dev)
    manifest = manifest_of(run, name, parser)
    thresholds, counted = {"default": 0.5}, {}
    if run.prepared.head == "tags":
        fitted = mention_calibration(dev, tagged(network, dev))
    else:
        logits = pair_logits(network, dev)
        fitted, thresholds = pair_calibration(dev, logits)
        if (least := best_least(logits, gold_labels(dev))) is not None:
            counted = {"default": least}
    judged = {split: judge(network, part, fitted, counted) for split, part in (("dev", dev), ("test", test))}
    metrics = {split: one.as_dict() for split, one in judged.items()}
    if counted:
        metrics["dev"]["best_f1_threshold"] = counted["default"]
    manifest = dataclasses.replace(manifest, calibration=fitted, thresholds=thresholds, metrics=metrics)
    Checkpoint(manifest, network, run.prepared.featurizer).save(folder)
    saved = Checkpoint.load(folder)
    for split, one in judged.items():
        write_predictions(folder, split, saved, one)
    (folder / "README.md").write_text(judged_card(saved, judged), encoding="utf-8")
    return saved, judged
