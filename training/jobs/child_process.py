"""Minding the process that does a piece of work: it is started, heard, told to stop, and its end is put down.

The work is done in a child, so that it can be killed and leaves no memory behind. The child dies with the process that
minds it (launch.py sees to that); its row is then claimed anew, and it goes on from what it last saved.
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

EVERY_SECONDS = 2.0  # how often what was said is kept, and wishes are asked for
GRACE_SECONDS = 120.0  # to save its state, once somebody has asked it to stop
LEAVING_SECONDS = 6.0  # the same where this process itself must end
LAUNCHER = ROOT / "kgbuilder" / "supervision" / "launch.py"

Busy = Callable[[float], AbstractContextManager[object]]
"""Says that this process may be busy for so many seconds."""


class Attended:
    """One piece of work and its child process."""

    def __init__(self, work: Work, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.work = work
        self.progress: dict[str, Any] = dict(work.progress or {})
        self.log = work.log
        self.error = ""
        self.wish = ""
        self._first_step = self.progress.get("step", 0)
        self._rest = b""
        self._told_at: float | None = None
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

    def mind(self, busy: Busy, leaving: Callable[[], bool]) -> None:
        """Until the child has ended; every round says that this process lives, and looks for wishes."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while True:
                with busy(30 * EVERY_SECONDS):
                    ended = self._listen(selector, leaving)
                    if not self._keep():
                        self.process.kill()  # another has claimed it
                        self.process.wait()
                        return
                    if ended:
                        self._put_down(leaving())
                        return
                    self._stop_if_asked(leaving())

    def _listen(self, selector: selectors.BaseSelector, leaving: Callable[[], bool]) -> bool:
        """Hears the child out for a round; whether it has ended."""
        until = time.monotonic() + EVERY_SECONDS
        while (left := until - time.monotonic()) > 0 and not (leaving() and self._told_at is None):
            if selector.select(min(left, 0.5)) and not self._hear():
                self.process.wait()
                return True
        return False

    def _hear(self) -> bool:
        """Takes in what the child has said; False at its end."""
        try:
            said = os.read(self._pipe.fileno(), 65536)
        except BlockingIOError:
            return True
        *lines, self._rest = (self._rest + said).split(b"\n")
        if not said and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._take(line.decode("utf-8", "replace").rstrip().replace("\0", ""))
        return bool(said)

    def _take(self, line: str) -> None:
        said = progress_protocol.hear(line)
        if said is None:
            self.log = (self.log + line + "\n")[-progress_protocol.LONGEST_LOG :]
            return
        self.error = str(said.get("error", self.error))
        self.progress = progress_protocol.merged(self.progress, said)

    def _keep(self) -> bool:
        said: dict[str, Any] = {"progress": self.progress, "log": self.log}
        if self.progress.get("step", 0) > self._first_step:
            said["attempts"] = 1  # it gets on, so an earlier death was not its own fault
        wish = jobs_queue.renew(self.work, **said)
        self.wish = wish or ""
        return wish is not None

    def _stop_if_asked(self, leaving: bool) -> None:
        if not (self.wish == jobs_queue.STOP or leaving):
            return
        now = time.monotonic()
        if self._told_at is None:
            self._told_at = now
            self.process.terminate()
        elif now - self._told_at > (LEAVING_SECONDS if leaving else GRACE_SECONDS):
            self.process.kill()

    def abandon(self) -> None:
        """Leaves no process behind, whatever went wrong in this one."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._pipe.close()

    def _put_down(self, leaving: bool) -> None:
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
    """Why a child ended that could not say so itself."""
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
    """Runs `command` for claimed work until it ends, and puts down how."""
    try:
        child = Attended(work, command, environ or {})
    except OSError as error:
        jobs_queue.end(work, Work.State.FAILED, f"No process could be started: {progress_protocol.sentence(error)}")
        return
    try:
        child.mind(busy, leaving)
    finally:
        child.abandon()
