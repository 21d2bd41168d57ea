"""Servers that take long to start, one of each for all tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.networks.neo4j_server import Neo4jServer, serving_neo4j


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Neo4jServer]:
    with serving_neo4j() as server:
        yield server
