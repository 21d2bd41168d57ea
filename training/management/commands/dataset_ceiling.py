"""Prints, per data set, the score that a perfect network would reach through encoding and decoding."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Prints the encode-decode ceiling of data sets in their own labels: gold as cells, decoded, scored strictly."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", help="data sets (default: all that annotate something)")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--split", default="test", choices=["train", "dev", "test"])
        parser.add_argument("--band", type=int, default=16, help="the reader's longest mention, in words")

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.datasets.registry import LOADERS, DatasetError, load
        from extraction.labels import inventory
        from training.evaluation.oracle import ceiling

        if not options["data_root"]:
            raise CommandError("Say where the data sets are: --data-root DIR, or the variable KGBUILDER_DATA.")
        names = options["names"] or [name for name in LOADERS if name not in ("mnre", "mnre_none")]
        self.stdout.write(
            f"{'data set':12} {'mentions':>9} {'relations':>10} {'Figure 3':>9}   strict F1 of gold, {options['split']}"
        )
        for name in names:
            try:
                examples = load(name, options["split"], Path(options["data_root"]), "native")
            except DatasetError as problem:
                raise CommandError(str(problem)) from problem
            result = ceiling(examples, inventory([name], "native"), options["band"])
            relations, figure3 = (
                (f"{score.f1:.1%}" if score.gold else "-") for score in (result.relations, result.figure3)
            )
            self.stdout.write(f"{name:12} {result.mentions.f1:9.1%} {relations:>10} {figure3:>9}")
