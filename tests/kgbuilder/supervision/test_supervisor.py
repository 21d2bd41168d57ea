"""The supervisor with small programs in place of the product's processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kgbuilder.supervision import roster, watchdog
from tests.patience import PATIENCE_S

PROGRAM = """
import json, sys
from pathlib import Path
from kgbuilder.supervision.child import ProcessSpec
from kgbuilder.supervision.supervisor import Supervisor
folder = Path(sys.argv[1])
parts = [
    ProcessSpec(p["name"], (sys.executable, "-u", "-c", p["code"]), phase=p.get("phase", 0), once=p.get("once", False))
    for p in json.loads(sys.argv[2])
]
with __import__("kgbuilder.supervision.roster", fromlist=["x"]).lock(folder / "run"):
    Supervisor(parts, folder / "run", folder / "log").run()
"""
SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
PARENT = (
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('grandchild', p.pid, flush=True); print('ready', flush=True); time.sleep(600)"
)
# Writes when it was asked to stop, and stops.
NOTES_ITS_END = """
import signal, sys, time
def end(number, frame):
    open({path!r}, "a").write({name!r} + chr(10)); sys.exit(0)
signal.signal(signal.SIGTERM, end); print("ready", flush=True); time.sleep(600)
"""


class Running:
    def __init__(self, folder: Path, parts: list[dict[str, object]]) -> None:
        self.folder = folder
        self.output = (folder / "terminal").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), json.dumps(parts)],
            stdout=self.output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def entries(self) -> dict[str, roster.Entry]:
        return {entry.name: entry for entry in roster.read(self.folder / "run")}

    def terminal(self) -> str:
        return (self.folder / "terminal").read_text()

    def ready(self, *names: str) -> None:
        until(lambda: all(name in self.entries() and self.entries()[name].ready for name in names), self.terminal)


def until(holds: Callable[[], object], otherwise: Callable[[], str] = lambda: "") -> None:
    """Wait for it, with a bound that only a defect reaches."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"still waiting; the terminal shows:\n{otherwise()}"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return roster.born(pid) == ""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*parts: dict[str, object]) -> Running:
        started.append(Running(tmp_path, list(parts)))
        return started[-1]

    yield begin
    for running in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        for entry in roster.read(tmp_path / "run"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(entry.pid, signal.SIGKILL)


def test_a_killed_process_is_restarted(start: Callable[..., Running]) -> None:
    running = start({"name": "web", "code": SLEEPER})
    running.ready("web")
    first = running.entries()["web"]
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: running.entries().get("web", first).pid != first.pid, running.terminal)
    running.ready("web")
    assert running.entries()["web"].deaths == 1
    assert "signal SIGKILL" in running.terminal()


