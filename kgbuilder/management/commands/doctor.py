"""Lists every component with its state, the consequences and the remedy."""

from __future__ import annotations

import json
import sys
import textwrap
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from kgbuilder.monitoring import doctor


class Command(BaseCommand):
    help = "Checks every component and explains what is missing. Exit status 1 if a required component is not OK."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        parts = doctor.parts()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(part) for part in parts], ensure_ascii=False))
        else:
            self._table(parts)
        if any(part.needed and part.state != "there" for part in parts):
            sys.exit(1)

    def _table(self, parts: list[doctor.Component]) -> None:
        width = max(len(part.name) for part in parts)
        indent = " " * (width + 12)
        for part in parts:
            paint = {"good": self.style.SUCCESS, "warn": self.style.WARNING, "bad": self.style.ERROR}[part.colour]
            lines = textwrap.wrap(part.sentence, 100, break_long_words=False, break_on_hyphens=False)
            state = paint(f"{part.state:<8}")
            self.stdout.write(f"{part.name:<{width}}  {state}  " + f"\n{indent}".join(lines))
