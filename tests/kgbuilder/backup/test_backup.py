"""A backup of the running sample installation, restored on an empty folder, shows the same graph."""

from __future__ import annotations

import gzip
import hashlib
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
from kgbuilder.conf.environment import ROOT
from tests.kill.__main__ import settings_of
from tests.kill.product import Product
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.integration


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


def empty(folder: Path, **more: str) -> Product:
    """A product whose checkpoint comes from the backup."""
    made = product(folder, **more)
    shutil.rmtree(folder / "checkpoint")
    return made


def held(folder: Path) -> dict[str, bytes]:
    """Every file in a DATA_DIR except the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder / "run"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(made: Product, backup: Path, message: str) -> None:
    """Asserts that a restore is refused with this message, and nothing is changed."""
    before = held(made.folder)
    ended = made.command("restore", str(backup))
    assert ended.returncode == 1 and message in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
    assert held(made.folder) == before


def others_see(backup: Path) -> list[Path]:
    """The files and folders of a backup that others than its owner may read or enter."""
    return [path for path in (backup, *backup.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077]


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
    while (
        run_command(made, "shell", "-v", "0", "-c", DUE).strip() != "0"
    ):  # entities are looked up after they were read
        assert time.monotonic() < until
        time.sleep(1)
    for check in ("check_record", "check_parity"):
        ended = made.command(check, "--wait", "120")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def graph(made: Product) -> list[str]:
    ended = made.command("export_graph")
    assert ended.returncode == 0, ended.stderr
    return sorted(line for line in ended.stdout.splitlines() if line)


def run_command(made: Product, *arguments: str) -> str:
    ended = made.command(*arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def wait_for_samples(made: Product) -> None:
    """Waits for `progress`, which ends when every sample post has been analysed."""
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
        assert f"{len(load_posts())} posts" in run_command(first, "backup", str(place / "backup")), "while it runs"
    assert stat.S_IMODE((place / "backup").stat().st_mode) == 0o700
    key = (place / "a" / "secret_key").read_text()
    shutil.rmtree(place / "a")
    # the samples are on the web server's own port
    second = empty(place / "b", PORT=first.environ["PORT"])
    assert "posts of" in run_command(second, "restore", str(place / "backup"))
    with running(second):
        settled(second)
        assert graph(second) == before
    assert len(before) > 100
    assert (place / "b" / "secret_key").read_text() == key
    assert stat.S_IMODE((place / "b" / "secret_key").stat().st_mode) == 0o600
    again = second.command("restore", str(place / "backup"))
    assert again.returncode == 1 and "exists already" in again.stderr


def test_an_incomplete_or_damaged_backup_is_refused(place: Path) -> None:
    first = product(place / "a")
    run_command(first, "prepare")
    (place / "backup").mkdir(mode=0o755)
    run_command(first, "backup", str(place / "backup"))
    assert others_see(place / "backup") == []
    assert "not empty" in first.command("backup", str(place / "backup")).stderr
    assert "lies in DATA_DIR" in first.command("backup", str(place / "a" / "x")).stderr
    second = empty(place / "b")
    file = place / "backup" / "database.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    refused(second, place / "backup", "damaged")
    file.write_bytes(content)
    manifest = place / "backup" / "manifest.json"
    stored = json.loads(manifest.read_text())
    for change, message in (
        ({"format": 99}, "newer kgbuilder"),
        ({"migrations": [["extraction", "9999_new"]]}, "newer"),
        ({"vendor": "postgresql"}, "one of its own kind"),
    ):
        manifest.write_text(json.dumps(stored | change))
        refused(second, place / "backup", message)
    manifest.unlink()
    refused(second, place / "backup", "no whole backup")
    assert held(place / "b") == {}


def test_a_folder_with_files_is_refused_and_a_failed_restore_leaves_none(place: Path) -> None:
    first = product(place / "a")
    run_command(first, "prepare", "--no-samples")
    run_command(first, "backup", str(place / "backup"))
    second = empty(place / "b")
    for name in ("secret_key", "media/pictures/other.jpg", "graph/store"):
        (place / "b" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "b" / name).write_text("another's")
        refused(second, place / "backup", f"holds {name.partition('/')[0]} already")
        shutil.rmtree(place / "b")
        (place / "b").mkdir()
    # one that is as it was written, and yet is no database
    stored = json.loads((place / "backup" / "manifest.json").read_text())
    kept = (place / "backup" / "database.sqlite3").read_bytes()
    (place / "backup" / "database.sqlite3").write_bytes(b"none" * 1000)
    wrong = hashlib.sha256(b"none" * 1000).hexdigest()
    changed = stored | {"files": stored["files"] | {"database.sqlite3": wrong}}
    (place / "backup" / "manifest.json").write_text(json.dumps(changed))
    assert second.command("restore", str(place / "backup")).returncode == 1
    assert set(held(place / "b")) <= {"version.json"}
    (place / "backup" / "database.sqlite3").write_bytes(kept)
    (place / "backup" / "manifest.json").write_text(json.dumps(stored))
    assert "posts of" in run_command(second, "restore", str(place / "backup")), "it can be tried again"


KILLED = """
import os, pathlib, sys
from kgbuilder.backup import database, restore
whole = database.restore
def killed(*given):
    whole(*given)
    os._exit(9)
