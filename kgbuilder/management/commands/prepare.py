"""Prepares an installation without starting it: for containers and machines that run single components."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder.install import first_start


class Command(BaseCommand):
    help = "Makes tables, static files, the first accounts and the deployment, whatever of them is missing, and ends."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-samples", action="store_true", help="do not add the sample feed at the first start")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            first_start.make_folder()
            first_start.prepare(self.stdout.write, samples=not options["no_samples"])
        except first_start.CannotStart as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Everything is prepared; the components can start.")
