"""`manage.py results`: keeps the figures of finished runs and writes the tables that are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from training.publishing import results


class Command(BaseCommand):
    help = "Keep the figures of these runs in docs/results; write the tables of docs/systems.md and docs/benchmarks.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs (none: only write the tables)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for path in results.keep(options["runs"]):
                self.stdout.write(f"kept: {path.name}")
            for path, text in results.documents().items():
                path.write_text(text, encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
