"""Replaces itself by a program that ends when its supervisor does.

    launch.py SUPERVISOR_PID NICENESS PROGRAM ARGUMENT…

Run by path before the program itself, so that the supervisor runs none of its own code between fork and exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    supervisor, niceness, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(supervisor):
        sys.exit(1)  # it died before the line above took effect
    os.nice(int(niceness))
    os.execv(command[0], command)  # noqa: S606 the supervisor's own list of arguments


if __name__ == "__main__":
    main()
