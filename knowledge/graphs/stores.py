"""The stores that the record is projected into. A plain dict: a new store is one line here, and its name one in
`projection_queue.store_names`."""

from __future__ import annotations

from collections.abc import Callable

from knowledge.graphs.units import Store


def _rdf() -> Store:
    from knowledge.graphs.rdf.sparql_store import SparqlStore

    return SparqlStore.from_settings()


def _neo4j() -> Store:
    from knowledge.graphs.neo4j.store import Neo4jStore

    return Neo4jStore.from_settings()


STORES: dict[str, Callable[[], Store]] = {"rdf": _rdf, "neo4j": _neo4j}


def open_store(name: str) -> Store:
    """The store, ready for use. The connection is opened on its first use, not here."""
    return STORES[name]()
