"""One run from its config to its checkpoint and figures. No Django, and no spaCy where parses are given.

run(RECIPES["mtb"], Path("data"), Path("out"))
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from extraction.datasets import registry
from extraction.networks.systems import SYSTEMS
from training.config import TrainConfig
from training.data.images import folders_named, missing
from training.data.parse_cache import Parses, Unparsed
from training.data.preparation import Prepared, head_of, prepare
from training.engine.distributed import World
from training.engine.loop import Progress, Run
from training.evaluation.bootstrap import interval
from training.evaluation.scoring import Judgement, judge
from training.publishing.checkpoints import new_network, publish
from training.publishing.publish import publish_judged, write_predictions

Report = Callable[[Progress], None]
Build = Callable[[TrainConfig, Prepared], Any]


class Stopped(Exception):
    """A run was told to stop and has saved its state."""


def run(
    config: TrainConfig,
    root: Path,
    out: Path,
    parser: Parses | None = None,
    report: Report = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
    name: str = "",
    say: Callable[[str], object] = lambda line: None,
    tokenizer: Tokenizer | None = None,
    build: Build = new_network,
) -> dict[str, Any]:
    """Trains, publishes to `out`, and gives what `out/metrics.json` then holds.

    Raises Stopped, datasets.DatasetError, StateError, ParsesMissing, EncoderMissing.
    The run's own state lies in `out/run`; with `resume` a run goes on from it. In several processes only the first
    publishes; the others get {}.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    head_of(config)
    folders_named(config.images)
    world = World.current(config.device)
    parser = parser_for(config, parser)
    say(f"reading {', '.join(config.data)}")
    prepared = prepare(config, root, parser, tokenizer)
    dev = held_out(config, prepared, root, "dev", parser)
    network = build(config, prepared)
    if config.images and network.needs.pictures:
        gone = missing([*prepared.examples, *dev.examples], config.images)
        prepared.notes.extend([gone] if gone else [])
    for note in prepared.notes:
        say(f"  {note}")
    training = Run(config, prepared, network, lambda network: judge(network, dev).figures, world)
    if resume and training.resume(out / "run"):
        say(f"going on at step {training.progress.step} of {training.progress.steps}")
    say(f"{len(prepared.items)} items, {training.progress.steps} steps on {training.device}")
    started = time.perf_counter()
    first = training.progress.step
    if not training.train(out / "run", report, stop):
        raise Stopped(f"stopped at step {training.progress.step} of {training.progress.steps}; its state is saved")
    world.leave()
    if not world.main:
        return {}
    seconds = time.perf_counter() - started
    speed = _speed(prepared, training, first, seconds)
    return _published(config, training, name or out.name, parser, dev, root, out, speed)


def parser_for(config: TrainConfig, parser: Parses | None) -> Parses:
    """The given parses, the shipped parser where a system reads trees, or none. Raises ParserMissing."""
    if not SYSTEMS[config.system].graph:
        return Unparsed()
    if parser is None:
        from extraction.text.parser import Parser

        return Parser.load()
    return parser


def held_out(config: TrainConfig, prepared: Prepared, root: Path, split: str, parser: Parses) -> Prepared:
    """A held-out split of the run's data sets, in its vocabularies."""
    examples = [
        example
        for name in config.data
        for example in registry.load(name, split, root, config.labels)[: config.limit or None]
        if example.words
    ]
    return prepared.others(examples, parser, config.title)


def _published(
    config: TrainConfig,
    training: Run,
    name: str,
    parser: Parses,
    dev: Prepared,
    root: Path,
    out: Path,
    speed: dict[str, float],
) -> dict[str, Any]:
    """The checkpoint, and the figures beside it."""
    test = held_out(config, training.prepared, root, "test", parser)
    judged: dict[str, Judgement]
    if training.prepared.head == "word_pairs":
        checkpoint, _ = publish(training, name, parser, root, out)
        manifest = checkpoint.manifest
        even = {"default": manifest.metrics["dev"]["best_f1_threshold"]}
        network = checkpoint.network.to(training.device)
        judged = {
            split: judge(network, part, manifest.calibration, even) for split, part in (("dev", dev), ("test", test))
        }
        for split, one in judged.items():
            write_predictions(out, split, checkpoint, one)
    else:
        checkpoint, judged = publish_judged(training, name, parser, dev, test, out)
    sure = interval(judged["test"].counts)
    result = {
        "name": name,
        "digest": checkpoint.digest,
        "config": config.as_dict(),
        "device": _device_name(training.device),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        **{split: one.as_dict() for split, one in judged.items()},
        "test_interval": [sure.low, sure.high],
        "curve": training.progress.scores,
        "steps": training.progress.step,
        "seconds": round(training.progress.seconds, 1),
        **speed,
    }
    (out / "metrics.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _speed(prepared: Prepared, training: Run, first: int, seconds: float) -> dict[str, float]:
    """Items a second, evaluations included."""
    share = (training.progress.step - first) / max(1, training.progress.steps)
    return {"items_per_second": round(share * training.config.epochs * len(prepared.items) / max(seconds, 1e-9), 1)}


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
