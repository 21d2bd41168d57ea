"""The guard: a child that outlives its supervisor by a moment and ends the processes that it leaves.

It reads `+pid` and `-pid` lines, each the leader of a process group, and kills the groups at end of file, which comes
however the supervisor ends. Standard library only, started by path: it must be up before anything else can go wrong.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(pid)
    for pid in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
