"""Heartbeats: every few seconds each process writes to the database that it lives, what it does and its counts.

While the database is unavailable the counts are kept in memory, and written when it is back.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections, transaction
from django.db.models import F
from django.utils import timezone

from kgbuilder import VERSION
from kgbuilder.models import Heartbeat, Tally
from kgbuilder.supervision import telemetry

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
SILENT = timedelta(seconds=60)  # after this a process counts as gone
FORGOTTEN = timedelta(days=1)
_started = threading.Event()


def start(part: str) -> None:
    """Starts this process's heartbeat as `part` (or as the supervisor named it); later calls do nothing."""
    if _started.is_set():
        return
    _started.set()
    pulse = Pulse(os.environ.get("KGBUILDER_PART", part))
    threading.Thread(target=pulse.run, name="heartbeat", daemon=True).start()


class Pulse:
    """Writes one process's row and adds its counts."""

    def __init__(self, part: str) -> None:
        self._part, self._host, self._began_at = part, socket.gethostname()[:255], timezone.now()
        self._done = 0.0

    def run(self) -> None:
        waiting = threading.Event()
        while True:
            close_old_connections()  # those that the database has closed
            self.beat()
            waiting.wait(EVERY_SECONDS)

    def beat(self) -> None:
        counted = telemetry.drain()
        try:
            with transaction.atomic():
                self._write(counted)
        except DatabaseError as error:
            for (name, label), amount in counted.items():
                telemetry.count(name, label, amount)
            logger.warning("The heartbeat cannot be written: %s", error)

    def _write(self, counted: dict[tuple[str, str], float]) -> None:
        done = self._done + sum(amount for (name, _), amount in counted.items() if name == telemetry.STAGE_UNITS)
        write_row(self._part, self._host, os.getpid(), telemetry.doing(), self._began_at, int(done))
        for (name, label), amount in sorted(counted.items()):
            if not Tally.objects.filter(name=name, label=label).update(value=F("value") + amount):
                Tally.objects.bulk_create([Tally(name=name, label=label)], ignore_conflicts=True)
                Tally.objects.filter(name=name, label=label).update(value=F("value") + amount)
        self._done = done


def write_row(part: str, host: str, pid: int, doing: str, began_at: datetime, done: int) -> None:
    """Writes a process's row; also on behalf of a process without a database."""
    Heartbeat.objects.update_or_create(
        host=host,
        part=part,
        defaults={
            "pid": pid,
            "version": VERSION,
            "doing": doing[:500],
            "done": done,
            "began_at": began_at,
            "seen_at": timezone.now(),
        },
    )


def alive(part: str, host: str = "") -> bool:
    """Whether a process of this kind (reader, reader-2, …) has a recent heartbeat, on `host` or anywhere."""
    rows = Heartbeat.objects.filter(part__regex=rf"^{part}(-[0-9]+)?$", seen_at__gt=timezone.now() - SILENT)
    return (rows.filter(host=host) if host else rows).exists()


def forget_old() -> None:
    Heartbeat.objects.filter(seen_at__lt=timezone.now() - FORGOTTEN).delete()
