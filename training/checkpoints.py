"""A finished run becomes a checkpoint: averaged weights, calibration and thresholds from dev, figures, model card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from extraction import datasets
from extraction.checkpoint import Checkpoint, Manifest
from extraction.features import SHAPES
from extraction.labels import annotated_relations
from extraction.networks.eega import EEGA
from extraction.networks.encoders import TextEncoder
from extraction.text import Parser
from extraction.tiny import sizes
from training import calibration
from training.card import card
from training.config import IN_NEWS, TrainConfig
from training.evaluate import Reader, best_threshold, features_of, find
from training.figures import Figures, figures
from training.loop import Run
from training.metrics import calibration_error, judged_relations
from training.prepare import Prepared

# Of asserted relations, on dev. Higher in truth: dev counts as wrong what is so, but not in the annotation.
PRECISION = 0.68
# Sets of sentences that were picked for their relations: how often one is right there says little about other texts.
PICKED = ("conll04", "jmere", "mnre_none")
FLOOR = 0.05


def new_network(config: TrainConfig, prepared: Prepared) -> EEGA:
    """The run's network before its first step: a pre-trained encoder and, by the run's seed, random heads."""
    torch.manual_seed(config.seed)
    encoder = TextEncoder.pretrained(config.encoder, len(SHAPES))
    return EEGA(sizes(prepared.featurizer, prepared.inventory, **config.network), encoder)


def publish(run: Run, name: str, parser: Parser, root: Path, folder: Path) -> tuple[Checkpoint, list[Figures]]:
    """Writes the run's checkpoint to `folder`, weights rounded to fp16 before anything is measured on them."""
    config, prepared = run.config, run.prepared
    network = run.averaged()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.half().float())
    manifest = Manifest(
        name=name,
        network=network.config,
        inventory=prepared.inventory,
        encoder={"source": config.encoder, "architecture": network.encoder.architecture},
        pos=prepared.featurizer.pos,
        deps=prepared.featurizer.deps,
        parser=parser.version,
        title=config.title,
        pieces=prepared.featurizer.pieces,
        floor=FLOOR,
        training={"config": config.as_dict(), "notes": prepared.notes, "seconds": round(run.progress.seconds)},
    )
    return finish(Checkpoint(manifest, network, prepared.featurizer), parser, root, folder)


def finish(checkpoint: Checkpoint, parser: Parser, root: Path, folder: Path) -> tuple[Checkpoint, list[Figures]]:
    """Calibrates a checkpoint, scores it, and writes it with its model card."""
    checkpoint = calibrate(checkpoint, parser, root)
    rows = figures(checkpoint, parser, root)
    metrics = {**checkpoint.manifest.metrics, "test": [dataclasses.asdict(row) for row in rows]}
    checkpoint = dataclasses.replace(checkpoint, manifest=dataclasses.replace(checkpoint.manifest, metrics=metrics))
    checkpoint.save(folder)
    saved = Checkpoint.load(folder)
    (folder / "README.md").write_text(card(saved, rows, PRECISION), encoding="utf-8")
    return saved, rows


def calibrate(checkpoint: Checkpoint, parser: Parser, root: Path) -> Checkpoint:
    """Fits calibration and thresholds on the dev parts of the run's data sets that have relations."""
    manifest = checkpoint.manifest
    config = TrainConfig.from_dict(manifest.training["config"])
    examples = [
        example
        for name in config.data
        for example in datasets.load(name, "dev", root, config.labels)
        if example.relation_keys and 0 < len(example.words) <= config.longest
    ]
    found = find(checkpoint.network, features_of(checkpoint, examples, parser, manifest.title), manifest.inventory)
    fitted = calibration.fit(examples, found, manifest.inventory)
    loose = Reader(manifest.inventory, fitted, {"default": 0.0}).predictions(found)
    judged = judged_relations(examples, loose, manifest.inventory)
    gold = sum(len(example.relations) for example in examples)
    chosen = calibration.choose(judged, gold, PRECISION, _only_in_picked(config))
    if config.labels == "mapped":
        chosen = calibration.override(chosen.values, IN_NEWS, judged, gold)
    even, score = best_threshold(examples, found, manifest.inventory, fitted)
    metrics: dict[str, Any] = {
        "dev": {
            "sentences": len(examples),
            "relation_calibration_error": round(
                calibration_error([one.score for one in judged], [one.right for one in judged]), 4
            ),
            "precision_at_thresholds": round(chosen.precision, 4),
            "recall_at_thresholds": round(chosen.recall, 4),
            "best_f1": round(score.f1, 4),
            "best_f1_threshold": even,
        }
    }
    changed = dataclasses.replace(manifest, calibration=fitted, thresholds=chosen.values, metrics=metrics)
    return dataclasses.replace(checkpoint, manifest=changed)


def _only_in_picked(config: TrainConfig) -> frozenset[str]:
    """Relations that a reader trained on other sets too has learnt from the picked ones alone (`peer`, `killed_by`)."""
    picked, others = (
        {key for name in config.data if (name in PICKED) == wanted for key in annotated_relations(name, config.labels)}
        for wanted in (True, False)
    )
    return frozenset(picked - others) if others else frozenset()
