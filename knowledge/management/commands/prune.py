"""Lets go of what is older than the settings say, now; the running product does it by itself, some at a time."""

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
        "Let bodies older than BODY_DAYS go, superseded readings beyond READINGS_KEPT a post, and copies of pictures "
        "older than PICTURE_DAYS."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many of each would go")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        if dry_run:
            self._say(
                "would go",
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
        self._say("went", total.bodies, total.readings, pictures)

    def _say(self, verb: str, bodies: int, readings: int, pictures: int) -> None:
        of_bodies = _older("BODY_DAYS", settings.BODY_DAYS)
        of_pictures = _older("PICTURE_DAYS", settings.PICTURE_DAYS)
        self.stdout.write(
            f"{bodies} bodies {of_bodies}, {readings} superseded readings and copies of {pictures} pictures "
            f"{of_pictures} {verb}."
        )


def _older(setting: str, days: int) -> str:
    return f"older than {days} days" if days else f"({setting} is 0: all are kept)"
