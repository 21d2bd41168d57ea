"""How fast detection in pictures is, the bare detector's share of it, and which published boxes are found.

Detection runs as in the product: pictures are claimed, their kept copies decoded, regions, faces, depth and scene
found, all of it recorded. Then the detector's network alone goes over the same pictures, made ready. The share is one
of processor seconds, so that what else the machine does counts for neither; rates are of the clock on the wall. Posts
are read by the shipped reader with one picture each and without. Nothing is fetched.
"""

from __future__ import annotations

import json
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test import override_settings
from django.utils import timezone

from extraction.images import detection, detectors_from_settings, storage
from extraction.images.detector_weights import WeightsMissing
from extraction.models import Post, PostImage, RegionSet
from extraction.readings import queue as readings_queue
from extraction.readings.model_registry import NoCheckpoint
from kgbuilder.benchmarks import NotMeasured
from kgbuilder.benchmarks.extract import prepare
from kgbuilder.install.scratch_database import scratch_database

if TYPE_CHECKING:
    import numpy as np

    from extraction.vision.image_analysis import ImageAnalyser

HELP = "pictures detected a second, and the bare detector's share of the time"
POSTS = 16


@dataclass(slots=True)
class Seconds:
    wall: float = 0.0
    processor: float = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Adds what the block takes."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds (wall, processor) of the whole and of the bare detector, by how many pictures were processed together;
    posts a second."""

    detector: str
    pictures: int
    whole: dict[int, Seconds]
    bare: dict[int, Seconds]
    with_image: float
    text_only: float

    def ratio(self, together: int) -> float:
        return self.bare[together].processor / self.whole[together].processor


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--pictures", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--boxes", type=Path, help="MNRE's boxes/ folder: how many of its boxes are found, and no more")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint's folder; by default the setting's")
    parser.add_argument("--rounds", type=int, default=3, help="how often they are processed")
    parser.add_argument("--threads", type=int, default=2, help="the reader's threads")


def run(options: Mapping[str, Any], write: Callable[[str], object], note: Callable[[str], object]) -> None:
    from extraction.readings.reader_from_settings import ComponentMissing

    checkpoint = options["checkpoint"] or settings.CHECKPOINT
    try:
        if options["boxes"]:
            found, total = found_again(options["pictures"], options["boxes"])
            write(f"published boxes that overlap by half: {found} of {total}, {100 * found / total:.1f} %")
            return
        speeds = measure(options["pictures"], checkpoint, options["rounds"], options["threads"])
    except (ComponentMissing, NoCheckpoint, WeightsMissing) as error:
        raise NotMeasured(str(error)) from error
    write(f"{speeds.detector}, {speeds.pictures} pictures, {settings.DEVICE}")
    for together in speeds.whole:
        rate, bare = (speeds.pictures / seconds[together].wall for seconds in (speeds.whole, speeds.bare))
        result = f"{rate:.1f} pictures/s, bare detector {bare:.1f}/s; its share {speeds.ratio(together):.2f}"
        write(f"{together:>3} together: {result}")
    rates = f"{speeds.with_image:.2f} with a picture each, {speeds.text_only:.2f} text alone"
    write(f"posts/s: {rates}; ratio {speeds.with_image / speeds.text_only:.2f}")


def measure(folder: Path, checkpoint: Path, rounds: int, threads: int, sizes: Sequence[int] = (1, 16)) -> Speeds:
    """Detects in the folder's pictures `rounds` times. Raises NotMeasured, WeightsMissing, ComponentMissing."""
    import torch

    torch.set_num_threads(threads)
    analyser = detectors_from_settings.load()
    if analyser is None:
        raise NotMeasured("DETECTOR_WEIGHTS is empty: name a detector, as `manage.py fetch_weights` lists them.")
    with scratch_database("bench"), _folders():
        kept = _keep(folder)
        analyser.analyse([pixels for image in kept[:1] if (pixels := _pixels(image)) is not None])  # what happens once
        whole, bare = ({size: Seconds() for size in sizes} for _ in range(2))
        for _ in range(rounds):
            for size in sizes:
                _whole(analyser, size, whole[size])
                _bare(analyser, kept, size, bare[size])
        count = rounds * len(kept)
        posts = _posts_a_second(checkpoint, analyser, kept)
    return Speeds(analyser.version, count, whole, bare, *posts)


