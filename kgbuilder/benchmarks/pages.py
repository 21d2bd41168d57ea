"""Pages under load while posts flow: errors, and how long the slowest twentieth waits against the same page idle.

The pages of a product of its own, on the database and broker of the settings, filled first. Each page is requested over
so many connections at once, first while nothing else happens, then while further posts become due, so many a second,
are analysed, and projected to the graph.
"""

from __future__ import annotations

import asyncio
import http.cookiejar
import itertools
import re
import statistics
import time
import urllib.parse
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from kgbuilder.benchmarks import own_product

HELP = "pages over many connections while posts are read, against the same pages idle"
USER, PASSWORD = "bench", "a bench's own password"
QUERY = (
    "SELECT ?relation (COUNT(*) AS ?n) WHERE { ?head ?relation ?tail } GROUP BY ?relation ORDER BY DESC(?n) LIMIT 20"
)
FLOW_SECONDS = 300  # posts are made for so long a flow
Say = Callable[[str], object]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--posts", type=int, default=300, help="analysed before the pages are requested")
    parser.add_argument("--flow", type=int, default=10, help="posts a second that become due under load")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=240, help="of each page")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--within", default="", help="used by the command itself: a step of it, here")


def run(options: dict[str, Any], say: Say, note: Say) -> None:
    if options["within"]:
        for line in STEPS[options["within"]](options["posts"]):
            say(line)
        return
    from django.conf import settings

    database, broker = settings.ENV["DATABASE_URL"], settings.BROKER_URL
    own_database = own_product.postgres(database) if database.startswith("postgres") else nullcontext("")
    with own_database as url, own_product.scratch() as folder:
        environ = own_product.environ(folder, url, BROKER_URL=broker, BATCH_SECONDS="0.05", SPARQL_CHILDREN="4")
        own_product.command(environ, "prepare", "--no-samples")
        posts = f"--posts={options['posts']}"
        ahead = options["posts"] + options["flow"] * FLOW_SECONDS
        own_product.command(environ, "bench", "pages", "--within=fill", f"--posts={ahead}")
        with own_product.parts(environ, ["sparql", "web", "beat", "io", "reader"]):
            addresses = own_product.command(environ, "bench", "pages", "--within=read", posts).split()
            _measure(environ, addresses, options, say)


def _measure(environ: dict[str, str], addresses: list[str], options: dict[str, Any], say: Say) -> None:
    base = f"http://127.0.0.1:{environ['PORT']}"
    session = Session(base)
    pages = dict(zip(("list", "post", "entity"), addresses, strict=True))
    count, connections = options["requests"], options["connections"]
    idle = {name: Timings.of(session, base + path, None, count, connections) for name, path in pages.items()}
    idle["SPARQL"] = Timings.of(session, f"{base}/sparql/", session.form(QUERY), count, connections)
    own_product.command(environ, "bench", "pages", "--within=flow", f"--posts={options['flow']}")
    began, before = time.monotonic(), own_product.command(environ, "bench", "pages", "--within=left").strip()
    busy = {name: Timings.of(session, base + path, None, count, connections) for name, path in pages.items()}
    busy["SPARQL"] = Timings.of(session, f"{base}/sparql/", session.form(QUERY), count, connections)
    seconds, after = time.monotonic() - began, own_product.command(environ, "bench", "pages", "--within=left").strip()
    for name, quiet in idle.items():
        loaded = busy[name]
        errors = f"errors {quiet.errors} and {loaded.errors} of {count}"
        say(f"{name}: idle {quiet}; while posts flow {loaded}; ratio of p95 {loaded.p95 / quiet.p95:.2f}; {errors}")
    say(f"posts read in those {seconds:.0f} s: {int(before) - int(after)}; {after} were left")


