"""CoNLL04 in SpERT's splits: newswire sentences with BILOU tags and relations between their entities.

`Other` covers names of other kinds, dates and numbers alike: in mapped labels it is a known mention of unknown type,
and its pairs are masked, since the set annotates relations of the three other types only.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_json_list
from extraction.labels import LabelMode
from extraction.schema import Example


def load(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    path = root / "conll04" / f"conll04_{split}.json"
    examples = []
    for number, row in enumerate(open_json_list(path, report), 1):
        place = f"{path}, sentence {number}"
        try:
            examples.append(_sentence(place, row, labels, report).example(f"conll04-{split}-{row['orig_id']}"))
        except (KeyError, TypeError, ValueError) as problem:
            raise DatasetError(f"{place}: not in CoNLL04's format ({problem!r})") from problem
    return examples


def _sentence(place: str, row: dict[str, Any], labels: LabelMode, report: LoadReport) -> Draft:
    draft = Draft("conll04", labels, place, tuple(row["tokens"]))
    if len(row["tags"]) != len(draft.words):
        raise DatasetError(f"{place}: {len(draft.words)} words and {len(row['tags'])} tags")
    for start, end, label in spans(row["tags"], place):
        draft.mention(start, end, label)
        report.add("mentions")
    for fact in row["relations"]:
        draft.relate(fact["head"], fact["tail"], fact["type"])
        report.add("relations")
    unknown = {index for index, mention in enumerate(draft.mentions) if not mention.type}
    pairs = {pair for pair in permutations(range(len(draft.mentions)), 2) if unknown & set(pair)}
    draft.mask_pairs(pairs)
    report.add("mentions of unknown type, masked", len(unknown))
    report.add("pairs with a mention of unknown type, masked", len(pairs))
    return draft


def spans(tags: list[str], place: str) -> list[tuple[int, int, str]]:
    """(start, end, label) of a BILOU sequence; DatasetError at the first invalid tag."""
    result: list[tuple[int, int, str]] = []
    start, open_label = 0, ""
    for index, tag in enumerate(tags):
        kind, _, label = tag.partition("-")
        inside = kind in ("I", "L")
        if kind not in ("O", "B", "I", "L", "U") or inside != bool(open_label) or (inside and label != open_label):
            raise DatasetError(f"{place}: tag {tag!r} of word {index + 1} does not follow the one before")
        if kind in ("B", "U"):
            start = index
        if kind in ("U", "L"):
            result.append((start, index + 1, label))
        open_label = label if kind in ("B", "I") else ""
    if open_label:
        raise DatasetError(f"{place}: the last mention does not end")
    return result
