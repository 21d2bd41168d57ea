"""Re-DocRED by sentence: the facts that a sentence itself is evidence for.

A fact is gold in a sentence when both entities have a mention there and the fact's evidence names the sentence. Facts
between two entities that meet in a sentence without being evidenced there are masked, not negative. Where an entity is
mentioned several times in the sentence, the pair of mentions with the fewest words between them carries the fact (the
first such pair), and the other pairs of the same two entities are masked: the sentence states the fact once, and which
of the pairs states it is not annotated.

Splits are ours, since the published train file is not used: "test" is the last 100 documents of `test_revised.json`; of
the 900 others, taken in file order, every fifteenth is "dev" (60) and the rest "train" (840).
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_json_list
from extraction.labels import LabelMode
from extraction.schema import Example, WordSpan

TEST_DOCUMENTS = 100
DEV_EVERY = 15


def load(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    examples: list[Example] = []
    for place, document in _documents(split, root / "redocred"):
        try:
            examples.extend(_sentences(place, document, labels, report))
        except (KeyError, TypeError, IndexError, ValueError) as problem:
            raise DatasetError(f"{place}: not in Re-DocRED's format ({problem!r})") from problem
    return examples


def _documents(split: str, folder: Path) -> list[tuple[str, dict]]:
    """(place for errors, document) of one split."""
    published_dev, published_test = (
        [
            (f"{folder / name}, document {number}", document)
            for number, document in enumerate(open_json_list(folder / name), 1)
        ]
        for name in ("dev_revised.json", "test_revised.json")
    )
    if split == "test":
        return published_test[-TEST_DOCUMENTS:]
    others = published_dev + published_test[:-TEST_DOCUMENTS]
    return [row for number, row in enumerate(others, 1) if (number % DEV_EVERY == 0) == (split == "dev")]


def _sentences(place: str, document: dict, labels: LabelMode, report: LoadReport) -> list[Example]:
    title = document["title"]
    report.add("documents")
    return [
        _sentence(f"{place}, sentence {number}", document, number, labels, report).example(
            f"{title}#{number}", before=tuple(re.findall(r"\w+|[^\w\s]", title)), document=title
        )
        for number in range(len(document["sents"]))
    ]


def _sentence(place: str, document: dict, number: int, labels: LabelMode, report: LoadReport) -> Draft:
    draft = Draft("redocred", labels, place, tuple(document["sents"][number]))
    entities = _mentions(draft, document["vertexSet"], number, report)
    for fact in document["labels"]:
        head, tail, label = fact["h"], fact["t"], fact["r"]
        if head not in entities or tail not in entities:
            continue
        pairs = [(h, t) for h, t in product(entities[head], entities[tail]) if h != t]
        if not pairs:
            report.add("facts between two entities that share their only words, left out")
            continue
        if number in fact["evidence"]:
            nearest = min(pairs, key=lambda pair: _between(draft.mentions[pair[0]], draft.mentions[pair[1]]))
            draft.relate(*nearest, label)
            report.add("relations")
            pairs.remove(nearest)
            report.add("pairs of further mentions of a fact's entities, masked", len(pairs))
        else:
            report.add("facts of two entities that meet without evidence in the sentence, masked")
        for pair in pairs:
            draft.mask_relation(*pair, label)
    return draft


def _mentions(draft: Draft, vertices: list, number: int, report: LoadReport) -> dict[int, list[int]]:
    """Adds the sentence's mentions, each span once, in the order of the text; entity -> indexes of its mentions."""
    found = sorted(
        (tuple(mention["pos"]), entity, mention["type"])
        for entity, mentions in enumerate(vertices)
        for mention in mentions
        if mention["sent_id"] == number
    )
    indexes: dict[tuple[int, int], int] = {}
    entities: dict[int, list[int]] = {}
    for (start, end), entity, label in found:
        if (start, end) not in indexes:
            indexes[start, end] = draft.mention(start, end, label)
            report.add("mentions")
        index = indexes[start, end]
        if index not in entities.setdefault(entity, []):
            entities[entity].append(index)
    return entities


def _between(a: WordSpan, b: WordSpan) -> int:
    return max(a.start, b.start) - min(a.end, b.end)
