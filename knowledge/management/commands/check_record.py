"""Checks the record: every post analysed or with a reason, no lease past its time, no stale graph update."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from kgbuilder.celery import LANES, ring
from knowledge.record import integrity

POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Check that every reading is finished, no lease is overdue, every live post has a current reading or a reason "
        "and no graph update is stale. Exit 1: something is wrong; with --wait also: something is still pending."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", nargs="?", const=60.0, type=float, metavar="SECONDS", help="wait for what is pending"
        )
        parser.add_argument("--repair", action="store_true", help="have damaged pictures fetched again")

    def handle(self, *args: Any, wait: float | None, repair: bool, **options: Any) -> None:
        if repair:
            self.stdout.write(f"{integrity.fetch_pictures_again()} pictures are queued to be fetched again.")
        found = self._settled(wait or 0.0)
        for finding in found:
            self.stdout.write(str(finding))
        wrong = [finding for finding in found if not finding.pending]
        self.stdout.write(f"The record: {len(wrong)} kinds wrong, {len(found) - len(wrong)} pending.")
        if wrong or (wait is not None and found):
            sys.exit(1)

    def _settled(self, seconds: float) -> list[integrity.Finding]:
        """The findings once nothing is pending, or the time is up."""
        until = time.monotonic() + seconds
        for lane in LANES if seconds else ():
            ring(lane)
        found = integrity.findings()
        while any(finding.pending for finding in found) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            found = integrity.findings()
        return found
