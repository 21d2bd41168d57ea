"""Writes the graph to a file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.graphs import export


class Command(BaseCommand):
    help = "Write the graph as N-Quads, Turtle, JSON-LD, GraphML or CSV, from the database. No service is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=sorted(export.FORMATS), default="nquads")
        parser.add_argument("--excel", action="store_true", help="CSV with the byte order mark that Excel needs")
        parser.add_argument("--output", type=Path, help="a file; by default standard output")

    def handle(self, *args: Any, format: str, output: Path | None, excel: bool, **options: Any) -> None:
        if excel and format != "csv":
            raise CommandError("--excel is for --format csv alone.")
        if output is None:
            count = export.write(sys.stdout.buffer, format, excel)
            sys.stdout.buffer.flush()
        else:
            draft = output.with_name(output.name + ".draft")
            with draft.open("wb") as file:
                count = export.write(file, format, excel)
            draft.replace(output)
        self.stderr.write(f"{count} {'quads' if format in export.RDF_FORMATS else 'rows'} written.")
