"""Which requests go where: to the pool for pages, to that for probes, or to the consoles; and how long a body may be.

Decided by method and path alone, before a body is read. A request that is heavy and missing here makes pages wait, so
`tests/kgbuilder/web/test_request_kinds.py` holds the table to the addresses.
"""

from __future__ import annotations

import re
from enum import Enum


class Pool(Enum):
    PAGES = "pages"
    PROBES = "probes"
    CONSOLES = "consoles"


KB, MB = 1_000, 1_000_000
LONGEST_BODY = 3 * MB  # an OPML file of a newsroom, a post with its text
LONGEST_QUERY = 200 * KB  # a query, its parameters and the other fields of its form
UPLOAD = "/training/datasets/upload/"

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_QUERIES = re.compile(r"/(?:sparql|cypher)/")
_HEAVY = re.compile(
    r"""/api/v1/(?:sparql|exports|search)(?:/.*)?
      | /(?:entities|posts)/[^/]+/graph\.[a-z]+
    """,
    re.VERBOSE | re.DOTALL,
)


def pool_of(method: str, path: str) -> Pool:
    """GET of a console's page only shows its form."""
    if path in _PROBES:
        return Pool.PROBES
    if _HEAVY.fullmatch(path) or (method not in ("GET", "HEAD") and _QUERIES.fullmatch(path)):
        return Pool.CONSOLES
    return Pool.PAGES


def longest_body(path: str, dataset_mb: int) -> int:
    """Bytes. A data set is a form with other fields too."""
    if path == UPLOAD:
        return (dataset_mb + 1) * MB
    if path in _PROBES:
        return 0
    return LONGEST_QUERY if pool_of("POST", path) is Pool.CONSOLES else LONGEST_BODY
