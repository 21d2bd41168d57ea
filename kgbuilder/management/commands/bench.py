"""Measures the product on this machine: `manage.py bench KIND`."""

from __future__ import annotations

from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError

# Each module in kgbuilder/benchmarks describes what it measures (HELP), adds its options (arguments) and prints figures
# (run, which raises NotMeasured with a sentence).
KINDS = (
    "ablations",
    "extract",
    "graph",
    "linking",
    "pages",
    "pictures",
    "projection",
    "scale",
    "siege",
    "systems",
    "workers",
)


class Command(BaseCommand):
    help = "Measure the product on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True)
        for kind in KINDS:
            module = import_module(f"kgbuilder.benchmarks.{kind}")
            module.arguments(kinds.add_parser(kind, help=module.HELP))

    def handle(self, *args: Any, kind: str, **options: Any) -> None:
        from kgbuilder.benchmarks import NotMeasured

        module = import_module(f"kgbuilder.benchmarks.{kind}")
        try:
            module.run(options, self.stdout.write, self.stderr.write)
        except NotMeasured as error:
            raise CommandError(str(error)) from error
