"""Runs and evaluations of the training pages, done in the trainer's child process: from a row to what it leaves behind.

A run's checkpoint is registered as a candidate when it is whole: nothing here touches what is in production.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from extraction.models import Checkpoint as CheckpointRow
from extraction.readings import model_registry
from training.config import TrainConfig
from training.data.images import beside
from training.data.uploads import folder_of
from training.engine.loop import RunProgress
from training.evaluation.evaluation import evaluate_on
from training.heads import HEADS
from training.jobs.progress_protocol import tell
from training.models import Dataset, EvaluatedExample, Evaluation, TrainingRun
from training.run import Watcher, parser_for, run
from training.scores import Examined

ROWS = 500
SAID_EVERY_SECONDS = 1.0
POINTS = 300  # of a loss curve, over a whole run

Stop = Callable[[], bool]


class AlreadyTraining(Exception):
    """Another process works in the run's folder."""


def perform_run(row: TrainingRun, stop: Stop) -> None:
    """Trains from the saved state, if there is one, to a registered checkpoint. Raises runner.Stopped and others."""
    folder = Path(row.folder)
    with _alone(folder):
        if row.progress.get("start_over"):
            shutil.rmtree(folder / "run", ignore_errors=True)
        tell(phase="reading the data", start_over=False)
        root = _gathered(row, folder)
        own = {"device": row.device.partition(":")[0], "images": _pictures(row, root)}
        config = TrainConfig.from_dict({**row.config, **own})
        reporter = ProgressReporter(row.progress)
        resume = (folder / "run").is_dir()
        parser = None if _parsed_by_shipped() else _own_parser()
        try:
            run(config, root, folder, parser, Watcher(reporter, stop, _say), str(row), resume)
        finally:
            reporter.last()
        tell(phase="done")
        _keep(row, folder)


def _parsed_by_shipped() -> bool:
    return not settings.PARSER


def _own_parser() -> Any:
    from extraction.text.parser import Parser

    return Parser.load(settings.PARSER)


def _say(line: str) -> None:
    print(line, flush=True)


class ProgressReporter:
    """Tells the trainer how far a run is, at most once a second: its losses, its scores, the time left."""

    def __init__(self, before: dict[str, Any]) -> None:
        self.first: tuple[int, float] | None = None
        self.progress: RunProgress | None = None
        self.next, self.scored, self.pointed = 0.0, 0, -1
        self.resumed = bool(before.get("curves"))

    def __call__(self, progress: RunProgress) -> None:
        if self.first is None:
            self.first = (progress.step - 1, progress.seconds)
            self.scored = sum(1 for one in progress.scores if one["step"] < progress.step)
            if self.resumed:
                tell(resumed=progress.step - 1)
        for score in progress.scores[self.scored :]:
            points = {f"dev {name}": [score["step"], value] for name, value in score.items() if name not in _PLACES}
            tell(points=points)
            _say(
                "dev after epoch {}: ".format(score["epoch"])
                + "  ".join(f"{k[4:]} {v[1]:.3f}" for k, v in points.items())
            )
        self.scored = len(progress.scores)
        self.progress = progress
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + SAID_EVERY_SECONDS
            self._tell(progress)

    def last(self) -> None:
        """Where it ended, whatever ended it."""
        if self.progress is not None:
            self._tell(self.progress)

    def _tell(self, progress: RunProgress) -> None:
        assert self.first is not None
        done, spent = progress.step - self.first[0], progress.seconds - self.first[1]
        left = (progress.steps - progress.step) * spent / done if done else 0.0
        said: dict[str, Any] = {"phase": "training", "step": progress.step, "steps": progress.steps}
        said |= {"epoch": progress.passing, "seconds": round(progress.seconds, 1), "left": round(left, 1)}
        if progress.losses and progress.step - self.pointed >= progress.steps / POINTS:
            recent = progress.recent(max(1, progress.step - max(self.pointed, 0)))
            said["points"] = {f"loss {name}": [progress.step, round(value, 5)] for name, value in recent.items()}
            self.pointed = progress.step
        tell(**said)


_PLACES = ("step", "epoch")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process writes into a run's folder, whatever became of the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyTraining(f"Another process trains in {folder}. Wait until it has ended.") from None
        yield


def _gathered(row: TrainingRun, folder: Path) -> Path:
    """A folder with the run's data sets side by side, as the loaders look for them."""
    root = folder / "data"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for dataset in row.datasets.all():
        link = root / folder_of(dataset.format)
        if not link.exists():
            link.symlink_to(Path(dataset.root) / folder_of(dataset.format), target_is_directory=True)
    return root


def _pictures(row: TrainingRun, root: Path) -> str:
    """The folders of pictures beside the run's data sets, where the run shall see them."""
    there = [folder for dataset in row.datasets.order_by("pk") if (folder := beside(root, dataset.format))]
    return os.pathsep.join(dict.fromkeys(there)) if row.config.get("images") else ""


def _keep(row: TrainingRun, folder: Path) -> None:
    """The whole checkpoint becomes a candidate, to be measured on the run's data sets; the run's own state goes."""
    checkpoint = model_registry.register(folder)
    with transaction.atomic():
        TrainingRun.objects.filter(pk=row.pk).update(checkpoint=checkpoint)
        for dataset in row.datasets.all():
            if "test" in dataset.counts:
                _ask(checkpoint, dataset, row)
    shutil.rmtree(folder / "run", ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)


def _ask(checkpoint: CheckpointRow, dataset: Dataset, row: TrainingRun) -> None:
    if not Evaluation.objects.filter(checkpoint=checkpoint, dataset=dataset, split="test", options={}).exists():
        Evaluation.objects.create(
            checkpoint=checkpoint, dataset=dataset, split="test", by=row.by, due_at=timezone.now()
        )


def perform_evaluation(row: Evaluation) -> None:
    """Measures a checkpoint, and keeps its figures and every example in place of what an earlier time has left."""
    from extraction.reader.checkpoint import Checkpoint

    tell(phase="loading the checkpoint")
    checkpoint = Checkpoint.load(Path(row.checkpoint.path))
    if checkpoint.digest != row.checkpoint.digest:
        raise model_registry.NoCheckpoint(
            f"The files in {row.checkpoint.path} are not those that were registered: they have been changed or damaged."
        )
    parser = parser_for(checkpoint.manifest.system, None if _parsed_by_shipped() else _own_parser())
    root, head = Path(row.dataset.root), HEADS[checkpoint.manifest.head]
    examined = evaluate_on(checkpoint, head, row.dataset.format, row.split, root, parser, lambda line: tell(phase=line))
    tell(phase="keeping what it said")
    _record(row, examined)


def _record(row: Evaluation, examined: Examined) -> None:
    examples = [
        EvaluatedExample(
            evaluation=row,
            position=number,
            faults=_between(one.faults),
            labels=_between(one.labels),
            right=one.right,
            found=one.right + one.wrong,
            gold=one.gold,
            content=one.content(),
        )
        for number, one in enumerate(examined.examples, 1)
    ]
    with transaction.atomic():
        EvaluatedExample.objects.filter(evaluation=row).delete()
        EvaluatedExample.objects.bulk_create(examples, batch_size=ROWS)
        Evaluation.objects.filter(pk=row.pk).update(metrics=examined.as_dict(), inputs=examined.inputs)


def _between(keys: list[str]) -> str:
    return f" {' '.join(keys)} " if keys else ""
