"""Performs runs and evaluations of the training pages, in the trainer's child process: from a row to its results.

A run's checkpoint is registered as a candidate when it is complete: nothing here changes what is in production.
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

from extraction.datasets.folders import folder_of
from extraction.models import Checkpoint
from extraction.readings import model_registry
from training.config import TrainConfig
from training.data.images import beside
from training.engine.loop import RunProgress
from training.evaluation.evaluation import evaluate_on
from training.heads import HEADS
from training.jobs.progress_protocol import report
from training.models import Dataset, EvaluatedExample, Evaluation, TrainingRun
from training.run import Watcher, parser_for, run
from training.scores import Examined

ROWS = 500
REPORT_EVERY_SECONDS = 1.0
POINTS = 300  # of a loss curve, over a whole run

Stop = Callable[[], bool]


class AlreadyTraining(Exception):
    """Another process trains in the run's folder."""


def perform_run(row: TrainingRun, stop: Stop) -> None:
    """Trains from the saved state, if any, to a registered checkpoint. Raises training.run.Stopped and others."""
    folder = Path(row.folder)
    with _alone(folder):
        if row.progress.get("start_over"):
            shutil.rmtree(folder / "run", ignore_errors=True)
        report(phase="reading the data", start_over=False)
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
        report(phase="done")
        _register(row, folder)


def _parsed_by_shipped() -> bool:
    return not settings.PARSER


def _own_parser() -> Any:
    from extraction.text.parser import Parser

    return Parser.load(settings.PARSER)


def _say(line: str) -> None:
    print(line, flush=True)


class ProgressReporter:
    """Reports a run's progress to the trainer, at most once a second: losses, scores, the time left."""

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
                report(resumed=progress.step - 1)
        for score in progress.scores[self.scored :]:
            points = {f"dev {name}": [score["step"], value] for name, value in score.items() if name not in _PLACES}
            report(points=points)
            _say(
                "dev after epoch {}: ".format(score["epoch"])
                + "  ".join(f"{k[4:]} {v[1]:.3f}" for k, v in points.items())
            )
        self.scored = len(progress.scores)
        self.progress = progress
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + REPORT_EVERY_SECONDS
            self._report_progress(progress)

    def last(self) -> None:
        """Reports the last step, whatever ended the run."""
        if self.progress is not None:
            self._report_progress(self.progress)

    def _report_progress(self, progress: RunProgress) -> None:
        assert self.first is not None
        done, spent = progress.step - self.first[0], progress.seconds - self.first[1]
        left = (progress.steps - progress.step) * spent / done if done else 0.0
        values: dict[str, Any] = {"phase": "training", "step": progress.step, "steps": progress.steps}
        values |= {"epoch": progress.passing, "seconds": round(progress.seconds, 1), "left": round(left, 1)}
        if progress.losses and progress.step - self.pointed >= progress.steps / POINTS:
            recent = progress.recent(max(1, progress.step - max(self.pointed, 0)))
            values["points"] = {f"loss {name}": [progress.step, round(value, 5)] for name, value in recent.items()}
            self.pointed = progress.step
        report(**values)


_PLACES = ("step", "epoch")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Locks the run's folder, so that only one process writes into it. Raises AlreadyTraining."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyTraining(f"Another process trains in {folder}. Wait until it has ended.") from None
        yield


def _gathered(row: TrainingRun, folder: Path) -> Path:
    """A folder with the run's data sets side by side, as the loaders expect them."""
    root = folder / "data"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for dataset in row.datasets.all():
        link = root / folder_of(dataset.format)
        if not link.exists():
            link.symlink_to(Path(dataset.root) / folder_of(dataset.format), target_is_directory=True)
    return root


def _pictures(row: TrainingRun, root: Path) -> str:
    """The folders of pictures beside the run's data sets, where the run uses pictures."""
    present = [folder for dataset in row.datasets.order_by("pk") if (folder := beside(root, dataset.format))]
    return os.pathsep.join(dict.fromkeys(present)) if row.config.get("images") else ""


def _register(row: TrainingRun, folder: Path) -> None:
    """Registers the checkpoint, queues its evaluation on the run's data sets, and deletes the run's saved state."""
    checkpoint = model_registry.register(folder)
    with transaction.atomic():
        TrainingRun.objects.filter(pk=row.pk).update(checkpoint=checkpoint)
        for dataset in row.datasets.all():
            if "test" in dataset.counts:
                _queue_evaluation(checkpoint, dataset, row)
    shutil.rmtree(folder / "run", ignore_errors=True)
    shutil.rmtree(folder / "data", ignore_errors=True)


def _queue_evaluation(checkpoint: Checkpoint, dataset: Dataset, row: TrainingRun) -> None:
    if not Evaluation.objects.filter(checkpoint=checkpoint, dataset=dataset, split="test", options={}).exists():
        Evaluation.objects.create(
            checkpoint=checkpoint, dataset=dataset, split="test", by=row.by, due_at=timezone.now()
        )


def perform_evaluation(row: Evaluation) -> None:
    """Evaluates a checkpoint, and replaces the metrics and examples of an earlier evaluation of the row."""
    from extraction.reader.checkpoint import LoadedCheckpoint

    report(phase="loading the checkpoint")
    checkpoint = LoadedCheckpoint.load(Path(row.checkpoint.path))
    if checkpoint.digest != row.checkpoint.digest:
        raise model_registry.NoCheckpoint(
            f"The files in {row.checkpoint.path} are not those that were registered: they have been changed or damaged."
        )
    parser = parser_for(checkpoint.manifest.system, None if _parsed_by_shipped() else _own_parser())
    root, head = Path(row.dataset.root), HEADS[checkpoint.manifest.head]
    examined = evaluate_on(
        checkpoint, head, row.dataset.format, row.split, root, parser, lambda line: report(phase=line)
    )
    report(phase="saving the predictions")
    _record(row, examined)


def _record(row: Evaluation, examined: Examined) -> None:
    examples = [
        EvaluatedExample(
            evaluation=row,
            position=number,
            faults=_spaced(one.faults),
            labels=_spaced(one.labels),
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


def _spaced(keys: list[str]) -> str:
    return f" {' '.join(keys)} " if keys else ""
