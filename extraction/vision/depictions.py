"""Depictions without a network's answer: which region of a picture shows an entity of the text. No Django.

A detector knows persons but no names, so only persons are matched, and with low confidence: the score is the region's,
divided by the number of people in the picture and by the number of the text's persons that it may show. One person in
the picture and one in the text is a likely pair; a crowd, or a text with many names, is not. Where the caption names
some of the persons, only these are candidates. A zero-shot detector (`grounding.Grounder`), if there is one, searches
for every name instead, and its score is divided by the number of boxes that it found for the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from extraction.schema import Document, ExtractedMention, Region, Relation
from extraction.vision import grounding
from extraction.vision.boxes import areas, intersections

DEPICTS = "depicts"
PERSON = "person"
WITHIN = 0.8  # fraction of a face within a person's box from which it is that person's
ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "teddy bear")
_WORD = re.compile(r"\w+")


def depicted(
    document: Document, mentions: Sequence[ExtractedMention], grounder: grounding.Grounder | None = None
) -> tuple[Relation, ...]:
    """Relations `depicts` of mentions (by index) and regions of the document; their tails are marked as grounded."""
    result: list[Relation] = []
    for image in sorted({one.image for one in document.regions}):
        regions = [one for one in document.regions if one.image == image]
        picture = _pixels(document, image) if grounder is not None else None
        if grounder is not None and picture is not None:
            result += _grounded(document.text, mentions, regions, grounder, picture)
        else:
            caption = document.captions[image] if image < len(document.captions) else ""
            result += _persons(document.text, mentions, regions, caption)
    return tuple(result)


def _pixels(document: Document, image: int) -> np.ndarray | None:
    """The pixels of a picture; None where its copy is gone."""
    from PIL import Image, UnidentifiedImageError

    name = document.images[image] if image < len(document.images) else ""
    try:
        with Image.open(name, formats=("JPEG", "PNG", "GIF", "WEBP")) as result:
            return np.asarray(result.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError):
        return None


def people(regions: Sequence[Region]) -> list[Region]:
    """One region for each person: a face in a person's box belongs to that person, one in a dog's box to the dog."""
    persons = [one for one in regions if one.label == PERSON]
    faces = [one for one in regions if one.label == "face"]
    owners = persons + [one for one in regions if one.label in ANIMALS]
    if not owners or not faces:
        return persons or faces
    shares = intersections([one.box for one in faces], [one.box for one in owners])
    shares = shares / np.maximum(areas([one.box for one in faces]), 1e-9)[:, None]
    return persons + [face for face, row in zip(faces, shares, strict=True) if row.max() < WITHIN]


def _persons(
    text: str, mentions: Sequence[ExtractedMention], regions: Sequence[Region], caption: str
) -> Iterator[Relation]:
    persons, named = people(regions), _representatives(text, mentions)
    words = set(_words(caption))
    candidates = [place for place in named if set(_words(_name(text, mentions[place]))[-1:]) & words] or named
    if not persons or not candidates:
        return
    most_confident = max(persons, key=lambda one: one.score)
    score = most_confident.score / len(persons) / len(candidates)
    for place in candidates:
        yield Relation(place, replace(most_confident, grounded=True), DEPICTS, score)


def _grounded(
    text: str,
    mentions: Sequence[ExtractedMention],
    regions: Sequence[Region],
    grounder: grounding.Grounder,
    picture: np.ndarray,
) -> Iterator[Relation]:
    named = _representatives(text, mentions, all_types=True)
    names = [_name(text, mentions[place]) for place in named]
    phrases = [
        grounding.Phrase(name, name.split()[-1], mentions[place].type) for name, place in zip(names, named, strict=True)
    ]
    result = grounding.with_grounder(grounder, picture, phrases, regions)
    for phrase, place in enumerate(named):
        mine = [one for one in result if one.phrase == phrase]
        if mine:
            best = max(mine, key=lambda one: one.score)
            known = regions[best.index] if best.index is not None else replace(best.region, image=regions[0].image)
            score = min(best.score / len(mine), 1.0)
            yield Relation(place, replace(known, grounded=True), DEPICTS, score)


def _representatives(text: str, mentions: Sequence[ExtractedMention], all_types: bool = False) -> list[int]:
    """The index of one mention per entity of the text: that of its longest name, and of these the most confident. A
    short name that is part of a longer one belongs to that entity."""
    best: dict[frozenset[str], int] = {}
    order = sorted(range(len(mentions)), key=lambda place: (-mentions[place].score, place))
    for place in order:
        words = frozenset(_words(_name(text, mentions[place])))
        if words and (all_types or mentions[place].type == PERSON):
            best.setdefault(words, place)
    return sorted(place for words, place in best.items() if not any(words < other for other in best))


def _name(text: str, mention: ExtractedMention) -> str:
    return " ".join(text[mention.start : mention.end].split())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
