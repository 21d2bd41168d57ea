"""The file of a checkpoint's predictions on one split: counts of every item, with which other systems are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from extraction.reader.checkpoint import LoadedCheckpoint
from training.scores import Scores

PREDICTIONS = "predictions-{split}.json"


def write_predictions(folder: Path, split: str, checkpoint: LoadedCheckpoint, scores: Scores) -> Path:
    """Counts of every item, without any text, so that systems can be compared on them later."""
    path = folder / PREDICTIONS.format(split=split)
    manifest = checkpoint.manifest
    values: dict[str, Any] = {
        "checkpoint": manifest.name,
        "digest": checkpoint.digest,
        "system": manifest.system,
        "split": split,
        "rule": rule(scores),
        "counts": scores.counts.tolist(),
        "items": scores.items,
    }
    path.write_text(json.dumps(values) + "\n", encoding="utf-8")
    return path


def rule(scores: Scores) -> str:
    """How a pair counts as related; "" of what is no pair."""
    if "accuracy" not in scores.figures:
        return ""
    return "probability" if "argmax_f1" in scores.figures else "most probable"
