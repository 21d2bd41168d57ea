"""Data sets' files on disk: uploads, and the folders of DATASETS_DIR. Nothing that comes from outside is trusted.

An upload is one zip or some files. Only kinds of files that loaders read are kept, under names of our own making or
checked ones, counted and measured while they are unpacked: what an archive states of itself is not believed.
"""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from django.conf import settings

from extraction.datasets.folders import folder_of

KINDS = {".txt", ".json", ".jsonl", ".csv", ".tsv", ".conll", ".xml", ".md", ".jpg", ".jpeg", ".png", ".gif", ".webp"}
KINDS |= {".zip", ".npz", ".pth"}  # GMNER's boxes, MORE's; their loaders read plain values and refuse code
MOST_FILES = 50_000
UNPACKED = 4  # times the largest upload
BLOCK = 1 << 20
_NAME = re.compile(r"[\w .()+,=@~-]{1,150}")


class UploadRefused(Exception):
    """The upload is no data set, or too large; the message states what to send instead."""


class UploadedFile(Protocol):
    """A file that was uploaded, as Django gives it."""

    name: str
    size: int
    file: IO[bytes]


@dataclass
class UnpackedFiles:
    """Counts of the unpacked files; `left_out` are files of kinds that no loader reads."""

    files: int = 0
    size: int = 0
    left_out: list[str] = field(default_factory=list)


def take_in(files: Iterable[UploadedFile], format: str, root: Path, most_mb: int) -> UnpackedFiles:
    """Stores an upload under `root` as its loader expects it. Raises UploadRefused, with `root` deleted again."""
    sent = list(files)
    if not sent:
        raise UploadRefused("Choose a zip archive, or the files of the data set.")
    if sum(one.size for one in sent) > most_mb * 1_000_000:
        raise UploadRefused(
            f"That is more than {most_mb} MB. Leave the pictures out, raise DATASET_MB, or use DATASETS_DIR."
        )
    draft, unpacked = root / "draft", UnpackedFiles()
    try:
        draft.mkdir(parents=True)
        if len(sent) == 1 and sent[0].name.lower().endswith(".zip"):
            _unpack(sent[0], draft, unpacked, UNPACKED * most_mb * 1_000_000)
        else:
            for one in sent:
                _copy(one.file, _target(draft, PurePosixPath(one.name).name, unpacked), unpacked, most_mb * 1_000_000)
        if not unpacked.files:
            kinds = ", ".join(sorted(KINDS))
            raise UploadRefused(f"It contains no data set files ({kinds}).")
        _innermost(draft).rename(root / folder_of(format))
        shutil.rmtree(draft, ignore_errors=True)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return unpacked


def folder() -> Path:
    """Where uploads are kept, each in a folder of its own."""
    return Path(settings.DATA_DIR).resolve() / "datasets"


def delete(root: Path) -> None:
    """Deletes an upload. A root elsewhere is left alone: the database may come from another machine's backup."""
    if not root.is_symlink() and root.resolve().parent == folder():
        shutil.rmtree(root, ignore_errors=True)


def _unpack(sent: UploadedFile, draft: Path, unpacked: UnpackedFiles, most: int) -> None:
    try:
        with zipfile.ZipFile(sent.file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES:
                raise UploadRefused(f"The archive holds more than {MOST_FILES} files.")
            for entry in entries:
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise UploadRefused(f"{entry.filename[:100]!r} is a link; a data set is made of plain files.")
                if entry.flag_bits & 1:
                    raise UploadRefused("The archive is encrypted. Upload it without a password.")
                target = _target(draft, entry.filename, unpacked)
                if target is not None:
                    with archive.open(entry) as file:
                        _copy(file, target, unpacked, most)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,
    ) as error:
        raise UploadRefused(f"The zip archive cannot be read: {error}. Create it again.") from error
    except OSError as error:
        if error.errno is not None:  # the disk's; bz2 reports damage as one without a number
            raise
        raise UploadRefused(f"The zip archive cannot be read: {error}. Create it again.") from error


def _target(draft: Path, name: str, unpacked: UnpackedFiles) -> Path | None:
    """Where a file of this name goes; None where it is of no kind that is read. Raises UploadRefused."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or any(part == ".." or not _NAME.fullmatch(part) for part in path.parts):
        raise UploadRefused(f"{name[:100]!r} cannot be the name of a data set's file.")
    if path.suffix.lower() not in KINDS or path.name.startswith(".") or "__MACOSX" in path.parts:
        unpacked.left_out.append(name[:200])
        return None
    target = draft.joinpath(*path.parts)
    if target.exists():
        raise UploadRefused(f"There are two files named {name[:100]!r}.")
    return target


def _copy(source: IO[bytes], target: Path | None, unpacked: UnpackedFiles, most: int) -> None:
    if target is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while block := source.read(BLOCK):
            unpacked.size += len(block)
            if unpacked.size > most:
                raise UploadRefused(f"Unpacked it is more than {most // 1_000_000} MB.")
            file.write(block)
    unpacked.files += 1


def _innermost(folder: Path) -> Path:
    """The folder inside which files, or several folders, stand: archives often wrap theirs in one more."""
    while len(inside := list(folder.iterdir())) == 1 and inside[0].is_dir():
        folder = inside[0]
    return folder


def offered(parent: Path | None, formats: Iterable[str]) -> list[tuple[str, str]]:
    """(format, folder relative to `parent`) of what lies in DATASETS_DIR, or one folder further down."""
    if parent is None or not parent.is_dir():
        return []
    known, found = sorted(formats), []
    roots = [parent, *sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))]
    for root in roots:
        for format in known:
            if (root / folder_of(format)).is_dir():
                found.append((format, "." if root == parent else root.name))
    return found
