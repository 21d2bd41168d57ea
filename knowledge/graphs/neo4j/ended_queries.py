"""People's queries that were ended: the server is asked to terminate each, and those that it cannot end are counted.

Neo4j checks for termination between rows. What runs within one expression goes on until the server is restarted.
"""

from __future__ import annotations

import logging
import threading

from knowledge.graphs.neo4j.query_process import APP
from knowledge.graphs.neo4j.store import Neo4jStore
from knowledge.graphs.units import StoreRefused, StoreUnavailable

logger = logging.getLogger(__name__)
_OURS = "SHOW TRANSACTIONS YIELD transactionId, metaData, status WHERE metaData.app = $app "


def terminate(mark: str) -> None:
    """Have the server terminate the transaction of this mark. Not waited for: the server may be busy."""
    threading.Thread(target=_terminate, args=(mark,), daemon=True).start()


def still_running() -> int:
    """How many people's queries were terminated and still run. Raises StoreUnavailable."""
    rows = Neo4jStore.from_settings().rows(_OURS + "RETURN status", app=APP)
    return sum(str(row["status"]).startswith("Terminated") for row in rows)


def _terminate(mark: str) -> None:
    try:
        store = Neo4jStore.from_settings()
        found = store.rows(_OURS + "AND metaData.mark = $mark RETURN transactionId AS id", app=APP, mark=mark)
        for row in found:
            store.rows("TERMINATE TRANSACTIONS $id", id=row["id"])
    except (StoreRefused, StoreUnavailable) as error:
        logger.warning("A query that was ended could not be terminated in Neo4j: %s", error)
