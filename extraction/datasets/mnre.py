"""MNRE's text, grouped by sentence: "jmere" (the stand-in for JMERE) and "mnre_none".

"jmere" are the sentences with at least one relation, as the appendix of EEGA describes JMERE: types are read off the
relation labels. A mention that occurs only in pairs labelled `None` has no type there ("", masked). "mnre_none" are the
sentences all of whose pairs are `None`; all their mentions are of unknown type.

MNRE annotates the pairs that it lists and no others, and not every mention. In native labels the examples are what the
stand-in is scored on: everything not listed is negative. In mapped labels, which train readers together with other
sets, unlisted pairs are masked and words outside the listed mentions are not negative (`complete=False`). A listed pair
is settled in both directions.
"""

from __future__ import annotations

import ast
from itertools import permutations
from pathlib import Path

from extraction.datasets.reading import DatasetError, Draft, LoadReport, open_text
from extraction.labels import LabelMode
from extraction.schema import Example

_FILES = {"train": "mnre_train.txt", "dev": "mnre_val.txt", "test": "mnre_test.txt"}
Row = tuple[str, dict]


def load_related(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("jmere", split, root, labels, report)


def load_unrelated(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("mnre_none", split, root, labels, report)


def _load(name: str, split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    groups = _groups(root / "mnre" / _FILES[split])
    examples = []
    for number, rows in enumerate(groups.values(), 1):
        related = any(row["relation"] != "None" for _, row in rows)
        if related != (name == "jmere"):
            report.add("sentences with a relation, left out" if related else "sentences without a relation, left out")
            continue
        images = {row["img_id"] for _, row in rows}
        report.add("sentences with several pictures, of which the first is kept", len(images) > 1)
        draft = _draft(name, labels, rows, report)
        examples.append(
            draft.example(f"{name}-{split}-{number}", complete=labels == "native", image=rows[0][1]["img_id"])
        )
    return examples


def _groups(path: Path) -> dict[tuple[str, ...], list[Row]]:
    """Sentence -> its samples, each with its place for errors, in the file's order."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for number, line in enumerate(open_text(path).split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = ast.literal_eval(line)
            words = tuple(row["token"])
            for end in ("h", "t"):
                start, stop = row[end]["pos"]
                if not (isinstance(start, int) and isinstance(stop, int)):
                    raise ValueError("a position is no whole number")
            if not isinstance(row["relation"], str) or not isinstance(row["img_id"], str):
                raise ValueError("relation and img_id are texts")
        except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as problem:
            raise DatasetError(f"{place}: not in MNRE's format ({problem!r})") from problem
        groups.setdefault(words, []).append((place, row))
    return groups


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
    """Span -> its type as the relation labels tell it, "" where only `None` pairs have it."""
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
