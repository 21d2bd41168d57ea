"""`manage.py evaluate`: what a checkpoint scores on test parts, as rows of Markdown. Needs no database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Score a checkpoint on the test parts of the data sets that it was trained on. Text is its only input."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("checkpoint", nargs="?", help="folder (default: the shipped checkpoint)")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--data", help="data sets, separated by commas (default: those of its training)")
        parser.add_argument("--titles", action="store_true", help="compare dev figures with and without titles instead")
        parser.add_argument(
            "--by-relation", action="store_true", help="also each relation's own score at the thresholds"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.checkpoint import SHIPPED, Checkpoint, CheckpointError
        from extraction.datasets import DatasetError
        from extraction.text import Parser, ParserMissing

        if not options["data_root"]:
            raise CommandError("Which folder holds the data sets? Name it with --data-root or in KGBUILDER_DATA.")
        root = Path(options["data_root"])
        try:
            checkpoint = Checkpoint.load(Path(options["checkpoint"] or SHIPPED))
            parser = Parser.load()
            self.stdout.write(f"{checkpoint.manifest.name}, digest {checkpoint.digest}, parser {parser.version}\n\n")
            if options["titles"]:
                self._titles(checkpoint, parser, root)
            else:
                self._figures(checkpoint, parser, root, options)
        except (CheckpointError, DatasetError, ParserMissing, ValueError) as error:
            raise CommandError(str(error)) from error

    def _figures(self, checkpoint: Any, parser: Any, root: Path, options: dict[str, Any]) -> None:
        from training.card import line
        from training.figures import HEADING, by_relation, measure

        training = checkpoint.manifest.training["config"]
        names = options["data"].split(",") if options["data"] else training["data"]
        self.stdout.write(line(HEADING))
        self.stdout.write(line(["---"] * len(HEADING)))
        for name in names:
            self.stdout.write(line(measure(checkpoint, parser, root, name, training["labels"]).row()))
        if options["by_relation"]:
            for name in names:
                self.stdout.writelines(f"{row}\n" for row in by_relation(checkpoint, parser, root, name))

    def _titles(self, checkpoint: Any, parser: Any, root: Path) -> None:
        from training.figures import with_and_without_titles

        for row in with_and_without_titles(checkpoint, parser, root):
            self.stdout.write(row)