class Session:
    """A signed-in browser's cookies and its mark for forms."""

    def __init__(self, base: str, user: str = USER) -> None:
        self._jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._jar)
        )
        page = opener.open(f"{base}/sign-in/").read().decode()
        mark = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[0]
        form = urllib.parse.urlencode({"username": user, "password": PASSWORD, "csrfmiddlewaretoken": mark}).encode()
        request = urllib.request.Request(f"{base}/sign-in/", data=form, headers={"Referer": f"{base}/sign-in/"})  # noqa: S310
        opener.open(request)

    @property
    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def form(self, query: str) -> bytes:
        mark = next(str(cookie.value) for cookie in self._jar if cookie.name == "csrftoken")
        return urllib.parse.urlencode({"query": query, "format": "json", "csrfmiddlewaretoken": mark}).encode()


class Timings:
    def __init__(self, seconds: list[float], errors: int) -> None:
        self.errors = errors
        self.p50 = statistics.median(seconds) if seconds else float("inf")
        self.p95 = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else float("inf")

    def __str__(self) -> str:
        return f"p50 {self.p50 * 1000:.0f}, p95 {self.p95 * 1000:.0f} ms"

    @classmethod
    def of(cls, session: Session, url: str, form: bytes | None, count: int, connections: int) -> Timings:
        return asyncio.run(_ask(session, url, form, count, connections))


async def _ask(session: Session, url: str, form: bytes | None, count: int, connections: int) -> Timings:
    import httpx

    left = itertools.count()
    seconds: list[float] = []
    errors = 0
    headers = {"Cookie": session.cookies, "Referer": url, "Accept": "text/html" if form is None else "*/*"}
    headers |= {"Content-Type": "application/x-www-form-urlencoded"} if form else {}

    async def connection() -> None:
        nonlocal errors
        async with httpx.AsyncClient(timeout=120, trust_env=False, headers=headers) as client:
            while next(left) < count:
                began = time.monotonic()
                try:
                    answer = await client.request("POST" if form else "GET", url, content=form)
                    errors += answer.status_code != 200
                except httpx.HTTPError:
                    errors += 1
                seconds.append(time.monotonic() - began)

    await asyncio.gather(*(connection() for _ in range(connections)))
    return Timings(seconds, errors)


def _fill(posts: int) -> list[str]:
    from django.contrib.auth.models import Group, User

    from kgbuilder.benchmarks import workers

    workers.fill(posts)
    User.objects.create_user(USER, password=PASSWORD).groups.add(Group.objects.get(name="editor"))
    return []


def _read(posts: int) -> list[str]:
    """Has so many posts analysed; returns the addresses of the list, of a post and of the entity in most posts."""
    from django.db.models import Count
    from django.urls import reverse
    from django.utils import timezone

    from extraction.models import Post, Reading
    from kgbuilder.benchmarks import workers
    from kgbuilder.celery import ring
    from knowledge.models import Entity
    from knowledge.record.projection_queue import stale

    some = list(Reading.objects.order_by("pk").values_list("pk", flat=True)[:posts])
    Reading.objects.filter(pk__in=some).update(due_at=timezone.now())
    ring("read")
    done = Reading.objects.filter(stage=Reading.Stage.DONE)
    workers.wait(lambda: done.count() >= posts and not stale("rdf").exists(), "the posts to be read")
    post = Post.objects.filter(current_reading__isnull=False).order_by("pk")[posts // 2]
    entity = Entity.objects.annotate(n=Count("mentions")).order_by("-n", "pk")[0]
    return [
        reverse("posts"),
        reverse("post", args=[post.public_id]),
        reverse("entity", args=[entity.public_id]),
    ]


def _flow(a_second: int) -> list[str]:
    from django.utils import timezone

    from extraction.models import Reading

    rows = list(Reading.objects.filter(stage=Reading.Stage.READ).order_by("pk"))
    for number, row in enumerate(rows):
        row.due_at = timezone.now() + timedelta(seconds=number / a_second)
    Reading.objects.bulk_update(rows, ["due_at"], batch_size=500)
    return []


def _left(posts: int) -> list[str]:
    from extraction.models import Reading

    return [str(Reading.objects.filter(stage=Reading.Stage.READ).count())]


STEPS: dict[str, Callable[[int], list[str]]] = {"fill": _fill, "read": _read, "flow": _flow, "left": _left}
