"""GMNER: tweets with typed mentions, and for 5,612 pictures the boxes of the mentions that they show.

The text has the format of Twitter2015 (`txt/<split>.txt`); boxes in `xml.zip`, one file in the VOC format for each
picture that shows a mention, whose objects have a mention's words as their name. Without `xml.zip` only the mentions of
the tweets are used.

A picture's regions are these boxes, each once, in the order of their places: the order in the file is the mentions',
and the names of the boxes would give the answer away, so regions have no label. Each pair of a mention and a region is
a candidate: `depicts`, or none. Where two mentions have the same words, both are taken to be shown.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from extraction.datasets.load_report import DatasetError, Draft, LoadReport
from extraction.datasets.twitter import draft, tweets
from extraction.labels import LabelMode
from extraction.schema import Candidate, Example, Region

LARGEST = 1 << 20  # bytes of a picture's file
Box = tuple[float, float, float, float]
Shown = dict[Box, set[str]]  # box -> the names of the entities it shows


def load(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    path = root / "gmner" / "txt" / f"{split}.txt"
    found = list(tweets(path, report))
    shown = _boxes(root / "gmner" / "xml.zip", {tweet.image.removesuffix(".jpg") for tweet in found}, report)
    examples = []
    for tweet in found:
        tweet_draft, name = draft("gmner", tweet, labels, report), tweet.image.removesuffix(".jpg")
        example = tweet_draft.example(f"gmner-{split}-{name}", image=tweet.image)
        examples.append(_with_regions(example, tweet_draft, shown.get(name, {}), report))
    return examples


def _with_regions(example: Example, tweet: Draft, shown: Shown, report: LoadReport) -> Example:
    names = [" ".join(tweet.words[mention.start : mention.end]) for mention in tweet.mentions]
    unknown = {name for box_names in shown.values() for name in box_names} - set(names)
    if unknown:
        raise DatasetError(
            f"{tweet.place}: its picture's boxes name {min(unknown)!r}, which is no mention of this tweet"
        )
    boxes = sorted(shown)
    candidates = tuple(
        Candidate(mention, region, "depicts" if names[mention] in shown[boxes[region]] else "", region=True)
        for mention, region in product(range(len(names)), range(len(boxes)))
    )
    report.add("regions", len(boxes))
    report.add("pairs of a mention and a region", len(candidates))
    report.add("pairs of a mention and a region that shows it", sum(bool(one.key) for one in candidates))
    return replace(example, candidates=candidates, regions=tuple(Region(box) for box in boxes))


def _boxes(path: Path, wanted: set[str], report: LoadReport) -> dict[str, Shown]:
    """Picture (without its ending) -> its boxes, for the pictures `wanted` that have any."""
    if not path.is_file():
        report.add("files of boxes that are missing: mentions only")
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _picture(archive, info) for name, info in _files(archive, path).items() if name in wanted}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as problem:
        raise DatasetError(f"{path}: cannot be read as a zip file ({problem})") from problem


def _files(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    files: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename.endswith(".xml"):
            name = Path(info.filename).stem
            if name in files:
                raise DatasetError(f"{path}: two files for the picture {name}")
            files[name] = info
    return files


def _picture(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Shown:
    place = f"{archive.filename}, {info.filename}"
    if info.file_size > LARGEST:
        raise DatasetError(f"{place}: larger than {LARGEST} bytes")
    with archive.open(info) as file:
        content = file.read(LARGEST + 1)
    try:
        text = content.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("it declares a document type")
        return _shown(ElementTree.fromstring(text))  # noqa: S314  (without a document type there are no entities)
    except (ElementTree.ParseError, ValueError, AttributeError, TypeError) as problem:
        raise DatasetError(f"{place}: not in GMNER's format ({problem})") from problem


def _shown(tree: Any) -> Shown:
    width, height = (int(tree.find("size").find(side).text) for side in ("width", "height"))
    shown: Shown = {}
    for thing in tree.iter("object"):
        left, top, right, bottom = (
            float(thing.find("bndbox").find(side).text) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ValueError(f"a box of {thing.find('name').text!r} does not lie in its picture")
        box = (left / width, top / height, (right - left) / width, (bottom - top) / height)
        shown.setdefault(box, set()).add(thing.find("name").text.strip())
    return shown
