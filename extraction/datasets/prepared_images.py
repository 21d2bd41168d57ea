"""What `manage.py prepare_images` found in a data set's pictures: regions, scenes, depth, features, grounded words.

`<set>/prepared/<digest>/` holds the results of one analyser: `sources.json` names it, `pictures.jsonl` has a line for
each picture's content, `names.jsonl` which content a picture's name has, `grounded.jsonl` the words of each sentence
that a region shows. Lines are only added, so that an interrupted preparation goes on where it was.

A data set that asks about its own boxes (GMNER, MORE) keeps them: they come first, with what was found out about
them, and detected regions that are none of them follow. Of other sets the detected regions take the place of the
published boxes.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from extraction.datasets.load_report import DatasetError
from extraction.schema import Example, GroundedWords, ImageSources, Region, SceneEdge

FOLDER, LATEST = "prepared", "latest"
SCHEMA = "kgbuilder.images/1"


@dataclass(frozen=True)
class PreparedImage:
    """One picture: its regions with depth and features, and the relations between them."""

    regions: tuple[Region, ...] = ()
    scene: tuple[SceneEdge, ...] = ()


@dataclass
class PreparedImages:
    """The results of one analyser for a data set, by the content of pictures and by sentence."""

    sources: ImageSources
    folder: Path
    pictures: dict[str, PreparedImage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # of a picture -> its content
    grounded: dict[str, tuple[GroundedWords, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> PreparedImages:
        """Raises DatasetError where the folder does not hold any."""
        try:
            head = json.loads((folder / "sources.json").read_text(encoding="utf-8"))
            if head["schema"] != SCHEMA:
                raise ValueError(f"it is of {head['schema']!r}")
            made = cls(ImageSources(**head["sources"]), folder)
            made.pictures = {row["key"]: _image(row) for row in _lines(folder / "pictures.jsonl")}
            made.names = {row["name"]: row["content"] for row in _lines(folder / "names.jsonl")}
            made.grounded = {row["key"]: _grounded(row) for row in _lines(folder / "grounded.jsonl")}
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise DatasetError(f"{folder} holds no prepared pictures ({problem}): run manage.py prepare_images") from (
                problem
            )
        return made

    @classmethod
    def begin(cls, root: Path, sources: ImageSources) -> PreparedImages:
        """Those of this analyser under a data set's folder: what is there already, or none yet."""
        folder = root / FOLDER / digest(sources)
        if not (folder / "sources.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            head = {"schema": SCHEMA, "version": sources.version, "sources": dataclasses.asdict(sources)}
            (folder / "sources.json").write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
        (root / FOLDER / LATEST).write_text(folder.name + "\n", encoding="utf-8")
        return cls.load(folder)

    def add_name(self, name: str, content: str) -> None:
        self.names[name] = content
        _append(self.folder / "names.jsonl", [{"name": name, "content": content}])

    def add_images(self, images: dict[str, PreparedImage]) -> None:
        self.pictures |= images
        _append(self.folder / "pictures.jsonl", [_row(key, image) for key, image in images.items()])

    def add_grounded(self, grounded: dict[str, tuple[GroundedWords, ...]]) -> None:
        self.grounded |= grounded
        rows = [
            {"key": key, "words": [[one.start, one.end, _region(one.region)] for one in found]}
            for key, found in grounded.items()
        ]
        _append(self.folder / "grounded.jsonl", rows)

    def image(self, example: Example) -> PreparedImage | None:
        """What was found in the example's picture; None where it was not there to be analysed."""
        content = self.names.get(example.image)
        return None if content is None else self.pictures.get(image_key(content, own_boxes(example)))

    def shown(self, example: Example) -> Example:
        """The example with its prepared picture; without regions where there is none, unless it asks about its own."""
        image, own = self.image(example), own_boxes(example)
        sources = dataclasses.replace(self.sources, detector="", faces="") if own else self.sources
        if image is None:
            return example if own else dataclasses.replace(example, regions=(), scene=(), sources=sources)
        grounded = self.grounded.get(grounding_key(example, self.names[example.image]), ())
        return dataclasses.replace(
            example, regions=image.regions, scene=image.scene, grounded=grounded, sources=sources
        )


def own_boxes(example: Example) -> tuple[Region, ...]:
    """The regions that the data set asks about; () where it only lists what a detector found."""
    return example.regions if any(one.region for one in example.candidates) else ()


def chosen(root: Path, folder: str, version: str) -> PreparedImages:
    """The prepared pictures of a data set's folder: of the digest `version`, or the latest. Raises DatasetError."""
    place = root / folder / FOLDER
    if version == LATEST:
        try:
            version = (place / LATEST).read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise DatasetError(
                f"The pictures in {root / folder} are not prepared: run manage.py prepare_images for this data set"
            ) from problem
    return PreparedImages.load(place / version)


def digest(sources: ImageSources) -> str:
    return hashlib.sha256(sources.version.encode()).hexdigest()[:12]


def image_key(content: str, own: Sequence[Region]) -> str:
    """Of a picture's content and the boxes that are asked about."""
    boxes = json.dumps([[round(value, 5) for value in region.box] for region in own])
    return f"{content}-{hashlib.sha256(boxes.encode()).hexdigest()[:8]}" if own else content


def grounding_key(example: Example, content: str) -> str:
    """Of a sentence, its mentions and its picture's content."""
    spans = [[one.start, one.end] for one in example.mentions]
    return hashlib.sha256(json.dumps([content, example.words, spans]).encode()).hexdigest()[:32]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file; a last line that was cut off by an interruption is left out."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        if line.strip():
            yield json.loads(line)


def _append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A line that was cut off is ended first, so that it spoils no other."""
    torn = path.is_file() and path.stat().st_size and path.read_bytes()[-1:] != b"\n"
    if torn:
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _row(key: str, image: PreparedImage) -> dict[str, Any]:
    scene = [[edge.subject, edge.object, edge.predicate, edge.kind, round(edge.score, 4)] for edge in image.scene]
    return {"key": key, "regions": [_region(one) for one in image.regions], "scene": scene}


def _region(region: Region) -> dict[str, Any]:
    row = {"box": list(region.box), "class": region.label, "score": region.score, "depth": region.depth}
    if region.features is not None:
        row["features"] = base64.b64encode(np.asarray(region.features, "<f2").tobytes()).decode()
    return row


def _region_of(row: dict[str, Any], grounded: bool = False) -> Region:
    x, y, width, height = row["box"]
    features = np.frombuffer(base64.b64decode(row["features"]), "<f2") if "features" in row else None
    return Region((x, y, width, height), row["class"], row["score"], 0, row["depth"], grounded, features)


def _image(row: dict[str, Any]) -> PreparedImage:
    scene = tuple(SceneEdge(*edge) for edge in row["scene"])
    return PreparedImage(tuple(_region_of(one) for one in row["regions"]), scene)


def _grounded(row: dict[str, Any]) -> tuple[GroundedWords, ...]:
    return tuple(GroundedWords(start, end, _region_of(one, grounded=True)) for start, end, one in row["words"])
