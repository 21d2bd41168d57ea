"""Views of a picture for networks: the whole, focal frames on the whole, its objects cut out, or a grey canvas.

FocalMRE (3.3) shows a region as one copy of the WHOLE picture with the region's frame, resized and not cropped: context
stays, and attention is led to the region. The paper leaves the line's width and colours open. Ours: 3 pixels at a width
of 800, red for grounded and blue for detected regions, drawn after scaling, or large pictures would lose the line; so
all pixels inside and outside the line are those of the plain picture.

All results are uint8 in torch's order of axes, (..., 3, size, size), not yet normalised: the vision encoder does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from extraction.vision.boxes import Boxes, in_pixels

Kind = Literal["grounded", "detected"]
View = Literal["", "whole", "objects", "focal", "crops"]

COLOURS: dict[str, tuple[int, int, int]] = {"grounded": (255, 0, 0), "detected": (0, 0, 255)}
LINE, LINE_AT = 3, 800  # pixels of a frame's line in a picture of that width
GREY, OUTLINE = 128, 32  # of the canvas that replaces a missing picture, and of the boxes on it
GROUNDED, DETECTED = 4, 3  # frames of each kind, at most (FocalMRE, 4.3)
FOCAL = 1 + GROUNDED + DETECTED


class Slots(NamedTuple):
    """Pictures of one post as `batch.Pictures` holds them: pixels (f, 3, s, s) uint8, present (f,) bool."""

    pixels: np.ndarray
    present: np.ndarray


def scaled(picture: np.ndarray, size: int) -> np.ndarray:
    """(3, size, size): the whole picture (height, width, 3), each side scaled separately."""
    image = Image.fromarray(np.ascontiguousarray(picture)).resize((size, size), Image.Resampling.BILINEAR)
    return _channels_first(np.asarray(image))


def line_width(size: int) -> int:
    return max(1, round(LINE * size / LINE_AT))


def frames(whole: np.ndarray, boxes: Sequence[Sequence[float]] | Boxes, kinds: Sequence[Kind]) -> np.ndarray:
    """(k, 3, size, size): a copy of the scaled picture `whole` for each box, with that box's frame and no other."""
    size, line = whole.shape[-1], line_width(whole.shape[-1])
    found = np.repeat(whole[None], len(boxes), axis=0)
    for picture, (left, top, right, bottom), kind in zip(found, in_pixels(boxes, size, size), kinds, strict=True):
        _outline(picture, (left, top, right, bottom), line, COLOURS[kind])
    return found


def crops(picture: np.ndarray, boxes: Sequence[Sequence[float]] | Boxes, size: int) -> np.ndarray:
    """(k, 3, size, size): the content of each box of the picture (height, width, 3), scaled as the whole is."""
    height, width = picture.shape[:2]
    parts = [picture[top:bottom, left:right] for left, top, right, bottom in in_pixels(boxes, width, height)]
    return np.stack([scaled(part, size) for part in parts]) if parts else np.zeros((0, 3, size, size), np.uint8)


def canvas(boxes: Sequence[Sequence[float]] | Boxes, width: int, height: int) -> np.ndarray:
    """(height, width, 3): the outlines of the boxes on grey. It stands for a picture of which boxes are all that is
    known ("text and boxes"), the largest first, so that a small one is seen on a large one."""
    found = np.full((3, height, width), GREY, np.uint8)
    places = in_pixels(boxes, width, height)
    for index in np.argsort(-(places[:, 2] - places[:, 0]) * (places[:, 3] - places[:, 1]), kind="stable"):
        _outline(found, tuple(places[index]), line_width(width), (OUTLINE,) * 3)
    return np.ascontiguousarray(found.transpose(1, 2, 0))


def slots(
    view: View,
    size: int,
    picture: np.ndarray | None,
    detected: Sequence[Sequence[float]] | Boxes = (),
    grounded: Sequence[Sequence[float]] | Boxes = (),
    objects: int = DETECTED,
) -> Slots:
    """A post's picture as a network of this `view` needs it; `picture` None: there is none, nothing is present.

    whole: slot 0 the picture. objects: slot 0 the picture, 1 to `objects` the contents of the best detected boxes.
    focal: slot 0 the plain picture, 1-4 grounded frames, 5-7 detected frames. crops: the same, each region cut out
    instead. A picture that is known by its boxes alone is passed as `canvas`. Boxes are most confident first; those
    beyond the slots are left out.
    """
    count = {"": 0, "whole": 1, "objects": 1 + objects, "focal": FOCAL, "crops": FOCAL}[view]
    pixels, present = np.zeros((count, 3, size, size), np.uint8), np.zeros(count, bool)
    if picture is None or not count:
        return Slots(pixels, present)
    pixels[0], present[0] = scaled(picture, size), True
    if view == "objects":
        _fill(pixels, present, 1, crops(picture, detected[:objects], size))
    elif view in ("focal", "crops"):
        for start, boxes, kind in (
            (1, grounded[:GROUNDED], "grounded"),
            (1 + GROUNDED, detected[:DETECTED], "detected"),
        ):
            if view == "crops":
                _fill(pixels, present, start, crops(picture, boxes, size))
            else:
                _fill(pixels, present, start, frames(pixels[0], boxes, [kind] * len(boxes)))  # type: ignore[list-item]
    return Slots(pixels, present)


def _fill(pixels: np.ndarray, present: np.ndarray, start: int, found: np.ndarray) -> None:
    pixels[start : start + len(found)], present[start : start + len(found)] = found, True


def _outline(picture: np.ndarray, place: Sequence[int], line: int, colour: tuple[int, int, int]) -> None:
    """Draws on (3, height, width) in place, the line inside the box; a box narrower than two lines is filled."""
    left, top, right, bottom = place
    part = picture[:, top:bottom, left:right]
    paint = np.array(colour, np.uint8)[:, None, None]
    for edge in (part[:, :line], part[:, -line:], part[:, :, :line], part[:, :, -line:]):
        edge[...] = paint


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
