"""What the logs leave out."""

from __future__ import annotations

import logging
import time


class Repeats(logging.Filter):
    """Lets one failure through once a minute: a lane that cannot work is swept every few seconds.

    Failures are the same by their exception, not by the task or page that it ended.
    """

    every_s = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = f"{record.name} {record.msg} {record.exc_info[1]!r}" if record.exc_info else record.getMessage()
        now = time.monotonic()
        if now - self._shown.get(key, -self.every_s) < self.every_s:
            return False
        self._shown = {past: at for past, at in self._shown.items() if now - at < self.every_s} | {key: now}
        return True
