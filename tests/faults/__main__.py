"""Inflicts faults on the running product, one by one, and checks that it recovers completely after each.

    python -m tests.faults                                          all of them, on SQLite and the filesystem broker
    python -m tests.faults --fault full-disk --fault clock-back
    python -m tests.faults --database postgresql://… --broker redis://…     the databases are emptied of what it wrote

Exit status 1 if after a fault a post or an assertion is lost or doubled, `check_record` or `check_parity` is not clean,
or a process was left; with REQUIRE_SERVICES=1 also if one could not be tried here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from kgbuilder.conf.environment import ROOT
from tests.faults.inflicting import DISK_MB, FAULTS, Ground, NotHere, mount, shiftable_clock, unmount
from tests.faults.link import Link, linked
from tests.kill.__main__ import settings_of
from tests.kill.newsroom import open_newsroom
from tests.kill.product import Product, Stuck

PORTS = {"postgresql": 5432, "postgres": 5432, "amqp": 5672, "redis": 6379}


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--fault", action="append", choices=[*FAULTS], help="only these; may be repeated")
    parser.add_argument("--posts", type=int, default=80)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long a fault lasts")
    parser.add_argument("--page-seconds", type=float, default=0.3, help="how long our own server takes for a page")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database; it is dropped and made anew")
    parser.add_argument("--broker", default="", help="amqp://… or redis://…, of the product's alone")
    parser.add_argument("--keep", action="store_true", help="leave the folders for a look")
    options = parser.parse_args(given)
    options.deterministic = True
    return options


@contextmanager
def services(options: argparse.Namespace) -> Iterator[tuple[dict[str, str], Link | None, Link | None]]:
    """The settings that name them, through links that can be cut."""
    with ExitStack() as stack:
        chosen: dict[str, str] = {"DATABASE_URL": "", "BROKER_URL": ""}
        found: dict[str, Link | None] = {"DATABASE_URL": None, "BROKER_URL": None}
        for name, address in (("DATABASE_URL", options.database), ("BROKER_URL", options.broker)):
            if address:
                parts = urlsplit(address)
                made = stack.enter_context(linked(parts.hostname or "127.0.0.1", parts.port or PORTS[parts.scheme]))
                user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
                chosen[name] = parts._replace(netloc=f"{user}127.0.0.1:{made.port}").geturl()
                found[name] = made
        yield chosen, found["DATABASE_URL"], found["BROKER_URL"]


def empty(options: argparse.Namespace) -> None:
    if options.database:
        import psycopg

        parts = urlsplit(options.database)
        name = parts.path.lstrip("/")
        with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as link:
            link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            link.execute(f'CREATE DATABASE "{name}"')


@contextmanager
def ground(name: str, options: argparse.Namespace, folder: Path) -> Iterator[tuple[Ground, str]]:
    """The product, not started yet, and the address of a feed for it."""
    empty(options)
    if name == "full-disk":
        mount(folder, DISK_MB)
    if name == "read-only-store":
        mount(folder / "graph", DISK_MB)
    with services(options) as (chosen, database, broker), open_newsroom(options.posts, options.page_seconds) as room:
        room.pictures = True
        environ = settings_of(folder, f"127.0.0.1:{room.server_port}", options) | chosen
        if name == "clock-back":
            environ |= shiftable_clock(folder)
        product = Product(folder, environ)
        try:
            yield Ground(product, folder, options.seconds, database, broker), f"{room.origin}/feed.xml"
        finally:
            product.abandon()


def endure(name: str, options: argparse.Namespace, folder: Path) -> list[str]:
    """Inflicts one fault from start to end; returns what was wrong afterwards."""
    with ground(name, options, folder) as (here, feed):
        product = here.product
        product.start()
        product.wait_until_ready("web")
        added = product.command("add_feed", feed)
        if added.returncode:
            raise Stuck(f"The feed could not be added: {added.stderr}")
        reader = Reader(here, options.posts)
        reader.wait(lambda read: read > options.posts // 8, "the first posts to be read")
        with FAULTS[name](here):
            print(f"{name}: at {reader.read} posts{''.join(f'; {note}' for note in here.notes)}", flush=True)
            time.sleep(here.seconds)
            if product.process_ended():
                return ["`up` has ended"]
        began = time.monotonic()
        reader.wait(lambda read: read >= options.posts, "all posts to be read")
        wrong = [line for check in ("check_record", "check_parity") for line in checked(product, check)]
        print(f"{name}: whole again {time.monotonic() - began:.1f} s after it", flush=True)
        wrong += reader.compared()
        left = product.stop()
        return [*wrong, *([f"{left} processes were left"] if left else [])]


def checked(product: Product, check: str) -> list[str]:
    ended = product.command(check, "--wait", "180")
    return [f"{check}: {ended.stdout}{ended.stderr}".strip()] if ended.returncode else []


class Reader:
    """Queries the record from a process of its own: this one has other settings."""

    def __init__(self, here: Ground, posts: int) -> None:
        self._product, self._posts, self.read = here.product, posts, 0

    def wait(self, holds: Callable[[int], bool], what: str) -> None:
        last, since = -1, time.monotonic()
        while not holds(self.read):
            with contextlib.suppress(ValueError):
                self.read = int(self._asked("print(Post.objects.exclude(current_reading=None).count())"))
            if self.read != last:
                last, since = self.read, time.monotonic()
            if time.monotonic() - since > 240:
                raise Stuck(f"Waited in vain for {what}: {self.read} of {self._posts} are read")
            time.sleep(1)

    def compared(self) -> list[str]:
        counted = self._asked(
            "from tests.kill import counting\n"
            f"counts = counting.count({self._posts})\n"
            "print('WRONG' if counts.wrong else 'well', dict(counts.lost), dict(counts.doubled), counts.assertions)"
        )
        return [] if counted.startswith("well") else [f"counted: {counted}"]

    def _asked(self, code: str) -> str:
        command = [sys.executable, "-c", f"import django; django.setup()\nfrom extraction.models import Post\n{code}"]
        environ = {key: value for key, value in self._product.environ.items() if key != "LD_PRELOAD"}
        environ |= {"PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        return ended.stdout.strip() or ended.stderr.strip()[-300:]


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    failed = untried = 0
    for name in options.fault or FAULTS:
        folder = Path(tempfile.mkdtemp(prefix="kg-fault-"))
        try:
            wrong = endure(name, options, folder)
        except NotHere as why:
            print(f"{name}: not tried: {why}", flush=True)
            untried += 1
            wrong = []
        except Stuck as error:
            wrong = [str(error)]
        finally:
            for mounted in (folder / "graph", folder):
                if os.path.ismount(mounted):
                    _keep_logs(folder, options)
                    unmount(mounted)
        for sentence in wrong:
            print(f"{name}: FAILED: {sentence}", flush=True)
        failed += bool(wrong)
        if options.keep or wrong:
            kept = Path(f"{folder}.log")
            print(f"What it left is in {kept if kept.is_dir() else folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(options.fault or FAULTS)} faults, {failed} failed, not tried {untried}", flush=True)
    return 1 if failed or (untried and os.environ.get("REQUIRE_SERVICES") == "1") else 0


def _keep_logs(folder: Path, options: argparse.Namespace) -> None:
    if (folder / "log").is_dir():
        shutil.copytree(folder / "log", Path(f"{folder}.log"), dirs_exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())
