"""A post's picture: fetched, known by its content, and kept as a copy of our own making.

What publishers send is never stored or served: a picture is decoded within limits and written anew as JPEG, so that
neither a hidden payload nor a location in its metadata comes along.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from extraction import fetch

MAX_BYTES = 15 << 20
MAX_PIXELS = 50_000_000
SMALLEST = 64  # pixels a side; smaller ones are logos and tracking dots
LARGEST = 1600  # pixels of the kept copy's longer side
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
ACCEPT = "image/jpeg,image/png,image/webp;q=0.9,image/gif;q=0.8"


class NotAPicture(ValueError):
    """The content cannot be kept as a picture; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A kept copy: `file` under the media folder, its size in pixels, the SHA-256 of what was fetched."""

    file: str
    width: int
    height: int
    sha256: str
    media_type: str = "image/jpeg"


def fetch_picture(url: str, media: Path) -> Picture:
    """Fetch and keep the picture at `url`. Raises FetchError and NotAPicture."""
    return keep(fetch.get(url, accept=ACCEPT, max_bytes=MAX_BYTES).content, media)


def keep(content: bytes, media: Path) -> Picture:
    """Write a copy of a picture under `media`, named by what was fetched: the same one twice is kept once."""
    digest = hashlib.sha256(content).hexdigest()
    copy, width, height = _copied(content)
    file = f"pictures/{digest[:2]}/{digest}.jpg"
    _write(media / file, copy)
    return Picture(file, width, height, digest)


def _copied(content: bytes) -> tuple[bytes, int, int]:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as found:
                _check(*found.size)
                found.draft("RGB", (LARGEST, LARGEST))  # a large JPEG is decoded at a fraction of its size
                upright = ImageOps.exif_transpose(found)
                upright.thumbnail((LARGEST, LARGEST))
                return _jpeg(upright), upright.width, upright.height
    except NotAPicture:
        raise
    except (
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        MemoryError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise NotAPicture(f"This is no picture that can be read ({str(error)[:100]}).") from error


def _check(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise NotAPicture(f"The picture has {width} × {height} pixels; at most {MAX_PIXELS:,} are read.")
    if min(width, height) < SMALLEST:
        raise NotAPicture(f"The picture has {width} × {height} pixels: too small to show anything.")


def _jpeg(picture: object) -> bytes:
    from PIL import Image

    assert isinstance(picture, Image.Image)
    flat = Image.new("RGB", picture.size, "white")
    with_alpha = picture.convert("RGBA")
    flat.paste(with_alpha, mask=with_alpha.getchannel("A"))
    written = io.BytesIO()
    flat.save(written, "JPEG", quality=85, optimize=True)
    return written.getvalue()


def _write(path: Path, content: bytes) -> None:
    """A draft that is renamed: a killed worker leaves no half picture."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".draft")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).replace(path)
