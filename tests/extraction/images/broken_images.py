"""A folder of pictures as they should not be sent, made anew for each test: nothing of it lies in the repository."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

SECRET = b"<script>alert('polyglot')</script>"
WIDTH, HEIGHT = 160, 120


@dataclass(frozen=True)
class Broken:
    """`size`: of the kept copy, None where it is to be declined, with `why` in the sentence."""

    name: str
    content: bytes
    size: tuple[int, int] | None = None
    why: str = ""


def scene(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Red in the upper left quarter, blue in the lower right one, grey shades elsewhere."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([(x * 255 // width + y * 128 // height) // 2] * 3, axis=2).astype(np.uint8)
    pixels[: height // 2, : width // 2] = (220, 20, 20)
    pixels[height // 2 :, width // 2 :] = (20, 20, 220)
    return Image.fromarray(pixels)


def written(picture: Image.Image, kind: str, **options: object) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **options)
    return made.getvalue()


def png_declaring(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG with this size in its header, whose data is `data` (compressed rows)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A PNG with a comment that unpacks to 200 MB."""
    content = written(scene(), "PNG")
    body = b"Comment\x00\x00" + zlib.compress(b" " * 200_000_000, 9)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    return content[:33] + chunk + content[33:]


def many_scans() -> bytes:
    """A progressive JPEG that repeats its last scan three hundred times."""
    content = written(scene(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 300 + b"\xff\xd9"


def rotated(orientation: int) -> bytes:
    """A photograph held upright: stored lying, to be turned by its EXIF tag. Its shown size is HEIGHT x WIDTH."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return written(scene(), "JPEG", exif=exif, quality=95)


def polyglot() -> bytes:
    """A JPEG that is a zip archive too, and that a careless browser takes for a page."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("page.html", SECRET)
    return written(scene(), "JPEG", comment=SECRET, quality=95) + SECRET + archive.getvalue()


def animated() -> bytes:
    return written(scene(), "GIF", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))] * 3, duration=100)


def sixteen_bits() -> bytes:
    levels = (np.asarray(scene().convert("L"), np.uint16) * 257).astype(np.uint16)
    return written(Image.fromarray(levels), "PNG")


def broken_pictures() -> list[Broken]:
    jpeg, size = written(scene(), "JPEG"), (WIDTH, HEIGHT)
    return [
        Broken("truncated.jpg", jpeg[: len(jpeg) // 2], why="picture cannot be decoded"),
        Broken("zero-bytes.jpg", b"", why="empty"),
        Broken("wrong-extension.gif", jpeg, size),
        Broken("page.jpg", b"<!DOCTYPE html><html><body>Not found</body></html>", why="a web page"),
        Broken(
            "drawing.png", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', why="an SVG drawing"
        ),
        Broken("huge.png", png_declaring(50_000, 50_000), why="more pixels"),
        Broken("bomb.png", png_declaring(30_000, 30_000, zlib.compress(bytes(30_000_000), 9)), why="more pixels"),
        Broken("large-for-png.png", png_declaring(6_000, 6_000, b""), why="at most 25,000,000"),
        Broken("text-bomb.png", text_bomb(), why="picture cannot be decoded"),
        Broken("many-scans.jpg", many_scans(), why="passes"),
        Broken("one-pixel.png", written(Image.new("RGB", (1, 1)), "PNG"), why="too small"),
        Broken("animated.gif", animated(), size),
        Broken("cmyk.jpg", written(scene().convert("CMYK"), "JPEG", quality=95), size),
        Broken("grey.jpg", written(scene().convert("L"), "JPEG"), size),
        Broken("palette.png", written(scene().quantize(16), "PNG"), size),
        Broken("sixteen-bits.png", sixteen_bits(), size),
        Broken("rotated.jpg", rotated(6), (HEIGHT, WIDTH)),
        Broken("polyglot.jpg", polyglot(), size),
        Broken("words.jpg", b"words, words", why="not a supported picture"),
        Broken("scan.tiff", written(scene(), "TIFF"), why="a TIFF picture"),
        Broken("heic.jpg", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", why="a HEIF picture"),
    ]
