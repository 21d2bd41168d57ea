"""Start everything that the product is on this machine, and keep it running until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kgbuilder.install import first_start
from kgbuilder.supervision import parts, roster
from kgbuilder.supervision.supervisor import Supervisor


class Command(BaseCommand):
    help = "Starts the web server, both workers, beat and the SPARQL server, and starts each again when it dies."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-samples", action="store_true", help="do not add the sample feed at the first start")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            first_start.make_folder()
            with roster.lock(parts.run_folder()):
                self._run(samples=not options["no_samples"])
        except roster.AlreadyRunning as held:
            raise CommandError(
                f"kgbuilder is running already in {settings.DATA_DIR}, as process {held}. Stop it with Ctrl-C where "
                "it runs, or start this one in another folder and on another port: DATA_DIR=… PORT=… make run"
            ) from None
        except first_start.CannotStart as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            sys.exit(130)

    def _run(self, samples: bool) -> None:
        for name in roster.end_stale(parts.run_folder()):
            self._say(f"An earlier start had left {name} running; it was stopped.")
        _check_port()
        first_start.prepare(self._say, samples)
        self._say(f"Starting. Ctrl-C stops everything; logs are in {parts.log_folder()}.")
        Supervisor(parts.all_parts(), parts.run_folder(), parts.log_folder(), parts.form()).run()
        self._say("Everything has stopped.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _check_port() -> None:
    """A sentence now instead of a web server that dies again and again."""
    family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOST, settings.PORT))
        except OSError as error:
            raise first_start.CannotStart(
                f"Port {settings.PORT} of {settings.HOST} cannot be used ({os.strerror(error.errno or 0)}). Stop the "
                f"program that holds it, or choose another port: PORT={settings.PORT % 65535 + 1} make run"
            ) from error
