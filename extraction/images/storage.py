"""Fetch pictures, identify them by their content, and store re-encoded copies.

The bytes of publishers are never stored or served: a picture is decoded within limits and encoded again as JPEG,
upright and with three channels, so that no hidden payload and no location in its metadata is copied. The limits are
checked with the header, before a pixel is decoded, so a file that declares 50,000 x 50,000 pixels costs nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from extraction.crawler import http_client

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 15 << 20
MAX_PIXELS = 50_000_000  # of a JPEG, which is decoded at a fraction of its size
MAX_PIXELS_WHOLE = 25_000_000  # of others, which are decoded whole: 100 MB at most
MAX_SCANS = 100  # of a progressive JPEG; cameras and editors write about ten, each costs a pass over all pixels
SMALLEST = 64  # pixels a side; smaller ones are logos and tracking pixels
LARGEST = 1600  # pixels of the kept copy's longer side
THUMBNAIL = 320
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
ACCEPT = "image/jpeg,image/png,image/webp;q=0.9,image/gif;q=0.8"
HASH_SIDE = 8
ALIKE = 3  # bits of 64 in which the hashes of one photograph, scaled and compressed by two publishers, may differ
FLAT = 3.0  # grey levels; a picture whose small copy varies less looks like any other plain surface

_ORIENTATION = 0x0112
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF's orientation: Image.Transpose
_SCAN = b"\xff\xda"
_OTHERS = (
    (b"<svg", "an SVG drawing, which can carry programs"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"%pdf", "a PDF document"),
    (b"ftypavif", "an AVIF picture, which is not supported"),
    (b"ftyphei", "a HEIF picture, which is not supported"),
    (b"ftypmif1", "a HEIF picture, which is not supported"),
    (b"ii*\x00", "a TIFF picture, which is not supported"),
    (b"mm\x00*", "a TIFF picture, which is not supported"),
    (b"\x00\x00\x01\x00", "an icon"),
)


class NotAPicture(ValueError):
    """The content cannot be kept as a picture; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A kept copy: `file` and `thumbnail` under the media folder, the copy's size in pixels, the SHA-256 of what was
    fetched, and its perceptual hash ("" for a plain surface)."""

    file: str
    width: int
    height: int
    sha256: str
    media_type: str = "image/jpeg"
    thumbnail: str = ""
    look: str = ""


def fetch_picture(url: str, media: Path, check_redirect: Callable[[str], None] | None = None) -> Picture:
    """Fetch and keep the picture at `url`. Raises FetchError, NotAPicture, and what `check_redirect` raises."""
    return keep(http_client.get(url, accept=ACCEPT, max_bytes=MAX_BYTES, check_redirect=check_redirect).content, media)


def keep(content: bytes, media: Path) -> Picture:
    """Write copies of a picture under `media`, named by the hash of its bytes: the same picture is kept once."""
    digest = hashlib.sha256(content).hexdigest()
    upright = decoded(content)
    name = f"pictures/{digest[:2]}/{digest}"
    file, thumbnail = f"{name}.jpg", f"{name}-{THUMBNAIL}.jpg"
    _write(media / file, _jpeg(upright))
    small = upright.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    _write(media / thumbnail, _jpeg(small))
    return Picture(file, upright.width, upright.height, digest, thumbnail=thumbnail, look=look_of(upright))


def decoded(content: bytes) -> Image.Image:
    """The picture upright in RGB, at most LARGEST pixels a side; of an animated one the first frame. NotAPicture."""
    from PIL import Image, UnidentifiedImageError

    _check_kind(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as found:
                _check_size(found.format, *found.size)
                if found.format == "JPEG" and content.count(_SCAN) > MAX_SCANS:
                    raise NotAPicture(
                        f"The picture is stored in more than {MAX_SCANS} passes: decoding would take too long."
                    )
                found.draft("RGB", (LARGEST, LARGEST))  # a large JPEG is decoded at a fraction of its size
                turn = _TURNS.get(found.getexif().get(_ORIENTATION, 1))
                flat = _flat(found)
                flat.thumbnail((LARGEST, LARGEST))
                return flat if turn is None else flat.transpose(Image.Transpose(turn))
    except NotAPicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotAPicture(f"The picture declares more pixels than the limit of {MAX_PIXELS:,}.") from error
    except UnidentifiedImageError as error:
        raise NotAPicture("This is not a supported picture: JPEG, PNG, WebP and GIF are supported.") from error
    except (OSError, ValueError, SyntaxError, struct.error, MemoryError) as error:
        raise NotAPicture(f"This picture cannot be decoded ({str(error)[:100]}).") from error


def look_of(picture: Image.Image) -> str:
    """A difference hash (Krawetz, 2013), 16 hexadecimal digits: whether each of 8 x 8 places is lighter than the one to
    its right. Photographs that differ by scale and compression have hashes that differ in few bits; "": too plain."""
    from PIL import Image, ImageStat

    small = picture.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX)
    if ImageStat.Stat(small).stddev[0] < FLAT:
        return ""
    levels = small.tobytes()
    bits = 0
    for row in range(HASH_SIDE):
        for column in range(HASH_SIDE):
            at = row * (HASH_SIDE + 1) + column
            bits = bits << 1 | (levels[at] > levels[at + 1])
    return f"{bits:016x}"


def look_alike(one: str, other: str) -> bool:
    """Whether two pictures' hashes are those of one photograph."""
    return bool(one and other) and (int(one, 16) ^ int(other, 16)).bit_count() <= ALIKE


def _check_kind(content: bytes) -> None:
    """Raise NotAPicture for content of another known kind, which the message names."""
    if not content:
        raise NotAPicture("The file is empty.")
    beginning = content[:1000].lstrip().lower()
    drawing = b"<svg" in beginning and beginning.startswith(b"<")
    for mark, kind in _OTHERS:
        if beginning.startswith(mark) or beginning[4:].startswith(mark) or (mark == b"<svg" and drawing):
            raise NotAPicture(f"This is {kind}; JPEG, PNG, WebP and GIF are supported.")


def _check_size(kind: str | None, width: int, height: int) -> None:
    most = MAX_PIXELS if kind == "JPEG" else MAX_PIXELS_WHOLE
    if width * height > most:
        raise NotAPicture(f"The picture has {width} × {height} pixels; at most {most:,} are supported.")
    if min(width, height) < SMALLEST:
        raise NotAPicture(f"The picture has {width} × {height} pixels: too small to show anything.")


def _flat(picture: Image.Image) -> Image.Image:
    """The picture with three channels of eight bits, transparency on white."""
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits a pixel, which convert() would cut off at 255
        picture = picture.convert("I").point(lambda level: level / 257).convert("L")
    if picture.mode in ("RGB", "L", "CMYK", "YCbCr") and "transparency" not in picture.info:
        return picture.convert("RGB")
    flat = Image.new("RGB", picture.size, "white")
    with_alpha = picture.convert("RGBA")
    flat.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return flat


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    clean = picture.copy()
    clean.info.clear()  # else comments and profiles would be written too
    clean.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a draft and rename it, so that a killed worker leaves no half picture."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".draft")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(draft).replace(path)
