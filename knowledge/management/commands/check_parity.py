"""Checks that the graph holds exactly what the record holds."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kgbuilder import installation
from kgbuilder.celery import ring
from knowledge.entities import merges
from knowledge.graphs import projector
from knowledge.graphs.parity import Report
from knowledge.graphs.rdf import parity as rdf_parity
from knowledge.graphs.stores import open_store
from knowledge.graphs.units import Store, StoreUnavailable
from knowledge.record.projection_queue import store_names

SHOWN = 20  # differences, and lines of each
KINDS = {"rdf": ("plain triples", "quads"), "neo4j": ("relationships", "nodes and relationships")}


@dataclass(frozen=True, slots=True)
class Compared:
    """A store, with the module that compares stores of its kind with the record."""

    name: str
    store: Store
    by: Any

    def check(self) -> Report:
        report: Report = self.by.check(self.store, self.name)
        return report

    def repair(self, report: Report) -> None:
        self.by.repair(self.store, report)


def compared(name: str) -> Compared:
    if name == "rdf":
        return Compared(name, open_store(name), rdf_parity)
    from knowledge.graphs.neo4j import parity as neo4j_parity

    return Compared(name, open_store(name), neo4j_parity)


class Command(BaseCommand):
    help = (
        "Compare the graph with the database, both ways. Exit 1: something is wrong or cannot be written; with --wait "
        "also: something is still pending. Pending graph updates are counted separately."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", nargs="?", const=60.0, type=float, metavar="SECONDS", help="wait for the projector"
        )
        parser.add_argument("--repair", action="store_true", help="project what is wrong again, and check again")
        parser.add_argument("--store", choices=store_names(), help="by default every store that is set up")

    def handle(self, *args: Any, wait: float | None, repair: bool, store: str | None, **options: Any) -> None:
        earlier = installation.base_iri_differs()
        if earlier:
            raise CommandError(
                f"The graph was written with BASE_IRI {earlier}, but it is {settings.BASE_IRI} here. Use the settings "
                "that the product runs with (PORT is one), or run `manage.py rebuild_graph`."
            )
        even = [self._check(name, wait, repair) for name in ([store] if store else store_names())]
        if not all(even):
            sys.exit(1)

    def _check(self, name: str, wait: float | None, repair: bool) -> bool:
        """Print the differences of one store; whether there are none that count."""
        both = compared(name)
        try:
            report = self._compare(both, wait)
            if repair and report.wrong:
                both.repair(report)
                ring(f"project.{name}")
                self.stdout.write(f"{len(report.wrong)} wrong: marked, to be projected again.")
                projector.run(name)
                report = self._compare(both, wait)
        except StoreUnavailable as error:
            raise CommandError(str(error)) from error
        self._print(name, report)
        return not (report.wrong or report.stuck or (wait is not None and report.pending))

    def _compare(self, both: Compared, wait: float | None) -> Report:
        # A wiped store is recognised, so that what it lacks counts as pending.
        projector.run(both.name, opened=both.store, seconds=0)
        merges.mark_rest()
        if wait is None:
            return both.check()
        until = time.monotonic() + wait
        while True:
            ring(f"project.{both.name}")
            projector.wait_until_even(both.name, until - time.monotonic())
            report = both.check()
            # Linking may have marked more graph updates meanwhile: wait for these too.
            if report.wrong or len(report.pending) == len(report.stuck) or time.monotonic() >= until:
                return report

    def _print(self, name: str, report: Report) -> None:
        small, all_ = KINDS[name]
        for one in report.differences[:SHOWN]:
            state = "pending" if one.pending else "WRONG"
            self.stdout.write(f"{state}: {one.kind} {one.key}{f' ({one.error})' if one.error else ''}")
            for sign, lines in (("-", one.missing), ("+", one.extra)):
                for line in lines[:SHOWN]:
                    self.stdout.write(f"  {sign} {line}")
        if len(report.differences) > SHOWN:
            self.stdout.write(f"… and {len(report.differences) - SHOWN} more")
        self.stdout.write(
            f"{name}: {report.units} posts and entities, {report.triples} {small}, {report.quads} {all_} in the graph: "
            f"{len(report.wrong)} wrong, {len(report.pending)} pending, {len(report.stuck)} of them with an error."
        )
