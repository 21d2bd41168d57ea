"""Which regions and which picture a network is given of a post with several: as much of them as its paper allows."""

from __future__ import annotations

import pytest

from extraction.features.batch import Needs
from extraction.reader.image_selection import ImageSelection, SelectedImages, by_confidence, takes
from extraction.schema import Document, Extraction, Region, Takes


def region(score: float, image: int = 0, label: str = "dog") -> Region:
    return Region((0.1, 0.1, 0.2, 0.2), label, score, image)


LEAD = (region(0.9), region(0.4), region(0.95, label="face"))
OTHER = (region(0.8, 1), region(0.3, 1))
BOTH = Document("1", "Words", images=("a.jpg", "b.jpg"), regions=(*LEAD, *OTHER))


def given(document: Document, how: Takes, most: int) -> list[SelectedImages]:
    return ImageSelection(how, Needs(objects=most)).select(document)


@pytest.mark.parametrize(
    ("needs", "head", "how"),
    [
        (Needs(), "pair", "words"),
        (Needs(objects=10), "pair", "regions"),
        (Needs(objects=10), "word_pairs", "regions"),
        (Needs(pictures="focal", size=32), "pair", "leading"),
        (Needs(objects=3, pictures="objects", size=32), "pair", "leading"),
        (Needs(objects=10, pictures="whole", size=32), "region_pair", "each"),
        (Needs(objects=10), "region_pair", "each"),
    ],
)
def test_a_network_s_needs_say_how_it_takes_pictures(needs: Needs, head: str, how: str) -> None:
    assert takes(needs, head) == how


def test_the_most_confident_regions_come_first_and_each_picture_keeps_its_order() -> None:
    assert by_confidence(BOTH.regions) == [0, 3, 1, 2, 4], "a face stands behind the objects of its picture"
    assert by_confidence(LEAD) == [0, 1, 2], "of one picture nothing changes"
    [look] = given(BOTH, "regions", 3)
    assert look == SelectedImages((LEAD[0], OTHER[0], LEAD[1]), (0, 3, 1))


def test_a_network_of_one_picture_is_given_the_leading_one_that_is_left() -> None:
    assert given(BOTH, "leading", 3) == [SelectedImages(LEAD, (0, 1, 2), 0, "a.jpg")]
    lost = Document("1", "Words", images=("", "b.jpg"), regions=OTHER)
    assert given(lost, "leading", 3) == [SelectedImages(OTHER, (0, 1), 1, "b.jpg")]
    boxes = Document("1", "Words", images=("", "b.jpg"), regions=(*LEAD, *OTHER))
    assert given(boxes, "leading", 3) == [SelectedImages(LEAD, (0, 1, 2))], "what was seen in it is left"


def test_a_region_pair_network_takes_each_picture() -> None:
    assert given(BOTH, "each", 3) == [
        SelectedImages(LEAD, (0, 1, 2), 0, "a.jpg"),
        SelectedImages(OTHER, (3, 4), 1, "b.jpg"),
    ]


@pytest.mark.parametrize("how", ["words", "regions", "leading", "each"])
def test_a_post_without_pictures_gives_one_empty_selection(how: Takes) -> None:
    assert given(Document("1", "Words"), how, 3) == [SelectedImages()]


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        (Needs(), ((), (), ())),
        (Needs(objects=10), (("detector",), (), ())),
        (Needs(pictures="focal", size=32), (("detector",), (), ("image",))),
        (Needs(pictures="whole", size=32), ((), (), ("image",))),
    ],
)
def test_a_picture_in_which_nothing_is_found_is_no_missing_detector(
    needs: Needs, missing: tuple[tuple[str, ...], ...]
) -> None:
    unlooked = Document("1", "Words", images=("a.jpg",))
    empty = Document("1", "Words", images=("a.jpg",), detected=True)
    lost = Document("1", "Words", images=("",), regions=LEAD)
    assert tuple(ImageSelection("leading", needs).unavailable(one) for one in (unlooked, empty, lost)) == missing


@pytest.mark.parametrize(("how", "numbers"), [("words", ()), ("regions", (0, 1)), ("leading", (0,)), ("each", (0, 1))])
def test_the_extraction_has_the_used_pictures(how: Takes, numbers: tuple[int, ...]) -> None:
    read = ImageSelection(how, Needs(objects=2)).with_selection(Extraction("1", "Words"), BOTH)
    assert (read.takes, read.used_images) == (how, numbers)
    best_alone = ImageSelection("regions", Needs(objects=1)).with_selection(Extraction("1", "Words"), BOTH)
    assert best_alone.used_images == (0,)
