"""Runs a job in a child process: starts it, reads its output, stops it, and records how it ended.

A child can be killed and leaves no memory behind. It dies with the process that watches it (by launch.py); its row is
then claimed again, and the job continues from the state that was last saved.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from kgbuilder.conf.environment import ROOT
from training.jobs import progress_protocol
from training.jobs import queue as jobs_queue
from training.models import Work

EVERY_SECONDS = 2.0  # between two writes of the progress to the row, which also read its wish
GRACE_SECONDS = 120.0  # for saving the state after a request to stop
LEAVING_SECONDS = 6.0  # the same when this process itself must exit
LAUNCHER = ROOT / "kgbuilder" / "supervision" / "launch.py"

Busy = Callable[[float], AbstractContextManager[object]]
"""Announces that this process may be busy for so many seconds."""


class ChildJob:
    """A claimed row and its child process."""

    def __init__(self, work: Work, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.work = work
        self.progress: dict[str, Any] = dict(work.progress or {})
        self.log = work.log
        self.error = ""
        self.wish = ""
        self._first_step = self.progress.get("step", 0)
        self._rest = b""
        self._stop_sent_at: float | None = None
        launcher = [sys.executable, "-S", "-E", str(LAUNCHER), str(os.getpid()), "0"]
        self.process = subprocess.Popen(
            [*launcher, *command],
            cwd=ROOT,
            env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        self._pipe = self.process.stdout
        os.set_blocking(self._pipe.fileno(), False)

    def watch(self, busy: Busy, leaving: Callable[[], bool]) -> None:
        """Blocks until the child has ended; every round renews the lease and reads the row's wish."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                with busy(30 * EVERY_SECONDS):
                    ended = self._listen(selector, leaving)
                    if not self._renew():
                        self.process.kill()  # another trainer has claimed the row
                        self.process.wait()
                        return
                    if ended:
                        self._record_end(leaving())
                        return
                    self._stop_if_asked(leaving())

    def _listen(self, selector: selectors.BaseSelector, leaving: Callable[[], bool]) -> bool:
        """Reads the child's output for one round; whether it has ended."""
        until = time.monotonic() + EVERY_SECONDS
        while (left := until - time.monotonic()) > 0 and not (leaving() and self._stop_sent_at is None):
            if selector.select(min(left, 0.5)) and not self._read_output():
                self.process.wait()
                return True
        return False

    def _read_output(self) -> bool:
        """Reads the output that is there; False at its end."""
        try:
            output = os.read(self._pipe.fileno(), 65536)
        except BlockingIOError:
            return True
        *lines, self._rest = (self._rest + output).split(b"\n")
        if not output and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._take_line(line.decode("utf-8", "replace").rstrip().replace("\0", ""))
        return bool(output)

    def _take_line(self, line: str) -> None:
        message = progress_protocol.parse_report(line)
        if message is None:
            self.log = (self.log + line + "\n")[-progress_protocol.LONGEST_LOG :]
            return
        self.error = str(message.get("error", self.error))
        self.progress = progress_protocol.merged(self.progress, message)

    def _renew(self) -> bool:
        values: dict[str, Any] = {"progress": self.progress, "log": self.log}
        if self.progress.get("step", 0) > self._first_step:
            values["attempts"] = 1  # it has made progress, so an earlier death was not its own fault
        wish = jobs_queue.renew(self.work, **values)
        self.wish = wish or ""
        return wish is not None

    def _stop_if_asked(self, leaving: bool) -> None:
        if not (self.wish == jobs_queue.STOP or leaving):
            return
        now = time.monotonic()
        if self._stop_sent_at is None:
            self._stop_sent_at = now
            self.process.terminate()
        elif now - self._stop_sent_at > (LEAVING_SECONDS if leaving else GRACE_SECONDS):
            self.process.kill()

    def abandon(self) -> None:
        """Kills the child if it still runs, whatever went wrong in this process."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._pipe.close()

    def _record_end(self, leaving: bool) -> None:
        code = self.process.returncode
        if code == 0:
            jobs_queue.end(self.work, Work.State.DONE)
        elif self.wish == jobs_queue.STOP:
            jobs_queue.end(self.work, Work.State.STOPPED)
        elif leaving or code == progress_protocol.STOPPED:
            jobs_queue.end(self.work, Work.State.WAITING)
        else:
            jobs_queue.end(self.work, Work.State.FAILED, self.error or _cause(code, self.progress, self.log))


def _cause(code: int, progress: Mapping[str, Any], log: str) -> str:
    """Why a child ended that did not report an error."""
    at = f" at step {progress['step']} of {progress['steps']}" if progress.get("steps") else ""
    if code < 0:
        name = signal.Signals(-code).name
        often = " The system does that where memory runs out." if -code == signal.SIGKILL else ""
        return f"The process was ended by {name}{at}.{often} Its saved state is kept: resume it to continue."
    last = log.strip().rpartition("\n")[2]
    return f"The process ended with code {code}{at}. Last output: {last or 'none'}"


def attend(
    work: Work,
    command: Sequence[str],
    environ: Mapping[str, str] | None = None,
    busy: Busy = lambda seconds: nullcontext(),
    leaving: Callable[[], bool] = lambda: False,
) -> None:
    """Runs `command` for a claimed row until it ends, and records how it ended."""
    try:
        child = ChildJob(work, command, environ or {})
    except OSError as error:
        jobs_queue.end(work, Work.State.FAILED, f"No process could be started: {progress_protocol.sentence(error)}")
        return
    try:
        child.watch(busy, leaving)
    finally:
        child.abandon()
