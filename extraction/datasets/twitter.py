"""Twitter2015 and Twitter2017: tweets with BIO tags, for mentions. They annotate no relations, so none are trained."""

from __future__ import annotations

from pathlib import Path

from extraction.datasets.reading import DatasetError, Draft, LoadReport, open_text
from extraction.labels import LabelMode
from extraction.schema import Example

_FILES = {"train": "train.txt", "dev": "valid.txt", "test": "test.txt"}


def load_2015(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("twitter2015", split, root, labels, report)


def load_2017(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("twitter2017", split, root, labels, report)


def _load(name: str, split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    path = root / name / _FILES[split]
    examples: list[Example] = []
    image, place, rows = "", "", list[tuple[str, str]]()

    def finish() -> None:
        if image and not rows:
            report.add("pictures without words, left out")
        if rows:
            if not image:
                raise DatasetError(f"{place}: words before the first IMGID line")
            examples.append(_tweet(name, place, rows, labels, report).example(f"{name}-{split}-{image}", image=image))

    # Only "\n" ends a line here: some tweets hold other characters that splitlines() would break at.
    for number, line in enumerate(open_text(path).split("\n"), 1):
        line = line.rstrip("\r")
        if line.startswith("IMGID:"):
            finish()
            image, place, rows = line.removeprefix("IMGID:").strip() + ".jpg", f"{path}, line {number}", []
        elif line:
            word, tab, tag = line.rpartition("\t")
            if not tab or not tag:
                raise DatasetError(f"{path}, line {number}: expected a word, a tab and a tag")
            if not word.strip():
                report.add("words of white space only, kept as one mark")
            rows.append((word.strip() or "�", tag))
    finish()
    return examples


def _tweet(name: str, place: str, rows: list[tuple[str, str]], labels: LabelMode, report: LoadReport) -> Draft:
    draft = Draft(name, labels, place, tuple(word for word, _ in rows))
    start, open_label = 0, ""
    for index, tag in enumerate([tag for _, tag in rows] + ["O"]):
        kind, _, label = tag.partition("-")
        if kind not in ("B", "I", "O") or (kind == "O") != (not label):
            raise DatasetError(f"{place}: unknown tag {tag!r} at word {index + 1}")
        if kind == "I" and label == open_label:
            continue
        if open_label:
            draft.mention(start, index, open_label)
            report.add("mentions")
        if kind == "I":
            report.add("tags I- without a B- before, read as B-")
        start, open_label = index, label
    return draft
