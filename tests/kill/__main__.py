"""Kills the product's processes at random while it analyses posts, waits until it is idle, and counts.

    python -m tests.kill                                   500 posts, 30 kills, the shipped checkpoint
    python -m tests.kill --replay replay_news.py           the posts of another server, which prints its OPML's address
    python -m tests.kill --deterministic --posts 60 --kills 3

Exit status 1 if a post or an assertion was lost or doubled, the record is not whole, the graph differs from it, or a
process was left.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kill.newsroom import open_newsroom
from tests.kill.product import Product, Stuck, wait_for

if TYPE_CHECKING:
    from tests.kill.counting import Counts

VICTIMS = ("reader", "io", "web", "beat", "sparql", "supervisor")
CHECKS = ("check_record", "check_parity")


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=500)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest-pause", type=float, default=2.0, help="seconds between a victim's start and its end")
    parser.add_argument("--page-seconds", type=float, default=0.5, help="how long our own server takes for a page")
    parser.add_argument("--replay", type=Path, metavar="SCRIPT", help="a server of saved pages, instead of our own")
    parser.add_argument("--repeat", type=int, default=1, help="passed to that server")
    parser.add_argument("--deterministic", action="store_true", help="an extractor without networks")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    return parser.parse_args(given)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def publisher(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """A publisher's server; yields the address of a feed or an OPML file, and host:port."""
    if options.replay is None:
        with open_newsroom(options.posts, options.page_seconds) as room:
            yield room.address, f"127.0.0.1:{room.server_port}"
        return
    port = free_port()
    command = [sys.executable, str(options.replay), "--port", str(port), "--repeat", str(options.repeat)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), f"127.0.0.1:{port}"
        finally:
            server.kill()


def settings_of(folder: Path, allowed: str, options: argparse.Namespace) -> dict[str, str]:
    """The settings of a product of its own: its folder, its port, no sample feed that would be counted."""
    chosen = {
        "DJANGO_SETTINGS_MODULE": "kgbuilder.settings",
        "DATA_DIR": str(folder),
        "PORT": str(free_port()),
        "FETCH_ALLOW": allowed,
        "FETCH_HOST_SECONDS": "0.01",
    }
    if options.deterministic:
        checkpoint = folder / "checkpoint"
        checkpoint.mkdir()
        config = {"name": "deterministic", "system": "deterministic", "floor": 0.05, "thresholds": {"default": 0.5}}
        (checkpoint / "config.json").write_text(json.dumps(config))
        (checkpoint / "model.safetensors").write_bytes(b"none")
        chosen |= {"CHECKPOINT": str(checkpoint), "EXTRACTOR": "tests.deterministic:Extractor"}
    return chosen


def kill_at_random(product: Product, options: argparse.Namespace, dice: random.Random) -> tuple[Counter[str], int]:
    """Kills each victim once before any twice; returns how often each was hit and how many processes were left."""
    from tests.kill import counting

    hit: Counter[str] = Counter()
    left = 0
    victims = [name for _ in range(options.kills) for name in dice.sample(VICTIMS, len(VICTIMS))][: options.kills]
    for number, victim in enumerate(victims, start=1):
        product.wait_until_ready("web" if victim == "supervisor" else victim)
        time.sleep(dice.uniform(0, options.longest_pause))
        if victim == "supervisor":
            left += product.kill_supervisor()
            product.start()
        else:
            product.kill_part(victim)
        hit[victim] += 1
        _, done, waiting, behind = counting.state()
        print(f"kill {number:>2}: {victim:<10} {done} read, {waiting} to read, {behind} units behind", flush=True)
    return hit, left


def run(options: argparse.Namespace, folder: Path) -> bool:
    """Runs the script; returns whether all went well."""
    dice = random.Random(options.seed)
    with publisher(options) as (address, allowed):
        environ = settings_of(folder, allowed, options)
        os.environ.update(environ)
        product = Product(folder, environ)
        try:
            return _run(product, options, dice, address)
        except Stuck as error:
            print(f"FAILED: {error}", flush=True)
            return False
        finally:
            product.abandon()


def _run(product: Product, options: argparse.Namespace, dice: random.Random, address: str) -> bool:
    import django

    product.start()
    product.wait_until_ready("web")
    django.setup()
    from tests.kill import counting

    wanted = add_feeds(product, address)
    wait_for(lambda: counting.state()[1] > 0, "the first post to be read", counting.state)
    hit, left = kill_at_random(product, options, dice)
    _, at_last_kill, *_ = counting.state()
    began = time.monotonic()
    wait_for(lambda: counting.quiet(wanted), "the product to come to rest", counting.state)
    settled = time.monotonic() - began
    well, outputs = checked(product)
    left += product.stop()
    counts = counting.count(wanted)
    report(counts, hit, left, outputs, at_last_kill, settled)
    return well and not (counts.wrong or left)


def checked(product: Product) -> tuple[bool, dict[str, str]]:
    """Whether the product's own checks find record and graph intact, and their output."""
    ended = {name: product.command(name, "--wait", "180") for name in CHECKS}
    outputs = {name: (one.stdout + one.stderr).strip() for name, one in ended.items()}
    return not any(one.returncode for one in ended.values()), outputs


def add_feeds(product: Product, address: str) -> int:
    """Subscribes; returns how many posts the feeds list."""
    from extraction.crawler import http_client
    from extraction.crawler.parsers import feed_parser
    from extraction.models import Feed

    added = product.command("import_opml" if address.endswith(".opml") else "add_feed", address)
    if added.returncode:
        raise Stuck(f"The feeds could not be added: {added.stderr}")
    listed = 0
    for feed in Feed.objects.filter(sample=False):
        answer = http_client.get(feed.url)
        listed += len(feed_parser.parse(answer.content, answer.content_type, answer.url).items)
    return listed


def report(
    counts: Counts, hit: Counter[str], left: int, outputs: dict[str, str], at_last_kill: int, settled: float
) -> None:
    print(f"kills: {hit.total()} ({', '.join(f'{name} {hit[name]}' for name in VICTIMS)})")
    print(f"read at the last kill: {at_last_kill}; at rest {settled:.1f} s after it")
    print(f"posts: {counts.posts} of {counts.wanted} listed; read: {counts.read}")
    print(f"mentions: {counts.mentions}; assertions: {counts.assertions}")
    for name, tally in (("doubled", counts.doubled), ("lost", counts.lost)):
        print(f"{name}: {', '.join(f'{what} {number}' for what, number in sorted(tally.items()))}")
    if counts.excused:
        print(f"at the floor, so that another batch may leave them out: {counts.excused}")
    print(f"processes left behind: {left}")
    for check, sentences in outputs.items():
        print(f"{check}: {sentences}", flush=True)


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # also in the background: nothing is left running
    folder = Path(tempfile.mkdtemp(prefix="kgbuilder-kill-"))
    well = False
    try:
        well = run(options, folder)
    finally:
        if options.keep or not well:
            print(f"What it left is in {folder}", flush=True)
        else:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
