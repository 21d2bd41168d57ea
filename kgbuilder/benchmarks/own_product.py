"""A product of a benchmark's own: a database, a folder, its processes; all of it is deleted afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from kgbuilder.benchmarks import NotMeasured
from kgbuilder.conf.environment import ROOT

DATABASE = "kgbuilder_bench"
GRACE_SECONDS = 20.0


@contextmanager
def postgres(url: str) -> Iterator[str]:
    """The address of an empty database on the server of `url`; dropped afterwards. Raises NotMeasured."""
    import psycopg

    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres"):
        raise NotMeasured("This is measured on PostgreSQL: DATABASE_URL=postgresql://… names a server.")
    try:
        with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {DATABASE}")
            try:
                yield urlunsplit(parts._replace(path=f"/{DATABASE}"))
            finally:
                admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    except psycopg.OperationalError as error:
        raise NotMeasured(f"The database server cannot be used: {error}") from error


def environ(folder: Path, database: str, **more: str) -> dict[str, str]:
    """The settings of the product under measurement: deterministic reading, nothing of this installation's folder."""
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir()
    config = {"name": "deterministic", "system": "deterministic", "floor": 0.05, "thresholds": {"default": 0.5}}
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "model.safetensors").write_bytes(b"none")
    return {
        **os.environ,
        "DATA_DIR": str(folder),
        "DATABASE_URL": database,
        "CHECKPOINT": str(checkpoint),
        "EXTRACTOR": "tests.deterministic:Slow",
        "PORT": str(_free_port()),
        "OMP_NUM_THREADS": "1",
        **more,
    }


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kg-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def command(settings: Mapping[str, str], *arguments: str) -> str:
    """What another `manage.py` command prints. Raises NotMeasured with its error output where it fails."""
    manage = [sys.executable, str(ROOT / "manage.py"), *arguments]
    ended = subprocess.run(manage, cwd=ROOT, env=dict(settings), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise NotMeasured(f"`manage.py {' '.join(arguments)}` failed: {ended.stderr[-2000:]}")
    return ended.stdout


@contextmanager
def parts(settings: Mapping[str, str], names: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Runs these components, one process with its supervisor for each name."""
    log = Path(settings["DATA_DIR"]) / "parts.txt"
    started: list[subprocess.Popen[bytes]] = []
    try:
        with log.open("ab") as output:
            for name in names:
                manage = [sys.executable, str(ROOT / "manage.py"), "part", name]
                started.append(
                    subprocess.Popen(
                        manage, cwd=ROOT, env=dict(settings), stdout=output, stderr=output, process_group=0
                    )
                )
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in started:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
