"""Deletes what is older than the settings allow, now; the running product does so by itself, some at a time."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from extraction.images import image_retention
from knowledge.record import retention


class Command(BaseCommand):
    help = (
        "Delete bodies older than BODY_DAYS, superseded readings beyond READINGS_KEPT for each post, and copies of "
        "pictures older than PICTURE_DAYS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only print how many of each would be deleted")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if dry_run:
            self._report(
                "would be deleted",
                retention.old_bodies(timezone.now()).count(),
                retention.spare_readings(),
                image_retention.old_pictures().count(),
            )
            return
        total, pictures = retention.Pruned(), 0
        while done := retention.prune():
            total += done
        while some := image_retention.delete_old_copies():
            pictures += some
        self._report("were deleted", total.bodies, total.readings, pictures)

    def _report(self, verb: str, bodies: int, readings: int, pictures: int) -> None:
        of_bodies = _older("BODY_DAYS", settings.BODY_DAYS)
        of_pictures = _older("PICTURE_DAYS", settings.PICTURE_DAYS)
        self.stdout.write(
            f"{bodies} bodies {of_bodies}, {readings} superseded readings and copies of {pictures} pictures "
            f"{of_pictures} {verb}."
        )


def _older(setting: str, days: int) -> str:
    return f"older than {days} days" if days else f"({setting} is 0: all are kept)"
