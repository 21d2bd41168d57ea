"""CrossRE: sentences of seven domains with typed mentions and 17 broad relations, a JSON object a line.

"crossre" are the five domains whose text is Wikipedia's; each domain is also a set of its own ("crossre_politics",
...). The two of news have Reuters' text (CoNLL 2003): for metrics in research only. With mapped labels only mentions
are used: its relations are broader than any of the inventory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_text
from extraction.labels import LabelMode
from extraction.schema import Example

WIKIPEDIA = ("ai", "literature", "music", "politics", "science")


def load(domains: tuple[str, ...], split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    name = "crossre" if len(domains) > 1 else f"crossre_{domains[0].replace('-', '_')}"
    examples = []
    for domain in domains:
        path = root / "crossre" / f"{domain}-{split}.json"
        for number, line in enumerate(open_text(path, report).split("\n"), 1):
            if line.strip():
                examples.append(_sentence(name, f"{path}, line {number}", line, labels, report))
    return examples


def _sentence(name: str, place: str, line: str, labels: LabelMode, report: LoadReport) -> Example:
    try:
        row = json.loads(line)
        return _draft(name, place, row, labels, report).example(f"{name}-{row['doc_key']}")
    except json.JSONDecodeError as problem:
        raise DatasetError(f"{place}: not JSON ({problem.msg})") from problem
    except (KeyError, TypeError, ValueError) as problem:
        raise DatasetError(f"{place}: not in CrossRE's format ({problem!r})") from problem


def _draft(name: str, place: str, row: Any, labels: LabelMode, report: LoadReport) -> Draft:
    draft = Draft(name, labels, place, tuple(str(word) for word in row["sentence"]))
    mentions: dict[tuple[int, int], int] = {}
    for start, last, label in row["ner"]:
        mentions[start, last] = draft.mention(start, last + 1, label)
        report.add("mentions")
    for fact in row["relations"]:
        ends, label = (tuple(fact[:2]), tuple(fact[2:4])), fact[4]
        if not all(end in mentions for end in ends):
            raise DatasetError(f"{place}: an end of {label!r} is no mention of the sentence")
        if ends[0] == ends[1]:
            report.add("relations of a mention to itself, left out")
        elif labels == "mapped":
            report.add("relations broader than any of the inventory, left out")
        else:
            draft.relate(mentions[ends[0]], mentions[ends[1]], label)
            report.add("relations")
    return draft
