"""A DATA_DIR that an earlier release wrote is opened, migrated and used.

`tests/fixtures/installations/0.1.0.tar.xz` was written by release 0.1.0: its samples were analysed, six verdicts given,
two entities merged, and one post that a program sent still waits. Its checkpoint lies where this installation has none.
"""

from __future__ import annotations

import sqlite3
import tarfile
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kgbuilder.conf.environment import ROOT
from tests.kill.__main__ import settings_of
from tests.kill.product import Product, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEPT = ("extraction_post", "extraction_reading", "knowledge_review", "knowledge_merge", "knowledge_assertion")
WAITING = "SELECT count(*) FROM extraction_reading WHERE read_at IS NULL AND stage <> 'dropped'"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: the path of a socket may have no more than some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="kg-") as place:
        with tarfile.open(ROOT / "tests/fixtures/installations/0.1.0.tar.xz") as packed:
            packed.extractall(place, filter="data")
        yield next(Path(place).iterdir())


def rows(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / "kgbuilder.sqlite3")) as opened:
        return {table: opened.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in KEPT}


def waiting(folder: Path) -> int:
    """Asked of the database itself: commands over and over would keep the reader, which is nice, from reading."""
    with closing(sqlite3.connect(folder / "kgbuilder.sqlite3")) as opened:
        count: int = opened.execute(WAITING).fetchone()[0]
        return count


def answer(product: Product, *arguments: str) -> str:
    ended = product.command(*arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


def test_it_is_opened_migrated_and_used(folder: Path) -> None:
    before = rows(folder)
    environ = settings_of(folder, "", Namespace(deterministic=False)) | {"DATABASE_URL": "", "BROKER_URL": ""}
    environ["BASE_IRI"] = "http://127.0.0.1:8211/"  # the address at which it was written
    product = Product(folder, environ)
    product.start()
    try:
        product.wait_until_ready("reader")
        wait_for(lambda: waiting(folder) == 0, "the post that waited to be analysed")
        answer(product, "check_record", "--wait", "120")
        answer(product, "check_parity", "--wait", "120")
        assert product.stop() == 0
    finally:
        product.abandon()
    after = rows(folder)
    # the checkpoint of this release analyses every post again, beside the readings of before
    for table in ("knowledge_assertion", "extraction_reading"):
        assert after.pop(table) > before.pop(table), table
    assert after == before
