"""A backup of the running sample installation, restored on an empty folder, shows the same graph."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from extraction.samples import load_posts
from kgbuilder.environment import ROOT
from tests.kill.__main__ import settings_of
from tests.kill.product import Product
from tests.patience import PATIENCE_S


@pytest.fixture
def place() -> Iterator[Path]:
    """Not pytest's own folder: a socket's path may have no more than some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="kg-") as folder:
        yield Path(folder)


def product(folder: Path, **more: str) -> Product:
    folder.mkdir()
    environ = settings_of(folder, "", Namespace(deterministic=True))
    environ |= {"BASE_IRI": "http://kg.example/", "DATABASE_URL": "", "BROKER_URL": "", "SECRET_KEY": ""} | more
    return Product(folder, environ, options=())


@contextmanager
def running(made: Product) -> Iterator[None]:
    made.start()
    try:
        made.wait_until_ready("web")
        yield
        assert made.stop() == 0
    finally:
        made.abandon()


DUE = "from knowledge.models import Link; print(Link.objects.filter(due_at__isnull=False).count())"


def settled(made: Product) -> None:
    until = time.monotonic() + PATIENCE_S
    while said(made, "shell", "-v", "0", "-c", DUE).strip() != "0":  # entities are looked up after they were read
        assert time.monotonic() < until
        time.sleep(1)
    for check in ("check_record", "check_parity"):
        ended = made.command(check, "--wait", "120")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def graph(made: Product) -> list[str]:
    ended = made.command("export_graph")
    assert ended.returncode == 0, ended.stderr
    return sorted(line for line in ended.stdout.splitlines() if line)


def said(made: Product, *arguments: str) -> str:
    ended = made.command(*arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def wait_for_samples(made: Product) -> None:
    """The `progress` part ends when every sample post has been read."""
    from tests.kill.product import wait_for

    log = made.folder / "log" / "progress.log"
    wait_for(lambda: log.is_file() and "your own feeds" in log.read_text(), "the samples to be read")


@pytest.mark.slow
def test_the_sample_installation_restores_on_an_empty_folder_with_the_same_graph(place: Path) -> None:
    first = product(place / "a")
    with running(first):
        wait_for_samples(first)
        settled(first)
        before = graph(first)
        assert f"{len(load_posts())} posts" in said(first, "backup", str(place / "backup")), "while it runs"
    assert stat.S_IMODE((place / "backup").stat().st_mode) == 0o700
    key = (place / "a" / "secret_key").read_text()
    shutil.rmtree(place / "a")
    # the samples are on the web server's own port
    second = product(place / "b", PORT=first.environ["PORT"])
    shutil.rmtree(place / "b" / "checkpoint")  # it comes from the backup
    assert "posts of" in said(second, "restore", str(place / "backup"))
    with running(second):
        settled(second)
        assert graph(second) == before
    assert len(before) > 100
    assert (place / "b" / "secret_key").read_text() == key
    assert stat.S_IMODE((place / "b" / "secret_key").stat().st_mode) == 0o600
    again = second.command("restore", str(place / "backup"))
    assert again.returncode == 1 and "is there already" in again.stderr


def test_a_backup_that_broke_off_or_was_damaged_is_refused(place: Path) -> None:
    first = product(place / "a")
    said(first, "prepare")
    said(first, "backup", str(place / "backup"))
    assert "not empty" in first.command("backup", str(place / "backup")).stderr
    assert "lies in DATA_DIR" in first.command("backup", str(place / "a" / "x")).stderr
    second = product(place / "b")
    file = place / "backup" / "database.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    assert "damaged" in second.command("restore", str(place / "backup")).stderr
    file.write_bytes(content)
    manifest = place / "backup" / "manifest.json"
    told = json.loads(manifest.read_text())
    for change, says in (({"format": 99}, "newer kgbuilder"), ({"migrations": [["extraction", "9999_new"]]}, "newer")):
        manifest.write_text(json.dumps(told | change))
        assert says in second.command("restore", str(place / "backup")).stderr
    manifest.unlink()
    assert "no whole backup" in second.command("restore", str(place / "backup")).stderr
    assert not (place / "b" / "kgbuilder.sqlite3").exists()


@pytest.mark.postgres
def test_postgresql_restores_table_by_table(place: Path) -> None:
    import psycopg

    server = urlsplit(os.environ["TEST_DATABASE_URL"])
    names = [f"kg_backup_{os.getpid()}_{part}" for part in "ab"]
    with psycopg.connect(server.geturl(), autocommit=True) as link:
        try:
            for name in names:
                link.execute(f"CREATE DATABASE {name}")
            addresses = [server._replace(path=f"/{name}").geturl() for name in names]
            _there_and_back(place, *addresses)
        finally:
            for name in names:
                link.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _there_and_back(place: Path, here: str, there: str) -> None:
    first, second = product(place / "a", DATABASE_URL=here), product(place / "b", DATABASE_URL=there)
    said(first, "prepare", "--no-samples")
    script(first, FILL)
    said(first, "backup", str(place / "backup"))
    said(second, "restore", str(place / "backup"))
    told = script(second, TELL)
    assert told == script(first, TELL) and "Zo\u00eb" in told and "\\t" in told
    assert script(second, "print(Post.objects.create(published_at=now, seen_at=now).pk > 2)").strip() == "True"
    assert script(second, "from extraction.search import search; print(search('storm').count())").strip() == "1"
    assert "tables already" in second.command("restore", str(place / "backup")).stderr


IMPORTS = """
from django.utils import timezone
from extraction.models import *
from knowledge.models import *
from django.contrib.auth.models import Group
now = timezone.now()
"""
FILL = """
from extraction.versions import new_version
for n in range(2):
    post = Post.objects.create(link=f"https://news.example/{n}", published_at=now, seen_at=now)
    new_version(post, "Storm" if n else "Calm", "Zo\u00eb said:\\ta tab, a \\\\ and\\na line 😀.", "page")
Projection.objects.create(store="rdf", kind="post", key=post.public_id, done=1)
"""
TELL = """
print(list(PostVersion.objects.order_by("pk").values_list("pk", "post_id", "text", "fetched_at")))
print(sorted(map(tuple, Group.objects.values_list("name", "permissions__codename"))))
print(list(Deployment.objects.values_list("checkpoint__digest", "since")))
"""


def script(made: Product, code: str) -> str:
    run = f"import django; django.setup()\n{IMPORTS}{code}"
    environ = made.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", run], env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
