"""Restores a backup into an empty DATA_DIR and an empty database. The graphs are projected again at the next start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.utils import timezone

from extraction.models import Leased
from kgbuilder.backup import database, manifest, paths
from kgbuilder.backup.create import FILES, SECRETS
from kgbuilder.backup.manifest import BackupError, BackupManifest
from kgbuilder.install import data_folder
from kgbuilder.models import Heartbeat
from knowledge.models import Projection, ProjectorLock

# What another process, or the file system itself, may have left in an otherwise unused folder.
MAY_BE_THERE = ("run", "log", "static", "weights", "backups", "lost+found", data_folder.MARK, data_folder.UNFINISHED)


def restore(folder: Path) -> BackupManifest:
    """Raises BackupError or NewerData with nothing changed. After any other error folder and database are as empty as
    before, so that it can be tried again; the remains of a killed restore are deleted first."""
    backup = manifest.read(folder)
    target = Path(settings.DATA_DIR)
    _take_out_unfinished(target)
    database.check(backup)
    _check_empty(target)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    data_folder.check_and_mark(target)
    with _marked_unfinished(target), _files(folder / FILES, target), database.whole_or_empty():
        database.restore(folder, backup)
        paths.move(backup.roots)
        _begin_anew()
    connection.close()
    return backup


def _database() -> str:
    return str(connection.settings_dict["NAME"])


def _take_out_unfinished(target: Path) -> None:
    """Empties a folder that a killed restore had begun to fill, and deletes the SQLite file that it named: no other."""
    mark = target / data_folder.UNFINISHED
    if not mark.is_file():
        return
    for path in target.iterdir():
        if path.name not in MAY_BE_THERE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        named = json.loads(mark.read_text())["database"]
    except ValueError:  # killed while it wrote the mark: nothing else was written
        named = ""
    if connection.vendor == "sqlite" and named == _database():
        database.remove_file()
    mark.unlink()


@contextmanager
def _marked_unfinished(target: Path) -> Iterator[None]:
    mark = target / data_folder.UNFINISHED
    mark.write_text(json.dumps({"database": _database()}))
    try:
        yield
    finally:
        mark.unlink()


def _check_empty(target: Path) -> None:
    """On PostgreSQL the database may be empty while the folder holds another installation's pictures and its key."""
    present = sorted({path.name for path in target.iterdir()} - {*MAY_BE_THERE}) if target.exists() else []
    # an empty file is what a connection leaves that found no database
    present = [name for name in present if not _is_empty_database(target / name)]
    if present:
        more = ", …" if len(present) > 3 else ""
        raise BackupError(
            f"{target} holds {', '.join(present[:3])}{more} already. Restore into an empty DATA_DIR, or move them away "
            "first."
        )


def _is_empty_database(path: Path) -> bool:
    return str(path) == _database() and path.stat().st_size == 0


@contextmanager
def _files(source: Path, target: Path) -> Iterator[None]:
    """The files of a backup in `target` for the block and after it, unless they or the block fail."""
    before = {path.name for path in target.iterdir()}
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
        for name in SECRETS:
            if (target / name).is_file():
                (target / name).chmod(0o600)
        yield
    except BaseException:
        for path in target.iterdir():
            if path.name not in before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _begin_anew() -> None:
    """Releases the leases of the former installation's processes, and marks everything as stale in the graphs."""
    for model in apps.get_models():
        if issubclass(model, Leased):
            model._default_manager.exclude(lease_token="").update(lease_token="", lease_until=None)
    Heartbeat.objects.all().delete()
    ProjectorLock.objects.all().delete()
    Projection.objects.update(done=0, attempts=0, error="", due_at=timezone.now())
