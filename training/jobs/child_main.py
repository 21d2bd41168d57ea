"""The trainer's child process from start to end; it reports its progress and the error that ends it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from training.jobs import progress_protocol
from training.models import Evaluation, TrainingRun


def do_run(number: int) -> None:
    """Trains, then exits with 0 when done, STOPPED when asked to stop, 1 when it failed."""
    received_signals: list[int] = []
    trainer = os.getppid()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda received, frame: received_signals.append(received))

    def perform() -> None:
        from training.jobs.work import perform_run

        perform_run(TrainingRun.objects.get(pk=number), lambda: bool(received_signals) or os.getppid() != trainer)

    _end(perform)


def do_evaluation(number: int) -> None:
    """As `do_run`; an evaluation saves nothing until it is done, so it can be killed at any time."""

    def perform() -> None:
        from training.jobs.work import perform_evaluation

        perform_evaluation(Evaluation.objects.select_related("checkpoint", "dataset").get(pk=number))

    _end(perform)


def _end(perform: Callable[[], None]) -> None:
    try:
        perform()
    except Exception as error:
        if type(error).__name__ == "Stopped":
            print(error, flush=True)
            sys.exit(progress_protocol.STOPPED)
        progress_protocol.report(error=progress_protocol.sentence(error))
        if not progress_protocol.foreseen(error):
            traceback.print_exc()
        sys.exit(1)
    sys.exit(0)
