"""The manifest of a backup: `manifest.json`, written last, so that an incomplete backup has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

FORMAT = 1
NAME = "manifest.json"


class BackupError(Exception):
    """A backup or a restore is impossible; the message gives the reason and what to do."""


@dataclass(slots=True)
class BackupManifest:
    """`files`: SHA-256 by path in the backup. `roots`: where paths in the database began, by name (see `paths.py`).
    `migrations`: (app, name) that had been applied. `columns`: by table, of a database that was copied by table.
    """

    program: str
    made_at: str
    vendor: str
    migrations: list[list[str]]
    roots: dict[str, str]
    posts: int = 0
    columns: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


def write(folder: Path, manifest: BackupManifest) -> None:
    manifest.files = {str(path.relative_to(folder)): digest(path) for path in _files(folder)}
    draft = folder / f"{NAME}.draft"
    draft.write_text(json.dumps(asdict(manifest), indent=1))
    draft.replace(folder / NAME)


def read(folder: Path) -> BackupManifest:
    """The manifest of a whole and undamaged backup. Raises BackupError."""
    try:
        content = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        raise BackupError(f"{folder} holds no whole backup: it has no {NAME}, which is written last.") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder / NAME} cannot be read: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int) or content["format"] > FORMAT:
        raise BackupError(
            f"{folder} was made by a newer kgbuilder ({content.get('program', '?')}). Restore it with that."
        )
    manifest = BackupManifest(**content)
    damaged = [name for name, known in manifest.files.items() if not _sound(folder, name, known)]
    if damaged:
        raise BackupError(f"The backup is damaged: {', '.join(damaged[:3])} ({len(damaged)} files) are not as written.")
    return manifest


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sound(folder: Path, name: str, known: str) -> bool:
    path = (folder / name).resolve()
    return path.is_relative_to(folder.resolve()) and path.is_file() and digest(path) == known


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
