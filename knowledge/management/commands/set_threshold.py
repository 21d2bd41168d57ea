"""Sets above which score an assertion counts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.celery import ring_projectors
from knowledge.record import thresholds


class Command(BaseCommand):
    help = "Set the threshold, of all relations or of some. Nothing is read again; the graph follows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("value", nargs="*", help="0.6, or member_of=0.7; none: as the checkpoint was calibrated")

    def handle(self, *args: Any, value: list[str], **options: Any) -> None:
        try:
            named = dict(_pair(one) for one in value)
            # Names alone change only theirs; a bare number is everybody's.
            wanted = named if thresholds.DEFAULT in named or not named else {**thresholds.in_force(), **named}
            thresholds.set_in_force(wanted)
        except ValueError as error:
            raise CommandError(str(error)) from error
        ring_projectors()
        in_force = ", ".join(f"{key} {number:g}" for key, number in sorted(thresholds.in_force().items()))
        self.stdout.write(f"Active: {in_force}.")


def _pair(text: str) -> tuple[str, float]:
    key, _, number = text.rpartition("=")
    try:
        return key or thresholds.DEFAULT, float(number)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor relation=number.") from None
