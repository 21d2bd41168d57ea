"""Pages and merges in a record of very many statements, against the same in a small one.

The record is a database of the benchmark's own. What fills it is written by a few statements of SQL, as rows that the
recorder would have made: entities in the pattern of a long tail, each statement asserted once. Pages are requested
through the whole of Django, without a network between.
"""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from extraction.models import Checkpoint, Deployment, Post, PostVersion, Reading
from kgbuilder.benchmarks.graph import PUBLISHED
from kgbuilder.benchmarks.server import serving
from kgbuilder.install.scratch_database import scratch_database
from knowledge.entities import merges
from knowledge.graphs import projector
from knowledge.models import Assertion, Entity, Link, Mention, Merge, Projection, Statement
from knowledge.record import current, projection_queue
from knowledge.record.projection_queue import stale
from knowledge.recording.bulk_insert import insert

HELP = "an entity's page, its neighbourhood and merges in a large record against a small one"
SMALL = 10_000  # statements of the record that counts as empty
A_POST = 20  # statements that one post makes
RELATION = "employer"
Say = Callable[[str], object]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--statements", type=int, default=1_000_000, help="of the large record")
    parser.add_argument("--hub", type=int, default=80_000, help="statements of the entity that is merged; 0: none is")
    parser.add_argument(
        "--requests", type=int, default=60, help="of each page, half of them before the record is filled"
    )


def run(options: Mapping[str, Any], write: Say, note: Say) -> None:
    with scratch_database("scale"):
        if options["hub"]:
            _merges(options["hub"], write, note)
        if options["statements"]:
            _pages(options["statements"], options["requests"], write, note)