def found_again(folder: Path, boxes: Path) -> tuple[int, int]:
    """Of the published boxes of the folder's pictures: those that one of our best regions overlaps by half, and all."""
    import numpy as np
    from PIL import Image

    from extraction.vision.boxes import from_centred, overlaps

    analyser = detectors_from_settings.load()
    if analyser is None:
        raise NotMeasured("DETECTOR_WEIGHTS is empty: name a detector, as `manage.py fetch_weights` lists them.")
    published: dict[str, list[float]] = {}
    for file in sorted(boxes.glob("*_detect_box_dict.json")):
        published |= json.loads(file.read_text(encoding="utf-8"))
    found = total = 0
    for path in sorted(folder.glob("*.jpg")):
        wanted = [box[:4] for key, box in published.items() if key.startswith(f"{path.stem}_crop_")]
        [seen] = analyser.detector.detect([np.asarray(Image.open(path).convert("RGB"))])
        shares = overlaps(from_centred(wanted), seen.boxes[: analyser.objects])
        found, total = found + int((shares.max(axis=1, initial=0.0) >= 0.5).sum()), total + len(wanted)
    if not total:
        raise NotMeasured(f"No box in {boxes} is one of a picture in {folder}.")
    return found, total


@contextmanager
def _folders() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="kg-bench-") as folder:
        own = {"MEDIA_ROOT": Path(folder) / "media", "FEATURES_ROOT": Path(folder) / "features"}
        with override_settings(**own):
            yield


def _keep(folder: Path) -> list[PostImage]:
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    now = timezone.now()
    post = Post.objects.create(link="https://news.example/pictures", published_at=now, seen_at=now)
    found = []
    for place, path in enumerate(files):
        try:
            kept = storage.keep(path.read_bytes(), Path(settings.MEDIA_ROOT))
        except storage.NotAPicture:
            continue
        values: dict[str, Any] = {name: getattr(kept, name) for name in kept.__slots__}
        found.append(PostImage.objects.create(post=post, url=f"https://news.example/{place}", position=place, **values))
    if not found:
        raise NotMeasured(f"There are no pictures in {folder}.")
    return found


def _whole(analyser: ImageAnalyser, size: int, seconds: Seconds) -> None:
    """All pictures, `size` at a time, as if they were new."""
    RegionSet.objects.all().delete()
    PostImage.objects.update(due_at=timezone.now(), attempts=0)
    with seconds.counted():
        while detection.detect_due(analyser, size):
            pass


def _bare(analyser: ImageAnalyser, kept: Sequence[PostImage], size: int, seconds: Seconds) -> None:
    """The detector's network over the same pictures, made ready beforehand."""
    detector: Any = analyser.detector
    for start in range(0, len(kept), size):
        given = [pixels for image in kept[start : start + size] if (pixels := _pixels(image)) is not None]
        ready = [detector.prepare([one]) for one in given] if hasattr(detector, "prepare") else [given]
        with seconds.counted():
            for one in ready:
                (detector.forward if hasattr(detector, "forward") else detector.detect)(one)


def _pixels(image: PostImage) -> np.ndarray | None:
    return detection._pixels(image)


def _posts_a_second(checkpoint: Path, analyser: ImageAnalyser, kept: Sequence[PostImage]) -> tuple[float, float]:
    """Claimed posts read with a new picture each, and without any."""
    from extraction.readings.reader_from_settings import load
    from extraction.samples import load_posts

    reader = load(checkpoint)
    texts = [(post.title, "\n\n".join(post.paragraphs)) for post in load_posts()]
    prepare(checkpoint, texts, 3 * POSTS)
    reader.read([one.document for one in readings_queue.claim("bench", POSTS)])  # what happens once
    plain = readings_queue.claim("bench", POSTS)
    began = time.perf_counter()
    reader.read([one.document for one in plain])
    text_only = len(plain) / (time.perf_counter() - began)
    pictured = readings_queue.claim("bench", POSTS)
    RegionSet.objects.all().delete()
    for place, one in enumerate(pictured):
        image = kept[place % len(kept)]
        values = {name: getattr(image, name) for name in ("file", "thumbnail", "width", "height", "sha256", "look")}
        post = Post.objects.get(public_id=one.document.id)
        PostImage.objects.create(post=post, url=f"https://news.example/of/{place}", **values)
    began = time.perf_counter()
    reader.read([one.document for one in detection.with_pictures(pictured, analyser)])
    return len(pictured) / (time.perf_counter() - began), text_only
