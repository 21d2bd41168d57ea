"""Lets go of what is older than the settings say, now; beat does it by itself every hour."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from knowledge import pruning


class Command(BaseCommand):
    help = "Let bodies older than BODY_DAYS go, and superseded readings beyond READINGS_KEPT a post."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many bodies would go")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if dry_run:
            self.stdout.write(f"{pruning.old_bodies(timezone.now()).count()} bodies would go.")
            return
        total = pruning.Pruned()
        while done := pruning.prune():
            total.bodies += done.bodies
            total.readings += done.readings
        bodies = f"older than {settings.BODY_DAYS} days" if settings.BODY_DAYS else "(BODY_DAYS is 0: all are kept)"
        self.stdout.write(f"{total.bodies} bodies {bodies} and {total.readings} superseded readings went.")
