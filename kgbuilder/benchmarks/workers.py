"""Posts a second with one, two and four of each worker: whether more workers share the queues and how evenly.

Each count has an empty database. Posts wait, fetched, until all workers have sent a heartbeat; then all are due at
once. A rate is taken between a tenth and nine tenths of the posts, so that neither start nor end counts.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kgbuilder.benchmarks import NotMeasured, own_product

HELP = "posts a second with 1, 2 and 4 of each worker, on PostgreSQL and the broker of the settings"
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.1
Say = Callable[[str], object]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--counts", default="1,2,4", help="how many of each worker, one after the other")
    parser.add_argument("--posts", type=int, default=1600)
    parser.add_argument("--rounds", type=int, default=1, help="how often all counts are measured, by turns")
    parser.add_argument("--batch-seconds", type=float, default=0.05, help="how long the reader takes for a batch")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 of a reader's process, so often in a run")
    parser.add_argument("--within", type=int, default=0, help="used by the command itself: measure this count, here")


def run(options: dict[str, Any], say: Say, note: Say) -> None:
    if options["within"]:
        say(json.dumps(_measure(options["within"], options["posts"], options["kills"], note)))
        return
    from django.conf import settings

    if settings.BROKER_URL.startswith("memory:"):
        raise NotMeasured("Name a broker in BROKER_URL, for example amqp://guest:guest@127.0.0.1:5672//.")
    counts = [int(part) for part in options["counts"].split(",")]
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for number, count in itertools.product(range(options["rounds"]), counts):
        found = _in_its_own(settings.ENV["DATABASE_URL"], settings.BROKER_URL, count, options)
        rates[count].append(found["rate"])
        shares = ", ".join(str(share) for share in found["shares"])
        rate = f"{found['rate']:.1f} posts/s read, {found['shown']:.1f} to the graph"
        rest = f"read by each: {shares}; doubled {found['doubled']}, unread {found['unread']}"
        say(f"round {number + 1}, {count} of each: {rate}; {rest}")
    first = rates[counts[0]]
    for count in counts[1:]:
        ratios = sorted(more / one for one, more in zip(first, rates[count], strict=True))
        spread = f" (rounds {ratios[0]:.2f} to {ratios[-1]:.2f})" if len(ratios) > 1 else ""
        say(f"{count} of each against {counts[0]}: {ratios[len(ratios) // 2]:.2f}{spread}")


def _in_its_own(database: str, broker: str, count: int, options: dict[str, Any]) -> dict[str, Any]:
    with own_product.postgres(database) as url, own_product.scratch() as folder:
        pace = str(options["batch_seconds"])
        settings = own_product.environ(folder, url, BROKER_URL=broker, BATCH_SECONDS=pace)
        own_product.command(settings, "prepare", "--no-samples")
        names = ["sparql", "beat", *["io"] * count, *["reader"] * count]
        with own_product.parts(settings, names):
            chosen = [f"--{name}={options[name]}" for name in ("posts", "kills")]
            output = own_product.command(settings, "bench", "workers", f"--within={count}", *chosen)
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
        return found


def _measure(count: int, posts: int, kills: int, note: Say) -> dict[str, Any]:
    """In the product's own settings: fills, waits for the workers, makes the posts due, watches."""
    from django.db.models import Count
    from django.utils import timezone

    from extraction.models import Reading
    from kgbuilder.celery import ring
    from kgbuilder.models import Heartbeat
    from knowledge.models import Assertion
    from knowledge.record.projection_queue import stale

    fill(posts)
    needed = {"io": count, "reader": count}
    wait(lambda: all(_alive(part) >= number for part, number in needed.items()), "the workers to start")
    Reading.objects.update(due_at=timezone.now())
    began = time.monotonic()
    ring("read")
    timeline = _watch(posts, kills, began)
    wait(lambda: not stale("rdf").exists(), "the graph to follow")
    shown = posts / (time.monotonic() - began)
    until = timezone.now()
    wait(lambda: not Heartbeat.objects.filter(part__startswith="reader", seen_at__lt=until).exists(), "heartbeats")
    shares = Heartbeat.objects.filter(part__startswith="reader").order_by("part").values_list("done", flat=True)
    doubled = Assertion.objects.values("public_id").annotate(n=Count("pk")).filter(n__gt=1).count()
    unread = Reading.objects.exclude(stage=Reading.Stage.DONE).count()
    return {"rate": _rate(timeline), "shown": shown, "shares": list(shares), "doubled": doubled, "unread": unread}


