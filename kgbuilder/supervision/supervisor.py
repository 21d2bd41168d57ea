"""The supervisor: one thread that starts the processes, shows their output, and restarts them when they die.

Why our own: each of the usual ones left a child or a grandchild running when killed, or ended all when one died. A
guard ends everything if this process is killed. Children are started from the main thread only: Linux signals the
death of their parent when the thread that started them ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from kgbuilder.supervision import listening, roster, watchdog
from kgbuilder.supervision.child import HERE, Child, Form, ProcessSpec

GRACE_SECONDS = 8.0
LONGEST_SHOWN = 4096  # bytes: what a pipe takes whole
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Runs `parts` until it receives a stop signal. `run_folder` holds the roster and the leases.

    `form` formats every line; without it a line is shown after its process's name.
    """

    def __init__(
        self,
        parts: Sequence[ProcessSpec],
        run_folder: Path,
        log_folder: Path | None,
        form: Form | None = None,
    ) -> None:
        if log_folder:
            log_folder.mkdir(parents=True, exist_ok=True)
        self._run_folder = run_folder
        self._children = [Child(part, log_folder, form) for part in parts]
        self._width = max(len(part.name) for part in parts)
        self._form = form
        self._selector = selectors.DefaultSelector()
        self._stops = 0
        self._unshown = 0
        self._listeners: dict[str, socket.socket] = {}
        self._guard: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Blocks until SIGINT, SIGTERM or SIGHUP; a second one ends everything at once.

        Raises OSError where an address that a process listens on cannot be used.
        """
        addresses = {child.part.listen for child in self._children} - {""}
        with contextlib.ExitStack() as open_sockets:
            for address in sorted(addresses):
                self._listeners[address] = open_sockets.enter_context(listening.open_socket(address))
            self._run()

    def _run(self) -> None:
        woken = self._listen_for_signals()
        try:
            while not self._stops:
                self._keep_guard()
                self._start_due()
                self._wait(self._seconds_to_next())
                self._end_overdue()
            self._stop_all()
        finally:
            self._kill_all()
            signal.set_wakeup_fd(-1)
            woken.close()

    def _listen_for_signals(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._wakeup = theirs  # kept: closing it would close the descriptor that signals write to
        self._selector.register(ours, selectors.EVENT_READ)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return ours

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1

    def _keep_guard(self) -> None:
        if self._guard is not None and self._guard.poll() is None:
            return
        command = [sys.executable, "-S", "-E", str(HERE / "guard.py")]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)
        for child in self._children:
            if child.process is not None:
                self._send_to_guard(f"+{child.process.pid}")

    def _send_to_guard(self, line: str) -> None:
        assert self._guard is not None and self._guard.stdin is not None
        try:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()
        except BrokenPipeError:
            pass  # the guard died; the next round starts another and sends it all processes

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None and child.restart_at is not None and child.restart_at <= now:
                watchdog.forget(self._run_folder, child.part.name)  # of earlier processes, whose pid may come again
                self._start(child)

    def _start(self, child: Child) -> None:
        listener = self._listeners.get(child.part.listen)
        child.start(None if listener is None else listener.fileno())
        assert child.process is not None and child.process.stdout is not None
        self._send_to_guard(f"+{child.process.pid}")
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)
        self._write_roster()

    def _seconds_to_next(self) -> float:
        planned = [c.restart_at for c in self._children if c.process is None and c.restart_at is not None]
        return max(0.0, min([1.0, *(at - time.monotonic() for at in planned)]))

    def _wait(self, seconds: float) -> None:
        """Shows output and handles exited processes, for at most `seconds`."""
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.recv(4096)
            else:
                self._show_output(key.data)
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._handle_exit(child)

    def _show_output(self, child: Child) -> None:
        was_ready, was_silent = child.ready, child.silent
        for line in child.lines():
            self._show(child, line)
        if child.silent and not was_silent:
            assert child.process is not None and child.process.stdout is not None
            self._selector.unregister(child.process.stdout)
        if child.ready != was_ready:
            self._write_roster()

    def _handle_exit(self, child: Child) -> None:
        assert child.process is not None
        pid = child.process.pid
        child.kill()  # what is left of its group holds the pipe open
        self._drain_output(child)
        code = child.record_exit()
        self._send_to_guard(f"-{pid}")
        watchdog.forget(self._run_folder, child.part.name)
        self._write_roster()
        if not self._stops and child.restart_at is not None:
            wait = max(0.0, child.restart_at - time.monotonic())  # handling the exit may take long on a busy machine
            self._log_line(child, f"ended ({_cause(code)}); starts again in {wait:.1f} s")

    def _drain_output(self, child: Child) -> None:
        """Reads the last output: until it closes, or not much longer where a stray process holds it open."""
        assert child.process is not None and child.process.stdout is not None
        for _ in range(32):
            if child.silent:
                return
            self._show_output(child)
        self._selector.unregister(child.process.stdout)

    def _end_overdue(self) -> None:
        for child in self._children:
            if child.process is None:
                continue
            if watchdog.overdue(self._run_folder, child.part.name, child.process.pid):
                self._log_line(child, "has been busy for longer than its lease allows; ending it")
                watchdog.forget(self._run_folder, child.part.name)
                child.kill()

    def _stop_all(self) -> None:
        """Stops phase by phase, with time to finish; a process that takes longer is killed, which loses nothing."""
        for phase in sorted({child.part.phase for child in self._children}):
            leaving = [c for c in self._children if c.part.phase == phase and c.process is not None]
            for child in leaving:
                child.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
            while any(c.process is not None for c in leaving) and time.monotonic() < deadline and self._stops < 2:
                self._wait(0.1)
            for child in leaving:
                child.kill()

    def _kill_all(self) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            if child.process is not None:
                child.process.wait()
        with contextlib.suppress(OSError):  # a full disk: readers of the list see that these processes are gone
            roster.write(self._run_folder, [])

    def _write_roster(self) -> None:
        try:
            roster.write(self._run_folder, [entry for c in self._children if (entry := c.entry())])
        except OSError as error:  # a full disk: the roster is late, the processes continue
            with contextlib.suppress(OSError):  # what stderr is kept in may lie on the same disk
                os.write(sys.stderr.fileno(), f"The list of processes cannot be written: {error}\n".encode())

    def _log_line(self, child: Child, text: str) -> None:
        line = self._form(child.part.name, text, True) if self._form else text
        child.log([line])
        self._show(child, line)

    def _show(self, child: Child, line: str) -> None:
        """Writes to the terminal unless it is stopped (Ctrl-S), which must not block the product. The log has all."""
        if not select.select([], [sys.stdout], [], 0)[1]:
            self._unshown += 1
            return
        if self._unshown:
            line, self._unshown = f"({self._unshown} lines were not shown; the logs have them)\n{line}", 0
        try:
            whose = "" if self._form else f"{child.part.name:<{self._width}} | "
            os.write(sys.stdout.fileno(), f"{whose}{line}\n".encode()[:LONGEST_SHOWN])
        except OSError:
            self._unshown += 1  # the terminal is gone; SIGHUP follows if that was the end of it


def _cause(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
