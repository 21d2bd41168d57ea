"""A finished run becomes a checkpoint: averaged weights, calibration and thresholds from dev, figures, model card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from extraction.datasets import registry
from extraction.features.featurizer import SHAPES
from extraction.labels import annotated_relations
from extraction.networks.encoders.text import TextEncoder
from extraction.networks.encoders.vit import VISION
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import Checkpoint, CheckpointError, Manifest
from training.config import TrainConfig
from training.data.parse_cache import Parses
from training.data.preparation import Prepared
from training.engine.loop import Run
from training.evaluation.benchmark_rows import Figures, figures
from training.evaluation.metrics import calibration_error, judged_relations
from training.evaluation.word_pair_predictions import Reader, best_threshold, find_in
from training.publishing import calibration
from training.publishing.model_card import card

# Of asserted relations, on dev. Higher in truth: dev counts as wrong what is so, but not in the annotation.
PRECISION = 0.70
# Sets of sentences that were picked for their relations: how often one is right there says little about other texts.
PICKED = ("conll04", "jmere", "mnre_none")
FLOOR = 0.1


def new_network(config: TrainConfig, prepared: Prepared) -> Any:
    """The run's network before its first step: pre-trained encoders and, by the run's seed, random heads."""
    torch.manual_seed(config.seed)
    if config.start:
        return Checkpoint.load(Path(config.start)).network
    encoder = TextEncoder.pretrained(config.encoder, len(SHAPES))
    return assembled(config, prepared, encoder)


def assembled(config: TrainConfig, prepared: Prepared, encoder: TextEncoder) -> Any:
    """The run's network around this text encoder, with room for its entity markers."""
    system = SYSTEMS[config.system]
    if prepared.markers:
        encoder.make_room(max(prepared.markers) + 1)
    seeing: Any = VISION[system.vision] if system.vision and config.vision else None
    eyes = None
    if seeing is not None:
        given = "architecture" in config.vision
        eyes = seeing.blank(config.vision["architecture"]) if given else seeing.pretrained(config.vision["source"])
    return system.build(system.configure(prepared.sizes, prepared.head, **config.network), encoder, eyes)


def manifest_of(run: Run, name: str, parser: Parses) -> Manifest:
    """What is known of a run's network before anything has been measured on it."""
    config, prepared, network = run.config, run.prepared, run.network
    seeing: Any = next((part for part in network.modules() if isinstance(part, tuple(VISION.values()))), None)
    vision = {"source": config.vision.get("source", "random"), "architecture": seeing.architecture} if seeing else {}
    return Manifest(
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
        system=config.system,
        head=prepared.head,
        vision=vision,
        classes=prepared.classes,
        mentions=_detector(config),
    )


def _detector(config: TrainConfig) -> dict[str, str]:
    """The checkpoint that a pair system's mentions come from in use. Raises CheckpointError where it is none."""
    if not config.mentions:
        return {}
    found = Checkpoint.load(Path(config.mentions))
    if found.manifest.head not in ("word_pairs", "tags"):
        raise CheckpointError(f"{config.mentions} finds no mentions: its head is {found.manifest.head}")
    return {"path": str(Path(config.mentions).resolve()), "digest": found.digest}


def rounded(run: Run) -> Any:
    """The run's network as it will be kept, its weights rounded to fp16 before anything is measured on them."""
    network = run.averaged()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.half().float())
    return network


def publish(run: Run, name: str, parser: Parses, root: Path, folder: Path) -> tuple[Checkpoint, list[Figures]]:
    """Writes the checkpoint of a run of a word-pair system to `folder`."""
    network = rounded(run)
    return finish(Checkpoint(manifest_of(run, name, parser), network, run.prepared.featurizer), parser, root, folder)


def finish(checkpoint: Checkpoint, parser: Parses, root: Path, folder: Path) -> tuple[Checkpoint, list[Figures]]:
    """Calibrates a checkpoint, scores it, and writes it with its model card."""
    checkpoint = calibrate(checkpoint, parser, root)
    rows = figures(checkpoint, parser, root)
    metrics = {**checkpoint.manifest.metrics, "test": [dataclasses.asdict(row) for row in rows]}
    checkpoint = dataclasses.replace(checkpoint, manifest=dataclasses.replace(checkpoint.manifest, metrics=metrics))
    checkpoint.save(folder)
    saved = Checkpoint.load(folder)
    (folder / "README.md").write_text(card(saved, rows, PRECISION), encoding="utf-8")
    return saved, rows


def calibrate(checkpoint: Checkpoint, parser: Parses, root: Path) -> Checkpoint:
    """Fits calibration and thresholds on the dev parts of the run's data sets that have relations."""
    manifest = checkpoint.manifest
    config = TrainConfig.from_dict(manifest.training["config"])
    examples = [
        example
        for name in config.data
        for example in registry.load(name, "dev", root, config.labels)[: config.limit or None]
        if example.relation_keys and 0 < len(example.words) <= config.longest
    ]
    found = find_in(checkpoint, examples, parser, manifest.title)
    fitted = calibration.fit(examples, found, manifest.inventory)
    loose = Reader(manifest.inventory, fitted, {"default": 0.0}).predictions(found)
    judged = judged_relations(examples, loose, manifest.inventory)
    gold = sum(len(example.relations) for example in examples)
    chosen = calibration.choose(judged, gold, PRECISION, _only_in_picked(config))
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
