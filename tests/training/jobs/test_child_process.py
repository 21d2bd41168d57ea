"""A trainer and the process that it minds: what is heard, asked, and put down, whoever dies first."""

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
TELL = f"import json, sys, time\ndef tell(**said): print({progress_protocol.MARK!r} + json.dumps(said), flush=True)\n"


def waiting(**fields: object) -> TrainingRun:
    return TrainingRun.objects.create(**{"system": "eega", "folder": "", "due_at": timezone.now()} | fields)


def claimed() -> Work:
    found = jobs_queue.claim((TrainingRun,), "trainer@here")
    assert found is not None
    return found


def attended(program: str, leaving: object = lambda: False) -> TrainingRun:
    run = waiting()
    attend(claimed(), (sys.executable, "-c", TELL + program), leaving=leaving)  # type: ignore[arg-type]
    run.refresh_from_db()
    return run


def test_what_a_child_tells_and_prints_is_kept_and_its_end_put_down() -> None:
    run = attended(
        "print('reading …')\ntell(step=1, steps=4, points={'loss': [1, 2.5]})\ntell(step=2, points={'loss': [2, 2.0]})"
    )
    assert (run.state, run.error, run.lease_token) == (State.DONE, "", "")
    assert run.progress == {"step": 2, "steps": 4, "curves": {"loss": [[1, 2.5], [2, 2.0]]}}
    assert run.log == "reading …\n"


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("tell(error='The disk is full.'); sys.exit(1)", "The disk is full."),
        ("print('Traceback'); sys.exit('IndexError: 7')", "ended with code 1. Last output: IndexError: 7"),
        (
            "import os; tell(step=3, steps=9); os.kill(os.getpid(), 9)",
            "ended by SIGKILL at step 3 of 9. The system does that where memory runs out. Its saved state is kept",
        ),
    ],
)
def test_a_child_that_fails_leaves_a_sentence(program: str, sentence: str) -> None:
    run = attended(program)
    assert run.state == State.FAILED
    assert sentence in run.error


def test_who_is_asked_to_stop_saves_its_state_and_is_stopped() -> None:
    program = (
        "import signal\nsignal.signal(signal.SIGTERM, lambda *a: (print('saved'), sys.exit(75)))\n"
        "tell(step=1, steps=9)\ntime.sleep(60)"
    )
    run = waiting()
    work = claimed()
    jobs_queue.stop(TrainingRun.objects.all())
    attend(work, (sys.executable, "-c", TELL + program))
    run.refresh_from_db()
    assert (run.state, run.wish, run.log) == (State.STOPPED, "", "saved\n")
    jobs_queue.wait(run)
    assert claimed().pk == run.pk


def test_a_trainer_that_must_leave_hands_its_work_back_untried() -> None:
    run = attended("time.sleep(60)", leaving=lambda: True)
    assert (run.state, run.attempts, run.lease_token) == (State.WAITING, 0, "")
    assert claimed().pk == run.pk


def test_what_a_dead_trainer_left_is_taken_up_again_and_given_up_when_nothing_comes_of_it() -> None:
    run = waiting()
    for _ in range(jobs_queue.GIVEN_UP_AT):
        assert claimed().pk == run.pk
        assert jobs_queue.claim((TrainingRun,), "other@here") is None
        TrainingRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs_queue.claim((TrainingRun,), "other@here") is None
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "trainer died" in run.error


def test_a_worker_that_starts_again_takes_up_its_own_at_once() -> None:
    run = waiting()
    claimed()
    assert leases.free("trainer@elsewhere") == 0
    assert leases.free("trainer@here") == 1
    assert claimed().pk == run.pk


def test_a_late_trainer_changes_nothing_and_its_child_ends() -> None:
    waiting()
    late = claimed()
    TrainingRun.objects.update(lease_token="somebody else's")
    attend(late, (sys.executable, "-c", TELL + "tell(step=1, steps=2)\ntime.sleep(60)"))
    run = TrainingRun.objects.get()
    assert (run.progress, run.state, run.lease_token) == ({}, State.RUNNING, "somebody else's")


def test_a_child_does_not_outlive_the_trainer(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    child = f"import os, time, pathlib; pathlib.Path({str(said)!r}).write_text(str(os.getpid())); time.sleep(60)"
    program = (
        "import django; django.setup()\nimport sys\nfrom training.jobs import child_process\n"
        "from training.models import TrainingRun\nchild_process.jobs_queue.renew = lambda *a, **k: ''\n"
        f"child_process.attend(TrainingRun(pk=1), (sys.executable, '-c', {child!r}))"
    )
    trainer = subprocess.Popen([sys.executable, "-c", program], env=os.environ)
    try:
        pid = _eventually(lambda: said.read_text() if said.exists() else "")
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


def test_a_curve_keeps_its_shape_and_forgets_what_a_resumed_run_does_over() -> None:
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
