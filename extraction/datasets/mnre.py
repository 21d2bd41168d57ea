"""MNRE: its samples as they are ("mnre", a pair each, with boxes), and grouped by sentence: "jmere" (the stand-in for
JMERE) and "mnre_none".

A sample of "mnre" is an example of two mentions with one candidate pair, its relation or none. Boxes are those of
`boxes/<split>_detect_box_dict.json` where that file is there: at most three a picture, without classes. The published
grounding boxes are loaded for the audit only (`with_grounding`): their number gives the label away.

"jmere" are the sentences with at least one relation, as the appendix of EEGA describes JMERE: types are read off the
relation labels. A mention that occurs only in pairs labelled `None` has no type there ("", masked). "mnre_none" are the
sentences all of whose pairs are `None`; all their mentions are of unknown type.

MNRE annotates the pairs that it lists and no others, and not every mention. In native labels the examples are what the
stand-in is scored on: everything not listed is negative. In mapped labels, which train readers together with other
sets, unlisted pairs are masked and words outside the listed mentions are not negative (`complete=False`). A listed pair
is known in both directions.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_text
from extraction.labels import LabelMode
from extraction.schema import Candidate, Example, Region
from extraction.vision.boxes import clipped, from_centred

_FILES = {"train": "mnre_train.txt", "dev": "mnre_val.txt", "test": "mnre_test.txt"}
Row = tuple[str, dict[str, Any]]


def load_related(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("jmere", split, root, labels, report)


def load_unrelated(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("mnre_none", split, root, labels, report)


def load_pairs(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    """A sample each: two mentions, one candidate, the picture's boxes."""
    boxes = _boxes(root / "mnre" / "boxes" / f"{split}_detect_box_dict.json", report)
    examples = []
    for number, (place, row) in enumerate(_rows(root / "mnre" / _FILES[split], report), 1):
        draft = Draft("mnre", labels, place, tuple(row["token"]))
        kinds = row["relation"].split("/")[1:3] if row["relation"] != "None" else ["", ""]
        if len(kinds) != 2:
            raise DatasetError(f"{place}: unknown relation {row['relation']!r}")
        head, tail = (
            draft.mention(row[end]["pos"][0], row[end]["pos"][1], kind)
            for end, kind in zip(("h", "t"), kinds, strict=True)
        )
        key = ""
        if row["relation"] != "None":
            draft.relate(head, tail, row["relation"])
            head, tail, key = draft.relation_ends(head, tail, row["relation"])
        regions = boxes.get(row["img_id"].rsplit(".", 1)[0], ())
        report.add("pictures without boxes", not regions)
        example = draft.example(f"mnre-{split}-{number}", image=row["img_id"], complete=False)
        examples.append(replace(example, candidates=(Candidate(head, tail, key),), regions=regions))
    return examples


def _boxes(path: Path, report: LoadReport) -> dict[str, tuple[Region, ...]]:
    """Image (without its ending) -> its boxes in the order of their numbers; empty where the file is missing."""
    if not path.is_file():
        report.add("files of boxes that are not there: text alone")
        return {}
    try:
        rows = json.loads(open_text(path))
        named = ((key.rsplit("_crop_", 1), key) for key in rows)
        numbered = sorted((image, int(rest.split(".")[0]), key) for (image, rest), key in named)
        shapes = clipped(from_centred([[float(number) for number in rows[key][:4]] for _, _, key in numbered]))
    except (json.JSONDecodeError, AttributeError, IndexError, TypeError, ValueError) as problem:
        raise DatasetError(f"{path}: not in the published format of MNRE's boxes ({problem!r})") from problem
    result: dict[str, list[Region]] = {}
    for (image, _, _), (x, y, width, height) in zip(numbered, shapes.tolist(), strict=True):
        result.setdefault(image, []).append(Region((x, y, width, height)))
    return {image: tuple(regions) for image, regions in result.items()}


