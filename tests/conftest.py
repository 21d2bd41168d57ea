"""Which services a test needs, and what happens where they are absent: skipped and counted, or failed in CI."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.servers.neo4j import Neo4jServer, serving_neo4j

SERVICES = {
    "postgres": "TEST_DATABASE_URL (a PostgreSQL address)",
    "redis": "TEST_REDIS_URL",
    "amqp": "TEST_AMQP_URL",
    "neo4j": "TEST_NEO4J",
    "browser": "Chromium on the PATH, or CHROMIUM",
    "weights": "TEST_WEIGHTS (a folder with yolox_nano.onnx, FastestDet.onnx and version-RFB-320.onnx)",
    "photographs": "TEST_PHOTOGRAPHS (MNRE's folder, with images/ and boxes/)",
}
_NAMED = {
    **{"redis": "TEST_REDIS_URL", "amqp": "TEST_AMQP_URL", "neo4j": "TEST_NEO4J"},
    **{"weights": "TEST_WEIGHTS", "photographs": "TEST_PHOTOGRAPHS"},
}
FILES = {"weights", "photographs"}  # no services: skipped with their count wherever nobody gives them
_wanting: Counter[str] = Counter()


def chromium() -> str | None:
    """A Chromium for tests of pages."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _there(service: str) -> bool:
    if service == "postgres":
        return bool(settings.DATABASES["default"]["ENGINE"].endswith("postgresql"))
    if service == "browser":
        return chromium() is not None
    return bool(os.environ.get(_NAMED[service]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="run only the tests that use the database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--database-only"):
        return
    fixtures = {"db", "transactional_db"}
    kept = [i for i in items if i.get_closest_marker("django_db") or fixtures & set(getattr(i, "fixturenames", ()))]
    config.hook.pytest_deselected(items=[i for i in items if i not in kept])
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    for service, needs in SERVICES.items():
        if item.get_closest_marker(service) and not _there(service):
            _wanting[service] += 1
            if os.environ.get("REQUIRE_SERVICES") == "1" and service not in FILES:
                pytest.fail(f"REQUIRE_SERVICES=1, and {service} is absent: give {needs}.", pytrace=False)
            pytest.skip(f"needs {needs}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for service, count in sorted(_wanting.items()):
        terminalreporter.write_line(f"{count} tests did not run for want of {service}: give {SERVICES[service]}.")


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Neo4jServer]:
    """Slow to start: one for all tests that use it."""
    with serving_neo4j() as server:
        yield server
