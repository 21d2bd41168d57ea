"""MORE: headlines of news with their pictures, and the relations of the headlines' entities to the pictures' objects.

As it is released: `more/txt/<split>.txt` holds a Python dict a line (token, h {name, pos}, t {name, box}, img_id,
relation), a pair each; `more/rel2id.json` the relations; `more/ent_<split>_dict.pth` each picture's objects {name: (cx,
cy, width, height)}, normalised, at most ten. That last file is torch's; it is loaded as plain values, and code in it
is refused. Where it is missing, a picture's objects are those that its samples name. `more/img_dep/<picture>.npz`
(`depth_map`: distances) gives the objects' depth where it exists.

Samples of the same headline and picture are one example, each a candidate. MORE has no entity types (its own label
is "entity"), and annotates only mentions that occur in a sample. A relation named "none" is none.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_text
from extraction.labels import Inventory, LabelMode, RelationType
from extraction.schema import Candidate, Example, Region
from extraction.vision.boxes import clipped, from_centred
from extraction.vision.depth import inverted, nearness_of

FOLDER = "more"
NONE = "none"
LARGEST_MAP = 64 << 20  # bytes of a file of distances
_FILES = {"train": "train", "dev": "valid", "test": "test"}
Box = tuple[float, float, float, float]
Objects = dict[str, Box]


@dataclass(frozen=True)
class Sample:
    """A line: its place, words, the head's span, the tail's object, the picture, the relation."""

    place: str
    words: tuple[str, ...]
    head: tuple[int, int]
    object: str
    box: Box
    image: str
    relation: str


def load(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    folder = root / FOLDER
    known, objects = set(relations(root)), _objects(folder / f"ent_{_FILES[split]}_dict.pth", report)
    groups: dict[tuple[tuple[str, ...], str], list[Sample]] = {}
    for sample in _samples(folder / "txt" / f"{_FILES[split]}.txt"):
        if sample.relation not in known and sample.relation.casefold() != NONE:
            raise DatasetError(f"{sample.place}: the relation {sample.relation!r} is not in rel2id.json")
        groups.setdefault((sample.words, sample.image), []).append(sample)
    return [
        _example(f"more-{split}-{number}", samples, labels, objects.get(image), folder, report)
        for number, ((_, image), samples) in enumerate(groups.items(), 1)
    ]


def relations(root: Path) -> tuple[str, ...]:
    """The relations of `rel2id.json` in the order of their numbers, without "none"."""
    path = root / FOLDER / "rel2id.json"
    try:
        numbers = json.loads(open_text(path))
        ordered = sorted(numbers, key=lambda name: int(numbers[name]))
    except (json.JSONDecodeError, TypeError, ValueError, KeyError, AttributeError) as problem:
        raise DatasetError(f"{path}: expected an object of relations and their numbers ({problem!r})") from problem
    return tuple(name for name in ordered if name.casefold() != NONE)


def inventory(root: Path, types: tuple[str, ...]) -> Inventory:
    """What a network for MORE predicts; the relations are part of the data, not of this repository."""
    heads = frozenset(types)
    return Inventory(types, tuple(RelationType(name, name, None, None, heads, frozenset()) for name in relations(root)))


def _samples(path: Path) -> Iterator[Sample]:
    for number, line in enumerate(open_text(path).split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            try:
                yield _sample(place, ast.literal_eval(line))
            except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as problem:
                raise DatasetError(f"{place}: not in MORE's format ({problem!r})") from problem


def _sample(place: str, row: Any) -> Sample:
    start, end = row["h"]["pos"]
    texts = row["t"]["name"], row["img_id"], row["relation"]
    if not all(isinstance(text, str) for text in (*row["token"], *texts)):
        raise ValueError("a word, a name, a picture or a relation is no text")
    if not (isinstance(start, int) and isinstance(end, int)):
        raise ValueError("a position is no whole number")
    return Sample(place, tuple(row["token"]), (start, end), texts[0], _box(row["t"]["box"]), texts[1], texts[2])


def _box(values: Any) -> Box:
    cx, cy, width, height = (float(value) for value in tuple(values)[:4])
    if not (0 <= cx <= 1 and 0 <= cy <= 1 and 0 < width <= 1 and 0 < height <= 1):
        raise ValueError(f"the box {tuple(values)} is not normalised")
    return cx, cy, width, height


def _example(
    id: str, samples: list[Sample], labels: LabelMode, objects: Objects | None, folder: Path, report: LoadReport
) -> Example:
    first = samples[0]
    draft = Draft("more", labels, first.place, first.words)
    if objects is None:
        objects = {sample.object: sample.box for sample in samples}
        report.add("pictures whose objects are those of their samples")
    names, mentions, candidates = list(objects), dict[tuple[int, int], int](), list[Candidate]()
    for sample in samples:
        draft.place = sample.place
        if sample.object not in objects:
            raise DatasetError(f"{sample.place}: the picture {sample.image} has no object {sample.object!r}")
        if sample.head not in mentions:
            mentions[sample.head] = draft.mention(*sample.head, "entity")
        key = "" if sample.relation.casefold() == NONE else sample.relation
        candidates.append(Candidate(mentions[sample.head], names.index(sample.object), key, region=True))
    report.add("samples", len(candidates))
    report.add("objects", len(names))
    regions = _regions(list(objects.values()), folder / "img_dep" / f"{Path(first.image).stem}.npz", report)
    example = draft.example(id, complete=False, image=first.image)
    return replace(example, candidates=tuple(candidates), regions=regions)


def _regions(boxes: list[Box], depth: Path, report: LoadReport) -> tuple[Region, ...]:
    regions = tuple(Region((x, y, w, h)) for x, y, w, h in clipped(from_centred(boxes)).tolist())
    if not depth.is_file():
        return regions
    report.add("pictures with depth")
    near = nearness_of(inverted(_distances(depth)), regions)
    return tuple(replace(region, depth=one) for region, one in zip(regions, near, strict=True))


def _distances(path: Path) -> np.ndarray:
    """The map `depth_map` of an .npz file (height, width)."""
    try:
        if path.stat().st_size > LARGEST_MAP:
            raise ValueError(f"it is larger than {LARGEST_MAP} bytes")
        with np.load(path, allow_pickle=False) as arrays:
            result = np.asarray(arrays["depth_map"], np.float32)
        if result.ndim != 2 or not result.size or not np.isfinite(result).all():
            raise ValueError("it is no grid of finite numbers")
    except (OSError, ValueError, KeyError, EOFError, TypeError) as problem:
        raise DatasetError(f"{path}: not a map of distances ({problem})") from problem
    return result


def _objects(path: Path, report: LoadReport) -> dict[str, Objects]:
    """Picture -> its objects; empty where the file is missing."""
    if not path.is_file():
        report.add("files of objects that are not there")
        return {}
    try:
        import torch

        pictures = torch.load(path, map_location="cpu", weights_only=True)
        return {image: {str(name): _box(box) for name, box in objects.items()} for image, objects in pictures.items()}
    except Exception as problem:  # torch's reader raises nearly anything for a file that is not its own
        raise DatasetError(f"{path}: not a file of MORE's objects as plain values ({problem})") from problem
