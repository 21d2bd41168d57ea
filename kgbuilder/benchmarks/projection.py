"""How fast the projector writes, as a share of what the bare engine does with the very same rows or updates.

Posts are recorded as the product records them, in a database of the benchmark's own. In each round some of them are
marked and projected; the requests to the store are recorded, and sent to the engine again without record, building and
marking: for the bundled server to a pyoxigraph store in this process, for Neo4j as UNWINDs of a thousand rows.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from extraction.labels import RELATIONS
from extraction.models import Checkpoint, Post, PostVersion, Reading
from extraction.readings import queue as readings_queue
from extraction.schema import ExtractedMention, Extraction, Relation
from kgbuilder.benchmarks import NotMeasured
from kgbuilder.benchmarks.graph import PUBLISHED, STATEMENTS, post_units
from kgbuilder.benchmarks.server import serving
from kgbuilder.install.scratch_database import scratch_database
from knowledge.graphs import projector
from knowledge.graphs.rdf import sparql_store
from knowledge.graphs.units import StatementUnit, Store, TripleSupport, Unit
from knowledge.models import Assertion, Entity
from knowledge.ontology import vocabulary
from knowledge.record import projection_queue
from knowledge.recording import recorder

HELP = "statements a second projected, divided by what the bare engine does with the same rows"
FLUSH_AFTER = 500
BARE_ROWS = 1000
WARMING = 3  # rounds before those that count: a server that has just started compiles what it runs
ASKED = 60  # entities whose neighbourhood is queried
TOGETHER = 60  # posts in one request while a store is filled
Say = Callable[[str], object]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--store", choices=("rdf", "neo4j"), default="rdf")
    parser.add_argument("--url", help="of an empty Neo4j without a password, which is emptied afterwards")
    parser.add_argument("--posts", type=int, default=200, help="how many posts are recorded, of 20 statements each")
    parser.add_argument("--rounds", type=int, default=5, help="how often some posts are projected, by turns with bare")
    parser.add_argument("--fill", type=int, default=0, help="statements put beside them for a second measurement")


def run(options: Mapping[str, Any], write: Say, note: Say) -> None:
    opened = _rdf if options["store"] == "rdf" else _neo4j
    with scratch_database("projection"), opened(options["url"]) as bench:
        _record(options["posts"])
        bench.project()
        empty = _rates(bench, options["posts"], options["rounds"], note)
        write(f"{options['store']}, {options['posts'] * STATEMENTS} statements: {empty}")
        write(f"ratio: {empty.ratio:.2f}")
        if options["fill"]:
            near = _two_hops(bench)
            _fill(bench, options["fill"], note)
            full = _rates(bench, options["posts"], options["rounds"], note)
            write(f"{options['store']}, beside {options['fill']} statements: {full}")
            write(f"ratio: {full.ratio:.2f}")
            write(f"full against empty: {full.projected / empty.projected:.2f}")
            far = _two_hops(bench)
            write(f"all within two statements, p95: {near:.1f} ms, beside {options['fill']} statements {far:.1f} ms")
            write(f"ratio: {far / near:.2f}")


@dataclass(frozen=True, slots=True)
class ProjectionRates:
    """Statements a second, medians of the rounds."""

    projected: float
    bare: float

    @property
    def ratio(self) -> float:
        return self.projected / self.bare

    def __str__(self) -> str:
        return f"{self.projected:.0f} statements/s projected, {self.bare:.0f} bare"


class Bench(Protocol):
    """A store that records its requests, and the bare engine beside it."""

    @property
    def store(self) -> Store: ...

    def project(self) -> None:
        """Projects all that is marked; the requests are recorded for `bare`."""

    def bare(self) -> None:
        """Does the same without the product."""

    def within_two(self, entity: UUID) -> int:
        """How many entities lie within two statements of this one, as the store answers."""


def _rates(bench: Bench, posts: int, rounds: int, note: Say) -> ProjectionRates:
    projected, bare = [], []
    for number in range(WARMING + rounds):
        statements = _mark(random.Random(number), posts)
        began = time.perf_counter()
        bench.project()
        middle = time.perf_counter()
        bench.bare()
        projected.append(statements / (middle - began))
        bare.append(statements / (time.perf_counter() - middle))
        which = f"round {number - WARMING + 1}" if number >= WARMING else "warming"
        note(f"{which}: {projected[-1]:.0f} statements/s projected, {bare[-1]:.0f} bare")
    return ProjectionRates(median(projected[WARMING:]), median(bare[WARMING:]))


def _mark(draw: random.Random, posts: int) -> int:
    """Gives half of the posts a new reading with all their statements; returns how many statements."""
    chosen = draw.sample(list(Post.objects.order_by("pk")), max(posts // 2, 1))
    projection_queue.mark_posts(chosen)
    return Assertion.objects.filter(reading__current_of__in=chosen).values("statement").distinct().count()


def _two_hops(bench: Bench) -> float:
    """The p95, in milliseconds, of a query for all within two statements of an entity, over some entities twice."""
    chosen = list(Entity.objects.order_by("pk").values_list("public_id", flat=True)[::7][:ASKED])
    seconds: list[float] = []
    for _ in range(2):  # the first warms what a server that runs has warm
        seconds = []
        for key in chosen:
            began = time.perf_counter()
            bench.within_two(key)
            seconds.append(time.perf_counter() - began)
    return 1000 * quantiles(seconds, n=20)[-1]


def _fill(bench: Bench, statements: int, note: Say) -> None:
    for start in range(0, statements // STATEMENTS, TOGETHER):
        units: list[Unit] = []
        for number in range(start, start + TOGETHER):
            some = post_units(number)
            units += [_supported(unit, some[0].key) for unit in some]
        bench.store.replace(units)
        if start % 1000 == 0:
            note(f"{start * STATEMENTS} of {statements} statements put beside")


def _supported(unit: Unit, post: Any) -> Unit:
    if isinstance(unit, StatementUnit):
        return replace(unit, support=tuple(TripleSupport((post,), (0.9,)) for _ in unit.present))
    return unit


def _record(posts: int) -> None:
    """Records posts that each make twenty statements between twenty entities, four of them known from other posts."""
    checkpoint = Checkpoint.objects.create(
        name="bench", digest="0" * 64, system="bench", path="", floor=0.05, thresholds={"default": 0.5}
    )
    for number in range(posts):
        names = [f"Person {number}-{i}" if i % 5 else f"Country {(number + i) % 40}" for i in range(STATEMENTS)]
        text = ". ".join(names)
        post = Post.objects.create(link=f"https://news.example/{number}", published_at=PUBLISHED, seen_at=PUBLISHED)
        version = PostVersion.objects.create(
            post=post,
            ordinal=1,
            text=text,
            title_end=0,
            language="en",
            text_hash=hashlib.sha256(text.encode()).hexdigest(),
            fetched_at=timezone.now(),
        )
        Post.objects.filter(pk=post.pk).update(current_version=version)
        Reading.objects.create(version=version, checkpoint=checkpoint, due_at=timezone.now())
    while claims := readings_queue.claim("bench", 16, checkpoint=checkpoint):
        found = [_extraction(claimed.document.id, claimed.document.text) for claimed in claims]
        if recorder.record_many(list(zip(claims, found, strict=True))) != [True] * len(claims):
            raise NotMeasured("A post was not recorded.")


def _extraction(key: str, text: str) -> Extraction:
    draw, mentions, place = random.Random(text), [], 0
    for name in text.split(". "):
        mentions.append(
            ExtractedMention(place, place + len(name), "person" if name.startswith("P") else "location", 0.9)
        )
        place += len(name) + 2
    keys = sorted(key for key, relation in RELATIONS.items() if not relation.symmetric)
    relations = tuple(
        Relation(i, (i + 1) % len(mentions), draw.choice(keys), round(draw.uniform(0.6, 1), 4))
        for i in range(len(mentions))
    )
    return Extraction(id=key, text=text, language="en", mentions=tuple(mentions), relations=relations)


@contextmanager
def _rdf(url: str | None) -> Iterator[Bench]:
    import pyoxigraph

    class RdfBench:
        def __init__(self, store: sparql_store.SparqlStore, engine: pyoxigraph.Store) -> None:
            self.store, self._engine, self._sent, self._updates = store, engine, list[str](), 0
            own = store.update

            def update(text: str) -> None:
                self._sent.append(text)
                own(text)

            store.update = update  # type: ignore[method-assign]

        def project(self) -> None:
            self._sent.clear()
            _project("rdf", self.store)

        def within_two(self, entity: UUID) -> int:
            one = f"<{vocabulary.entity_iri(entity)}>"
            steps = f"{{ {one} ?p ?a }} UNION {{ ?a ?p {one} }} {{ ?a ?q ?b }} UNION {{ ?b ?q ?a }}"
            return len(self.store.select(f"SELECT DISTINCT ?b {{ {steps} ?b a ?type }}"))

        def bare(self) -> None:
            for text in self._sent:
                self._engine.update(text)
                self._updates += 1 + len(text) // 20_000
                if self._updates >= FLUSH_AFTER:
                    self._engine.flush()
                    self._updates = 0

    with serving() as store, tempfile.TemporaryDirectory(prefix="kg-bench-") as folder:
        yield RdfBench(store, pyoxigraph.Store(folder))


@contextmanager
def _neo4j(url: str | None) -> Iterator[Bench]:
    if not url:
        raise NotMeasured("Give --url, the address of an empty Neo4j: bolt://127.0.0.1:7687.")
    from knowledge.graphs.neo4j.store import Neo4jStore

    class Neo4jBench:
        def __init__(self, store: Neo4jStore) -> None:
            self.store, self._sent = store, list[tuple[str, list[Any]]]()
            own = store._write

            def write(steps: Sequence[tuple[str, list[Any]]], **parameters: Any) -> int:
                self._sent += steps
                return own(steps, **parameters)

            store._write = write  # type: ignore[method-assign]

        def project(self) -> None:
            self._sent.clear()
            _project("neo4j", self.store)

        def within_two(self, entity: UUID) -> int:
            query = (
                "MATCH (e:Entity {id: $id})-[r*1..2]-(x:Entity) WHERE all(one IN r WHERE type(one) <> 'MENTIONS') "
                "RETURN DISTINCT x.id AS id"
            )
            return len(self.store.rows(query, id=str(entity)))

        def bare(self) -> None:
            rows: dict[str, list[Any]] = {}
            for query, some in self._sent:
                rows.setdefault(query, []).extend(some)
            with self.store._session() as session:
                for query, some in rows.items():
                    for start in range(0, len(some), BARE_ROWS):
                        session.run(query, rows=some[start : start + BARE_ROWS]).consume()

    # Graph updates are marked for the stores that are set up.
    settings.NEO4J_URL = url
    store = Neo4jStore(url, "neo4j", "")
    if store.rows("MATCH (n) RETURN n.id AS id LIMIT 1"):
        raise NotMeasured(f"The Neo4j at {url} is not empty. This benchmark empties what it is given.")
    try:
        yield Neo4jBench(store)
    finally:
        store.clear()
        with store._session() as session:
            session.run("MATCH (s:KgbuilderStore) DELETE s").consume()


def _project(name: str, store: Store) -> None:
    done = projector.run(name, opened=store, seconds=3600)
    if done.failed or done.unavailable:
        raise NotMeasured(f"Not everything was written: {done}")