def _alive(part: str) -> int:
    from kgbuilder.models import Heartbeat

    return Heartbeat.objects.filter(part__regex=rf"^{part}(-[0-9]+)?$").count()


def _watch(posts: int, kills: int, began: float) -> list[tuple[float, int]]:
    """(seconds, posts read) until all are read; meanwhile readers are killed, evenly spread over the run."""
    from extraction.models import Reading
    from kgbuilder.models import Heartbeat

    timeline: list[tuple[float, int]] = [(0.0, 0)]
    killed = 0
    progress = time.monotonic()
    while timeline[-1][1] < posts:
        time.sleep(POLL_SECONDS)
        done = Reading.objects.filter(stage=Reading.Stage.DONE).count()
        if done > timeline[-1][1]:
            progress = time.monotonic()
        if time.monotonic() - progress > PATIENCE_SECONDS:
            raise NotMeasured(f"Reading came to a stand: {done} of {posts} are read.")
        timeline.append((time.monotonic() - began, done))
        if killed < kills and done > posts * (killed + 1) / (kills + 1):
            readers = Heartbeat.objects.filter(part__startswith="reader").order_by("part")
            os.kill(readers[killed % readers.count()].pid, signal.SIGKILL)
            killed += 1
    return timeline


def _rate(timeline: list[tuple[float, int]]) -> float:
    """Posts a second between a tenth and nine tenths of them."""
    total = timeline[-1][1]
    inside = [(at, done) for at, done in timeline if total / 10 <= done <= total * 9 / 10]
    if len(inside) < 2:
        return total / timeline[-1][0]
    (start, first), (end, last) = inside[0], inside[-1]
    return (last - first) / (end - start)


def fill(posts: int) -> None:
    """Fetched posts, each a headline and a paragraph, not due yet."""
    from extraction.models import Checkpoint, Post, PostVersion, Reading
    from extraction.samples import load_posts

    stories, checkpoint = load_posts(), Checkpoint.objects.get()
    now = datetime.now(UTC)
    made = Post.objects.bulk_create(
        [Post(link=f"https://bench.example/{number}", published_at=now, seen_at=now) for number in range(posts)]
    )
    versions = []
    for number, post in enumerate(made):
        telling, place = divmod(number, len(stories))
        title = f"{stories[place].title} ({telling})"
        text = f"{title}\n\n{stories[place].paragraphs[0]}"
        digest = f"{number:064x}"
        versions.append(
            PostVersion(post=post, ordinal=1, text=text, title_end=len(title), text_hash=digest, fetched_at=now)
        )
    versions = PostVersion.objects.bulk_create(versions)
    for version in versions:
        version.post.current_version = version
    Post.objects.bulk_update([version.post for version in versions], ["current_version"], batch_size=500)
    later = now + timedelta(days=1)
    Reading.objects.bulk_create([Reading(version=version, checkpoint=checkpoint, due_at=later) for version in versions])


def wait(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise NotMeasured(f"Waited in vain for {what}; {_last_words()}")
        time.sleep(POLL_SECONDS)


def _last_words() -> str:
    from django.conf import settings

    log = Path(settings.DATA_DIR) / "parts.txt"
    return log.read_text(errors="replace")[-1500:] if log.is_file() else ""
