"""List the weights of networks for pictures, and fetch those that are named."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from extraction.images import detector_weights
from extraction.images.detector_weights import WEIGHTS, Weights, WeightsMissing


class Command(BaseCommand):
    help = (
        "Without names: which weights of detectors and other networks for pictures can be fetched, from where, how "
        "large, under which licence. With names: fetches them."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="what to fetch")

    def handle(self, *args: Any, names: list[str], **options: Any) -> None:
        if not names:
            for one in WEIGHTS.values():
                self._list(one)
            return
        for name in names:
            try:
                one = detector_weights.named(name)
                self._list(one)
                path = detector_weights.fetch_weights(one)
            except WeightsMissing as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"  is at {path}")

    def _list(self, one: Weights) -> None:
        state = "fetched" if detector_weights.complete(one) else f"{one.size / 1e6:.1f} MB to fetch"
        needs = f"; needs {one.needs}" if one.needs else ""
        self.stdout.write(f"{one.name}: {one.what}. {one.licence}; {state}{needs}")
        for file in one.files:
            known = f"SHA-256 {file.sha256}" if file.sha256 else "SHA-256 not known, stored when it is fetched"
            self.stdout.write(f"  {file.url} ({known})")
