"""Prints how well trivial features predict a data set's labels, and which texts its splits share (label_leakage.py)."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Audits a data set: how well numbers of regions, lengths or a picture's presence predict its labels; leaks."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a data set")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--against", nargs="*", default=[], help="sets whose dev and test texts train may not hold")
        parser.add_argument("--strict", action="store_true", help="end with an error where there is a warning")

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.datasets.registry import DatasetError
        from training.data.audit_report import audit_files

        if not options["data_root"]:
            raise CommandError("Say where the data sets are: --data-root DIR, or the variable KGBUILDER_DATA.")
        try:
            result, lines = audit_files(options["name"], Path(options["data_root"]), options["against"])
        except DatasetError as problem:
            raise CommandError(str(problem)) from problem
        for line in lines:
            self.stdout.write(line)
        if options["strict"] and result.warnings:
            raise CommandError(f"{len(result.warnings)} warnings")
