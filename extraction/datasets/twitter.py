"""Twitter2015 and Twitter2017: tweets with BIO tags, for mentions. They annotate no relations, so none are trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from extraction.datasets.load_report import DatasetError, Draft, LoadReport, open_text
from extraction.labels import LabelMode
from extraction.schema import Example

_FILES = {"train": "train.txt", "dev": "valid.txt", "test": "test.txt"}


@dataclass(frozen=True)
class Tweet:
    """A tweet of the file: its place, its image, its words with their tags."""

    place: str
    image: str
    rows: list[tuple[str, str]] = field(default_factory=list)


def load_2015(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("twitter2015", split, root, labels, report)


def load_2017(split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return _load("twitter2017", split, root, labels, report)


def _load(name: str, split: str, root: Path, labels: LabelMode, report: LoadReport) -> list[Example]:
    return [
        draft(name, tweet, labels, report).example(f"{name}-{split}-{tweet.image}", image=tweet.image)
        for tweet in tweets(root / name / _FILES[split], report)
    ]


def tweets(path: Path, report: LoadReport) -> Iterator[Tweet]:
    """The tweets of a file in this format; GMNER's is the same. Of more than two columns, as in CoNLL's formats, the
    first is the word and the last the tag."""
    current: Tweet | None = None
    width = 0
    # Only "\n" ends a line here: some tweets hold other characters that splitlines() would break at.
    for number, line in enumerate(open_text(path, report).split("\n"), 1):
        line = line.rstrip("\r")
        if line.startswith("IMGID:"):
            yield from _finished(current, report)
            current = Tweet(f"{path}, line {number}", line.removeprefix("IMGID:").strip() + ".jpg")
        elif line:
            word, *others, tag = line.split("\t") if "\t" in line else (line, "")
            if not tag:
                raise DatasetError(f"{path}, line {number}: expected a word, a tab and a tag")
            if not word.strip() and not any(one.strip() for one in others):
                others, width = [], width or 2  # a word of tabs
            elif width and len(others) != width - 2:
                raise DatasetError(
                    f"{path}, line {number}: {len(others) + 2} columns, where the lines before have {width}"
                )
            width = width or len(others) + 2
            if others:
                report.add("words with columns between word and tag, which are passed over")
            if current is None:
                raise DatasetError(f"{path}, line {number}: words before the first IMGID line")
            if not word.strip():
                report.add("words of white space only, kept as one mark")
            current.rows.append((word.strip() or "�", tag))
    yield from _finished(current, report)


def _finished(tweet: Tweet | None, report: LoadReport) -> Iterator[Tweet]:
    if tweet is not None and not tweet.rows:
        report.add("pictures without words, left out")
    elif tweet is not None:
        yield tweet


def draft(name: str, tweet: Tweet, labels: LabelMode, report: LoadReport) -> Draft:
    """The tweet with its mentions."""
    place, rows = tweet.place, tweet.rows
    result = Draft(name, labels, place, tuple(word for word, _ in rows))
    start, open_label = 0, ""
    for index, tag in enumerate([tag for _, tag in rows] + ["O"]):
        kind, _, label = tag.partition("-")
        if kind not in ("B", "I", "O") or (kind == "O") != (not label):
            raise DatasetError(f"{place}: unknown tag {tag!r} at word {index + 1}")
        if kind == "I" and label == open_label:
            continue
        if open_label:
            result.mention(start, index, open_label)
            report.add("mentions")
        if kind == "I":
            report.add("tags I- without a B- before, read as B-")
        start, open_label = index, label
    return result
