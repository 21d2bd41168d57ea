"""The stores that the record is projected into. A plain dict: a new store is one line here."""

from __future__ import annotations

from collections.abc import Callable

from knowledge.graphs.store import Store


def _rdf() -> Store:
    from knowledge.graphs.sparql_store import SparqlStore

    return SparqlStore.from_settings()


STORES: dict[str, Callable[[], Store]] = {"rdf": _rdf}


def store_names() -> tuple[str, ...]:
    return tuple(STORES)


def open_store(name: str) -> Store:
    """The store, ready to be asked. It is reached on its first use, not here."""
    return STORES[name]()
