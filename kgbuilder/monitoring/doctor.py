"""Checks the product's components: which are OK, not set up or misconfigured, and the consequences.

For `manage.py doctor` and the status page. Checks each component directly, with short limits, and loads no network.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import django
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from extraction.images import detector_weights
from extraction.models import Deployment
from kgbuilder import VERSION, installation
from kgbuilder.monitoring import conditions
from kgbuilder.supervision import heartbeat, roster
from kgbuilder.supervision.parts import all_parts, run_folder
from knowledge.linking import source_status

State = Literal["there", "missing", "wrong"]
LABELS: dict[State, str] = {"there": "OK", "missing": "not set up", "wrong": "misconfigured"}
MINIMUM_FREE_BYTES = 1_000_000_000
SHIPPED_PARSER = Path("extraction") / "weights" / "parser-en"


@dataclass(frozen=True, slots=True)
class Component:
    """`says`: the result of the check. `costs`: consequences and remedy. `needed`: nothing works without it."""

    name: str
    state: State
    says: str
    costs: str = ""
    needed: bool = True

    @property
    def sentence(self) -> str:
        return f"{self.says} {self.costs}".strip()

    @property
    def label(self) -> str:
        return LABELS[self.state]

    @property
    def colour(self) -> str:
        if self.state == "there":
            return "good"
        return "bad" if self.needed else "warn"


def parts() -> list[Component]:
    """Every component, in the order in which one would repair them. Never raises."""
    return [_run_check(name, ask) for name, ask in CHECKS.items()]


def _run_check(name: str, ask: Callable[[str], Component]) -> Component:
    try:
        return ask(name)
    except DatabaseError:
        return Component(name, "wrong", "Correct the database first.")
    except Exception as error:  # whatever is wrong with one component, the others are shown
        return Component(name, "wrong", f"Not reachable: {error}")


def _program(name: str) -> Component:
    python = ".".join(str(number) for number in sys.version_info[:3])
    return Component(name, "there", f"kgbuilder {VERSION}, Python {python}, Django {django.get_version()}.")


def _database(name: str) -> Component:
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.vendor]
    where = str(connection.settings_dict["NAME"])
    try:
        waiting = _unapplied_migrations()
    except DatabaseError as error:
        return Component(
            name, "wrong", f"{kind}, {where}: {error}".strip(), "Nothing works without it. Correct DATABASE_URL."
        )
    if waiting:
        return Component(
            name, "wrong", f"{kind}, {where}: {waiting} migrations are not applied.", "Run `manage.py migrate`."
        )
    return Component(name, "there", f"{kind}, {where}.")


def _unapplied_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _broker(name: str) -> Component:
    from kgbuilder.celery import app

    kind = settings.BROKER_URL.partition(":")[0]
    where = f"files in {settings.BROKER_FOLDER}" if kind == "filesystem" else app.connection_for_write().as_uri()
    try:
        with app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, timeout=2)
            link.default_channel.close()
    except Exception as error:
        return Component(
            name, "wrong", f"{where}: {error}", "Workers cannot be reached. Correct BROKER_URL, or start the broker."
        )
    return Component(name, "there", f"{where}.")


def _sparql(name: str) -> Component:
    from knowledge.graphs.rdf.sparql_store import default_graph_is_union
    from knowledge.graphs.units import StoreUnavailable

    where = settings.SPARQL_QUERY_URL or f"the bundled server at {settings.SPARQL_SOCKET}"
    cost = "Posts are analysed and recorded, but the graph is not updated and cannot be queried. "
    cost += "Correct SPARQL_QUERY_URL." if settings.SPARQL_QUERY_URL else "It is started by `make run`."
    try:
        union = default_graph_is_union()
    except StoreUnavailable as error:
        return Component(name, "missing", f"{where}: {error}", cost)
    if union:
        cost = (
            "A query without GRAPH matches a statement once per post. Disable the union default graph on that server."
        )
        return Component(name, "wrong", f"{where} includes all named graphs in its default graph.", cost)
    if settings.SPARQL_QUERY_URL and settings.SPARQL_LIMIT_SECONDS is None:
        says = f"{where}: its time limit for queries is unknown."
        cost = "Queries there cannot be stopped from here. Set a limit on that server and in SPARQL_LIMIT_SECONDS."
        return Component(name, "wrong", says, cost, needed=False)
    return Component(name, "there", f"{where}.")


def _neo4j(name: str) -> Component:
    if not settings.NEO4J_URL:
        cost = "There are no Cypher queries; SPARQL covers the whole graph."
        return Component(name, "missing", "NEO4J_URL is empty.", cost, needed=False)
    from knowledge.graphs.neo4j import server_settings
    from knowledge.graphs.units import StoreRefused, StoreUnavailable

    try:
        found = server_settings.inspect()
    except (StoreUnavailable, StoreRefused) as error:
        cost = "Its graph updates wait; everything else continues. Correct NEO4J_URL, NEO4J_USER and NEO4J_PASSWORD."
        return Component(name, "missing", str(error), cost, needed=False)
    says = f"{settings.NEO4J_URL}, {found.edition} {found.version}."
    if found.hanging:
        says += f" {found.hanging} queries of people were ended and still run."
        return Component(name, "wrong", says, "They take processor time until Neo4j is restarted.", needed=False)
    if found.advice:
        return Component(name, "wrong", says, f"In its neo4j.conf: {' '.join(found.advice)}", needed=False)
    return Component(name, "there", says, needed=False)


def _detector(name: str) -> Component:
    cost = "Pictures are shown, but nothing is detected in them. `manage.py fetch_weights` lists available weights."
    if settings.DETECTOR_WEIGHTS is None:
        return Component(name, "missing", "DETECTOR_WEIGHTS is empty.", cost, needed=False)
    missing = [weights for weights in _picture_weights() if isinstance(weights, Path) and not weights.exists()]
    if missing:
        return Component(name, "missing", f"{missing[0]} does not exist.", cost, needed=False)
    unfetched = [weights for weights in _picture_weights() if isinstance(weights, str) and not _fetched(weights)]
    if unfetched:
        says = f"{', '.join(unfetched)}: not fetched yet; fetched when the first picture is due."
        return Component(name, "missing", says, cost, needed=False)
    return Component(name, "there", f"{', '.join(str(weights) for weights in _picture_weights())}.", needed=False)


def _picture_weights() -> list[str | Path]:
    chosen = (settings.DETECTOR_WEIGHTS, settings.FACE_WEIGHTS, settings.DEPTH_MODEL, settings.GROUNDING_MODEL)
    return [one for one in chosen if one is not None]


def _fetched(name: str) -> bool:
    return name in detector_weights.WEIGHTS and detector_weights.complete(detector_weights.WEIGHTS[name])


def _parser(name: str) -> Component:
    if settings.PARSER:
        return Component(name, "there", f"{settings.PARSER} (set in PARSER); loaded when the reader starts.")
    folder = Path(settings.ROOT) / SHIPPED_PARSER
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Component(name, "missing", f"{error}.", "No posts are analysed. Restore the folder, or set PARSER.")
    return Component(name, "there", f"{meta['lang']}_{meta['name']} {meta['version']}, as shipped.")


def _checkpoint(name: str) -> Component:
    cost = "Posts are fetched but not analysed. Set CHECKPOINT to the folder of a checkpoint and restart."
    deployed = Deployment.objects.filter(active=True).select_related("checkpoint").first()
    if deployed is None:
        return Component(name, "missing", f"Not deployed; CHECKPOINT is {settings.CHECKPOINT}.", cost)
    checkpoint = deployed.checkpoint
    if not (Path(checkpoint.path) / "config.json").is_file():
        return Component(
            name, "missing", f"{checkpoint.name} was deployed from {checkpoint.path}, which no longer exists.", cost
        )
    return Component(name, "there", f"{checkpoint.name} ({checkpoint.system}), deployed {deployed.since:%Y-%m-%d}.")


def _knowledge(name: str) -> Component:
    found = source_status.standing()
    return Component(name, found.state, found.message, found.consequences, needed=False)


def _base_iri(name: str) -> Component:
    stored = installation.base_iri_differs()
    if not stored:
        return Component(name, "there", f"{settings.BASE_IRI}.")
    says = f"The graph was written with {stored}, and the setting is {settings.BASE_IRI}."
    return Component(name, "wrong", says, "Set it back, or run `manage.py rebuild_graph`.")


def _processes(name: str) -> Component:
    if not roster.held(run_folder()):
        elsewhere = [part for part in conditions.NEEDED_PARTS if heartbeat.alive(part)]
        if elsewhere:
            return _by_heartbeat(name, elsewhere)
        return Component(
            name,
            "missing",
            f"None are running in {settings.DATA_DIR}.",
            "Nothing is polled or analysed. Run `make run`.",
        )
    running = {entry.name: entry for entry in roster.read(run_folder()) if roster.alive(entry)}
    lasting = [part.name for part in all_parts() if not part.once]
    late = [part for part in lasting if part not in running or not running[part].ready]
    deaths = ", ".join(
        f"{entry.name} stopped unexpectedly {entry.deaths} times" for entry in running.values() if entry.deaths
    )
    if late:
        return Component(name, "wrong", f"Not ready: {', '.join(late)}. {deaths}", f"See {settings.DATA_DIR}/log.")
    return Component(name, "there", f"{', '.join(lasting)} are running. {deaths}".strip())


def _by_heartbeat(name: str, alive: list[str]) -> Component:
    """The state of processes without a supervisor here (containers, other machines), by their heartbeats."""
    silent = [part for part in conditions.NEEDED_PARTS if part not in alive]
    if silent:
        return Component(name, "wrong", f"No heartbeat: {', '.join(silent)}.", "See their logs.")
    return Component(name, "there", f"Heartbeat within the last minute: {', '.join(alive)}.")


def _disk(name: str) -> Component:
    free = shutil.disk_usage(settings.DATA_DIR).free
    says = f"{free / 1e9:.1f} GB free in {settings.DATA_DIR}."
    if free < MINIMUM_FREE_BYTES:
        return Component(name, "wrong", says, "Nothing new is stored when the disk is full. Free some space.")
    return Component(name, "there", says)


CHECKS: dict[str, Callable[[str], Component]] = {
    "program": _program,
    "database": _database,
    "broker": _broker,
    "processes": _processes,
    "SPARQL server": _sparql,
    "base IRI": _base_iri,
    "parser": _parser,
    "checkpoint": _checkpoint,
    "disk": _disk,
    "detector": _detector,
    "knowledge bases": _knowledge,
    "Neo4j": _neo4j,
}
