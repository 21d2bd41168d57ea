"""The formats of log lines: plain for people, or one JSON object a line; each names the feed, post, reading or run."""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime

from kgbuilder.supervision import telemetry

LONGEST = 3900  # bytes: the supervisor passes on lines of up to 4,000


def plain_prefix() -> str:
    """`[feed 12]` of the present subject; empty where there is none."""
    named = ", ".join(f"{what} {which}" for what, which in telemetry.subject().items())
    return f"[{named}] " if named else ""


def as_json(level: str, logger: str, event: str, **more: object) -> str:
    """One line. `part` is the process that wrote it."""
    fields: dict[str, object] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "part": os.environ.get("KGBUILDER_PART", ""),
        "logger": logger,
        "event": event,
        **more,
    }
    return _bounded({name: value for name, value in fields.items() if value != ""})


def _bounded(fields: dict[str, object]) -> str:
    """Shortens values of a line that is too long, so that it stays JSON: an error's end is the most informative."""
    line = json.dumps(fields, default=str)
    size = LONGEST
    while len(line) > LONGEST and size > 1:
        size //= 2
        cut = {"error": str(fields.get("error", ""))[-size:], "event": str(fields["event"])[:size]}
        line = json.dumps(fields | {name: value for name, value in cut.items() if value}, default=str)
    return line


class Plain(logging.Formatter):
    """`LEVEL logger: [feed 12] what happened`."""

    def format(self, record: logging.LogRecord) -> str:
        record.subject = plain_prefix()
        return super().format(record)


class Json(logging.Formatter):
    """The record as one JSON object on one line, a traceback as its `error`."""

    def format(self, record: logging.LogRecord) -> str:
        error = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        subject = telemetry.subject()
        return as_json(record.levelname, record.name, record.getMessage(), **subject, error=error)


class Repeats(logging.Filter):
    """Lets one failure through once a minute: a failing queue is swept every few seconds.

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
