"""Sets the thresholds above which assertions are active."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.celery import ring_projectors
from knowledge.record import thresholds


class Command(BaseCommand):
    help = "Set the threshold, of all relations or of some. No post is analysed again; the graph follows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("value", nargs="*", help="0.6, or member_of=0.7; none: as the checkpoint was calibrated")

    def handle(self, *args: Any, value: list[str], **options: Any) -> None:
        try:
            named = dict(_pair(one) for one in value)
            # Names change only their own thresholds; a bare number is the default of all.
            wanted = named if thresholds.DEFAULT in named or not named else {**thresholds.active(), **named}
            thresholds.set_active(wanted)
        except ValueError as error:
            raise CommandError(str(error)) from error
        ring_projectors()
        shown = ", ".join(f"{key} {number:g}" for key, number in sorted(thresholds.active().items()))
        self.stdout.write(f"Active: {shown}.")


def _pair(text: str) -> tuple[str, float]:
    key, _, number = text.rpartition("=")
    try:
        return key or thresholds.DEFAULT, float(number)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor relation=number.") from None
