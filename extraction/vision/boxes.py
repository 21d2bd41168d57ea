"""Boxes as arrays (k, 4) of `schema.Region`'s kind: x, y, width, height as fractions of the picture, 0..1, from its
upper left corner. Other forms are named: corners are (left, top, right, bottom), centred ones (cx, cy, width, height).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Boxes = np.ndarray
Box = tuple[float, float, float, float]


def as_boxes(boxes: Sequence[Sequence[float]] | Boxes) -> Boxes:
    """(k, 4) floats, also for no box at all. Raises ValueError for another shape."""
    array = np.asarray(boxes, np.float64).reshape(-1, 4) if len(boxes) == 0 else np.asarray(boxes, np.float64)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes have the shape (k, 4), these {array.shape}")
    return array


def corners(boxes: Sequence[Sequence[float]] | Boxes) -> Boxes:
    """(left, top, right, bottom) of each box."""
    array = as_boxes(boxes)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


def from_corners(boxes: Sequence[Sequence[float]] | Boxes) -> Boxes:
    array = as_boxes(boxes)
    return np.concatenate([array[:, :2], array[:, 2:] - array[:, :2]], axis=1)


def centred(boxes: Sequence[Sequence[float]] | Boxes) -> Boxes:
    """(cx, cy, width, height) of each box, as `batch.Objects` holds them."""
    array = as_boxes(boxes)
    return np.concatenate([array[:, :2] + array[:, 2:] / 2, array[:, 2:]], axis=1)


def from_centred(boxes: Sequence[Sequence[float]] | Boxes) -> Boxes:
    """From (cx, cy, width, height), as MNRE's published detections have them."""
    array = as_boxes(boxes)
    return np.concatenate([array[:, :2] - array[:, 2:] / 2, array[:, 2:]], axis=1)


def clipped(boxes: Sequence[Sequence[float]] | Boxes) -> Boxes:
    """The part of each box within the picture; a box outside has no width or no height."""
    return from_corners(np.clip(corners(boxes), 0.0, 1.0))


def areas(boxes: Sequence[Sequence[float]] | Boxes) -> np.ndarray:
    """(k,) areas as fractions of the picture."""
    array = np.maximum(as_boxes(boxes), 0.0)
    found: np.ndarray = array[:, 2] * array[:, 3]
    return found


def intersections(a: Sequence[Sequence[float]] | Boxes, b: Sequence[Sequence[float]] | Boxes) -> np.ndarray:
    """(k, m) areas that each of `a` has in common with each of `b`."""
    one, other = corners(a)[:, None], corners(b)[None, :]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    found: np.ndarray = np.prod(np.maximum(sides, 0.0), axis=-1)
    return found


def overlaps(a: Sequence[Sequence[float]] | Boxes, b: Sequence[Sequence[float]] | Boxes) -> np.ndarray:
    """(k, m) intersection over union; 0 where both are empty."""
    common = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def from_patches(weights: np.ndarray, wide: int, boxes: Sequence[Sequence[float]] | Boxes) -> np.ndarray:
    """(k,) weight of each box: the sum over the patches (row by row, `wide` in a row), each by the fraction of it
    that lies in the box."""
    high = len(weights) // wide
    y, x = np.mgrid[:high, :wide]
    patches = np.stack([x.ravel() / wide, y.ravel() / high, *np.broadcast_to([[1 / wide], [1 / high]], (2, x.size))], 1)
    found: np.ndarray = intersections(boxes, patches) * wide * high @ np.asarray(weights)[: high * wide]
    return found


def in_pixels(boxes: Sequence[Sequence[float]] | Boxes, width: int, height: int) -> np.ndarray:
    """(k, 4) whole left, top, right, bottom in a picture of that size, right and bottom exclusive, never empty."""
    found = np.rint(np.clip(corners(boxes), 0.0, 1.0) * [width, height, width, height]).astype(np.int64)
    found[:, :2] = np.minimum(found[:, :2], [width - 1, height - 1])
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    return found


def best_apart(boxes: Boxes, scores: np.ndarray, classes: np.ndarray, max_overlap: float) -> np.ndarray:
    """Non-maximum suppression by class: indexes of the boxes that stay, the most confident first."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    shares = overlaps(boxes, boxes)
    for index in order:
        rivals = [other for other in kept if classes[other] == classes[index]]
        if not rivals or shares[index, rivals].max() <= max_overlap:
            kept.append(int(index))
    return np.array(kept, np.int64)
