"""Which region of a picture shows an entity that the text names, where no network was asked. No Django.

A detector knows persons and no names, so only persons are joined, and never surely: the score is the region's, divided
by how many people the picture shows and by how many of the text's persons could be meant. One person in the picture and
one in the text is a likely pair; a crowd, or a text with many names, is not. Where the picture's caption names some of
the persons, only these can be meant. A zero-shot detector (`grounding.Grounder`), where one is given, looks for every
name instead, and its score is divided by how many boxes it found for the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from extraction.schema import Document, Mention, Region, Relation
from extraction.vision import grounding
from extraction.vision.boxes import areas, intersections

DEPICTS = "depicts"
PERSON = "person"
WITHIN = 0.8  # share of a face that lies in a person's box from which it is that person's
ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "teddy bear")
_WORD = re.compile(r"\w+")


def depicted(
    document: Document, mentions: Sequence[Mention], grounder: grounding.Grounder | None = None
) -> tuple[Relation, ...]:
    """Relations `depicts` of mentions (by index) and regions of the document; their tails are marked as grounded."""
    found: list[Relation] = []
    for image in sorted({one.image for one in document.regions}):
        regions = [one for one in document.regions if one.image == image]
        picture = _pixels(document, image) if grounder is not None else None
        if grounder is not None and picture is not None:
            found += _looked_for(document.text, mentions, regions, grounder, picture)
        else:
            caption = document.captions[image] if image < len(document.captions) else ""
            found += _persons(document.text, mentions, regions, caption)
    return tuple(found)


def _pixels(document: Document, image: int) -> np.ndarray | None:
    """The picture that networks are given; None where nothing is left of it."""
    from PIL import Image, UnidentifiedImageError

    name = document.images[image] if image < len(document.images) else ""
    try:
        with Image.open(name) as found:
            return np.asarray(found.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError):
        return None


def people(regions: Sequence[Region]) -> list[Region]:
    """One region for each person that is seen: a face in a person's box is that person's, one in a dog's the dog's."""
    persons = [one for one in regions if one.label == PERSON]
    faces = [one for one in regions if one.label == "face"]
    owners = persons + [one for one in regions if one.label in ANIMALS]
    if not owners or not faces:
        return persons or faces
    shares = intersections([one.box for one in faces], [one.box for one in owners])
    shares = shares / np.maximum(areas([one.box for one in faces]), 1e-9)[:, None]
    return persons + [face for face, row in zip(faces, shares, strict=True) if row.max() < WITHIN]


def _persons(text: str, mentions: Sequence[Mention], regions: Sequence[Region], caption: str) -> Iterator[Relation]:
    seen, called = people(regions), _called(text, mentions)
    words = set(_words(caption))
    meant = [place for place in called if set(_words(_name(text, mentions[place]))[-1:]) & words] or called
    if not seen or not meant:
        return
    surest = max(seen, key=lambda one: one.score)
    score = surest.score / len(seen) / len(meant)
    for place in meant:
        yield Relation(place, replace(surest, grounded=True), DEPICTS, score)


def _looked_for(
    text: str, mentions: Sequence[Mention], regions: Sequence[Region], grounder: grounding.Grounder, picture: np.ndarray
) -> Iterator[Relation]:
    named = _called(text, mentions, all_types=True)
    names = [_name(text, mentions[place]) for place in named]
    wanted = [
        grounding.Phrase(name, name.split()[-1], mentions[place].type) for name, place in zip(names, named, strict=True)
    ]
    found = grounding.with_grounder(grounder, picture, wanted, regions)
    for phrase, place in enumerate(named):
        mine = [one for one in found if one.phrase == phrase]
        if mine:
            best = max(mine, key=lambda one: one.score)
            known = regions[best.index] if best.index is not None else replace(best.region, image=regions[0].image)
            score = min(best.score / len(mine), 1.0)
            yield Relation(place, replace(known, grounded=True), DEPICTS, score)


def _called(text: str, mentions: Sequence[Mention], all_types: bool = False) -> list[int]:
    """The mention that stands for each entity of the text, by index: its longest name, and of these the surest. Short
    names that are part of one longer name are that one's."""
    best: dict[frozenset[str], int] = {}
    order = sorted(range(len(mentions)), key=lambda place: (-mentions[place].score, place))
    for place in order:
        words = frozenset(_words(_name(text, mentions[place])))
        if words and (all_types or mentions[place].type == PERSON):
            best.setdefault(words, place)
    return sorted(place for words, place in best.items() if not any(words < other for other in best))


def _name(text: str, mention: Mention) -> str:
    return " ".join(text[mention.start : mention.end].split())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
