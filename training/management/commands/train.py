"""`manage.py train`: makes a checkpoint from data sets. Needs no database."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

DEFAULT = {"eega": "general"}  # recipes of another name than their system's


class Command(BaseCommand):
    help = "Train a reader. The same recipe, data and seed make the same one; a killed run continues with --resume."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        from training.recipes import ABOUT, RECIPES

        parser.add_argument("system", nargs="?", choices=sorted(ABOUT))
        parser.add_argument("--run", type=int, help="continue this run of the training pages; used by the trainer")
        parser.add_argument("--recipe", help=f"settings to start from: {', '.join(RECIPES)}; NAME-paper for a paper's")
        parser.add_argument("--data", help="data sets, separated by commas, instead of the recipe's")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--out", help="folder for the checkpoint; the run's state lies in OUT/run")
        parser.add_argument("--name", help="the checkpoint's name (default: the folder's)")
        parser.add_argument("--resume", action="store_true", help="continue where a run in OUT was stopped")
        parser.add_argument(
            "--recalibrate", action="store_true", help="train nothing: fit OUT's thresholds and figures again"
        )
        parser.add_argument(
            "--network",
            type=json.loads,
            default={},
            help='settings of the network as JSON, e.g. \'{"scorer": "linear"}\'',
        )
        parser.add_argument("--start", help="a checkpoint's folder, from which the run continues")
        parser.add_argument("--epochs", type=int)
        parser.add_argument("--seed", type=int)
        parser.add_argument("--batch", type=int, help="examples a batch")
        parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
        parser.add_argument("--precision", choices=["auto", "fp32", "bf16", "fp16"])
        parser.add_argument("--fraction", type=float, help="share of the training items, drawn by seed")
        parser.add_argument("--per-relation", type=int, help="training pairs of each relation, at most")
        parser.add_argument("--limit", type=int, help="examples of each split, for trying things out")
        parser.add_argument(
            "--images", help="folders of the pictures, joined by : (default: their boxes stand for them)"
        )
        parser.add_argument(
            "--prepared",
            help="what prepare_images found in the pictures, in place of published boxes: latest, or a digest",
        )
        parser.add_argument("--mentions", help="checkpoint that finds the mentions of a pair system in use")
        parser.add_argument("--parses", help="cache of parses; without it the sentences are parsed")
        parser.add_argument("--set", help="any other settings of the run, as JSON")
        parser.add_argument("--max-minutes", type=float, help="stop, resumable, after this time")
        parser.add_argument("--threads", type=int, help="processor threads (default: all cores)")

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.datasets.registry import DatasetError
        from extraction.networks.encoders.text import EncoderMissing
        from extraction.reader.checkpoint import CheckpointError
        from extraction.text.parser import ParserMissing
        from training.data.parse_cache import ParsesMissing
        from training.engine.loop import StateError

        if options["run"]:
            from training.jobs.child_main import do_run

            do_run(options["run"])
        if not (options["system"] and options["out"]):
            raise CommandError("Say which system, and with --out the folder for the checkpoint.")
        if not options["data_root"]:
            raise CommandError(
                "Which folder holds the data sets? Name it with --data-root or in KGBUILDER_DATA; "
                "docs/datasets.md names the source of each set."
            )
        try:
            self._recalibrate(options) if options["recalibrate"] else self._train(options)
        except (
            CheckpointError,
            DatasetError,
            EncoderMissing,
            ParserMissing,
            ParsesMissing,
            StateError,
            OSError,
            ValueError,
        ) as error:
            raise CommandError(str(error)) from error

    def _train(self, options: dict[str, Any]) -> None:
        """The run, after that of the recipe which it continues from, if no checkpoint is named."""
        from training.recipes import GO_ON

        recipe = options["recipe"] or DEFAULT.get(options["system"], options["system"])
        start, before = options["start"], GO_ON.get(recipe)
        if before and not start:
            start = str(Path(options["out"]) / "start")
            if not (Path(start) / "README.md").is_file():
                self.stdout.write(f"first the recipe {before}, into {start}")
                only = {"recipe": before, "out": start, "data": None, "network": None, "set": None, "epochs": None}
                self._run(before, {**options, **only})
        self._run(recipe, {**options, "start": start})
        self.stdout.write((Path(options["out"]) / "README.md").read_text(encoding="utf-8"))

    def _run(self, recipe: str, options: dict[str, Any]) -> None:
        from extraction.text.parser import Parser
        from training.__main__ import Reporter, configured, departures
        from training.data.parse_cache import ParseCache
        from training.run import Stopped, Watcher, run

        changes = {**options, "system": None, "data": options["data"] or None, "network": options["network"] or None}
        config = configured(recipe, changes)
        if config.system != options["system"]:
            raise CommandError(f"the recipe {recipe} is one of {config.system}, not of {options['system']}")
        for sentence in departures(recipe):
            self.stdout.write(f"not as in the paper: {sentence}")
        out = Path(options["out"])
        root = _with_labels(config.data, Path(options["data_root"]), out)
        parser = ParseCache.load(Path(options["parses"])) if options["parses"] else Parser.load()
        watcher = Watcher(Reporter(self.stdout.write), _stop_on_signals(), self.stdout.write)
        try:
            run(config, root, out, parser, watcher, options["name"] or "", options["resume"])
        except Stopped as stopped:
            raise CommandError(f"{stopped}; continue with --resume") from stopped

    def _recalibrate(self, options: dict[str, Any]) -> None:
        from extraction.reader.checkpoint import LoadedCheckpoint
        from extraction.text.parser import Parser
        from training.run import recalibrate

        out = Path(options["out"])
        config = LoadedCheckpoint.load(out).manifest.training["config"]
        recalibrate(out, _with_labels(config["data"], Path(options["data_root"]), out), Parser.load())
        self.stdout.write((out / "README.md").read_text(encoding="utf-8"))


def _with_labels(data: Sequence[str], root: Path, out: Path) -> Path:
    """The folder of the data sets; where labels are among them that are not there, a folder of links to all of them and
    to DATA_DIR/labels."""
    from django.conf import settings

    from extraction.labels import REVIEWED, unversioned

    if not any(unversioned(name) == REVIEWED for name in data) or (root / REVIEWED).is_dir():
        return root
    linked = out / "data"
    linked.mkdir(parents=True, exist_ok=True)
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    for folder in (*folders, Path(settings.DATA_DIR) / REVIEWED):
        place = linked / folder.name
        if not place.is_symlink():
            place.symlink_to(folder.resolve(), target_is_directory=True)
    return linked


def _stop_on_signals() -> Callable[[], bool]:
    """Asks whether Ctrl-C or SIGTERM has come, so that the loop can save its state and end."""
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: signals.append(received))
    return lambda: bool(signals)
