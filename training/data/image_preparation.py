"""Analyses the pictures of a data set as those of posts are: regions, faces, depth, features, scene and grounded words.

Results are kept by content and by the analyser's version (extraction/datasets/prepared_images.py), so that a
preparation that is stopped goes on, and nothing is done twice. Words are grounded as they are live: by the parser's
tags, and with the types that a detector of mentions predicts, never with those that a data set gives.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from extraction.datasets.prepared_images import (
    PreparedImage,
    PreparedImages,
    grounding_key,
    image_key,
    own_boxes,
)
from extraction.schema import Example, GroundedWords, ImageSources, Region, Words
from extraction.vision import depth as nearness
from extraction.vision import grounding, scene_graph
from extraction.vision.boxes import overlaps
from extraction.vision.image_analysis import ImageAnalyser, ImageContent

AT_ONCE = 16  # pictures, or sentences
SAME = 0.5  # overlap from which a detected region is the one that people drew
T = TypeVar("T")
Say = Callable[[str], object]
Typed = Callable[[Sequence[Words], Sequence[Example]], list[list[str]]]


def sources_of(analyser: ImageAnalyser, grounder: grounding.Grounder | None) -> ImageSources:
    """What takes part in a preparation."""
    version = grounder.version if grounder else grounding.BY_CLASS
    return dataclasses.replace(analyser.sources, grounding=version)


def prepare_pictures(
    examples: Sequence[Example], folders: Sequence[Path], kept: PreparedImages, analyser: ImageAnalyser, say: Say
) -> int:
    """Analyses the examples' pictures that are in the folders and not prepared yet; how many are missing."""
    wanted = {(one.image, own_boxes(one)): None for one in examples if one.image}
    missing, done = 0, 0
    for some in _together(wanted):
        loaded = [(name, own, *_loaded(name, folders, kept)) for name, own in some]
        missing += sum(content == "" for _, _, content, _ in loaded)
        new = {
            image_key(content, own): (pixels, own)
            for _, own, content, pixels in loaded
            if pixels is not None and image_key(content, own) not in kept.pictures
        }
        results = analyser.analyse([pixels for pixels, _ in new.values()])
        found = {
            key: described(analyser, pixels, result, own)
            for (key, (pixels, own)), result in zip(new.items(), results, strict=True)
            if not result.error
        }
        for result in results:
            if result.error:
                say(result.error)
        kept.add_images(found)
        done += len(some)
        say(f"{done} of {len(wanted)} pictures")
    return missing


def _together(items: Iterable[T]) -> Iterator[list[T]]:
    """The items in lists of AT_ONCE."""
    left = iter(items)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _loaded(name: str, folders: Sequence[Path], kept: PreparedImages) -> tuple[str, np.ndarray | None]:
    """A picture's content and its pixels, decoded within the limits of fetched pictures; "" where it is missing."""
    from extraction.images import storage

    for folder in folders:
        path = folder / Path(name).name
        try:
            data = path.read_bytes()
            pixels = np.asarray(storage.decoded(data))
        except (OSError, storage.NotAPicture):
            continue
        content = hashlib.sha256(data).hexdigest()
        if kept.names.get(name) != content:
            kept.add_name(name, content)
        return content, pixels
    return "", None


def described(
    analyser: ImageAnalyser, picture: np.ndarray, content: ImageContent, own: Sequence[Region]
) -> PreparedImage:
    """What was found, where the data set asks about boxes of its own after these.

    Such a box has the class and the score of the detected region that overlaps it most, and depth and features of its
    own; detected regions that are one of them are left out.
    """
    if not own:
        return PreparedImage(content.regions, content.edges)
    shares = overlaps([one.box for one in own], [one.box for one in content.regions])
    same = shares >= SAME
    depths = nearness.of_regions(np.asarray(content.depth, np.float64), own) if content.depth is not None else []
    encoded = analyser.encoder.encode(picture, own)
    drawn = []
    for place, region in enumerate(own):
        match = content.regions[int(shares[place].argmax())] if same[place].any() else None
        scores = _scores(content, match, encoded.shape[1])
        features = np.concatenate([scores, encoded[place]]).astype(np.float16)
        label, score = (match.label, match.score) if match else ("", 1.0)
        deep = round(depths[place].median, 4) if depths else 0.0
        drawn.append(dataclasses.replace(region, label=label, score=score, depth=deep, features=features))
    others = [one for place, one in enumerate(content.regions) if not same[:, place].any()]
    regions = (*drawn, *others)
    height, width = picture.shape[:2]
    near = [region.depth for region in regions] if depths else None
    return PreparedImage(regions, scene_graph.build(regions, width / height, near, analyser.interactions))


