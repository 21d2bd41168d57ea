"""Checks whether one component works on this machine: for the health checks of containers."""

from __future__ import annotations

import json
import socket
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from kgbuilder.supervision import heartbeat, parts

SECONDS = 5


class Command(BaseCommand):
    help = "Exits with 0 if this component runs here and works, else with 1 and a sentence."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=sorted(parts.table()))

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        check = {"web": _web, "sparql": _sparql}.get(name)
        self.stdout.write(check() if check else _worker(name))


def _web() -> str:
    """Checks readiness at the server's own address, without the proxies of the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{settings.WEB_ADDRESS}readyz", timeout=SECONDS) as answer:
            return f"web is ready: {json.load(answer)}"
    except (OSError, ValueError) as error:
        raise CommandError(f"web is not ready: {error}") from None


def _sparql() -> str:
    from knowledge.graphs.rdf.sparql_store import SparqlStore
    from knowledge.graphs.units import StoreUnavailable

    try:
        return f"sparql answers: {SparqlStore.from_settings().health()}"
    except StoreUnavailable as error:
        raise CommandError(str(error)) from None


def _worker(name: str) -> str:
    host = socket.gethostname()
    try:
        alive = heartbeat.alive(name, host)
    except DatabaseError as error:
        raise CommandError(f"The database does not respond, so the state of {name} is unknown: {error}") from None
    if not alive:
        seconds = heartbeat.SILENT.total_seconds()
        raise CommandError(f"No {name} on {host} has sent a heartbeat for {seconds:.0f} seconds.")
    return f"{name} on {host} is alive."
