"""Restores a backup into an empty DATA_DIR and an empty database. The graphs are written anew once the product runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.utils import timezone

from extraction.models import Leased
from kgbuilder import data_folder
from kgbuilder.backup import database, manifest, paths
from kgbuilder.backup.making import FILES, SECRETS
from kgbuilder.backup.manifest import BackupError, Manifest
from kgbuilder.models import Heartbeat
from knowledge.models import Projection, ProjectorLock


def restore(folder: Path) -> Manifest:
    """Raises BackupError with nothing changed, or OSError."""
    told = manifest.read(folder)
    target = Path(settings.DATA_DIR)
    database.check_empty()
    if (target / "graph").exists():
        raise BackupError(f"{target} holds a graph already. Restore into an empty DATA_DIR.")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    data_folder.check_and_mark(target)
    shutil.copytree(folder / FILES, target, dirs_exist_ok=True)
    for name in SECRETS:
        if (target / name).is_file():
            (target / name).chmod(0o600)
    database.restore(folder, told)
    paths.move(told.roots)
    _begin_anew()
    connection.close()
    return told


def _begin_anew() -> None:
    """No process of the former life holds anything, and every unit of a graph is to be written."""
    for model in apps.get_models():
        if issubclass(model, Leased):
            model._default_manager.exclude(lease_token="").update(lease_token="", lease_until=None)
    Heartbeat.objects.all().delete()
    ProjectorLock.objects.all().delete()
    Projection.objects.update(done=0, attempts=0, error="", due_at=timezone.now())