def _scores(content: ImageContent, match: Region | None, encoded: int) -> np.ndarray:
    """The detector's scores of the classes that stand before a region's features; 0 for a box that it did not find."""
    known = next((one.features for one in content.regions if one.features is not None), None)
    count = 0 if known is None else len(known) - encoded
    if match is None or match.features is None:
        return np.zeros(count)
    return np.asarray(match.features[:count], np.float64)


def ground_words(
    examples: Sequence[Example],
    folders: Sequence[Path],
    kept: PreparedImages,
    parser: Any,
    types: Typed,
    grounder: grounding.Grounder | None,
    say: Say,
) -> None:
    """Grounds the nouns and names of the sentences whose pictures are prepared and that were not grounded yet."""
    waiting = {
        grounding_key(one, kept.names[one.image]): one
        for one in examples
        if one.image in kept.names and kept.image(one) is not None
    }
    waiting = {key: one for key, one in waiting.items() if key not in kept.grounded}
    done = 0
    for some in _together(waiting.items()):
        found = dict(_each(some, folders, kept, parser, types, grounder))
        kept.add_grounded(found)
        done += len(some)
        say(f"{done} of {len(waiting)} sentences")


def _each(
    some: Sequence[tuple[str, Example]],
    folders: Sequence[Path],
    kept: PreparedImages,
    parser: Any,
    types: Typed,
    grounder: grounding.Grounder | None,
) -> Iterator[tuple[str, tuple[GroundedWords, ...]]]:
    parsed = parser.parse_words([one.words for _, one in some])
    predicted = types(parsed, [one for _, one in some])
    for (key, example), words, kinds in zip(some, parsed, predicted, strict=True):
        named = zip(example.mentions, kinds, strict=True)
        names = [(one.start, one.end, kind) for one, kind in named if kind]
        image = kept.image(example)
        pixels = _loaded(example.image, folders, kept)[1] if grounder else None
        regions = image.regions if image else ()
        yield key, grounding.ground(words.words, words.tags, names, regions, grounder, pixels)


def predicted_types(reader: Any) -> Typed:
    """The types of examples' mentions as a reader's detector of mentions predicts them, "" where it finds none."""
    from extraction.reader.passages import Passage, word_spans
    from extraction.reader.stopwatch import Stopwatch
    from extraction.schema import Document

    def types(parsed: Sequence[Words], examples: Sequence[Example]) -> list[list[str]]:
        passages = [Passage(place, words) for place, words in enumerate(parsed)]
        features, passages = reader.mentions.fit(passages)
        documents = [Document(one.id, " ".join(one.words)) for one in examples]
        readings = reader.mentions.detect(documents, passages, features, Stopwatch())
        found: list[list[tuple[int, int, str]]] = [[] for _ in examples]
        for passage, reading in zip(passages, readings, strict=True):
            if passage.windowed:
                continue  # the places of a window's words are not those of the sentence
            spans = sorted(reading.mentions)
            for (start, end), span in zip(word_spans(passage, spans), spans, strict=True):
                found[passage.document].append((start, end, reading.mentions[span].type))
        return [[_type(one, mine) for one in example.mentions] for example, mine in zip(examples, found, strict=True)]

    return types


def _type(mention: Any, found: Sequence[tuple[int, int, str]]) -> str:
    """The type of the predicted mention that shares most words with it."""
    shared = [(min(end, mention.end) - max(start, mention.start), kind) for start, end, kind in found]
    most = max(shared, default=(0, ""), key=lambda one: one[0])
    return most[1] if most[0] > 0 else ""
