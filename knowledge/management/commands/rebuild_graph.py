"""Rebuilds a graph store from nothing."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kgbuilder import installation
from knowledge.graphs import projector
from knowledge.graphs.stores import open_store
from knowledge.graphs.units import StoreUnavailable
from knowledge.record.projection_queue import stale, store_names

PATIENCE_S = 30  # for the running projector to end its turn


class Command(BaseCommand):
    help = "Empty the graph and write it again from the database. Analysis and recording continue meanwhile."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", choices=store_names(), default="rdf")

    def handle(self, *args: Any, store: str, **options: Any) -> None:
        began, target = time.monotonic(), open_store(store)
        earlier = installation.base_iri_differs()
        try:
            until = time.monotonic() + PATIENCE_S
            while not projector.start_over(store, target, earlier):
                if time.monotonic() > until:
                    raise CommandError("Another process is writing to the store. Try again in two minutes.")
                time.sleep(0.5)
        except StoreUnavailable as error:
            raise CommandError(f"{error} The projector completes whatever was changed.") from error
        if store == "rdf":
            installation.base_iri_rebuilt()
        failed = self._project(store, target)
        seconds = time.monotonic() - began
        self.stdout.write(f"The store {store} was rebuilt in {seconds:.0f} seconds.")
        if failed:
            raise CommandError(f"{failed} graph updates could not be written; `manage.py check_parity` shows why.")

    def _project(self, store: str, target: Any) -> int:
        """Project until only refused graph updates are left; their number. Another projector may do a part of it."""
        total = stale(store).count()
        while left := stale(store).filter(attempts=0).count():
            self.stderr.write(f"{total - left} of {total} graph updates written", ending="\r")
            done = projector.run(store, opened=target, seconds=2)
            if done.unavailable:
                raise CommandError(f"{done.unavailable} The rest is written once it does.")
            if not done:
                time.sleep(0.5)
        self.stderr.write("")
        return stale(store).count()
