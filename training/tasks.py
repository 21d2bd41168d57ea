"""The trainer's two queues: `train` for runs, `check` for short work (data sets, evaluations, promotions).

A wake-up message claims the oldest waiting work under a lease and watches the process that does it. At most TRAIN_RUNS
runs go on at once; one more place is for the short work, so that an evaluation need not wait hours for a run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import BoundedSemaphore, Event
from typing import Any

from celery import Task, shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from extraction import leases
from kgbuilder.celery import ring, ring_projectors
from kgbuilder.conf.environment import ROOT
from kgbuilder.conf.threads import POLICY
from kgbuilder.supervision import telemetry
from kgbuilder.supervision.parts import run_folder
from kgbuilder.supervision.watchdog import AtStart, lease
from training.jobs import queue as jobs_queue
from training.jobs import system_descriptions
from training.jobs.child_process import attend
from training.models import Dataset, Evaluation, Promotion, TrainingRun, Work

_runs, _checks = BoundedSemaphore(settings.TRAIN_RUNS), BoundedSemaphore(1)
_leaving = Event()


def _describe(worker: str) -> None:
    """Describes the systems at the start, so that the first launch form need not wait for it."""
    with suppress(system_descriptions.CannotDescribe, OSError):
        system_descriptions.described(Path(settings.DATA_DIR) / "training")


_free = AtStart(leases.free, _describe)

COMMANDS: dict[type[Work], tuple[str, ...]] = {
    TrainingRun: ("train", "--run"),
    Evaluation: ("evaluate", "--evaluation"),
    Dataset: ("check_dataset", "--dataset"),
    Promotion: ("promote", "--promotion"),
}


@worker_shutting_down.connect
def _leave(**kwargs: Any) -> None:
    """Has the children save their state, and returns their work to the queue."""
    _leaving.set()


@shared_task(bind=True)
def train(self: Task[Any, Any]) -> None:
    """Continues the oldest waiting run."""
    if _take(self, _runs, (TrainingRun,)):
        ring("train")


@shared_task(bind=True)
def check(self: Task[Any, Any]) -> None:
    """Does the oldest short work; promotions come first."""
    if _take(self, _checks, (Promotion, Dataset, Evaluation)):
        ring("check")
        ring("read")
        ring_projectors()


def _take(task: Task[Any, Any], places: BoundedSemaphore, kinds: Sequence[type[Work]]) -> bool:
    """Claims and does such work; False where there was none, or no place for it."""
    worker = str(task.request.hostname)
    if _leaving.is_set() or not places.acquire(blocking=False):
        return False
    try:
        _free(worker)
        work = jobs_queue.claim(kinds, worker)
        if work is None:
            return False
        command = (sys.executable, str(ROOT / "manage.py"), *COMMANDS[type(work)], str(work.pk))
        kind = "run" if isinstance(work, TrainingRun) else type(work).__name__.lower()
        description = f"minding {kind} {work.pk}"
        with telemetry.about(**{kind: work.pk}), telemetry.stage("train" if kind == "run" else "check", description, 1):
            attend(work, command, _environ(work), _busy, _leaving.is_set)
        return True
    finally:
        places.release()


def _environ(work: Work) -> dict[str, str]:
    """The second GPU of a machine is the only one, and so the first, that its run sees."""
    environ = {POLICY: os.environ[POLICY]}
    kind, _, number = work.device.partition(":") if isinstance(work, TrainingRun) else ("", "", "")
    return environ | ({"CUDA_VISIBLE_DEVICES": number} if kind == "cuda" and number else {})


def _busy(seconds: float) -> AbstractContextManager[object]:
    """Lets the supervisor end this process if the watching hangs for longer than `seconds`."""
    return lease(run_folder(), os.environ.get("KGBUILDER_PART", "trainer"), seconds)
