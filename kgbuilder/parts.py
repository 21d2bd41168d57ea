"""The processes that the product consists of on one machine."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from kgbuilder.environment import ROOT
from kgbuilder.supervision.child import Part

LAST = 1  # the phase of what others need while they stop
IO_THREADS = 8


def run_folder() -> Path:
    """Where the lock, the list of processes and their leases lie."""
    return Path(settings.DATA_DIR) / "run"


def log_folder() -> Path:
    return Path(settings.DATA_DIR) / "log"


def all_parts() -> list[Part]:
    """In the order of their start: what a user sees first comes first."""
    manage = (sys.executable, str(ROOT / "manage.py"))
    parts = [
        Part("web", _module("kgbuilder.web"), _environ()),
        _worker("io", "poll,fetch,project.rdf", "--pool=threads", f"--concurrency={IO_THREADS}"),
        # Niceness: a page or a query must not wait for a batch of posts.
        _worker("reader", "read", "--pool=solo", niceness=10),
        Part("beat", _celery("beat", "--scheduler=kgbuilder.celery:LaneScheduler", "--pidfile="), _environ()),
        Part("progress", (*manage, "progress"), _environ(), once=True),
    ]
    return parts if settings.SPARQL_QUERY_URL else [_sparql(), *parts]


def sample_feed_address() -> str:
    return f"{settings.WEB_ADDRESS}samples/feed.xml"


def _sparql() -> Part:
    """The one process that owns the graph's store. Its token goes by environment: arguments are seen by everybody."""
    store, socket = Path(settings.DATA_DIR) / "graph", settings.SPARQL_SOCKET
    limits = ("--children", str(settings.SPARQL_CHILDREN), "--seconds", str(settings.SPARQL_SECONDS))
    command = _module("knowledge.graphs.embedded", "--store", str(store), "--socket", str(socket), *limits)
    token = settings.SPARQL_TOKEN_FILE.read_text().strip() if settings.SPARQL_TOKEN_FILE.is_file() else ""
    return Part("sparql", command, _environ() | {"SPARQL_TOKEN": settings.ENV["SPARQL_TOKEN"] or token}, phase=LAST)


def _worker(name: str, lanes: str, *options: str, niceness: int = 0) -> Part:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    command = _celery("worker", "-Q", lanes, "-n", f"{name}@%h", *quiet, *options)
    return Part(name, command, _environ(), niceness=niceness)


def _celery(command: str, *options: str) -> tuple[str, ...]:
    return (*_module("celery", "--quiet", "-A", "kgbuilder.celery:app", command, "--loglevel=WARNING"), *options)


def _module(name: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *options)


def _environ() -> dict[str, str]:
    """Beside our own: the sample feed may be fetched although it lies on this machine, and only it."""
    samples = urlsplit(settings.WEB_ADDRESS)
    allowed = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in settings.FETCH_ALLOW]
    return {
        "PYTHONPATH": str(ROOT),
        "CELERY_SKIP_CHECKS": "1",
        "FETCH_ALLOW": ",".join([*allowed, samples.netloc]),
    }
