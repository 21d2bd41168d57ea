"""One run from its config to its checkpoint and figures. No Django, and no spaCy where parses are given.

run(RECIPES["mtb"], Path("data"), Path("out"))
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from extraction.datasets import registry
from extraction.networks.systems import SYSTEMS
from extraction.reader.checkpoint import CheckpointError, LoadedCheckpoint
from extraction.schema import Example
from training.config import TrainConfig
from training.data.images import digest_of, folders_named, missing, with_prepared
from training.data.parse_cache import Parses, Unparsed
from training.data.preparation import load_tokenizer, prepare, prepare_for, prepare_held_out
from training.data.prepared import Vocabularies
from training.engine.distributed import World
from training.engine.loop import Run, RunProgress
from training.engine.networks import new_network
from training.evaluation.bootstrap import interval
from training.heads import HEADS, head_of
from training.publishing.publish import finished, publish


class Stopped(Exception):
    """A run was asked to stop and has saved its state."""


@dataclass(frozen=True)
class Watcher:
    """Who follows a run: it gets the progress of each step, decides whether to stop, and gets lines for people."""

    report: Callable[[RunProgress], object] = lambda progress: None
    stop: Callable[[], bool] = lambda: False
    say: Callable[[str], object] = lambda line: None


@dataclass(frozen=True)
class Start:
    """The state that a run begins with: the encoder's word pieces and the network, those that the config names."""

    tokenizer: Callable[[str], Tokenizer] = load_tokenizer
    network: Callable[[TrainConfig, Vocabularies], Any] = new_network


def run(
    config: TrainConfig,
    root: Path,
    out: Path,
    parser: Parses | None = None,
    watcher: Watcher | None = None,
    name: str = "",
    resume: bool = False,
    start: Start | None = None,
) -> dict[str, Any]:
    """Trains, publishes to `out`, and gives what `out/metrics.json` then holds.

    Raises Stopped, datasets.DatasetError, StateError, ParsesMissing, EncoderMissing.
    The run's own state lies in `out/run`; with `resume` a run continues from it. In several processes only the first
    publishes; the others get {}.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    head = head_of(config.system, config.head)
    folders_named(config.images)
    config = replace(config, prepared=digest_of(config.prepared, config.data, root))
    watcher, start, world = watcher or Watcher(), start or Start(), World.current(config.device)
    parser = parser_for(config.system, parser)
    watcher.say(f"reading {', '.join(config.data)}")
    prepared = prepare(config, head, root, parser, start.tokenizer)
    dev = prepare_held_out(prepared, held_out_examples(config, "dev", root), parser, config.title)
    network = start.network(config, prepared.vocabularies)
    if config.images and network.needs.pictures:
        gone = missing([*prepared.examples, *dev.examples], config.images)
        prepared.notes.extend([gone] if gone else [])
    for note in prepared.notes:
        watcher.say(f"  {note}")
    training = Run(config, prepared, network, lambda network: dev.score(network).figures, world)
    if resume and training.resume(out / "run"):
        watcher.say(f"going on at step {training.progress.step} of {training.progress.steps}")
    watcher.say(f"{len(prepared.items)} items, {training.progress.steps} steps on {training.device}")
    started, first = time.perf_counter(), training.progress.step
    if not training.train(out / "run", watcher.report, watcher.stop):
        raise Stopped(f"stopped at step {training.progress.step} of {training.progress.steps}; its state is saved")
    world.leave()
    if not world.main:
        return {}
    speed = _items_per_second(training, first, time.perf_counter() - started)
    checkpoint = finished(training, name or out.name, parser.version, mentions_from(config.mentions), watcher.say)
    test = prepare_held_out(prepared, held_out_examples(config, "test", root), parser, config.title)
    checkpoint, scores = publish(checkpoint, dev, test, parser, root, out)
    band = interval(scores["test"].counts)
    result = {
        "name": name or out.name,
        "digest": checkpoint.digest,
        "config": config.as_dict(),
        "device": _device_name(training.device),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        **{split: one.as_dict() for split, one in scores.items()},
        "test_interval": [band.low, band.high],
        "inputs": checkpoint.manifest.given.as_dict(),
        "curve": training.progress.scores,
        "steps": training.progress.step,
        "seconds": round(training.progress.seconds, 1),
        "items_per_second": speed,
    }
    (out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def recalibrate(folder: Path, root: Path, parser: Parses) -> None:
    """Calibrates and scores a checkpoint again and rewrites it, with its card, in the same place."""
    checkpoint = LoadedCheckpoint.load(folder)
    head, config = HEADS[checkpoint.manifest.head], TrainConfig.from_dict(checkpoint.manifest.training["config"])
    dev, test = (
        prepare_for(checkpoint, head, held_out_examples(config, split, root), parser, config.images)
        for split in ("dev", "test")
    )
    publish(checkpoint, dev, test, parser, root, folder)


def held_out_examples(config: TrainConfig, split: str, root: Path) -> list[Example]:
    """A held-out split of the run's data sets, with the pictures that the run is given."""
    examples = [
        example
        for name in config.data
        for example in registry.load(name, split, root, config.labels)[: config.limit or None]
        if example.words
    ]
    return with_prepared(examples, config.prepared, root)


def parser_for(system: str, parser: Parses | None) -> Parses:
    """The given parses, the shipped parser where a system reads trees, or none. Raises ParserMissing."""
    if not SYSTEMS[system].graph:
        return Unparsed()
    if parser is None:
        from extraction.text.parser import Parser

        return Parser.load()
    return parser


def mentions_from(folder: str) -> dict[str, str]:
    """The checkpoint that a pair system's mentions come from in use. Raises CheckpointError where it is none."""
    if not folder:
        return {}
    found = LoadedCheckpoint.load(Path(folder))
    if HEADS[found.manifest.head].pairs:
        raise CheckpointError(f"{folder} finds no mentions: its head is {found.manifest.head}")
    return {"path": str(Path(folder).resolve()), "digest": found.digest}


def _items_per_second(training: Run, first: int, seconds: float) -> float:
    """Evaluations included; `first`: the step that this process began with."""
    share = (training.progress.step - first) / max(1, training.progress.steps)
    return round(share * training.config.epochs * len(training.prepared.items) / max(seconds, 1e-9), 1)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
