"""Checks whether a Neo4j server is set up safely for people's queries: for `doctor`.

The console refuses harmful queries by itself; these settings are the second defence, and the only limit on memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge.graphs.neo4j import ended_queries
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.units import StoreRefused

# A port of the server's own machine without a listener: with an active blocklist no connection is even tried.
_PROBE = "LOAD CSV FROM 'http://127.0.0.1:9/' AS row RETURN row LIMIT 1"
_SETTINGS = "SHOW SETTINGS YIELD name, value WHERE name IN $names RETURN name, value"
_FILES, _MEMORY = "dbms.security.allow_csv_import_from_file_urls", "db.memory.transaction.max"
_TIME, _TOTAL = "db.transaction.timeout", "dbms.memory.transaction.total.max"


@dataclass(frozen=True, slots=True)
class ServerFindings:
    """`advice`: the lines of settings that close open ones. `hanging`: ended queries that the server cannot stop."""

    edition: str
    version: str
    advice: tuple[str, ...]
    hanging: int = 0


def inspect() -> ServerFindings:
    """Raises StoreUnavailable."""
    store = Neo4jStore.from_settings()
    [about] = store.rows("CALL dbms.components() YIELD versions, edition RETURN versions[0] AS version, edition")
    values = {row["name"]: row["value"] for row in store.rows(_SETTINGS, names=[_FILES, _MEMORY, _TIME, _TOTAL])}
    advice = []
    if values.get(_FILES) != "false":
        advice.append(f"{_FILES}=false (LOAD CSV reads any file that the server may read).")
    if _reaches_out(store):
        advice.append("internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0 (LOAD CSV reaches any address).")
    if _nothing(values.get(_MEMORY, "")):
        advice.append(f"{_MEMORY}=128m (one query may take all memory).")
    if _nothing(values.get(_TIME, "")):
        advice.append(f"{_TIME}=120s (only this product's own queries are ended).")
    advice += _roles(about["edition"])
    return ServerFindings(f"Neo4j {about['edition']}", about["version"], tuple(advice), ended_queries.still_running())


def _roles(edition: str) -> list[str]:
    from django.conf import settings

    if edition == "community" or settings.NEO4J_READER_USER:
        return []
    return ["This edition has roles: create a user with the role reader, and set NEO4J_READER_USER to it."]


def _nothing(value: str) -> bool:
    return not value or re.fullmatch(r"0+\D*", value.strip()) is not None


def _reaches_out(store: Neo4jStore) -> bool:
    try:
        store.rows(_PROBE)
    except StoreRefused as error:
        return "block" not in str(error).lower()
    return True
