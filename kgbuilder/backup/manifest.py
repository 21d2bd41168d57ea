"""The manifest of a backup: `manifest.json`, written last, so that an incomplete backup has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
    except (OSError, ValueError, RecursionError) as error:
        raise BackupError(f"{folder / NAME} cannot be read: {error}") from error
    manifest = _parsed(content, folder)
    _check_files(folder, manifest)
    damaged = [name for name, known in manifest.files.items() if not _sound(folder, name, known)]
    if damaged:
        raise BackupError(f"The backup is damaged: {', '.join(damaged[:3])} ({len(damaged)} files) are not as written.")
    return manifest


def _parsed(content: Any, folder: Path) -> BackupManifest:
    """The manifest in `content`, which comes from outside. Raises BackupError."""
    if isinstance(content, dict) and isinstance(content.get("format"), int) and content["format"] > FORMAT:
        program = str(content.get("program", "?"))[:50]
        raise BackupError(f"{folder} was made by a newer kgbuilder ({program}). Restore it with that.")
    wrong = [key for key, fits in _SHAPES.items() if not fits(content.get(key))] if isinstance(content, dict) else ["{"]
    unknown = sorted(map(str, content.keys() - _SHAPES.keys())) if isinstance(content, dict) else []
    if wrong or unknown:
        raise BackupError(
            f"{folder / NAME} is no manifest of a backup: {', '.join([*wrong, *unknown])[:200]} is missing, wrong or "
            "unknown."
        )
    return BackupManifest(**content)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


# What each value of a manifest must be.
_SHAPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("program", "made_at", "vendor"), lambda value: isinstance(value, str)),
    "migrations": lambda value: isinstance(value, list) and all(_names(one) and len(one) == 2 for one in value),
    "columns": lambda value: isinstance(value, dict) and all(_names(one) for one in value.values()),
    **dict.fromkeys(("roots", "files"), _texts),
    **dict.fromkeys(("posts", "format"), lambda value: type(value) is int),
}


def _check_files(folder: Path, manifest: BackupManifest) -> None:
    """Require that the folder holds plain files that the manifest lists, in plain folders, and nothing else: a link
    would bring in a file of this machine."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise BackupError(f"The backup is not as it was written: {name} is a link or no plain file. Remove it.")
        if path.is_file() and name != NAME and name not in manifest.files:
            raise BackupError(f"The backup is not as it was written: {name} is not in its {NAME}. Remove the file.")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sound(folder: Path, name: str, known: str) -> bool:
    path = (folder / name).resolve()
    return path.is_relative_to(folder.resolve()) and path.is_file() and digest(path) == known


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
