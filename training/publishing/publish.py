"""A finished run becomes a checkpoint: calibrated on dev, scored on dev and test, with its model card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from extraction.networks.encoders.vit import VISION
from extraction.reader.checkpoint import LoadedCheckpoint, Manifest
from training.config import TrainConfig
from training.data.parse_cache import Parses
from training.data.prepared import Prepared
from training.engine.loop import Run
from training.evaluation.benchmark_rows import data_set_scores
from training.evaluation.predictions import settle
from training.evaluation.predictions_file import write_predictions
from training.publishing.antecedents import fit_antecedents
from training.publishing.model_card import card
from training.publishing.news_thresholds import dev_articles, news_thresholds
from training.scores import Scores

FLOOR = 0.1


def publish(
    checkpoint: LoadedCheckpoint, dev: Prepared, test: Prepared, parser: Parses, root: Path, folder: Path
) -> tuple[LoadedCheckpoint, dict[str, Scores]]:
    """Calibrates a checkpoint, scores it, and writes it to `folder` with its card and its answers to every item."""
    manifest, network, head = checkpoint.manifest, checkpoint.network, dev.head
    config = TrainConfig.from_dict(manifest.training["config"])
    settle(network, dev)
    found = head.predict(network, dev)
    calibrated = head.calibrate(dev, found, config)
    scores = {
        "dev": head.score(dev, found, calibrated),
        "test": head.score(test, head.predict(network, test), calibrated),
    }
    metrics: dict[str, Any] = {split: one.as_dict() for split, one in scores.items()}
    metrics["dev"] |= calibrated.dev
    manifest = dataclasses.replace(
        manifest, calibration=calibrated.calibration, thresholds=calibrated.thresholds, metrics=metrics
    )
    checkpoint = _for_news(dataclasses.replace(checkpoint, manifest=manifest), root)
    rows = data_set_scores(checkpoint, head, config.data, parser, root) if head.by_data_set else None
    metrics["test"] |= {"data_sets": [dataclasses.asdict(row) for row in rows]} if rows else {}
    checkpoint.save(folder)
    saved = LoadedCheckpoint.load(folder)
    for split, one in scores.items():
        write_predictions(folder, split, saved, one)
    (folder / "README.md").write_text(card(saved, config, scores, rows), encoding="utf-8")
    return saved, scores


def _for_news(checkpoint: LoadedCheckpoint, root: Path) -> LoadedCheckpoint:
    """The checkpoint with thresholds for news, if it was trained on any: chosen on its dev articles alone."""
    articles = dev_articles(checkpoint, root)
    if not articles:
        return checkpoint
    chosen = news_thresholds(articles)
    measured = {
        "news_articles": len(articles),
        "news_precision_at_thresholds": round(chosen.precision, 4),
        "news_recall_at_thresholds": round(chosen.recall, 4),
    }
    metrics = dict(checkpoint.manifest.metrics)
    metrics["dev"] = metrics.get("dev", {}) | measured
    manifest = dataclasses.replace(checkpoint.manifest, thresholds=chosen.values, metrics=metrics)
    return dataclasses.replace(checkpoint, manifest=manifest)


def finished(
    run: Run,
    name: str,
    parser: str,
    mentions: dict[str, str] | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> LoadedCheckpoint:
    """The network that a run has ended with, before anything has been measured on it.

    `parser`: the parser's version. `mentions`: as in Manifest. Weights are rounded to fp16, as they will be kept.
    """
    network = run.averaged()
    fit_antecedents(network, run.prepared, run.config.seed, say)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.half().float())
    config, known = run.config, run.prepared.vocabularies
    seeing: Any = next((part for part in network.modules() if isinstance(part, tuple(VISION.values()))), None)
    vision = {"source": config.vision.get("source", "random"), "architecture": seeing.architecture} if seeing else {}
    manifest = Manifest(
        name=name,
        network=network.config,
        inventory=known.inventory,
        encoder={"source": config.encoder, "architecture": network.encoder.architecture},
        pos=known.featurizer.pos,
        deps=known.featurizer.deps,
        parser=parser,
        title=config.title,
        pieces=known.featurizer.pieces,
        floor=FLOOR,
        training={"config": config.as_dict(), "notes": run.prepared.notes, "seconds": round(run.progress.seconds)},
        system=config.system,
        head=run.prepared.head.name,
        vision=vision,
        classes=known.classes,
        mentions=mentions or {},
        window=config.window,
        inputs=known.inputs,
    )
    return LoadedCheckpoint(manifest, network, known.featurizer)
