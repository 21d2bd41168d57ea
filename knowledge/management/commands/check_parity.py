"""Proves that the graph holds what the record says, no more and no less."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kgbuilder import installation
from kgbuilder.celery import ring
from knowledge.graphs import parity, projector
from knowledge.graphs.registry import open_store
from knowledge.graphs.sparql_store import SparqlStore
from knowledge.graphs.store import StoreUnavailable

STORE = "rdf"
SHOWN = 20  # differences, and lines of each


class Command(BaseCommand):
    help = (
        "Compare the graph with the database, both ways. Exit 1: something is wrong or cannot be written; with --wait "
        "also: something is still pending. What merely waits to be projected is counted apart."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", nargs="?", const=60.0, type=float, metavar="SECONDS", help="wait for the projector"
        )
        parser.add_argument("--repair", action="store_true", help="have what is wrong projected anew, and look again")

    def handle(self, *args: Any, wait: float | None, repair: bool, **options: Any) -> None:
        earlier = installation.base_iri_differs()
        if earlier:
            raise CommandError(
                f"The graph was written with BASE_IRI {earlier}, and it is {settings.BASE_IRI} here. Give the settings "
                "that the product runs with (PORT is one), or run `manage.py rebuild_graph`."
            )
        store = open_store(STORE)
        assert isinstance(store, SparqlStore)
        try:
            report = self._compare(store, wait)
            if repair and report.wrong:
                parity.repair(store, report)
                ring(f"project.{STORE}")
                self.stdout.write(f"{len(report.wrong)} wrong: marked, to be projected anew.")
                projector.run(STORE)
                report = self._compare(store, wait)
        except StoreUnavailable as error:
            raise CommandError(str(error)) from error
        self._print(report)
        if report.wrong or report.stuck or (wait is not None and report.pending):
            sys.exit(1)

    def _compare(self, store: SparqlStore, wait: float | None) -> parity.Report:
        if wait is not None:
            ring(f"project.{STORE}")
            projector.wait_until_even(STORE, wait)
        return parity.check(store, STORE)

    def _print(self, report: parity.Report) -> None:
        for one in report.differences[:SHOWN]:
            state = "pending" if one.pending else "WRONG"
            self.stdout.write(f"{state}: {one.kind} {one.key}{f' ({one.error})' if one.error else ''}")
            for sign, lines in (("-", one.missing), ("+", one.extra)):
                for line in lines[:SHOWN]:
                    self.stdout.write(f"  {sign} {line}")
        if len(report.differences) > SHOWN:
            self.stdout.write(f"… and {len(report.differences) - SHOWN} more")
        self.stdout.write(
            f"{report.units} posts and entities, {report.triples} plain triples, {report.quads} quads in the graph: "
            f"{len(report.wrong)} wrong, {len(report.pending)} pending, {len(report.stuck)} of them with an error."
        )
