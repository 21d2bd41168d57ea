"""One pass over pictures: what is found together, what it costs when a part fails, and what names the result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from extraction.schema import ImageSources
from extraction.vision import image_analysis
from extraction.vision.detection import Detections, OutOfMemory, geometry

BROKEN = 13


class Fake:
    """A detector that sees a person on the left and a dog beside it; a picture that begins with BROKEN breaks it."""

    classes: tuple[str, ...] = ("person", "dog")

    def __init__(self, version: str = "fake-1", most: int = 99, kind: int = 0) -> None:
        self.version, self.most, self.kind, self.asked = version, most, kind, list[int]()

    def detect(self, pictures: Sequence[np.ndarray]) -> list[Detections]:
        self.asked.append(len(pictures))
        if len(pictures) > self.most:
            raise OutOfMemory("4 GiB wanted")
        if any(picture[0, 0, 0] == BROKEN for picture in pictures):
            raise RuntimeError("invalid shape")
        boxes = np.array([[0.1, 0.1, 0.3, 0.8], [0.5, 0.6, 0.2, 0.3]])
        return [
            Detections(boxes, np.array([0.9, 0.6]), np.array([0, 1]), np.hstack([np.eye(2), geometry(boxes)]))
            for _ in pictures
        ]


def pictures(*firsts: int) -> list[np.ndarray]:
    return [np.full((30, 60, 3), first, np.uint8) for first in firsts]


def test_regions_have_classes_depths_and_edges() -> None:
    [seen] = image_analysis.ImageAnalyser(Fake()).analyse(pictures(0))
    assert [region.label for region in seen.regions] == ["person", "dog"]
    assert all(0 < region.depth <= 1 for region in seen.regions)
    assert ("left of" in {edge.predicate for edge in seen.edges}) and seen.missing == ()
    assert [region.features.shape for region in seen.regions if region.features is not None] == [(2 + 144,)] * 2
    assert [region.features[:2].tolist() for region in seen.regions if region.features is not None] == [[1, 0], [0, 1]]
    assert seen.depth is not None and seen.depth.dtype == np.float16


def test_faces_come_after_objects_and_neither_exceeds_its_number() -> None:
    [seen] = image_analysis.ImageAnalyser(Fake(), faces=Fake("faces-1"), objects=1, most_faces=1).analyse(pictures(0))
    assert [region.label for region in seen.regions] == ["person", "person"]
    object, face = (region.features for region in seen.regions)
    assert object is not None and face is not None and object[0] == 1 and not face[:2].any(), "a face has no class"


def test_a_picture_that_breaks_the_detector_costs_only_itself() -> None:
    detector = Fake()
    whole, broken, other = image_analysis.ImageAnalyser(detector).analyse(pictures(0, BROKEN, 2))
    assert detector.asked == [3, 1, 1, 1]
    assert whole.regions and other.regions
    assert (broken.regions, broken.missing) == ((), ("detector",))
    assert broken.error == "The detector failed on this picture (RuntimeError: invalid shape)."


def test_too_little_memory_halves_the_batch() -> None:
    detector = Fake(most=2)
    seen = image_analysis.ImageAnalyser(detector).analyse(pictures(0, 1, 2, 3, 4))
    assert all(len(one.regions) == 2 for one in seen)
    assert detector.asked == [5, 2, 3, 1, 2]


def test_too_little_memory_for_one_picture_is_reported() -> None:
    [seen] = image_analysis.ImageAnalyser(Fake(most=0)).analyse(pictures(0))
    assert seen.error == "There is too little memory for the detector: 4 GiB wanted"


def test_a_part_that_fails_beside_the_detector_is_missing_and_no_more() -> None:
    class Blind:
        version = "blind"

        def maps(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
            raise RuntimeError("no map")

    [seen] = image_analysis.ImageAnalyser(Fake(), faces=Fake(most=0), depth=Blind()).analyse(pictures(0))
    assert len(seen.regions) == 2
    assert seen.missing == ("faces", "depth") and not seen.error


def test_a_given_depth_is_used_and_smoothed() -> None:
    class Reversed:
        version = "reversed"

        def maps(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [np.tile(np.linspace(0, 9, 60), (30, 1)) for _ in pictures]

    [seen] = image_analysis.ImageAnalyser(Fake(), depth=Reversed()).analyse(pictures(0))
    assert seen.regions[0].depth < seen.regions[1].depth, "here what lies to the right is nearer"


def test_the_version_names_all_that_a_result_depends_on() -> None:
    plain = image_analysis.ImageAnalyser(Fake())
    versions = {
        plain.version,
        image_analysis.ImageAnalyser(Fake("fake-2")).version,
        image_analysis.ImageAnalyser(Fake(), objects=3).version,
        image_analysis.ImageAnalyser(Fake(), faces=Fake("faces-1")).version,
        image_analysis.ImageAnalyser(Fake(), interactions=lambda regions, aspect: []).version,
    }
    assert len(versions) == 5
    assert plain.version == "fake-1:10+depth=estimate-1+scene=rules-2+features=colours-edges-1@fake-1"
    assert ImageSources.parsed(plain.version) == plain.sources
    long = image_analysis.ImageAnalyser(Fake("f" * 90), faces=Fake("g" * 90))
    assert len(long.version) <= 200 and ImageSources.parsed(long.version).faces == "", "then they are not known"
    assert ImageSources.parsed("yolox-12ab:10+ultraface-34cd:5") == ImageSources("yolox-12ab:10"), "of before"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_as_many_results_as_pictures(count: int) -> None:
    assert len(image_analysis.ImageAnalyser(Fake()).analyse(pictures(*range(count)))) == count