def _pages(statements: int, requests: int, write: Say, note: Say) -> None:
    checkpoint = _checkpoint()
    entities = fill(checkpoint, SMALL)
    requested = entities[:: max(1, len(entities) // (requests // 2))][: requests // 2]
    before = _timed(requested, note)
    for start in range(SMALL, statements, 100_000):
        fill(checkpoint, min(100_000, statements - start))
        note(f"{start} of {statements} statements")
    _analyze()
    after = _timed(requested, note)
    for name, small in before.items():
        large = after[name]
        write(f"{name}: p95 {small:.1f} ms among {SMALL} statements, {large:.1f} ms among {statements}")
        write(f"ratio: {large / small:.2f}")


def _timed(entities: Sequence[int], note: Say) -> dict[str, float]:
    """The p95 in milliseconds of an entity's page and of all within two statements of it, over these entities."""
    from django.contrib.auth.models import Group, User
    from django.test import Client, override_settings
    from django.urls import reverse

    user, _ = User.objects.get_or_create(username="bench")
    user.groups.add(Group.objects.get(name="editor"))
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(user)
    rows = Entity.objects.in_bulk(entities)
    pages: list[float] = []
    hops: list[float] = []
    # The addresses of static files as they are: nothing has been collected for a benchmark.
    plain = settings.STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    for round_ in range(2):  # the first warms what a server that runs has warm
        pages, hops = [], []
        with override_settings(STORAGES=plain):
            for pk in entities:
                began = time.perf_counter()
                answer = client.get(reverse("entity", args=[rows[pk].public_id]))
                pages.append(time.perf_counter() - began)
                assert answer.status_code == 200, answer.content[:500]
                began = time.perf_counter()
                within_two(rows[pk])
                hops.append(time.perf_counter() - began)
        note(f"round {round_ + 1}: page {p95(pages):.1f} ms, two hops {p95(hops):.1f} ms")
    return {"entity page": p95(pages), "within two statements": p95(hops)}


def within_two(entity: Entity, limit: int = 24) -> int:
    """Reads the entity's neighbours and theirs, as many as are drawn; how many."""
    first, _ = current.neighbours(entity, limit)
    found = {one.entity.pk for one in first}
    for one in first:
        found |= {other.entity.pk for other in current.neighbours(one.entity, limit)[0]}
    return len(found)


def p95(seconds: Sequence[float]) -> float:
    return 1000 * statistics.quantiles(seconds, n=20)[-1]


def _merges(hub: int, write: Say, note: Say) -> None:
    checkpoint = _checkpoint()
    small = []
    for number in range(5):
        pair = [_star(checkpoint, f"Small {number}.{side}", 10) for side in range(2)]
        small.append(_merge(pair))
    note(f"merges of two with ten statements each: {[f'{1000 * one:.0f} ms' for one in small]}")
    big, other = _star(checkpoint, "Hub", hub), _star(checkpoint, "Other", 10)
    with serving() as store:
        _project(store, note)
        times = []
        for number in range(3):
            times.append(_merge([other, big]))
            note(f"merge of the hub: {1000 * times[-1]:.0f} ms")
            if number < 2:
                merges.undo(Merge.objects.get(survivor=other, undone_at__isnull=True), None)
        began = time.perf_counter()
        _project(store, note)
        write(f"its projections followed within {time.perf_counter() - began:.1f} s")
    blocked, ordinary = statistics.median(times), statistics.median(small)
    write(f"merge of two with ten statements each: {1000 * ordinary:.1f} ms; with {hub}: {1000 * blocked:.1f} ms")
    write(f"ratio: {blocked / ordinary:.2f}")


def _merge(pair: Sequence[Entity]) -> float:
    began = time.perf_counter()
    merges.merge(pair[0], pair[1:], None)
    return time.perf_counter() - began


def _project(store: Any, note: Say) -> None:
    done = projector.run("rdf", opened=store, seconds=3600)
    left = stale("rdf").count()
    note(f"{done.done} graph updates written, {left} left")
    assert not done.failed and not left and not done.unavailable, done


def _star(checkpoint: Checkpoint, name: str, statements: int) -> Entity:
    """An entity that so many others have for their employer, each in a statement of its own."""
    centre = Entity.objects.create(type="organization", label=name, key=f"{name}|organization")
    Link.objects.create(entity=centre)
    entities = _fill_statements(checkpoint, statements, centre)
    projection_queue.mark_rows(Projection.Kind.STATEMENT, Statement.objects.filter(tail=centre))
    projection_queue.mark_rows(Projection.Kind.ENTITY, Entity.objects.filter(pk__in=[centre.pk]))
    assert entities
    return centre


def fill(checkpoint: Checkpoint, statements: int) -> list[int]:
    """So many statements among half as many persons and a fiftieth of organizations; the persons' ids."""
    return _fill_statements(checkpoint, statements, None)


def _fill_statements(checkpoint: Checkpoint, statements: int, centre: Entity | None) -> list[int]:
    posts = _posts(checkpoint, -(-statements // A_POST))
    people = _entities(max(2, statements if centre else statements // 2), "person")
    firms = [centre.pk] if centre else _entities(max(1, statements // 50), "organization")
    heads = [people[number % len(people)] for number in range(statements)]
    tails = [firms[(number * 7919 + number // len(people)) % len(firms)] for number in range(statements)]
    readings = [posts[number // A_POST] for number in range(statements)]
    statement_ids = insert(
        Statement,
        ("public_id", "head_id", "relation", "tail_id"),
        [(key, head, RELATION, tail) for key, head, tail in zip(_ids(statements), heads, tails, strict=True)],
    )
    ends = (_mentions(readings, heads, 0, "person"), _mentions(readings, tails, 12, "organization"))
    columns = ("public_id", "reading_id", "statement_id", "head_mention_id", "tail_mention_id", *_ASSERTED)
    rest: tuple[Any, ...] = (RELATION, 0.9, PUBLISHED, [], "", "", "stated", "", "", "")
    keyed = zip(_ids(statements), readings, statement_ids, *ends, strict=True)
    insert(Assertion, columns, [(*row, *rest) for row in keyed])
    return people


_ASSERTED: tuple[str, ...] = ("relation", "score", "asserted_at", "qualifiers", "valid_from", "valid_to")
_ASSERTED += ("factuality", "when_words", "amount_words", "amount_unit")


def _mentions(readings: Sequence[int], entities: Sequence[int], offset: int, kind: str) -> list[int]:
    columns = ("reading_id", "entity_id", "start", "end", "type", "score", "form")
    places = [(number % A_POST) * 40 + offset for number in range(len(readings))]
    rows = zip(readings, entities, places, strict=True)
    found = [(one, entity, place, place + 10, kind, 0.9, "name") for one, entity, place in rows]
    return insert(Mention, columns, found)


def _posts(checkpoint: Checkpoint, count: int) -> list[int]:
    """Live posts that are read; the ids of their readings."""
    text = " ".join(f"Person number {n:04d} works for firm {n:04d}." for n in range(A_POST))
    posts = Post.objects.bulk_create(
        [Post(link=f"https://news.example/{key}", published_at=PUBLISHED, seen_at=PUBLISHED) for key in _ids(count)],
        batch_size=2000,
    )
    now = timezone.now()
    versions = PostVersion.objects.bulk_create(
        [
            PostVersion(post=one, ordinal=1, text=text, title_end=0, language="en", text_hash="", fetched_at=now)
            for one in posts
        ],
        batch_size=2000,
    )
    done = Reading.Stage.DONE
    readings = Reading.objects.bulk_create(
        [Reading(version=one, checkpoint=checkpoint, stage=done, due_at=now, read_at=now) for one in versions],
        batch_size=2000,
    )
    version = PostVersion.objects.filter(post=OuterRef("pk")).values("pk")[:1]
    reading = Reading.objects.filter(version__post=OuterRef("pk")).values("pk")[:1]
    fresh = Post.objects.filter(current_reading__isnull=True)
    fresh.update(current_version=Subquery(version), current_reading=Subquery(reading))
    return [one.pk for one in readings]


def _entities(count: int, kind: str) -> list[int]:
    now = timezone.now()
    rows = [(key, kind, f"{kind.title()} {key}", f"{key}|{kind}", now) for key in _ids(count)]
    return insert(Entity, ("public_id", "type", "label", "key", "created_at"), rows)


def _ids(count: int) -> list[Any]:
    return [uuid4() for _ in range(count)]


def _checkpoint() -> Checkpoint:
    found = Checkpoint.objects.first()
    if found is None:
        found = Checkpoint.objects.create(
            name="bench", digest="0" * 64, system="bench", path="", floor=0.05, thresholds={"default": 0.5}
        )
        Deployment.objects.create(checkpoint=found)
    return found


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
