"""How the threads of a computation wait for each other. No torch: the setting is read when torch is first imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

POLICY = "OMP_WAIT_POLICY"


def sleep_while_waiting(environ: MutableMapping[str, str] = os.environ) -> None:
    """Lets a thread that waits for another sleep, unless the environment sets OMP_WAIT_POLICY.

    By default it spins. On a machine that does other work beside, its companions are often not running, and most of the
    processor time of training and reading goes into spinning (figures: docs/training.md).
    """
    environ.setdefault(POLICY, "PASSIVE")