database.restore = killed
restore.restore(pathlib.Path(r"{}"))
"""


def test_a_killed_restore_blocks_everything_until_it_is_started_again(place: Path) -> None:
    first = product(place / "a")
    run_command(first, "prepare", "--no-samples")
    run_command(first, "backup", str(place / "backup"))
    second = empty(place / "b")
    assert second.command("shell", "--no-imports", "-c", KILLED.format(place / "backup")).returncode == 9
    assert {"kgbuilder.sqlite3", "restore-unfinished.json", "secret_key"} <= set(held(place / "b"))
    for command in ("prepare", "up", "check_record"):
        ended = second.command(command)
        assert ended.returncode == 1 and "begin it again with" in ended.stderr, ended.stderr
    (place / "b" / "restore-unfinished.json").write_text("")  # one that was killed while it was written
    assert "posts of" in run_command(second, "restore", str(place / "backup"))
    assert "restore-unfinished.json" not in held(place / "b")
    assert run_command(second, "prepare", "--no-samples")


@pytest.mark.postgres
def test_postgresql_restores_table_by_table(place: Path) -> None:
    import psycopg

    server = urlsplit(os.environ["TEST_DATABASE_URL"])
    names = [f"kg_backup_{os.getpid()}_{part}" for part in "ab"]
    with psycopg.connect(server._replace(path="/postgres").geturl(), autocommit=True) as link:
        try:
            for name in names:
                link.execute(f"CREATE DATABASE {name}")
            addresses = [server._replace(path=f"/{name}").geturl() for name in names]
            _there_and_back(place, *addresses)
        finally:
            for name in names:
                link.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _there_and_back(place: Path, here: str, there: str) -> None:
    first, second = product(place / "a", DATABASE_URL=here), empty(place / "b", DATABASE_URL=there)
    run_command(first, "prepare", "--no-samples")
    script(first, FILL)
    (place / "backup").mkdir(mode=0o755)
    run_command(first, "backup", str(place / "backup"))
    assert others_see(place / "backup") == []
    (place / "b" / "media").mkdir()
    (place / "b" / "media" / "other.jpg").write_text("another's")
    refused(second, place / "backup", "holds media already")
    shutil.rmtree(place / "b" / "media")
    _break_off(second, place / "backup", there)
    run_command(second, "restore", str(place / "backup"))
    stored = script(second, DUMP)
    assert stored == script(first, DUMP) and "Zo\u00eb" in stored and "\\t" in stored
    assert script(second, "print(Post.objects.create(published_at=now, seen_at=now).pk > 2)").strip() == "True"
    assert script(second, "from extraction.posts.search import search; print(search('storm').count())").strip() == "1"
    refused(second, place / "backup", "tables already")


def _break_off(made: Product, backup: Path, address: str) -> None:
    """A table that is as it was written and cannot be read in: database and folder are empty again."""
    import psycopg

    stored = (backup / "manifest.json").read_text()
    table = backup / "tables" / "knowledge_projection.gz"
    kept = table.read_bytes()
    table.write_bytes(gzip.compress(b"no row\n"))
    files = json.loads(stored)["files"] | {
        str(table.relative_to(backup)): hashlib.sha256(table.read_bytes()).hexdigest()
    }
    (backup / "manifest.json").write_text(json.dumps(json.loads(stored) | {"files": files}))
    assert made.command("restore", str(backup)).returncode == 1
    assert set(held(made.folder)) <= {"version.json"}
    with psycopg.connect(address) as link:
        assert link.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    table.write_bytes(kept)
    (backup / "manifest.json").write_text(stored)


IMPORTS = """
from django.utils import timezone
from extraction.models import *
from knowledge.models import *
from django.contrib.auth.models import Group
now = timezone.now()
"""
FILL = """
from extraction.posts.versions import new_version
for n in range(2):
    post = Post.objects.create(link=f"https://news.example/{n}", published_at=now, seen_at=now)
    new_version(post, "Storm" if n else "Calm", "Zo\u00eb said:\\ta tab, a \\\\ and\\na line 😀.", "page")
Projection.objects.create(store="rdf", kind="post", key=post.public_id, done=1)
"""
DUMP = """
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
