"""One supervised process: its start, its output, and its restart."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kgbuilder.supervision import listening, roster

FIRST_DELAY_SECONDS = 0.3
LONGEST_DELAY_SECONDS = 10.0
LONGEST_LINE = 4000
LOG_BYTES = 5_000_000
HERE = Path(__file__).resolve().parent


# A component's name, a line, and whether it is the supervisor's own -> the formatted line.
Form = Callable[[str, str, bool], str]


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process of the product: its name, command and environment. It prints `ready` as a line once it works.

    `phase`: processes are stopped phase by phase, lowest first. `once`: it is done when it exits with 0. `listen`: the
    address that it accepts from, as `listening.open_socket` takes it; several processes may share one.
    """

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0
    phase: int = 0
    once: bool = False
    listen: str = ""


class Child:
    """The current process of a spec, if any, and its history."""

    def __init__(self, part: ProcessSpec, log_folder: Path | None, form: Form | None = None) -> None:
        """`log_folder`: None where its lines are stored by the reader of our output. `form`: their format, if not
        plain after the time."""
        self.part = part
        self._form = form
        self.process: subprocess.Popen[bytes] | None = None
        self.born = ""
        self.ready = False
        self.silent = True  # its output is closed
        self.since = 0.0
        self.deaths = 0
        self.restart_at: float | None = 0.0
        self._failed_starts = 0
        self._unfinished = b""
        self._log_path = log_folder / f"{part.name}.log" if log_folder else None

    def start(self, listener: int | None = None) -> None:
        """`listener`: the descriptor of the socket that the process inherits."""
        launcher = [sys.executable, "-S", "-E", str(HERE / "launch.py"), str(os.getpid()), str(self.part.niceness)]
        self.process = subprocess.Popen(
            [*launcher, *self.part.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._environ(listener)},
            pass_fds=() if listener is None else (listener,),
            process_group=0,  # the terminal's Ctrl-C reaches the supervisor alone
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.born, self.since, self.restart_at = roster.born(self.process.pid), time.time(), None
        self.ready = self.silent = False
        self._unfinished = b""

    def _environ(self, listener: int | None) -> dict[str, str]:
        own = {"PYTHONUNBUFFERED": "1", "KGBUILDER_PART": self.part.name}
        passed = "" if listener is None else str(listener)
        return {**self.part.environ, **own, listening.VARIABLE: passed}

    def lines(self) -> list[str]:
        """The complete lines of output since the last call; also written to its log."""
        output = self._read()
        *whole, self._unfinished = (self._unfinished + output).split(b"\n")
        if len(self._unfinished) > LONGEST_LINE or (self.silent and self._unfinished):
            whole, self._unfinished = [*whole, self._unfinished], b""
        lines = [line[:LONGEST_LINE].decode("utf-8", "replace").rstrip() for line in whole]
        if "ready" in lines:
            self.ready, self._failed_starts = True, 0
        lines = [line for line in lines if line and line != "ready"]
        if self._form:
            lines = [self._form(self.part.name, line, False) for line in lines]
        self.log(lines)
        return lines

    def _read(self) -> bytes:
        assert self.process is not None and self.process.stdout is not None
        try:
            output = os.read(self.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return b""
        self.silent = not output
        return output

    def log(self, lines: list[str]) -> None:
        if not lines or self._log_path is None:
            return
        with contextlib.suppress(OSError):  # a full disk must not end the supervisor
            if self._log_path.exists() and self._log_path.stat().st_size > LOG_BYTES:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))
            with self._log_path.open("a", encoding="utf-8") as log:
                began = "" if self._form else f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} "
                log.writelines(f"{began}{line}\n" for line in lines)

    def record_exit(self) -> int:
        """Called once the process has exited: plans the restart and returns the exit code."""
        assert self.process is not None and self.process.returncode is not None
        code = self.process.returncode
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process, self.deaths = None, self.deaths + 1
        if self.part.once and code == 0:
            self.restart_at = None
        else:
            self.restart_at = time.monotonic() + self._delay()
        self._failed_starts += not self.ready
        self.ready = False
        return code

    def _delay(self) -> float:
        """The restart delay: short at first, longer while the process dies before it is ready."""
        return float(min(FIRST_DELAY_SECONDS * 2**self._failed_starts, LONGEST_DELAY_SECONDS))

    def terminate(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def kill(self) -> None:
        """Kills the whole process group, whether its leader lives or not."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def entry(self) -> roster.Entry | None:
        if self.process is None:
            return None
        return roster.Entry(self.part.name, self.process.pid, self.born, self.ready, self.since, self.deaths)
