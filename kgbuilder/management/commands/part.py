"""Runs one component of the product, supervised as under `up`: for a container or a second machine."""

from __future__ import annotations

import shutil
import socket
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from kgbuilder.install import data_folder
from kgbuilder.supervision import parts, roster
from kgbuilder.supervision.supervisor import Supervisor

MOST = 100  # of one kind on one machine


class Command(BaseCommand):
    help = "Runs one component (web, io, reader, …) until it is stopped. Run `manage.py prepare` once before."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=sorted(parts.table()))

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        if settings.BROKER_URL.startswith("memory:"):
            raise CommandError("BROKER_URL is memory://, which no other process can reach. Set a broker.")
        try:
            data_folder.check_and_mark(Path(settings.DATA_DIR))
            with suppress(DatabaseError):  # it may be unavailable for now; the component reports it itself
                data_folder.check_database()
        except data_folder.NewerData as error:
            raise CommandError(str(error)) from error
        with _slot(name) as (number, folder):
            roster.end_stale(folder)
            own = {"KGBUILDER_RUN": str(folder)}
            processes = [
                replace(one, environ={**one.environ, **own}) for one in parts.of_component(name, number, folder)
            ]
            try:
                Supervisor(processes, folder, None, parts.form() or _plainly).run()
            except OSError as error:
                raise CommandError(f"{name} cannot listen on {processes[0].listen}: {error}.") from error


def _plainly(part: str, line: str, own: bool) -> str:
    return f"{part} {line}" if own else line


@contextmanager
def _slot(name: str) -> Iterator[tuple[int, Path]]:
    """The first free number of this component on this machine, and its folder, locked."""
    place = Path(settings.DATA_DIR) / "run" / socket.gethostname()
    for number in range(1, MOST + 1):
        folder = place / f"{name}-{number}"
        try:
            lock = roster.lock(folder)
        except roster.AlreadyRunning:
            continue
        with lock:
            yield number, folder
            shutil.rmtree(folder, ignore_errors=True)  # containers come and go under ever new names
        return
    raise CommandError(f"{MOST} components {name} are already running on this machine.")
