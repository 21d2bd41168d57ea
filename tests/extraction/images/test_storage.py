"""Pictures as they come: each declined with a reason or read right, at a bounded cost; photographs known again."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from extraction.images import storage
from kgbuilder.conf.environment import ROOT
from tests.extraction.images.broken_images import SECRET, Broken, broken_pictures, rotated, scene, written

FOLDER = broken_pictures()


@pytest.mark.parametrize("one", FOLDER, ids=lambda one: one.name)
def test_a_broken_picture_is_declined_or_read_right(one: Broken, tmp_path: Path) -> None:
    if one.size is None:
        with pytest.raises(storage.NotAPicture, match=one.why):
            storage.keep(one.content, tmp_path)
        assert list(tmp_path.iterdir()) == []
        return
    kept = storage.keep(one.content, tmp_path)
    assert (kept.width, kept.height) == one.size
    with Image.open(tmp_path / kept.file) as shown, Image.open(tmp_path / kept.thumbnail) as small:
        assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", one.size)
        assert small.size == one.size, "a small picture's thumbnail is no larger"
        upright = _turned_back(shown) if one.name == "rotated.jpg" else shown.copy()
    seen, meant = (np.asarray(picture.convert("L"), float) for picture in (upright, scene()))
    assert np.abs(seen - meant).mean() < 12, "the copy shows something else"


def _turned_back(shown: Image.Image) -> Image.Image:
    return shown.transpose(Image.Transpose.ROTATE_90)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_as_pillow_turns_it(orientation: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    with Image.open(io.BytesIO(rotated(orientation))) as lying:
        expected = np.asarray(ImageOps.exif_transpose(lying), float)
    upright = np.asarray(storage.decoded(rotated(orientation)), float)
    assert upright.shape == expected.shape
    assert np.abs(upright - expected).mean() < 2


def test_nothing_of_a_polyglot_is_kept(tmp_path: Path) -> None:
    [polyglot] = [one for one in FOLDER if one.name == "polyglot.jpg"]
    kept = storage.keep(polyglot.content, tmp_path)
    for file in (kept.file, kept.thumbnail):
        content = (tmp_path / file).read_bytes()
        assert SECRET not in content and b"PK\x03\x04" not in content


def test_sixteen_bits_keep_their_shades(tmp_path: Path) -> None:
    [deep] = [one for one in FOLDER if one.name == "sixteen-bits.png"]
    levels = np.asarray(storage.decoded(deep.content).convert("L"))
    assert levels.min() < 40 and levels.max() > 150 and len(np.unique(levels)) > 50


def test_the_whole_folder_costs_little_memory(tmp_path: Path) -> None:
    """In a process of its own, whose address space is bounded to 700 MB more than it has when it begins."""
    for one in FOLDER:
        (tmp_path / one.name).write_bytes(one.content)
    program = f"""
import resource, sys
from pathlib import Path
import PIL.Image, PIL.JpegImagePlugin, PIL.PngImagePlugin, PIL.GifImagePlugin, PIL.WebPImagePlugin
from extraction.images import storage
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 700_000_000,) * 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read = 0
for file in sorted(Path({str(tmp_path)!r}).iterdir()):
    if file.is_file():
        try:
            storage.decoded(file.read_bytes())
            read += 1
        except storage.NotAPicture:
            pass
print(read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    read, grown = map(int, ended.stdout.split())
    assert read == sum(one.size is not None for one in FOLDER)
    assert grown < 60_000, f"{grown} kB"


def test_a_photograph_is_known_again_when_it_is_scaled_and_compressed() -> None:
    photo = scene(900, 600).filter(ImageFilter.GaussianBlur(3))
    smaller = Image.open(io.BytesIO(written(photo.resize((450, 300)), "JPEG", quality=40)))
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    look = storage.look_of(photo)
    assert len(look) == 16
    assert storage.look_alike(look, storage.look_of(smaller))
    assert not storage.look_alike(look, storage.look_of(mirrored))


def test_a_plain_surface_is_like_nothing() -> None:
    plain = storage.look_of(Image.new("RGB", (300, 200), "navy"))
    assert plain == ""
    assert not storage.look_alike(plain, plain)


@pytest.mark.photographs
def test_no_two_different_photographs_look_alike() -> None:
    import os

    looks = {}
    for path in sorted((Path(os.environ["TEST_PHOTOGRAPHS"]) / "images").glob("*.jpg")):
        looks[path.name] = storage.look_of(storage.decoded(path.read_bytes()))
    pairs = [(a, b) for a in looks for b in looks if a < b and storage.look_alike(looks[a], looks[b])]
    assert len(looks) > 30 and pairs == []
