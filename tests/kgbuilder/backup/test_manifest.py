"""A backup comes from outside: nothing in it is trusted that its manifest does not list, and no link is followed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kgbuilder.backup import manifest
from kgbuilder.backup.manifest import BackupError, BackupManifest


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    folder = tmp_path / "backup"
    (folder / "data" / "media").mkdir(parents=True)
    (folder / "data" / "media" / "aa.jpg").write_text("a picture")
    (tmp_path / "secret").write_text("another's")
    made = BackupManifest("1.0", "2026-01-01T00:00:00Z", "sqlite", [["extraction", "0001_initial"]], {"data": "/x"})
    manifest.write(folder, made)
    return folder


def test_what_was_written_is_read(backup: Path) -> None:
    assert list(manifest.read(backup).files) == ["data/media/aa.jpg"]


def link_in_place_of_a_file(folder: Path) -> None:
    (folder / "data" / "media" / "aa.jpg").unlink()
    (folder / "data" / "media" / "aa.jpg").symlink_to(folder.parent / "secret")


def unlisted_link(folder: Path) -> None:
    (folder / "data" / "media" / "bb.jpg").symlink_to(folder.parent / "secret")


def linked_folder(folder: Path) -> None:
    (folder / "data" / "checkpoints").symlink_to(folder.parent, target_is_directory=True)


def dangling_link(folder: Path) -> None:
    (folder / "data" / "cc").symlink_to(folder / "nothing")


def link_to_the_listed_file(folder: Path) -> None:
    (folder / "data" / "media" / "dd.jpg").symlink_to(folder / "data" / "media" / "aa.jpg")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "data" / "pipe")


def unlisted_file(folder: Path) -> None:
    (folder / "data" / "extra.txt").write_text("unlisted")


@pytest.mark.parametrize(
    "change",
    [
        link_in_place_of_a_file,
        unlisted_link,
        linked_folder,
        dangling_link,
        link_to_the_listed_file,
        fifo,
        unlisted_file,
    ],
)
def test_links_and_unlisted_files_are_refused(backup: Path, change: Callable[[Path], None]) -> None:
    change(backup)
    with pytest.raises(BackupError, match="not as it was written"):
        manifest.read(backup)


@pytest.mark.parametrize("content", ["[]", "3", '"x"', "null", "{}", "[" * 100_000, "\x00", '{"format": 1}', "{"])
def test_a_manifest_of_another_shape_is_refused_with_a_sentence(backup: Path, content: str) -> None:
    (backup / "manifest.json").write_text(content)
    with pytest.raises(BackupError, match=r"manifest\.json"):
        manifest.read(backup)


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"files": []},
        {"files": {"a": 1}},
        {"roots": None},
        {"migrations": [["extraction"]]},
        {"migrations": {"a": "b"}},
        {"columns": {"t": "abc"}},
        {"posts": "3"},
        {"posts": True},
        {"vendor": 3},
        {"format": "1"},
        {"program": None},
    ],
)
def test_each_value_of_a_manifest_is_checked(backup: Path, change: dict[str, Any]) -> None:
    stored = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(stored | change))
    with pytest.raises(BackupError, match=next(iter(change))):
        manifest.read(backup)


def test_a_listed_path_outside_the_backup_is_refused(backup: Path) -> None:
    stored = json.loads((backup / "manifest.json").read_text())
    stored["files"]["../secret"] = manifest.digest(backup.parent / "secret")
    (backup / "manifest.json").write_text(json.dumps(stored))
    with pytest.raises(BackupError, match="damaged"):
        manifest.read(backup)
