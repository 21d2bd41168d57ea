"""The memory of each process while many posts flow through: does it grow?

    python -m tests.kill.memory --posts 20000

The product reads `--posts` pages of a newsroom of its own with an extractor without networks, so that only the
product's own memory can grow. Printed for each process: its resident memory (with its parsers') in the second tenth of
the posts, in the last, and the ratio. Exit status 1 where a process died, grew by more than a tenth, or was not
measured in one of the two.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from kgbuilder.supervision import roster
from tests.kill.__main__ import publisher, settings_of
from tests.kill.product import Product

EVERY_SECONDS = 2.0
MOST = 1.10


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kill.memory", description=__doc__.partition("\n")[0])
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=7200, help="give up after this")
    options = parser.parse_args(given, argparse.Namespace(deterministic=True, page_seconds=0.0, replay=None))
    folder = Path(tempfile.mkdtemp(prefix="kg-memory-"))
    with publisher(options) as (address, allowed):
        environ = settings_of(folder, allowed, options)
        os.environ.update(environ)
        product = Product(folder, environ)
        try:
            return run(product, address, options)
        finally:
            product.abandon()
            shutil.rmtree(folder, ignore_errors=True)


def run(product: Product, address: str, options: argparse.Namespace) -> int:
    import django

    product.start()
    product.wait_until_ready("web")
    django.setup()
    from tests.kill import counting

    added = product.command("import_opml" if address.endswith(".opml") else "add_feed", address)
    assert added.returncode == 0, added.stderr
    samples_of: dict[str, list[tuple[int, int]]] = defaultdict(list)
    until, read = time.monotonic() + options.seconds, 0
    while read < options.posts and time.monotonic() < until:
        time.sleep(EVERY_SECONDS)
        _, read, *_ = counting.state()
        for entry in roster.read(product.folder / "run"):
            samples_of[entry.name].append((read, resident(entry.pid)))
    deaths = {entry.name: entry.deaths for entry in roster.read(product.folder / "run") if entry.deaths}
    print(f"{read} of {options.posts} posts read; deaths: {deaths or 'none'}", flush=True)
    grown = [name for name, samples in samples_of.items() if not report(name, samples, read)]
    return 1 if grown or deaths or not samples_of or read < options.posts else 0


def report(name: str, samples: Sequence[tuple[int, int]], posts: int) -> bool:
    """Prints a process's line; whether it stayed."""
    early = [size for read, size in samples if 0.1 * posts <= read < 0.2 * posts]
    late = [size for read, size in samples if read >= 0.9 * posts]
    if not early or not late:
        missed = " and ".join(name for name, sizes in (("second", early), ("last", late)) if not sizes)
        print(f"{name:<10} FAILED: never seen in the {missed} tenth of the posts; read more of them", flush=True)
        return False
    ratio = mean(late) / max(mean(early), 1)
    print(f"{name:<10} {mean(early) / 2**20:7.1f} MB, {mean(late) / 2**20:7.1f} MB: {ratio:.3f}", flush=True)
    return ratio <= MOST


def resident(pid: int) -> int:
    """Bytes, of the process and of those that it started."""
    total = 0
    for one in (pid, *_children(pid)):
        try:
            fields = Path(f"/proc/{one}/statm").read_text().split()
        except OSError:
            continue
        total += int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return [*found, *(grandchild for child in found for grandchild in _children(child))]


if __name__ == "__main__":
    sys.exit(main())
