"""A finished run of a pair or tag system becomes a checkpoint: calibrated on dev, scored on test, with its card."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.reader.calibration import Calibration, clip, log_odds
from extraction.reader.checkpoint import Checkpoint
from extraction.reader.decoding import Found
from training.data.images import inputs
from training.data.parse_cache import Parses
from training.data.preparation import Prepared
from training.engine.loop import Run
from training.evaluation.bootstrap import interval
from training.evaluation.decision_threshold import best_least
from training.evaluation.metrics import Judged
from training.evaluation.predictions import pair_logits, settle, tagged
from training.evaluation.scoring import Judgement, gold_labels, judge
from training.publishing import calibration
from training.publishing.checkpoints import PRECISION, manifest_of, rounded

PREDICTIONS = "predictions-{split}.json"


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
    (folder / "README.md").write_text(card(saved, judged), encoding="utf-8")
    return saved, judged


def pair_calibration(dev: Prepared, logits: NDArray[np.float32]) -> tuple[Calibration, dict[str, float]]:
    """Platt scaling of the found relation's log-odds, and the threshold with which enough of dev's relations are right.

    A pair system is live given mentions that another found: their logits take no part.
    """
    keys = dev.inventory.relation_keys
    gold = gold_labels(dev)
    rows, right, found = [], [], []
    for label, odds in zip(gold.tolist(), log_odds(logits), strict=True):
        best = int(odds[1:].argmax()) + 1
        rows.append((float(clip(odds[best : best + 1].astype(np.float64))[0]), 1.0))
        right.append(best == label)
        found.append(best)
    if len(set(right)) < 2:
        return Calibration(), {"default": 0.5}
    slope, bias = calibration.logistic(np.array(rows), right, np.full(2, 1e-3))
    fitted = Calibration(relation=(float(slope), 0.0, 0.0, 0.0, float(bias)))
    scores = 1 / (1 + np.exp(-(np.array(rows) @ np.array([slope, bias]))))
    judged = [Judged(keys[best - 1], float(s), ok) for best, s, ok in zip(found, scores, right, strict=True)]
    return fitted, calibration.choose(judged, int((gold > 0).sum()), PRECISION).values


def mention_calibration(dev: Prepared, found: list[Found]) -> Calibration:
    """Platt scaling of a tagged mention's certainty."""
    rows, right = [], []
    for example, one in zip(dev.examples, found, strict=True):
        gold = {(mention.start, mention.end): mention.type for mention in example.mentions}
        for mention in one.mentions:
            rows.append((float(clip(np.array([mention.logit]))[0]), 1.0))
            right.append(gold.get((mention.start, mention.end)) == dev.inventory.types[mention.type])
    if len(set(right)) < 2:
        return Calibration()
    slope, bias = calibration.logistic(np.array(rows), right, np.full(2, 1e-3))
    return Calibration(mention=(float(slope), float(bias)))


def write_predictions(folder: Path, split: str, checkpoint: Checkpoint, judged: Judgement) -> Path:
    """Counts of every item, without any text, so that systems can be compared on them later."""
    path = folder / PREDICTIONS.format(split=split)
    manifest = checkpoint.manifest
    values: dict[str, Any] = {
        "checkpoint": manifest.name,
        "digest": checkpoint.digest,
        "system": manifest.system,
        "split": split,
        "rule": rule(judged),
        "counts": judged.counts.tolist(),
        "items": judged.told,
    }
    path.write_text(json.dumps(values) + "\n", encoding="utf-8")
    return path


def rule(judged: Judgement) -> str:
    """How a pair counts as related; "" of what is no pair."""
    if "accuracy" not in judged.figures:
        return ""
    return "probability" if "argmax_f1" in judged.figures else "most probable"


def card(checkpoint: Checkpoint, judged: dict[str, Judgement]) -> str:
    """The model card, as Markdown."""
    manifest = checkpoint.manifest
    config = manifest.training["config"]
    rows = ["| part | " + " | ".join(judged["test"].figures) + " |", "|---" * (1 + len(judged["test"].figures)) + "|"]
    for split, one in judged.items():
        rows.append(f"| {split} | " + " | ".join(f"{value:.1%}" for value in one.figures.values()) + " |")
    sure = interval(judged["test"].counts) if len(judged["test"].counts) else None
    within = f"95 % interval of the test F1 over resampled items: {sure.low:.1%} to {sure.high:.1%}." if sure else ""
    sections = [
        f"# {manifest.name}",
        f"{manifest.system}, head {manifest.head}, on {config['encoder']}; trained on {', '.join(config['data'])} "
        f"({config['labels']} labels), seed {config['seed']}. Digest `{checkpoint.digest}`.",
        f"What it is shown: {', '.join(inputs(checkpoint, bool(config['images'])))}.",
        "## Figures",
        "\n".join(rows),
        within,
        "## Notes of the run",
        "\n".join(f"- {note}" for note in manifest.training["notes"]),
    ]
    return "\n\n".join(sections) + "\n"
