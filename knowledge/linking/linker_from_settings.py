"""The linker over the sources that KNOWLEDGE names, and the services that give details on linked entities.

The index is DATA_DIR's where one was built, else the small one that ships for the samples.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from knowledge.sources import index_builder
from knowledge.sources.local_index import SCHEMA, LocalIndex
from knowledge.sources.protocol import Encyclopedia, Known, Source, SourceUnavailable

if TYPE_CHECKING:
    from knowledge.linking.linker import Linker
    from knowledge.sources.cached_client import Send

logger = logging.getLogger(__name__)

NAME = "index"
SHIPPED = Path(__file__).parent.parent / "data" / "entities.jsonl"

_lock = threading.Lock()
_in_use: tuple[object, Linker] | None = None
_local_in_use: tuple[object, tuple[Linker, LocalIndex]] | None = None


def index_path() -> Path:
    """Where `manage.py build_index` puts the index."""
    return Path(settings.DATA_DIR) / "index.sqlite3"


def linker(send: Send) -> Linker | None:
    """None where no source is available or the vectors are missing; that is logged. A new index is loaded. `send` is
    used for services alone."""
    global _in_use
    from knowledge.linking.linker import Linker
    from knowledge.linking.text_similarity import ContextMissing

    with _lock:
        try:
            path = _path() if NAME in settings.KNOWLEDGE else None
            version = (_addresses(), send, path and (str(path), path.stat().st_mtime_ns))
            if _in_use is None or _in_use[0] != version:
                sources: dict[str, Source] = {**_services(send)}
                if path:
                    sources[NAME] = LocalIndex(path)
                _in_use = version, Linker.shipped([sources[name] for name in settings.KNOWLEDGE])
            return _in_use[1]
        except (SourceUnavailable, ContextMissing, OSError) as error:
            logger.warning("Entities are not linked: %s", error)
            return None


def local() -> tuple[Linker, LocalIndex] | None:
    """The linker over the local index alone, and the index: for work that may not wait for a service. None as for
    `linker`, and where KNOWLEDGE does not name the index."""
    global _local_in_use
    from knowledge.linking.linker import Linker
    from knowledge.linking.text_similarity import ContextMissing

    with _lock:
        try:
            if NAME not in settings.KNOWLEDGE:
                return None
            path = _path()
            version = (str(path), path.stat().st_mtime_ns)
            if _local_in_use is None or _local_in_use[0] != version:
                index = LocalIndex(path)
                _local_in_use = version, (Linker.shipped([index]), index)
            return _local_in_use[1]
        except (SourceUnavailable, ContextMissing, OSError) as error:
            logger.warning("The local index is not used: %s", error)
            return None


def encyclopedias(send: Send) -> Sequence[Encyclopedia]:
    """The services that KNOWLEDGE names, in its order: none where it names only the index."""
    return list(_services(send).values())


def _addresses() -> tuple[object, ...]:
    names = ("WIKIDATA_API_URL", "WIKIDATA_SPARQL_URL", "DBPEDIA_LOOKUP_URL", "DBPEDIA_SPARQL_URL", "KNOWLEDGE_DAYS")
    return (settings.KNOWLEDGE, *(getattr(settings, name) for name in names))


def _services(send: Send) -> dict[str, Any]:
    if not set(settings.KNOWLEDGE) - {NAME}:
        return {}
    from knowledge.sources.cached_client import Remote
    from knowledge.sources.dbpedia import DBpedia
    from knowledge.sources.wikidata import Wikidata

    remote = Remote(send, timedelta(days=settings.KNOWLEDGE_DAYS))
    made = {
        "wikidata": Wikidata(remote, settings.WIKIDATA_API_URL, settings.WIKIDATA_SPARQL_URL),
        "dbpedia": DBpedia(remote, settings.DBPEDIA_LOOKUP_URL, settings.DBPEDIA_SPARQL_URL),
    }
    return {name: made[name] for name in settings.KNOWLEDGE if name in made}


def shipped() -> list[Known]:
    """The entities of the sample index: ids and names that stand in wikidata-mel (MELBench, MIT)."""
    rows = (json.loads(line) for line in SHIPPED.read_text(encoding="utf-8").splitlines())
    return [Known(row["id"], row["label"], row.get("description", ""), (row["label"],), ("person",)) for row in rows]


def _path() -> Path:
    if index_path().is_file():
        return index_path()
    small = Path(settings.DATA_DIR) / f"index-of-samples-{SCHEMA}.sqlite3"
    if not small.is_file() or small.stat().st_mtime < SHIPPED.stat().st_mtime:
        index_builder.build(small, SHIPPED.name, shipped(), whole=False)
    return small