def test_a_process_that_never_gets_ready_is_restarted_less_and_less_often(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    running = start({"name": "reader", "code": "print('no such file: weights'); raise SystemExit(3)"})
    until(lambda: running.terminal().count("exit code 3") >= 4, running.terminal)
    waits = [
        float(line.split("again in ")[1].split()[0]) for line in running.terminal().splitlines() if "again" in line
    ]
    assert waits[:4] == pytest.approx([0.3, 0.6, 1.2, 2.4], abs=0.05)
    assert "no such file: weights" in (tmp_path / "log" / "reader.log").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full stands for a full disk")
def test_a_full_disk_ends_nothing(start: Callable[..., Running], tmp_path: Path) -> None:
    """Neither the list of processes, nor a log, nor what the terminal shows can be written: the processes continue."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "parts.draft").symlink_to("/dev/full")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "web.log").symlink_to("/dev/full")
    (tmp_path / "terminal").symlink_to("/dev/full")
    starts = tmp_path / "starts"
    running = start({"name": "web", "code": f"open({str(starts)!r}, 'a').write('x')"})
    until(lambda: running.process.poll() is not None or (starts.exists() and len(starts.read_text()) >= 3))
    assert running.process.poll() is None
    running.process.terminate()
    assert running.process.wait(PATIENCE_S) == 0


def test_a_process_that_is_done_is_not_restarted(start: Callable[..., Running], tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'times')!r}, 'a').write('x')"
    running = start({"name": "progress", "code": code, "once": True}, {"name": "web", "code": SLEEPER})
    running.ready("web")
    until((tmp_path / "times").exists)
    until(lambda: "progress" not in running.entries())
    time.sleep(0.7)  # more than the delay of a restart
    assert (tmp_path / "times").read_text() == "x"


def test_stopping_goes_phase_by_phase(start: Callable[..., Running], tmp_path: Path) -> None:
    order = str(tmp_path / "order")
    parts = [
        {"name": name, "code": NOTES_ITS_END.format(path=order, name=name), "phase": phase}
        for name, phase in (("sparql", 1), ("reader", 0), ("web", 0))
    ]
    running = start(*parts)
    running.ready("sparql", "reader", "web")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=PATIENCE_S) == 0
    assert (tmp_path / "order").read_text().split()[-1] == "sparql"
    assert sorted((tmp_path / "order").read_text().split()) == ["reader", "sparql", "web"]
    assert running.entries() == {}


def test_a_killed_supervisor_leaves_neither_children_nor_grandchildren(start: Callable[..., Running]) -> None:
    running = start({"name": "sparql", "code": PARENT}, {"name": "web", "code": SLEEPER})
    running.ready("sparql", "web")
    until(lambda: "grandchild" in running.terminal())
    grandchild = int(running.terminal().split("grandchild ")[1].split()[0])
    children = [entry.pid for entry in running.entries().values()]
    running.process.kill()
    running.process.wait()
    until(lambda: all(gone(pid) for pid in [*children, grandchild]))


def test_the_guard_is_replaced_and_knows_the_living(start: Callable[..., Running], tmp_path: Path) -> None:
    running = start({"name": "sparql", "code": PARENT})
    running.ready("sparql")

    def guards() -> list[int]:
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=", "-o", "args=", "--ppid", str(running.process.pid)], capture_output=True
        )
        return [int(line.split()[0]) for line in listed.stdout.splitlines() if b"guard.py" in line]

    until(guards)
    first = guards()[0]
    os.kill(first, signal.SIGKILL)
    until(lambda: guards() and guards()[0] != first)
    grandchild = int(running.terminal().split("grandchild ")[1].split()[0])
    running.process.kill()
    until(lambda: gone(grandchild))


def test_what_a_supervisor_and_its_guard_left_is_ended_at_the_next_start(tmp_path: Path) -> None:
    stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
    left = roster.Entry("reader", stray.pid, roster.born(stray.pid), True, 0.0, 0)
    reused = roster.Entry("web", bystander.pid, "the birth of an earlier process", True, 0.0, 0)
    roster.write(tmp_path, [left, reused])
    try:
        assert roster.end_stale(tmp_path) == ["reader"]
        assert stray.wait(timeout=PATIENCE_S) == -signal.SIGKILL
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_second_supervisor_is_refused_by_the_first_ones_number(start: Callable[..., Running], tmp_path: Path) -> None:
    running = start({"name": "web", "code": SLEEPER})
    running.ready("web")
    with pytest.raises(roster.AlreadyRunning) as refusal:
        roster.lock(tmp_path / "run")
    assert str(refusal.value) == str(running.process.pid)
    running.process.kill()
    running.process.wait()
    roster.lock(tmp_path / "run").close()


def test_a_process_that_is_busy_for_longer_than_its_lease_is_ended(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    hangs_once = f"""
import os, time
from pathlib import Path
from kgbuilder.supervision.watchdog import lease
print("ready", flush=True)
if not os.path.exists({str(tmp_path / "hung")!r}):
    open({str(tmp_path / "hung")!r}, "w").close()
    with lease(Path({str(tmp_path / "run")!r}), "reader", 0.5):
        time.sleep(600)
time.sleep(600)
"""
    running = start({"name": "reader", "code": hangs_once})
    until(lambda: "longer than its lease" in running.terminal(), running.terminal)
    until(lambda: "reader" in running.entries() and running.entries()["reader"].deaths == 1)
    running.ready("reader")
    assert not watchdog.overdue(tmp_path / "run", "reader", running.entries()["reader"].pid)


def test_leases_of_a_killed_supervisors_processes_end_nobody(start: Callable[..., Running], tmp_path: Path) -> None:
    """They ran out long ago, whichever process they named; also one that appears while the new process runs."""
    (tmp_path / "run").mkdir()
    left = tmp_path / "run" / "reader.1.1.lease"
    left.write_text("0.0")
    running = start({"name": "reader", "code": SLEEPER})
    running.ready("reader")
    assert not left.exists()
    left.write_text("0.0")
    time.sleep(1.5)  # the supervisor looks once a second
    assert running.entries()["reader"].deaths == 0
    assert "longer than its lease" not in running.terminal()


def test_only_the_lease_of_the_process_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "reader.12.7.lease").write_text("0.0")
    assert watchdog.overdue(tmp_path, "reader", 12)
    assert not watchdog.overdue(tmp_path, "reader", 1)
    assert not watchdog.overdue(tmp_path, "reader", 123)


def test_a_stopped_terminal_does_not_stop_the_processes(tmp_path: Path) -> None:
    """Its output is a pipe that nobody reads, like a terminal after Ctrl-S."""
    reading, writing = os.pipe()
    talker = (
        "print('ready', flush=True)\nfor n in range(40000): print('line', n, 'x' * 60)\n"
        f"open({str(tmp_path / 'written')!r}, 'w').close()\nimport time; time.sleep(600)"
    )
    parts = json.dumps([{"name": "talker", "code": talker}])
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), parts], stdout=writing, process_group=0)
    try:
        until((tmp_path / "written").exists)
    finally:
        process.terminate()
        assert process.wait(timeout=PATIENCE_S) == 0
        os.close(reading)
        os.close(writing)
