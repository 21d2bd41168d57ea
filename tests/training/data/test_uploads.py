"""Uploads on disk: what is deleted, and archives that cannot be unpacked."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from training.data import uploads


@pytest.fixture
def data(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    (settings.DATA_DIR / "datasets" / "one" / "conll04").mkdir(parents=True)
    (tmp_path / "elsewhere" / "photographs").mkdir(parents=True)
    return tmp_path


def test_an_upload_is_deleted_and_nothing_else(data: Path) -> None:
    folder = data / "data" / "datasets"
    (folder / "link").symlink_to(data / "elsewhere", target_is_directory=True)
    wrong = (data / "elsewhere", folder, folder.parent, folder / "one" / "..", folder / "link", Path("/"), Path())
    for root in (*wrong, folder / ".." / ".." / "elsewhere", folder / "one" / "conll04"):
        uploads.delete(root)
    assert (data / "elsewhere" / "photographs").is_dir() and (folder / "one" / "conll04").is_dir()
    uploads.delete(folder / "one")
    assert not (folder / "one").exists() and folder.is_dir()


@dataclass
class Sent:
    name: str
    file: IO[bytes]
    size: int = 1000


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_refused_with_a_sentence(data: Path, method: int) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("train.txt", b"a text that is long enough to be compressed " * 100)
    content = bytearray(whole.getvalue())
    content[48:90] = bytes(reversed(range(42)))
    with pytest.raises(uploads.UploadRefused, match="cannot be read"):
        uploads.take_in([Sent("a.zip", io.BytesIO(content))], "conll04", data / "data" / "datasets" / "two", 1)
    assert not (data / "data" / "datasets" / "two").exists()
