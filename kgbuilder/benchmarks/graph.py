"""How fast posts are replaced in the bundled server, in a small store and in a large one, by turns."""

from __future__ import annotations

import random
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any
from uuid import UUID

from extraction.labels import RELATIONS
from kgbuilder.benchmarks.server import serving
from knowledge.graphs.projector import CHUNK
from knowledge.graphs.rdf import quads as rdf_quads
from knowledge.graphs.rdf.sparql_store import SparqlStore
from knowledge.graphs.units import (
    AssertionContent,
    EntityContent,
    EntityUnit,
    EvidenceSpan,
    Name,
    PostContent,
    PostUnit,
    StatementUnit,
    Triple,
    Unit,
)

HELP = "posts a second replaced in the bundled server, large against small"
STATEMENTS = 20  # a post
SMALL = 200  # posts in the store that counts as empty: those that are replaced
ROUND = 50  # posts replaced before the other store has its turn
PUBLISHED = datetime(2026, 1, 1, tzinfo=UTC)
Say = Callable[[str], None]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--quads", type=int, default=1_000_000, help="the large store's size")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each store, by turns")


def run(options: Mapping[str, Any], write: Say, note: Say) -> None:
    rates = measure(options["quads"], options["rounds"], note)
    write(f"small store: {rates.empty:.1f} posts/s (median of {rates.rounds} rounds)")
    write(f"store of {rates.quads} quads: {rates.full:.1f} posts/s")
    write(f"ratio: {rates.ratio:.2f}")


@dataclass(frozen=True, slots=True)
class ReplacementRates:
    """Posts a second, medians of the rounds; `quads` the large store's size when it was measured."""

    empty: float
    full: float
    quads: int
    rounds: int

    @property
    def ratio(self) -> float:
        return self.full / self.empty


def measure(quads: int, rounds: int, say: Say) -> ReplacementRates:
    """Fills one store to `quads`, then replaces posts in it and in a small one, a round each by turns: other load on
    the machine slows both."""
    with serving() as small, serving() as large:
        _fill(small, range(SMALL))
        posts = quads // sum(1 for unit in post_units(0) for _ in rdf_quads.quads(unit)) + 1
        say(f"filling a store with {posts} posts of {STATEMENTS} statements, {quads} quads in all")
        _fill(large, range(posts), say)
        held = sum(1 for _ in large.stream())
        empty, full = [], []
        for number in range(rounds):
            draw = random.Random(number)
            empty.append(_round(small, [draw.randrange(SMALL) for _ in range(ROUND)], number))
            full.append(_round(large, [draw.randrange(posts) for _ in range(ROUND)], number))
            say(f"round {number + 1}: {empty[-1]:.1f} posts/s in the small store, {full[-1]:.1f} in the large one")
    return ReplacementRates(median(empty), median(full), held, rounds)


def post_units(number: int, edition: int = 0) -> list[Unit]:
    """All that a post of 20 statements marks: itself, its statements, its entities. `edition` changes its scores, as
    another reading does."""
    draw = random.Random(number)
    entities = [UUID(int=draw.getrandbits(128), version=4) for _ in range(STATEMENTS)]
    relations = sorted(key for key, relation in RELATIONS.items() if not relation.symmetric)
    triples = [
        Triple(entities[place], draw.choice(relations), entities[(place + 1) % STATEMENTS])
        for place in range(STATEMENTS)
    ]
    score = 0.5 + (edition % 50) / 100
    assertions = tuple(
        AssertionContent(
            UUID(int=draw.getrandbits(128), version=4),
            triple,
            score,
            EvidenceSpan(40 * place, 40 * place + 12, "person"),
            EvidenceSpan(40 * place + 20, 40 * place + 33, "organization"),
        )
        for place, triple in enumerate(triples)
    )
    content = PostContent(
        f"https://news.example/{number}",
        f"Post number {number}",
        "en",
        PUBLISHED,
        1,
        "0" * 64,
        PUBLISHED,
        assertions,
        tuple(entities),
    )
    key = UUID(int=draw.getrandbits(128), version=4)
    return [
        PostUnit(key, content),
        *(StatementUnit(UUID(int=place), (triple,), ()) for place, triple in enumerate(triples)),
        *(EntityUnit(entity, _entity(number, place)) for place, entity in enumerate(entities)),
    ]


def _entity(number: int, place: int) -> EntityContent:
    label = f"Entity {place} of post {number}"
    return EntityContent(label, "organization", (Name(label, "en"), Name(f"E. {number}-{place}", "en")))


def _fill(store: SparqlStore, numbers: Sequence[int], say: Say | None = None) -> None:
    for start in range(0, len(numbers), 10):
        store.replace([unit for number in numbers[start : start + 10] for unit in post_units(number)])
        if say and start % 500 == 0:
            say(f"{start} of {len(numbers)} posts")


def _round(store: SparqlStore, numbers: Sequence[int], edition: int) -> float:
    """Posts a second, in the requests that the projector makes."""
    units = [unit for number in numbers for unit in post_units(number, edition + 1)]
    began = time.perf_counter()
    for start in range(0, len(units), CHUNK):
        store.replace(units[start : start + CHUNK])
    return len(numbers) / (time.perf_counter() - began)
