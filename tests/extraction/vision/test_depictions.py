"""Who is shown where without a network: persons of the text and people in the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from extraction.schema import Document, ExtractedMention, Region
from extraction.vision.depictions import depicted, people

TEXT = "Anna Stone met Bob Reed. Stone left Paris."
ANNA, BOB, STONE, PARIS = (
    ExtractedMention(0, 10, "person", 0.9),
    ExtractedMention(15, 23, "person", 0.8),
    ExtractedMention(25, 30, "person", 0.99),
    ExtractedMention(36, 41, "location", 0.9),
)
PERSON, OTHER = Region((0.1, 0.1, 0.3, 0.8), "person", 0.8), Region((0.6, 0.1, 0.3, 0.8), "person", 0.6)
FACE, LOOSE = Region((0.2, 0.15, 0.1, 0.1), "face", 0.99), Region((0.45, 0.1, 0.1, 0.1), "face", 0.7)
DOG = Region((0.5, 0.5, 0.2, 0.2), "dog", 0.9)


def shown(
    mentions: tuple[ExtractedMention, ...], *regions: Region, **more: tuple[str, ...]
) -> list[tuple[int, str, float]]:
    found = depicted(Document("1", TEXT, regions=regions, **more), mentions)  # type: ignore[arg-type]
    assert all(not isinstance(one.tail, int) and one.tail.grounded and one.key == "depicts" for one in found)
    return [(one.head, one.tail.label, round(one.score, 3)) for one in found if isinstance(one.tail, Region)]


def test_one_person_in_the_text_and_one_in_the_picture() -> None:
    assert shown((ANNA, PARIS), PERSON, DOG) == [(0, "person", 0.8)]


def test_what_could_be_meant_divides_the_score() -> None:
    assert shown((ANNA, BOB), PERSON) == [(0, "person", 0.4), (1, "person", 0.4)]
    assert shown((ANNA,), PERSON, OTHER) == [(0, "person", 0.4)]


def test_a_part_of_a_longer_name_is_no_other_person() -> None:
    assert shown((ANNA, STONE), PERSON) == [(0, "person", 0.8)]


def test_the_caption_limits_the_candidates() -> None:
    assert shown((ANNA, BOB), PERSON, captions=("Reed on Monday",)) == [(1, "person", 0.8)]
    assert shown((ANNA, BOB), PERSON, captions=("A rainy Monday",)) == [(0, "person", 0.4), (1, "person", 0.4)]


def test_a_face_within_a_person_is_that_person_s() -> None:
    assert people((PERSON, FACE)) == [PERSON]
    assert people((PERSON, FACE, LOOSE)) == [PERSON, LOOSE]
    assert shown((ANNA,), FACE) == [(0, "face", 0.99)]


def test_a_dog_s_face_is_nobody_s() -> None:
    muzzle = Region((0.55, 0.52, 0.1, 0.1), "face", 0.99)
    assert people((DOG, muzzle)) == [] and shown((ANNA,), DOG, muzzle) == []


def test_places_and_dogs_are_joined_with_nothing() -> None:
    assert shown((PARIS,), PERSON, DOG) == [] and shown((ANNA,), DOG) == [] and shown((), PERSON) == []


def test_each_picture_is_matched_by_itself() -> None:
    second = Region(PERSON.box, "person", 0.5, image=1)
    assert shown((ANNA,), PERSON, second) == [(0, "person", 0.8), (0, "person", 0.5)]


class Finds:
    version = "finds"

    def find(self, picture: np.ndarray, phrases: Sequence[str]) -> list[tuple[int, Region]]:
        assert picture.shape == (40, 60, 3)
        place = phrases.index("Paris")
        return [(place, Region((0.5, 0.5, 0.2, 0.21), "Paris", 0.8)), (place, Region((0.0, 0.0, 0.1, 0.1), "x", 0.4))]


def test_a_zero_shot_detector_looks_for_every_name(tmp_path) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg")
    document = Document("1", TEXT, images=(str(tmp_path / "a.jpg"),), regions=(PERSON, DOG))
    [one] = depicted(document, (ANNA, PARIS), Finds())
    assert (one.head, one.tail) == (1, Region(DOG.box, "dog", 0.9, grounded=True))
    assert one.score == pytest.approx(0.4)
    gone = Document("1", TEXT, images=("",), regions=(PERSON,))
    assert [relation.head for relation in depicted(gone, (ANNA, PARIS), Finds())] == [0]
