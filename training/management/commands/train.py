"""`manage.py train eega`: makes a checkpoint from data sets. Needs no database."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Train a reader. The same recipe, data and seed make the same one; a killed run goes on with --resume."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        from training.config import RECIPES

        parser.add_argument("system", choices=["eega"])
        parser.add_argument("--recipe", choices=sorted(RECIPES), default="shipped", help="settings to start from")
        parser.add_argument("--data", help="data sets, separated by commas, instead of the recipe's")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--out", required=True, help="folder for the checkpoint; the run's state lies in OUT/run")
        parser.add_argument("--name", help="the checkpoint's name (default: the folder's)")
        parser.add_argument("--resume", action="store_true", help="go on where a run in OUT was stopped")
        parser.add_argument(
            "--recalibrate", action="store_true", help="train nothing: fit OUT's thresholds and figures anew"
        )
        parser.add_argument(
            "--network", type=json.loads, default={}, help='fields of EEGAConfig as JSON, e.g. \'{"scorer": "linear"}\''
        )
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--max-minutes", type=float, help="stop, resumable, after this time")
        parser.add_argument("--threads", type=int, help="processor threads (default: all cores)")

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.checkpoint import CheckpointError
        from extraction.datasets import DatasetError
        from extraction.networks.encoders import EncoderMissing
        from extraction.text import ParserMissing
        from training.loop import StateError

        if not options["data_root"]:
            raise CommandError(
                "Which folder holds the data sets? Name it with --data-root or in KGBUILDER_DATA; "
                "docs/datasets.md says where each set can be had."
            )
        try:
            self._recalibrate(options) if options["recalibrate"] else self._train(options)
        except (CheckpointError, DatasetError, EncoderMissing, ParserMissing, StateError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _train(self, options: dict[str, Any]) -> None:
        import torch

        from extraction.text import Parser
        from training.checkpoints import new_network, publish
        from training.loop import Run
        from training.prepare import prepare

        config = _config(options)
        if config.threads:
            torch.set_num_threads(config.threads)
        root, out = Path(options["data_root"]), Path(options["out"])
        parser = Parser.load()
        self.stdout.write(f"reading and parsing {', '.join(config.data)} …")
        prepared = prepare(config, root, parser)
        for note in prepared.notes:
            self.stdout.write(f"  {note}")
        run = Run(config, prepared, new_network(config, prepared))
        if options["resume"] and run.resume(out / "run"):
            self.stdout.write(f"going on at step {run.progress.step} of {run.progress.steps}")
        finished = run.train(out / "run", Reporter(self.stdout.write), _stop_on_signals())
        if not finished:
            raise CommandError(f"stopped at step {run.progress.step} of {run.progress.steps}; go on with --resume")
        publish(run, options["name"] or out.name, parser, root, out)
        self.stdout.write((out / "README.md").read_text(encoding="utf-8"))

    def _recalibrate(self, options: dict[str, Any]) -> None:
        from extraction.checkpoint import Checkpoint
        from extraction.text import Parser
        from training.checkpoints import finish

        out = Path(options["out"])
        finish(Checkpoint.load(out), Parser.load(), Path(options["data_root"]), out)
        self.stdout.write((out / "README.md").read_text(encoding="utf-8"))


def _config(options: dict[str, Any]) -> Any:
    from training.config import RECIPES

    config = RECIPES[options["recipe"]]
    changes = {key: options[key] for key in ("epochs", "seed", "max_minutes", "threads") if options[key] is not None}
    if options["data"]:
        changes["data"] = tuple(options["data"].split(","))
    changes["network"] = {**config.network, **options["network"]}
    return dataclasses.replace(config, **changes)


def _stop_on_signals() -> Callable[[], bool]:
    """Asks whether Ctrl-C or SIGTERM has come, so that the loop can save its state and end."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: asked.append(received))
    return lambda: bool(asked)


class Reporter:
    """A line of progress every ten seconds: share done, losses of the last hundred steps, time left."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write, self.next, self.first = write, time.monotonic(), None

    first: tuple[int, float] | None

    def __call__(self, progress: Any) -> None:
        if self.first is None:
            self.first = (progress.step, progress.seconds)
        if time.monotonic() < self.next and progress.step < progress.steps:
            return
        self.next = time.monotonic() + 10
        recent = progress.losses[-100:]
        types, relations = (sum(part) / len(recent) for part in zip(*recent, strict=True))
        done, spent = progress.step - self.first[0], progress.seconds - self.first[1]
        left = (progress.steps - progress.step) * spent / done if done else 0.0
        self.write(
            f"step {progress.step} of {progress.steps} ({progress.step / progress.steps:.0%}), epoch "
            f"{progress.epoch + 1}, loss {types:.3f} types {relations:.3f} relations, about {left / 60:.0f} min left"
        )
        sys.stdout.flush()