def with_grounding(examples: Sequence[Example], split: str, root: Path) -> list[Example]:
    """Samples of a split with the published grounding regions beside the detected ones, where their files exist.

    `boxes/<split>_vg_box_dict.json` has the boxes by crop, `boxes/<split>_vg_crops.json` the crops of each sample by
    its line, from 0: published as pickles, which can run code and are not read.
    """
    boxes, crops = (root / "mnre" / "boxes" / f"{split}_vg_{kind}.json" for kind in ("box_dict", "crops"))
    if not boxes.is_file() or not crops.is_file():
        return list(examples)
    try:
        shapes, names = json.loads(open_text(boxes)), json.loads(open_text(crops))
        result = [[shapes[Path(name).name][:4] for name in names.get(str(line), ())] for line in range(len(examples))]
        regions = [[Region(tuple(box), grounded=True) for box in clipped(from_centred(one)).tolist()] for one in result]
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as problem:
        raise DatasetError(f"{crops}: does not fit {boxes.name} ({problem!r})") from problem
    return [replace(example, regions=(*example.regions, *own)) for example, own in zip(examples, regions, strict=True)]


def _load(name: str, split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    groups = _groups(root / "mnre" / _FILES[split], report)
    boxes = _boxes(root / "mnre" / "boxes" / f"{split}_detect_box_dict.json", report)
    examples = []
    for number, rows in enumerate(groups.values(), 1):
        related = any(row["relation"] != "None" for _, row in rows)
        if related != (name == "jmere"):
            report.add("sentences with a relation, left out" if related else "sentences without a relation, left out")
            continue
        images = {row["img_id"] for _, row in rows}
        report.add("sentences with several pictures, of which the first is kept", len(images) > 1)
        draft = _draft(name, labels, rows, report)
        image = rows[0][1]["img_id"]
        example = draft.example(f"{name}-{split}-{number}", complete=labels == "native", image=image)
        examples.append(replace(example, regions=boxes.get(image.rsplit(".", 1)[0], ())))
    return examples


def _groups(path: Path, report: LoadReport) -> dict[tuple[str, ...], list[Row]]:
    """Sentence -> its samples, each with its place for errors, in the file's order."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for place, row in _rows(path, report):
        groups.setdefault(tuple(row["token"]), []).append((place, row))
    return groups


def _rows(path: Path, report: LoadReport) -> Iterator[Row]:
    """The file's samples, each with its place for errors."""
    for number, line in enumerate(open_text(path, report).split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = _literal(line)
            if not all(isinstance(word, str) for word in row["token"]):
                raise ValueError("a word is no text")
            for end in ("h", "t"):
                start, stop = row[end]["pos"]
                if not (isinstance(start, int) and isinstance(stop, int)):
                    raise ValueError("a position is no whole number")
            if not isinstance(row["relation"], str) or not isinstance(row["img_id"], str):
                raise ValueError("relation and img_id are texts")
        except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as problem:
            raise DatasetError(f"{place}: not in MNRE's format ({problem!r})") from problem
        yield place, row


def _literal(line: str) -> Any:
    """A line as it is published, in Python's notation, or in JSON's, in which null and true are other words."""
    try:
        return json.loads(line)
    except ValueError:
        return ast.literal_eval(line)


def _draft(name: str, labels: LabelMode, rows: list[Row], report: LoadReport) -> Draft:
    place, first = rows[0]
    draft = Draft(name, labels, place, tuple(first["token"]))
    indexes = {span: draft.mention(*span, label) for span, label in sorted(_types(rows).items())}
    report.add("mentions", len(indexes))
    report.add("mentions of unknown type, masked", sum(not mention.type for mention in draft.mentions))
    settled: set[tuple[int, int]] = set()
    for place, row in rows:
        draft.place = place
        head, tail = (indexes[tuple(row[end]["pos"])] for end in ("h", "t"))
        settled |= {(head, tail), (tail, head)}
        if row["relation"] != "None":
            draft.relate(head, tail, row["relation"])
            report.add("relations")
    if labels == "mapped":
        unlisted = set(permutations(range(len(draft.mentions)), 2)) - settled
        draft.mask_pairs(unlisted)
        report.add("pairs that are not annotated, masked", len(unlisted))
    return draft


def _types(rows: list[Row]) -> dict[tuple[int, int], str]:
    """Span -> its type by the relation labels, "" where it occurs only in `None` pairs."""
    types: dict[tuple[int, int], str] = {}
    for place, row in rows:
        parts = ("", "", "") if row["relation"] == "None" else tuple(row["relation"].split("/"))[:3]
        if len(parts) != 3:
            raise DatasetError(f"{place}: unknown relation {row['relation']!r}")
        for end, label in (("h", parts[1]), ("t", parts[2])):
            span = tuple(row[end]["pos"])
            known = types.setdefault(span, label)
            if known and label and known != label:
                raise DatasetError(f"{place}: {row[end]['name']!r} is {label} here and {known} before")
            types[span] = known or label
    return types
