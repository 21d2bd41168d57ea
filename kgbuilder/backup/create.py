"""Creates a backup while the product runs: the database first, then the files that its rows may name."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from django.conf import settings
from django.db import connection

from extraction.models import Post
from kgbuilder import VERSION
from kgbuilder.backup import database, manifest, paths
from kgbuilder.backup.manifest import BackupError, BackupManifest
from kgbuilder.install import data_folder
from knowledge.linking import linker_from_settings

FILES = "data"
# What is made again, belongs to running processes, or is the database itself.
NOT_COPIED = ("graph", "graph-snapshots", "broker", "run", "log", "static", "backups", "weights")
SECRETS = ("secret_key",)
# A small index of Wikidata is included: an operator expects a restored installation to link as before. A large one
# would make every night's backup many times the record's size, and can be built again from a dump.
LARGEST_INDEX = 1 << 30


def make(folder: Path, with_index: bool = False) -> BackupManifest:
    """Creates a backup in `folder`, which must be empty or not exist. Raises BackupError and OSError.

    `with_index`: include the index of Wikidata however large it is.
    """
    folder = folder.resolve()
    if folder.is_relative_to(Path(settings.DATA_DIR).resolve()):
        raise BackupError(f"{folder} lies in DATA_DIR. A backup belongs elsewhere, best on another disk.")
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty. Name a new folder for each backup.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)  # also of an existing folder, before anything is written
    made = BackupManifest(
        program=VERSION,
        made_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        vendor=connection.vendor,
        migrations=[list(name) for name in sorted(data_folder.applied())],
        roots=paths.roots(),
        posts=Post.objects.count(),
    )
    database.save(folder, made)
    _copy_data(folder / FILES)
    if linker_from_settings.index_path().is_file() and (with_index or not index_left_out()):
        shutil.copy2(linker_from_settings.index_path(), folder / FILES / linker_from_settings.index_path().name)
    for digest, path in paths.strays().items():
        shutil.copytree(path, folder / FILES / paths.CHECKPOINTS / digest, dirs_exist_ok=True)
    manifest.write(folder, made)
    _close(folder)
    return made


def _close(folder: Path) -> None:
    """Makes the files readable by the owner alone: the folder's mode does not protect files that are moved."""
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def index_left_out() -> int:
    """The size of an index that is left out by default, in bytes; 0 where there is none so large."""
    path = linker_from_settings.index_path()
    size = path.stat().st_size if path.is_file() else 0
    return size if size > LARGEST_INDEX else 0


def _copy_data(target: Path) -> None:
    """DATA_DIR's folders and its secrets. A file that is deleted meanwhile (an erased picture) is left out."""
    target.mkdir()
    for path in sorted(Path(settings.DATA_DIR).iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name.partition(".damaged-")[0] not in NOT_COPIED:
            _copy_tree(path, target / path.name)
        elif path.name in SECRETS:
            shutil.copy2(path, target / path.name)


def _copy_tree(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for path in sorted(source.iterdir()):
        try:
            if path.is_symlink():
                continue
            if path.is_dir():
                _copy_tree(path, target / path.name)
            elif path.is_file() and path.suffix != ".draft":
                shutil.copy2(path, target / path.name)
        except FileNotFoundError:
            continue
