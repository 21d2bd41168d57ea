"""Runs every damaged input through the same code as one from outside, and counts the failures."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings
from django.utils import timezone

from extraction.crawler import canonical_urls
from extraction.crawler.parsers import sandbox
from extraction.feeds import polling
from extraction.models import Feed, Host, Post
from extraction.posts import visits
from extraction.schema import Document
from extraction.text.cleaning import clean
from kgbuilder.fuzzing.mutation import mutated, packed
from kgbuilder.fuzzing.process_watch import Watch, watching
from kgbuilder.fuzzing.publisher import Publisher, publishing
from knowledge.record.projection_queue import mark_posts
from knowledge.recording.row_plan import Unplannable, plan

if TYPE_CHECKING:
    from extraction.reader.reader import Reader

FETCH_SECONDS = 2.0
VISITS = 6  # pages of one feed that are visited
TEXT_SECONDS = 60.0  # for one text of at most `mutation.LARGEST` bytes
SHOWN = 20
Try = Callable[[int], str]


@dataclass(slots=True)
class FuzzReport:
    """`outcomes`: how many inputs had each outcome. `wrong`: the first failures, as (number of the input, sentence)."""

    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    forbidden: int = 0
    slowest: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, str]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.crashes or self.hangs or self.forbidden)

    def note(self, number: int, sentences: Sequence[str]) -> None:
        self.wrong += [(number, sentence) for sentence in sentences][: SHOWN - len(self.wrong)]


def run(kind: str, numbers: Sequence[int], seed: int, seeds: Sequence[bytes] = ()) -> FuzzReport:
    """Tries inputs `numbers` of a seed; `seeds` are damaged beside our own. On the connected database, which it empties
    of posts and feeds as it goes: give it a scratch one."""
    with tempfile.TemporaryDirectory(prefix="kg-fuzz-") as folder, publishing() as publisher:
        allowed = ("127.0.0.1", publisher.server_port)
        with _settings(allowed, Path(folder)), watching({allowed, *database_address()}) as watch:
            ways: dict[str, tuple[Try, float]] = {
                "feeds": (partial(_feed, publisher, seed, seeds), 2 * FETCH_SECONDS + (VISITS + 1) * _PATIENCE),
                "pages": (partial(_page, publisher, seed, seeds), _PATIENCE),
                "texts": (_text_try(kind, seed, seeds), TEXT_SECONDS),
            }
            return _tried(*ways[kind], numbers, watch)


_PATIENCE = 3 * FETCH_SECONDS + 2 * sandbox.SECONDS  # for a page: robots.txt, page, picture, and the parsing


def _tried(attempt: Try, patience: float, numbers: Sequence[int], watch: Watch) -> FuzzReport:
    tally = FuzzReport()
    for number in numbers:
        began = time.monotonic()
        try:
            tally.outcomes[attempt(number)] += 1
        except Exception as error:  # the failure that the run searches for
            watch.errors.append(f"{type(error).__name__}: {error}"[:500])
        seconds = time.monotonic() - began
        tally.inputs += 1
        tally.slowest = max(tally.slowest, seconds)
        tally.crashes += bool(watch.errors)
        tally.hangs += seconds > patience
        tally.forbidden += len(watch.forbidden)
        slow = [f"It took {seconds:.1f} seconds."] if seconds > patience else []
        tally.note(number, [*watch.errors, *(f"Asked {address}." for address in watch.forbidden), *slow])
        watch.errors.clear()
        watch.forbidden.clear()
    return tally


@contextmanager
def _settings(allowed: tuple[str, int], media: Path) -> Iterator[None]:
    chosen = {"FETCH_ALLOW": (allowed,), "FETCH_SECONDS": FETCH_SECONDS, "FETCH_HOST_SECONDS": 0.001}
    with override_settings(**chosen, MEDIA_ROOT=media):
        yield


def database_address() -> set[tuple[str, int]]:
    here = settings.DATABASES["default"]
    return (
        {(str(here.get("HOST") or "127.0.0.1"), int(here.get("PORT") or 5432))}
        if connection.vendor != "sqlite"
        else set()
    )


def _feed(publisher: Publisher, seed: int, seeds: Sequence[bytes], number: int) -> str:
    """A poll, and visits to the first posts that came of it."""
    dice = Random(f"{seed} {number} feed")
    publisher.serve(publisher.fill(mutated("feeds", seed, number, seeds)), dice)
    if dice.random() < 0.1:
        publisher.content = packed(publisher.content, dice)
        publisher.headers["Content-Encoding"] = "gzip"
    place = dice.choice(("feed",) * 20 + ("inwards", "ring", "huge"))
    feed = Feed.objects.create(url=f"{publisher.here}/{place}?{number}", due_at=timezone.now())
    try:
        done = polling.poll_due(1, mark=mark_posts)
        visits.visit_due(VISITS, mark=mark_posts)
        _check_ended(feed)
        return "an error" if done.errors else "some posts" if done.new else "no posts"
    finally:
        forget()


def _page(publisher: Publisher, seed: int, seeds: Sequence[bytes], number: int) -> str:
    dice = Random(f"{seed} {number} page")
    publisher.serve(publisher.fill(mutated("pages", seed, number, seeds)), dice)
    publisher.headers["Content-Type"] = dice.choice(("text/html",) * 5 + ("text/html; charset=utf-16", "image/png"))
    link = f"{publisher.here}/page?{number}"
    post = Post.objects.create(
        link=link,
        link_key=canonical_urls.key(link),
        published_at=timezone.now(),
        seen_at=timezone.now(),
        due_at=timezone.now(),
    )
    try:
        [outcome] = visits.visit_due(1, mark=mark_posts).outcomes
        post.refresh_from_db()
        assert post.lease_token == "", "the visit's lease was not given up"
        return outcome
    finally:
        forget()


def _check_ended(feed: Feed) -> None:
    feed.refresh_from_db()
    assert feed.lease_token == "", "the poll's lease was not given up"
    assert feed.state == Feed.State.GONE or (feed.due_at is not None and feed.due_at > timezone.now())


def forget() -> None:
    Feed.objects.all().delete()
    Post.objects.all().delete()
    Host.objects.all().delete()


def _text_try(kind: str, seed: int, seeds: Sequence[bytes]) -> Try:
    if kind != "texts":
        return str
    from extraction.readings import reader_from_settings

    return partial(_text, reader_from_settings.load(), seed, seeds)


def _text(reader: Reader, seed: int, seeds: Sequence[bytes], number: int) -> str:
    text = clean(mutated("texts", seed, number, seeds).decode("utf-8", "replace"))
    [found] = reader.read([Document(str(number), text, min(17, len(text)))])
    if found.declined is not None:
        assert found.declined.code != "failed", found.declined.message
        return f"declined: {found.declined.code}"
    assert found.text == text, "the text changed under the offsets"
    try:
        plan(found, post=UUID(int=number), ordinal=1, digest="fuzz")
    except Unplannable as error:
        raise AssertionError(str(error)) from error
    return "read"
