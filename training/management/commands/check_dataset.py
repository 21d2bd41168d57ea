"""`manage.py check_dataset`: reads a data set by its loader, and keeps its counts and what its audit finds."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from training.jobs import progress_protocol
from training.models import Dataset


class Command(BaseCommand):
    help = "Check a data set of the training pages again, by its number or its name."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="its name on the page of data sets")
        parser.add_argument("--dataset", type=int, help="its number")

    def handle(self, *args: Any, **options: Any) -> None:
        from training.data import statistics as data_statistics

        chosen = {"pk": options["dataset"]} if options["dataset"] else {"name": options["name"]}
        dataset = Dataset.objects.filter(**chosen).first()
        if dataset is None:
            raise CommandError("There is no such data set; the page of data sets lists them.")
        data_statistics.bound_process()
        try:
            self._check(dataset)
        except Exception as error:
            # Where the server keeps uploads means nothing to whoever reads the page.
            message = progress_protocol.sentence(error).replace(f"{dataset.root}{os.sep}", "")
            progress_protocol.report(error=message)
            self.stderr.write(message)
            sys.exit(1)

    def _check(self, dataset: Dataset) -> None:
        from training.data import statistics as data_statistics

        root, row = Path(dataset.root), Dataset.objects.filter(pk=dataset.pk)
        progress_protocol.report(phase="reading")
        loaded = data_statistics.load(dataset.format, root)
        counts = {
            split: {**data_statistics.counts(examples), "report": loaded.reports[split]}
            for split, examples in loaded.splits.items()
        }
        row.update(counts=counts, checked_at=timezone.now())
        progress_protocol.report(phase="auditing")
        others = Dataset.objects.filter(state=Dataset.State.DONE).exclude(format=dataset.format)
        places = {one.format: Path(one.root) for one in others}
        row.update(audit=data_statistics.audit(dataset.format, root, loaded, places))
        for split, found in counts.items():
            self.stdout.write(f"{split}: {found['examples']} examples, {len(found['relations'])} relations")
