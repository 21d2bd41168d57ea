"""A trainer and its child process: output, requests to stop, and the recorded end, whichever process dies first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from extraction import leases
from training.jobs import progress_protocol
from training.jobs import queue as jobs_queue
from training.jobs.child_process import attend
from training.models import Dataset, TrainingRun, Work

pytestmark = pytest.mark.django_db

State = Work.State
REPORT = f"""
import json, sys, time
def report(**message): print({progress_protocol.MARK!r} + json.dumps(message), flush=True)
"""


def waiting(**fields: object) -> TrainingRun:
    return TrainingRun.objects.create(**{"system": "eega", "folder": "", "due_at": timezone.now()} | fields)


def claimed() -> Work:
    found = jobs_queue.claim((TrainingRun,), "trainer@here")
    assert found is not None
    return found


def attended(program: str, leaving: object = lambda: False) -> TrainingRun:
    run = waiting()
    attend(claimed(), (sys.executable, "-c", REPORT + program), leaving=leaving)  # type: ignore[arg-type]
    run.refresh_from_db()
    return run


def test_reports_output_and_end_of_a_child_are_recorded() -> None:
    run = attended(
        "print('reading …')\n"
        "report(step=1, steps=4, points={'loss': [1, 2.5]})\n"
        "report(step=2, points={'loss': [2, 2.0]})"
    )
    assert (run.state, run.error, run.lease_token) == (State.DONE, "", "")
    assert run.progress == {"step": 2, "steps": 4, "curves": {"loss": [[1, 2.5], [2, 2.0]]}}
    assert run.log == "reading …\n"


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("report(error='The disk is full.'); sys.exit(1)", "The disk is full."),
        ("print('Traceback'); sys.exit('IndexError: 7')", "ended with code 1. Last output: IndexError: 7"),
        (
            "import os; report(step=3, steps=9); os.kill(os.getpid(), 9)",
            "ended by SIGKILL at step 3 of 9. The system does that where memory runs out. Its saved state is kept",
        ),
    ],
)
def test_a_child_that_fails_leaves_a_sentence(program: str, sentence: str) -> None:
    run = attended(program)
    assert run.state == State.FAILED
    assert sentence in run.error


def test_a_run_that_is_asked_to_stop_saves_its_state() -> None:
    program = (
        "import signal\nsignal.signal(signal.SIGTERM, lambda *a: (print('saved'), sys.exit(75)))\n"
        "report(step=1, steps=9)\ntime.sleep(60)"
    )
    run = waiting()
    work = claimed()
    jobs_queue.stop(TrainingRun.objects.all())
    attend(work, (sys.executable, "-c", REPORT + program))
    run.refresh_from_db()
    assert (run.state, run.wish, run.log) == (State.STOPPED, "", "saved\n")
    jobs_queue.wait(run)
    assert claimed().pk == run.pk


def test_a_trainer_that_shuts_down_returns_its_work_without_an_attempt() -> None:
    run = attended("time.sleep(60)", leaving=lambda: True)
    assert (run.state, run.attempts, run.lease_token) == (State.WAITING, 0, "")
    assert claimed().pk == run.pk


def test_work_of_a_dead_trainer_is_claimed_again_and_fails_after_the_last_attempt() -> None:
    run = waiting()
    for _ in range(jobs_queue.MOST_ATTEMPTS):
        assert claimed().pk == run.pk
        assert jobs_queue.claim((TrainingRun,), "other@here") is None
        TrainingRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs_queue.claim((TrainingRun,), "other@here") is None
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "trainer died" in run.error


def test_a_restarted_worker_claims_its_own_work_at_once() -> None:
    run = waiting()
    claimed()
    assert leases.free("trainer@elsewhere") == 0
    assert leases.free("trainer@here") == 1
    assert claimed().pk == run.pk


def test_a_late_trainer_changes_nothing_and_its_child_ends() -> None:
    waiting()
    late = claimed()
    TrainingRun.objects.update(lease_token="somebody else's")
    attend(late, (sys.executable, "-c", REPORT + "report(step=1, steps=2)\ntime.sleep(60)"))
    run = TrainingRun.objects.get()
    assert (run.progress, run.state, run.lease_token) == ({}, State.RUNNING, "somebody else's")


def test_a_child_does_not_outlive_the_trainer(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = f"import os, time, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    program = (
        "import django; django.setup()\nimport sys\nfrom training.jobs import child_process\n"
        "from training.models import TrainingRun\nchild_process.jobs_queue.renew = lambda *a, **k: ''\n"
        f"child_process.attend(TrainingRun(pk=1), (sys.executable, '-c', {child!r}))"
    )
    trainer = subprocess.Popen([sys.executable, "-c", program], env=os.environ)
    try:
        pid = _eventually(lambda: pid_file.read_text() if pid_file.exists() else "")
    finally:
        trainer.send_signal(signal.SIGKILL)
        trainer.wait()
    assert _eventually(lambda: "ended" if not _alive(int(pid)) else "") == "ended"


def test_the_longest_waiting_goes_first_and_one_that_waits_stops_at_once() -> None:
    first, second = waiting(), waiting()
    assert (jobs_queue.place(first), jobs_queue.place(second)) == (0, 1)
    assert jobs_queue.stop(TrainingRun.objects.filter(pk=first.pk)) == 1
    assert claimed().pk == second.pk
    first.refresh_from_db()
    assert first.state == State.STOPPED


def test_kinds_are_claimed_in_their_order() -> None:
    data = Dataset.objects.create(name="one", root="", due_at=timezone.now())
    waiting()
    found = jobs_queue.claim((TrainingRun, Dataset), "trainer@here")
    assert isinstance(found, TrainingRun)
    assert jobs_queue.claim((TrainingRun, Dataset), "trainer@here") == data


def test_a_curve_keeps_its_shape_and_drops_what_a_resumed_run_repeats() -> None:
    progress: dict[str, object] = {}
    for step in range(1, 2001):
        progress = progress_protocol.merged(progress, {"step": step, "points": {"loss": [step, 1 / step]}})
    curve = progress["curves"]["loss"]  # type: ignore[index]
    assert curve[-1][0] == 2000 and curve[0][0] == 1 and 100 < len(curve) <= progress_protocol.LONGEST_CURVE
    again = progress_protocol.merged(progress, {"resumed": 1000})["curves"]["loss"]
    assert again[-1][0] <= 1000 and len(again) > 50


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _eventually(ask: object, seconds: float = 20.0) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := ask():  # type: ignore[operator]
            return str(answer)
        time.sleep(0.05)
    raise AssertionError("it did not happen")
