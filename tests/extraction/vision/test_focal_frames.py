"""What a network is shown of a picture: frames that change only their line, crops, the grey canvas, the slots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.vision import boxes, focal_frames

RED, BLUE = (255, 0, 0), (0, 0, 255)
PHOTO = np.random.default_rng(1).integers(1, 255, (300, 500, 3), dtype=np.uint8)


def test_a_frame_changes_its_line_and_nothing_else() -> None:
    whole = focal_frames.scaled(PHOTO, 800)
    [red, blue] = focal_frames.frames(whole, [(0.25, 0.25, 0.5, 0.5), (0, 0, 1, 1)], ["grounded", "detected"])
    changed = (red != whole).any(axis=0)
    line = np.zeros((800, 800), bool)
    line[200:600, 200:600] = True
    line[203:597, 203:597] = False
    assert (changed == line).all()
    assert (red[:, line] == np.array(RED)[:, None]).all()
    assert (blue[:, :3] == np.array(BLUE)[:, None, None]).all()
    assert (blue[:, 3:-3, 3:-3] == whole[:, 3:-3, 3:-3]).all()


def test_frames_are_drawn_after_scaling_so_that_no_size_loses_the_line() -> None:
    assert [focal_frames.line_width(size) for size in (32, 224, 800, 1600)] == [1, 1, 3, 6]
    small = focal_frames.frames(focal_frames.scaled(PHOTO, 32), [(0.5, 0.5, 0.5, 0.5)], ["grounded"])[0]
    assert (small[:, 16, 16:] == np.array(RED)[:, None]).all()


def test_crops_hold_what_lies_in_the_box() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[50:, 100:] = 200
    [inside, outside] = focal_frames.crops(picture, [(0.5, 0.5, 0.5, 0.5), (0, 0, 0.5, 0.5)], 8)
    assert (inside == 200).all() and (outside == 0).all()
    assert focal_frames.crops(picture, [], 8).shape == (0, 3, 8, 8)


def test_the_canvas_shows_outlines_on_grey() -> None:
    drawn = focal_frames.canvas([(0.25, 0.25, 0.25, 0.5)], 400, 200)
    assert drawn.shape == (200, 400, 3)
    assert set(np.unique(drawn)) == {focal_frames.GREY, focal_frames.OUTLINE}
    assert (drawn[50, 100:200] == focal_frames.OUTLINE).all()
    assert (drawn[60, 110:190] == focal_frames.GREY).all()


def test_slots_say_what_is_there() -> None:
    detected = [(0.1, 0.1, 0.2, 0.2)] * 5
    focal = focal_frames.slots("focal", 32, PHOTO, detected, grounded=[(0.5, 0.5, 0.2, 0.2)])
    assert focal.present.tolist() == [True, True, False, False, False, True, True, True]
    assert focal.pixels.shape == (8, 3, 32, 32) and focal.pixels.dtype == np.uint8
    assert not focal.pixels[2:5].any()
    assert focal_frames.slots("objects", 32, PHOTO, detected, objects=2).present.tolist() == [True] * 3
    assert not focal_frames.slots("focal", 32, None, detected).present.any()
    assert focal_frames.slots("", 32, PHOTO).pixels.shape == (0, 3, 32, 32)


@given(
    st.lists(st.tuples(*[st.floats(-0.5, 1.5, allow_nan=False)] * 4), max_size=4),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_boxes_in_pixels_lie_in_the_picture_and_are_never_empty(found: list, width: int, height: int) -> None:
    for left, top, right, bottom in boxes.in_pixels(found, width, height):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height


def test_overlaps_and_formats() -> None:
    assert boxes.overlaps([(0, 0, 0.5, 1)], [(0.25, 0, 0.5, 1), (0.6, 0, 0.1, 1), (0, 0, 0, 0)])[0].tolist() == [
        pytest.approx(1 / 3),
        0,
        0,
    ]
    assert boxes.from_centred(boxes.centred([(0.1, 0.2, 0.3, 0.4)])) == pytest.approx(np.array([[0.1, 0.2, 0.3, 0.4]]))
    kept = boxes.best_apart(
        np.array([[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 1, 1]]), np.array([0.5, 0.9, 0.4]), np.array([1, 1, 2]), 0.5
    )
    assert kept.tolist() == [1, 2]


def test_patches_are_mapped_to_boxes_by_overlap() -> None:
    shares = boxes.from_patches(
        np.array([0.1, 0.2, 0.3, 0.4]), 2, [(0, 0, 1, 1), (0, 0, 0.5, 0.5), (0.25, 0, 0.5, 0.5), (0, 0.5, 1, 0.25)]
    )
    assert shares == pytest.approx([1.0, 0.1, 0.15, 0.35])
