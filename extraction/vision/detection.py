"""Object detection: the protocol of detectors, their results, and what they share.

Every detector gives boxes as fractions of the upright picture. `load_detector.load` opens one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from extraction.schema import Region
from extraction.vision.boxes import Boxes, best_apart, clipped

MIN_SCORE = 0.3
MAX_OVERLAP = 0.45  # of two boxes of one class
FACE = "face"
# The number of regions that the systems take: MEGA and EEGA 10 objects, RSRNeT 3, FocalMRE 4 grounded and 3 detected.
OBJECTS = 10
T = TypeVar("T")


class DetectorMissing(Exception):
    """The weights hold no known detector, or its package is not installed; the message names the remedy."""


GEOMETRY = 5  # the last numbers of a detection's vector


class OutOfMemory(Exception):
    """The device has no memory left for a batch of this size."""


@dataclass(frozen=True)
class Detections:
    """The detections in one picture, most confident first: boxes (k, 4), scores (k,), indexes of classes (k,), and for
    each region a vector (k, d): the score of every class, then cx, cy, width, height, area."""

    boxes: Boxes
    scores: np.ndarray
    classes: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


class Detector(Protocol):
    """`version` identifies the detector with its weights and thresholds; `classes` are names by index."""

    version: str
    classes: tuple[str, ...]

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        """Detections of each upright picture (height, width, 3) uint8. Raises OutOfMemory where the batch is too
        large."""
        ...


def chosen(
    boxes: Boxes,
    scores: np.ndarray,
    per_class: np.ndarray,
    min_score: float = MIN_SCORE,
    max_overlap: float = MAX_OVERLAP,
) -> Detections:
    """Select regions from all candidates: boxes (n, 4), scores (n,), scores by class (n, c)."""
    likely = np.flatnonzero(np.isfinite(boxes).all(axis=1) & (scores >= min_score))
    boxes, scores, per_class = clipped(boxes[likely]), scores[likely], per_class[likely]
    not_empty = np.flatnonzero((boxes[:, 2] > 0) & (boxes[:, 3] > 0))
    boxes, scores, per_class = boxes[not_empty], scores[not_empty], per_class[not_empty]
    classes = per_class.argmax(axis=1) if len(per_class) else np.zeros(0, np.int64)
    kept = best_apart(boxes, scores, classes, max_overlap)
    boxes, scores, per_class, classes = boxes[kept], scores[kept], per_class[kept], classes[kept]
    return Detections(boxes, scores, classes, np.concatenate([per_class, geometry(boxes)], axis=1).astype(np.float32))


def geometry(boxes: Boxes) -> np.ndarray:
    """(k, 5): cx, cy, width, height and area of each box, the vector of a region of which only the box is known."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    return np.concatenate([centre, boxes[:, 2:], boxes[:, 2:3] * boxes[:, 3:]], axis=1)


def as_regions(result: Detections, classes: Sequence[str], most: int = OBJECTS) -> tuple[Region, ...]:
    """The regions with the highest scores, most confident first."""
    rows = zip(result.boxes[:most], result.classes, result.scores, strict=False)
    return tuple(
        Region(
            (round(float(x), 5), round(float(y), 5), round(float(w), 5), round(float(h), 5)),
            classes[int(kind)],
            round(float(score), 4),
        )
        for (x, y, w, h), kind, score in rows
    )


def halved(run: Callable[[Sequence[np.ndarray]], list[T]], pictures: Sequence[np.ndarray]) -> Iterator[T]:
    """`run` over the pictures at once; where memory does not suffice, over each half, down to one picture.

    Raises OutOfMemory where even one picture is too much.
    """
    try:
        yield from run(pictures)
    except OutOfMemory:
        if len(pictures) == 1:
            raise
        middle = len(pictures) // 2
        yield from halved(run, pictures[:middle])
        yield from halved(run, pictures[middle:])


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


COCO = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)
