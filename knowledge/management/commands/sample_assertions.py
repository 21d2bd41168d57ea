"""Draws assertions from saved news pages for people to judge, and counts their judgements."""

from __future__ import annotations

import gzip
import json
import math
import random
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from extraction.reader.result_format import as_json, shown
from extraction.readings import reader_from_settings
from extraction.schema import Document, Extraction

if TYPE_CHECKING:
    from extraction.reader.reader import Reader

AROUND = 160  # code points before and after, shown to the judge
_PLACE = ("start", "end", "text", "type")  # of an end: files that were judged before have no more of it

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pages:
    """The extractions by page name, and the number of words of their texts."""

    extractions: dict[str, Extraction]
    words: int
    without_text: tuple[str, ...]


class Command(BaseCommand):
    help = (
        "Reads all saved pages (*.html, *.html.gz) of a folder with the shipped checkpoint and threshold and prints N "
        "assertions drawn uniformly, one JSON object a line, without the pages' sentences; with --judged also counts "
        "a judged copy of such a file."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--news", type=Path, metavar="DIR", help="folder of saved pages")
        parser.add_argument("-n", type=int, default=100, help="how many assertions (default: 100)")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--show", action="store_true", help="print the words around each assertion to stderr")
        parser.add_argument("--checkpoint", metavar="DIR", help="another checkpoint than the setting's (CHECKPOINT)")
        parser.add_argument("--threshold", type=float, help="one threshold for all relations, to try others")
        parser.add_argument(
            "--judged", type=Path, metavar="FILE", help="the sample with `right` and `why` on each line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["news"] and not options["judged"]:
            raise CommandError("Give --news DIR to draw a sample, or --judged FILE to count one.", returncode=2)
        judged = _judged(options["judged"]) if options["judged"] else None
        if options["news"]:
            rows = self._draw(options)
            if judged is not None:
                self._compare(rows, judged)
            else:
                self._print(rows)
        if judged is not None:
            self.stdout.write(_verdict(judged))

    def _draw(self, options: dict[str, Any]) -> list[Row]:
        reader, thresholds = _reader(options["checkpoint"], options["threshold"])
        pages = read_pages(options["news"], reader)
        rows = assertions(pages, reader.name, thresholds)
        rate = 1000 * len(rows) / max(1, pages.words)
        self.stderr.write(
            f"{len(pages.extractions)} pages, {pages.words} words, {len(rows)} assertions: {rate:.2f} a thousand words "
            f"(checkpoint {reader.name}, threshold {thresholds['default']:g})"
        )
        for name in pages.without_text:
            self.stderr.write(f"no article text in {name}")
        drawn = draw(rows, options["n"], options["seed"])
        if len(drawn) < options["n"]:
            self.stderr.write(f"there are fewer than {options['n']} assertions: all {len(drawn)} are given")
        if options["show"]:
            for number, row in enumerate(drawn, 1):
                self.stderr.write(_shown(number, row, pages.extractions[row["page"]].text))
        return drawn

    def _print(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self.stdout.write(json.dumps(row, ensure_ascii=False))

    def _compare(self, rows: Sequence[Row], judged: Sequence[Row]) -> None:
        """Refuse to count a judged file of another sample."""
        drawn, given = ({_key(row) for row in each} for each in (rows, judged))
        if drawn != given:
            raise CommandError(
                f"The judged file is not of this sample: {len(drawn - given)} of its {len(drawn)} assertions are "
                "missing there. Draw again with the checkpoint, seed and number that it was judged with."
            )
        self.stdout.write(f"The {len(judged)} judged assertions are those that were drawn now.")


def read_pages(folder: Path, reader: Reader) -> Pages:
    """Every saved page of the folder, read as one batch, in the order of their names."""
    from extraction.crawler.parsers import article_parser

    paths = sorted(path for path in folder.glob("*") if path.name.endswith((".html", ".html.gz")))
    if not paths:
        raise CommandError(f"There are no pages (*.html, *.html.gz) in {folder}.", returncode=2)
    documents, empty = [], []
    for path in paths:
        name = path.name.removesuffix(".gz").removesuffix(".html")
        content = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        article = article_parser.extract(content, f"https://saved.example/{name}.html")
        if article.text:
            title = len(article.title)
            documents.append(Document(name, article.whole, title, language=article.language, published=article.day))
        else:
            empty.append(name)
    extractions = {extraction.id: extraction for extraction in reader.read(documents)}
    return Pages(extractions, sum(len(document.text.split()) for document in documents), tuple(empty))


def assertions(pages: Pages, checkpoint: str, thresholds: dict[str, float]) -> list[Row]:
    """One row for each quintuple that reaches its threshold, by page and place; rows hold no sentence of a page."""
    return [
        {"page": name, **quintuple}
        for name, extraction in sorted(pages.extractions.items())
        for quintuple in as_json(extraction, checkpoint, thresholds)["quintuples"]
    ]


def draw(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` rows, each equally likely, in the order of `rows`; the same for the same rows and seed."""
    chosen = random.Random(seed).sample(range(len(rows)), min(count, len(rows)))
    return [rows[index] for index in sorted(chosen)]


def _reader(checkpoint: str | None, threshold: float | None) -> tuple[Reader, dict[str, float]]:
    try:
        reader = reader_from_settings.load(checkpoint)
    except reader_from_settings.ComponentMissing as error:
        raise CommandError(str(error), returncode=3) from error
    return reader, dict(reader.thresholds) if threshold is None else {"default": threshold}


def _shown(number: int, row: Row, text: str) -> str:
    start = min(row["head"]["start"], row["tail"]["start"])
    end = max(row["head"]["end"], row["tail"]["end"])
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    head, tail = (f"{shown(row[side]['text'])} ({row[side]['type']})" for side in ("head", "tail"))
    words = f"{shown(before)} >>{shown(text[start:end])}<< {shown(after)}"
    qualifiers = ", ".join([_given(row), *(shown(row[name]["text"]) for name in ("when", "amount") if row[name])])
    place = f"{number:3d} {row['page']}  {row['score']:.2f}"
    return f"{place}\n    {head} —{row['relation']}→ {tail}, {qualifiers}\n    {words}"


def _given(row: Row) -> str:
    return f"{row['factuality']} by {shown(row['by']['text'])}" if row["by"] else str(row["factuality"])


def _key(row: Row) -> str:
    ends = [[row[side].get(name) for name in _PLACE] for side in ("head", "tail") if side in row]
    return json.dumps([row.get("page"), row.get("relation"), ends])


def _judged(path: Path) -> list[Row]:
    return list(_judged_rows(path))


def _judged_rows(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read ({error}).", returncode=2) from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            complete = isinstance(row["right"], bool) and isinstance(row["why"], str) and row["why"].strip()
        except (ValueError, KeyError, TypeError):
            complete = False
        if not complete:
            raise CommandError(f"{path}, line {number}: expected an assertion with `right` (true or false) and `why`.")
        yield row


def _verdict(judged: Sequence[Row]) -> str:
    """The share that is right, with its 95 % interval (Wilson's)."""
    count, right = len(judged), sum(row["right"] for row in judged)
    if not count:
        return "No assertion was judged."
    share, z = right / count, 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return f"{right} of {count} right: {share:.0%} (95 % interval {middle - spread:.0%} to {middle + spread:.0%})"
