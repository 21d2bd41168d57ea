"""Neo4j and the SPARQL server stopped, killed and wiped while posts are recorded and projected: both come out even."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from pytest_django import Settings

from extraction.models import Post
from knowledge.graphs import projector
from knowledge.graphs.neo4j import parity as neo4j_parity
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.rdf import parity
from knowledge.record import projection_queue
from knowledge.record.projection_queue import stale
from tests import records
from tests.knowledge.graphs.test_rdf_projection import NAMES, TEXT, TRIPLES
from tests.patience import PATIENCE_S
from tests.servers.neo4j import Neo4jServer, serving_neo4j
from tests.servers.sparql import TOKEN, Server, serving

pytestmark = [pytest.mark.integration, pytest.mark.neo4j, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ROUNDS = 3


@contextmanager
def projecting() -> Iterator[None]:
    """A projector for each store, at work all the time, as the worker runs them."""
    ended = threading.Event()

    def work(store: str) -> None:
        while not ended.is_set():
            projector.run(store, seconds=1)
            time.sleep(0.1)
        connection.close()

    threads = [threading.Thread(target=work, args=(store,)) for store in ("rdf", "neo4j")]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def record(number: int) -> None:
    """A new post, another one withdrawn, and one that comes back."""
    made = records.post(f"{TEXT} For the {number}th time.")
    records.read(made, NAMES, TRIPLES)
    for post in Post.objects.order_by("?")[:1]:
        state = Post.State.WITHDRAWN if post.state == Post.State.LIVE else Post.State.LIVE
        Post.objects.filter(pk=post.pk).update(state=state)
        projection_queue.mark_posts([post])


def fail(kind: str, neo4j: Neo4jServer, sparql: Server, numbers: Iterator[int]) -> None:
    """Takes both servers away, records meanwhile, and brings them back."""
    neo4j.stop(kill=kind == "killed")
    sparql.end(signal.SIGKILL if kind == "killed" else signal.SIGTERM)
    for _ in range(4):
        record(next(numbers))
    if kind == "wiped":
        neo4j.wipe()
        shutil.rmtree(sparql.folder / "graph")
    sparql.start()
    record(next(numbers))
    neo4j.start()
    record(next(numbers))


def settle() -> None:
    """Waits until both projectors have seen the servers that are there now, and have nothing left."""
    until = time.monotonic() + PATIENCE_S
    for store in ("rdf", "neo4j"):
        while projector.run(store, seconds=0).unavailable or stale(store).exists():
            assert time.monotonic() < until, f"{store} is still behind"
            time.sleep(0.5)


@pytest.mark.parametrize("kind", ["stopped", "killed", "wiped"])
def test_after_every_fault_both_stores_are_even(settings: Settings, kind: str) -> None:
    records.checkpoint()
    numbers = iter(range(1000))
    with serving_neo4j() as neo4j, serving() as sparql:
        settings.NEO4J_URL = neo4j.url
        settings.SPARQL_SOCKET, settings.SPARQL_TOKEN = sparql.socket, TOKEN
        with projecting():
            for _ in range(ROUNDS):
                for _ in range(6):
                    record(next(numbers))
                fail(kind, neo4j, sparql, numbers)
                settle()
                assert parity.check(sparql.store(), "rdf").differences == []
                assert neo4j_parity.check(Neo4jStore.from_settings(), "neo4j").differences == []
    assert Post.objects.count() > ROUNDS * 10
