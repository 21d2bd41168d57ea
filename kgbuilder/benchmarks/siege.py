"""Pages while some people send the heaviest queries they may: the longest wait for each page, against the idle product.

The product is one of its own, in a folder that is deleted afterwards, with all processes that answer requests. Each
person has an account; what they send is listed in QUERIES. Before and after, the memory of the web processes is read.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kgbuilder.benchmarks import own_product
from kgbuilder.benchmarks.pages import PASSWORD, STEPS, USER, Session

HELP = "pages while people send the heaviest queries, against the same pages idle"
PROCESSES = ("web", "consoles")
LONG, ALL = 20_000, "?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(?a != ?l)"
DOUBLED = " ".join(f"BIND(CONCAT(?t{n}, ?t{n}) AS ?t{n + 1})" for n in range(22))
# What stopped the product once: the first three while they were checked, the others while they were answered.
QUERIES = {
    "a long name": "a-" * (LONG // 2),
    "an open string": '"' + '\\"' * (LONG // 2 - 1),
    "a long list": f"SELECT * {{ ?s ?p ?o FILTER(?o IN({','.join(['1'] * 9900)})) }}",
    "a cross product": f"SELECT (COUNT(*) AS ?n) {{ {ALL} }}",
    "a large cell": f'SELECT ?t22 {{ BIND("<<<<" AS ?t0) {DOUBLED} }}',
}
Say = Callable[[str], object]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=20, help="of each query, and idle")
    parser.add_argument("--posts", type=int, default=20, help="analysed before")
    parser.add_argument("--query", choices=QUERIES, action="append", help="only this one")
    parser.add_argument("--within", default="", help="used by the command itself: a step of it, here")


def run(options: dict[str, Any], say: Say, note: Say) -> None:
    if options["within"]:
        for line in _fill(options["people"]) if options["within"] == "fill" else _read(options["posts"]):
            say(line)
        return
    with own_product.scratch() as folder:
        environ = own_product.environ(folder, "", BATCH_SECONDS="0.05")
        own_product.command(environ, "prepare", "--no-samples")
        own_product.command(environ, "bench", "siege", "--within=fill", f"--people={options['people']}")
        own_product.command(environ, "bench", "pages", "--within=fill", f"--posts={options['posts']}")
        with own_product.parts(environ, ["sparql", "web", "beat", "io", "reader"]):
            post = own_product.command(environ, "bench", "siege", "--within=read", f"--posts={options['posts']}")
            Siege(environ, post.strip(), options).run(say)


class Siege:
    """`post`: the path of a post's page."""

    def __init__(self, environ: dict[str, str], post: str, options: dict[str, Any]) -> None:
        self._base = f"http://127.0.0.1:{environ['PORT']}"
        self._run_folder = Path(environ["DATA_DIR"]) / "run"
        self._options = options
        self._reader = Session(self._base)
        self._people = [Session(self._base, f"{USER}-{n}") for n in range(options["people"])]
        self._pages = {"/healthz": "/healthz", "sign-in": "/sign-in/", "post": post}

    def run(self, say: Say) -> None:
        seconds = self._options["seconds"]
        self._waits(2.0)  # templates are compiled, connections made
        idle, before = self._waits(seconds), self._memory()
        say(f"idle: {_shown(idle)}; web processes hold {before / 1e6:.0f} MB")
        for name in self._options["query"] or QUERIES:
            with self._sent(QUERIES[name]) as statuses:
                busy = self._waits(seconds)
            ratios = ", ".join(f"{page} {busy[page][0] / idle[page][0]:.1f}" for page in self._pages)
            answers = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
            say(f"{name}: {_shown(busy)}; longest wait against idle: {ratios}; errors {_errors(busy)}; sent: {answers}")
        time.sleep(5)
        after = self._memory()
        say(f"memory of all web processes afterwards: {after / 1e6:.0f} MB, against before {after / before:.2f}")

    def _waits(self, seconds: float) -> dict[str, tuple[float, int]]:
        """The longest wait for each page, and how many of its answers were errors; one request after another."""
        found: dict[str, list[float]] = {page: [] for page in self._pages}
        errors: Counter[str] = Counter()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for page, path in self._pages.items():
                began = time.monotonic()
                errors[page] += _status(self._base + path, self._reader.cookies) != 200
                found[page].append(time.monotonic() - began)
        return {page: (max(times), errors[page]) for page, times in found.items()}

    @contextmanager
    def _sent(self, query: str) -> Iterator[Counter[int]]:
        """Each person sends it again and again, until the block ends."""
        over, statuses = threading.Event(), Counter[int]()

        def send(person: Session) -> None:
            form = person.form(query).replace(b"format=json", b"format=html")
            while not over.is_set():
                statuses[_status(f"{self._base}/sparql/", person.cookies, form)] += 1
                over.wait(0.05)

        threads = [threading.Thread(target=send, args=(person,), daemon=True) for person in self._people for _ in "ab"]
        for thread in threads:
            thread.start()
        try:
            yield statuses
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _memory(self) -> int:
        """Bytes in memory of all web and console processes."""
        total = 0
        for roster in self._run_folder.glob("*/web-*/parts.json"):
            for entry in json.loads(roster.read_text()):
                if entry["name"].split("-")[0] in PROCESSES:
                    total += int(Path(f"/proc/{entry['pid']}/statm").read_text().split()[1]) * 4096
        return total


def _status(url: str, cookies: str, form: bytes | None = None) -> int:
    request = urllib.request.Request(url, data=form, headers={"Cookie": cookies, "Referer": url})  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=120) as answer:
            while answer.read(1 << 20):
                pass
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def _shown(waits: dict[str, tuple[float, int]]) -> str:
    return ", ".join(f"{page} {longest * 1000:.0f} ms" for page, (longest, _) in waits.items())


def _errors(waits: dict[str, tuple[float, int]]) -> int:
    return sum(errors for _, errors in waits.values())


def _fill(people: int) -> list[str]:
    from django.contrib.auth.models import Group, User

    for number in range(people):
        User.objects.create_user(f"{USER}-{number}", password=PASSWORD).groups.add(Group.objects.get(name="viewer"))
    return []


def _read(posts: int) -> list[str]:
    return STEPS["read"](posts)[1:2]
