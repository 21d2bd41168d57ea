"""Facts about a data set's entities: `<set>/facts.jsonl`, an optional file of the user.

A line is an object of strings, {"subject": "Marie Curie", "property": "occupation", "object": "physicist", "source":
"Q7186"}. An example gets the facts whose subject is one of its mentions, regardless of case, in the order of the
mentions.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from extraction.datasets.load_report import DatasetError, LoadReport, open_text
from extraction.schema import Example, Fact

FILE = "facts.jsonl"
MOST = 200  # facts of an example; a network takes far fewer
KEYS = ("subject", "property", "object", "source")


def with_facts(examples: list[Example], folder: Path, report: LoadReport) -> list[Example]:
    """The examples with the facts of the folder's file about their mentions; unchanged where there is no file.

    Raises DatasetError for an invalid line.
    """
    if not (folder / FILE).is_file():
        return examples
    known = _read(folder / FILE)
    return [_shown(example, known, report) for example in examples]


def _shown(example: Example, known: dict[str, list[Fact]], report: LoadReport) -> Example:
    named = dict.fromkeys(_key(" ".join(example.words[one.start : one.end])) for one in example.mentions)
    facts = [fact for name in named for fact in known.get(name, ())][:MOST]
    report.add("facts shown", len(facts))
    return replace(example, facts=tuple(facts)) if facts else example


def _read(path: Path) -> dict[str, list[Fact]]:
    known: dict[str, list[Fact]] = defaultdict(list)
    for number, line in enumerate(open_text(path).split("\n"), 1):
        if line.strip():
            fact = _fact(line, f"{path}, line {number}")
            known[_key(fact.subject)].append(fact)
    return known


def _fact(line: str, place: str) -> Fact:
    try:
        row = json.loads(line)
        values = [row[key] for key in KEYS]
    except (ValueError, KeyError, TypeError) as problem:
        raise DatasetError(f"{place}: not a fact ({problem!r}); it has {', '.join(KEYS)}") from problem
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise DatasetError(f"{place}: a fact's {', '.join(KEYS)} are words")
    return Fact(*values)


def _key(name: str) -> str:
    return " ".join(name.casefold().split())
