"""The product's processes: `up` runs them all on one machine, `part` one of them in a container."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from kgbuilder.conf.environment import ROOT
from kgbuilder.supervision import listening, logs
from kgbuilder.supervision.child import Form, ProcessSpec

CONSOLES_VARIABLE, CONSOLES_SOCKET = "KGBUILDER_CONSOLES", "consoles.sock"
LAST = 1  # the phase of what others need while they stop
IO_THREADS = 8
IO_QUEUES = (
    "poll",
    "fetch",
    "link",
    "watch",
    "prune",
    "project.rdf",
    *(("project.neo4j",) if settings.NEO4J_URL else ()),
)


def run_folder() -> Path:
    """The folder of the lock, the list of processes and their leases."""
    return Path(os.environ.get("KGBUILDER_RUN") or settings.DATA_DIR / "run")


def log_folder() -> Path:
    return Path(settings.DATA_DIR) / "log"


def table() -> dict[str, ProcessSpec]:
    """The first process of each component, by name, in the order of their start: what a user sees first comes first."""
    parts = (
        _sparql(),
        _web(),
        _worker("io", ",".join(IO_QUEUES), "--pool=threads", f"--concurrency={IO_THREADS}"),
        # Niceness: a page or a query must not wait for a batch of posts.
        _worker("reader", "read", "--pool=solo", niceness=10),
        # Its threads only watch child processes: the runs, and one short job beside them.
        _worker("trainer", "train,check", "--pool=threads", f"--concurrency={settings.TRAIN_RUNS + 1}", niceness=15),
        ProcessSpec("beat", _celery("beat", "--scheduler=kgbuilder.celery:LaneScheduler", "--pidfile="), _environ()),
    )
    return {part.name: part for part in parts}


def all_parts() -> list[ProcessSpec]:
    """What `up` starts: of each kind as many as the settings give; no SPARQL server where one is named by address."""
    kinds = table()
    if settings.SPARQL_QUERY_URL or settings.SPARQL_BUNDLED_URL:
        del kinds["sparql"]
    many = {"io": settings.IO_WORKERS, "reader": settings.READERS, "web": settings.WEB_PROCESSES}
    parts = [numbered(part, n) for name, part in kinds.items() for n in range(1, many.get(name, 1) + 1)]
    parts += consoles(run_folder())
    progress = (sys.executable, str(ROOT / "manage.py"), "progress")
    return [*parts, ProcessSpec("progress", progress, _environ(), once=True)]


def numbered(part: ProcessSpec, number: int) -> ProcessSpec:
    """The second reader is reader-2, also to Celery: leases that a worker held before a restart are found by name."""
    if number == 1:
        return part
    name = f"{part.name}-{number}"
    return replace(part, name=name, command=tuple(f"{name}@%h" if a == f"{part.name}@%h" else a for a in part.command))


def of_component(name: str, number: int, folder: Path) -> list[ProcessSpec]:
    """What runs in a container of this component: one process, or all those of `web`, and the consoles beside them."""
    first = table()[name]
    if name != "web":
        return [numbered(first, number)]
    own = {CONSOLES_VARIABLE: str(folder / CONSOLES_SOCKET)}
    processes = [numbered(first, n) for n in range(1, settings.WEB_PROCESSES + 1)]
    return [replace(one, environ={**one.environ, **own}) for one in processes] + consoles(folder)


def consoles(folder: Path) -> list[ProcessSpec]:
    """The processes that answer what may be heavy, for the web processes that relay it to their socket in `folder`."""
    command = _module("kgbuilder.web.server", "--consoles")
    # Niceness: a page must not wait for a query.
    first = ProcessSpec(
        "consoles", command, _environ(), niceness=5, phase=LAST, listen=f"{listening.UNIX}{folder / CONSOLES_SOCKET}"
    )
    return [numbered(first, n) for n in range(1, settings.CONSOLE_PROCESSES + 1)]


def form() -> Form | None:
    """The supervisor's line format where the processes write JSON; None: plain."""
    return _as_json if settings.LOG_FORMAT == "json" else None


def _as_json(part: str, line: str, own: bool) -> str:
    """Turns output that bypasses the logging (a library's print, a death) into an event."""
    if own:
        return logs.as_json("WARNING", "supervisor", line, part=part)
    return line if line.startswith("{") else logs.as_json("INFO", "output", line, part=part)


def sample_feed_address() -> str:
    return f"{settings.WEB_ADDRESS}samples/feed.xml"


def _web() -> ProcessSpec:
    environ = _environ() | {CONSOLES_VARIABLE: str(run_folder() / CONSOLES_SOCKET)}
    address = listening.address(settings.HOST, settings.PORT)
    return ProcessSpec("web", _module("kgbuilder.web.server"), environ, listen=address)


def _sparql() -> ProcessSpec:
    """The one process that owns the graph's store. Its token is in the environment: arguments are visible to all."""
    store, place = Path(settings.DATA_DIR) / "graph", ("--socket", str(settings.SPARQL_SOCKET))
    if settings.SPARQL_BUNDLED_URL:
        address = urlsplit(settings.SPARQL_BUNDLED_URL)
        # A container's name leads to one of its interfaces; the network around it is the product's own.
        host = address.hostname if address.hostname in ("127.0.0.1", "localhost") else "0.0.0.0"  # noqa: S104
        place = ("--listen", f"{host}:{address.port or 80}")
    limits = ("--children", str(settings.SPARQL_CHILDREN), "--seconds", str(settings.SPARQL_SECONDS))
    command = _module("knowledge.graphs.sparql_server.server", "--store", str(store), *place, *limits)
    token = settings.SPARQL_TOKEN_FILE.read_text().strip() if settings.SPARQL_TOKEN_FILE.is_file() else ""
    environ = _environ() | {"SPARQL_TOKEN": settings.ENV["SPARQL_TOKEN"] or token}
    return ProcessSpec("sparql", command, environ, phase=LAST)


def _worker(name: str, queues: str, *options: str, niceness: int = 0) -> ProcessSpec:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    command = _celery("worker", "-Q", queues, "-n", f"{name}@%h", *quiet, *options)
    return ProcessSpec(name, command, _environ(), niceness=niceness)


def _celery(command: str, *options: str) -> tuple[str, ...]:
    return (*_module("celery", "--quiet", "-A", "kgbuilder.celery:app", command, "--loglevel=WARNING"), *options)


def _module(name: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *options)


def _environ() -> dict[str, str]:
    """Additions to our own. FETCH_ALLOW is not widened for the samples: they pass `allow` to `http_client.get`."""
    return {
        "PYTHONPATH": str(ROOT),
        "CELERY_SKIP_CHECKS": "1",
        # glibc gives many threads heaps of their own and returns none: the SPARQL server held 370 MB instead of 150.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
    }
