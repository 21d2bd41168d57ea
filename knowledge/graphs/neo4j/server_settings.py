"""Whether a Neo4j server is set up so that people may ask it: for `doctor`.

The console refuses what could harm by itself; these settings are the second wall, and the only one that bounds memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.units import StoreRefused

# A port of this server's own machine on which nobody listens: with the list in force it is not even knocked at.
_KNOCK = "LOAD CSV FROM 'http://127.0.0.1:9/' AS row RETURN row LIMIT 1"
_SETTINGS = "SHOW SETTINGS YIELD name, value WHERE name IN $names RETURN name, value"
_FILES, _MEMORY = "dbms.security.allow_csv_import_from_file_urls", "db.memory.transaction.max"
_TIME, _TOTAL = "db.transaction.timeout", "dbms.memory.transaction.total.max"


@dataclass(frozen=True, slots=True)
class ServerFindings:
    """`advice`: settings that are open, each as the line that closes it."""

    edition: str
    version: str
    advice: tuple[str, ...]


def look() -> ServerFindings:
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
    return ServerFindings(f"Neo4j {about['edition']}", about["version"], tuple(advice))


def _roles(edition: str) -> list[str]:
    from django.conf import settings

    if edition == "community" or settings.NEO4J_READER_USER:
        return []
    return ["This edition has roles: make a user with the role reader, and name it in NEO4J_READER_USER."]


def _nothing(value: str) -> bool:
    return not value or re.fullmatch(r"0+\D*", value.strip()) is not None


def _reaches_out(store: Neo4jStore) -> bool:
    try:
        store.rows(_KNOCK)
    except StoreRefused as error:
        return "block" not in str(error).lower()
    return True
