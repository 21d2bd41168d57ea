"""`manage.py evaluate_news`: measures a reader on the annotated corpora of news, by article. Needs no database.

What each measure means: docs/training.md, "Measuring on news".
"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from extraction.datasets.annotation import AnnotationError
from extraction.datasets.articles import ArticleError, load_articles
from extraction.readings import reader_from_settings

if TYPE_CHECKING:
    from extraction.reader.reader import Reader
    from training.evaluation.news.assertions import ComparedArticle, Thresholds
    from training.evaluation.news.reading import CorpusReadings

WRONG_USE, COMPONENT_MISSING = 2, 3


def _probability(written: str) -> float:
    value = float(written)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{written} is no number from 0 to 1")
    return value


def _thresholds(written: str) -> str | float:
    return written if written in ("shipped", "none") else _probability(written)


def _count(written: str) -> int:
    value = int(written)
    if value < 1:
        raise ArgumentTypeError("it must be at least 1")
    return value


class Command(BaseCommand):
    help = (
        "Measures a reader on the annotated corpora of news, article by article, and on near misses. Exit status: 2 "
        "wrong use, 3 the checkpoint or the parser is missing."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("corpora", nargs="*", metavar="CORPUS", help="voa, newsroom or both")
        parser.add_argument(
            "--split", choices=["dev", "test"], default="dev", help="test is for reported figures alone"
        )
        parser.add_argument("--articles", type=Path, metavar="FILE", help="the articles that voa annotates")
        parser.add_argument("--checkpoint", metavar="DIR", help="another checkpoint than the setting's (CHECKPOINT)")
        parser.add_argument(
            "--thresholds",
            type=_thresholds,
            default="shipped",
            metavar="shipped|none|X",
            help="what is asserted: from the checkpoint's thresholds (default), everything, or from one probability",
        )
        parser.add_argument(
            "--f1-threshold",
            type=_probability,
            metavar="X",
            help="threshold for the F1 of relations (default: the best on dev of both corpora, which are read for it)",
        )
        parser.add_argument("--near-misses", type=Path, metavar="FILE", help="also what is asserted of these items")
        parser.add_argument(
            "--limit", type=_count, metavar="N", help="the first N texts of each file only, for a trial"
        )
        parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file, too")

    def handle(self, *args: Any, **options: Any) -> None:
        from training.evaluation.news.reading import CORPORA

        unknown = set(options["corpora"]) - set(CORPORA)
        if unknown or not (options["corpora"] or options["near_misses"]):
            raise CommandError(f"Name a corpus ({', '.join(CORPORA)}), or --near-misses FILE.", returncode=WRONG_USE)
        with _reported():
            result = self._measured(options)
        if options["json"]:
            options["json"].write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    def _measured(self, options: dict[str, Any]) -> dict[str, Any]:
        from training.evaluation.news.near_misses import load_near_misses
        from training.evaluation.news.reading import CorpusReadings

        articles = load_articles(options["articles"]) if options["articles"] else {}
        items = load_near_misses(options["near_misses"])[: options["limit"]] if options["near_misses"] else []
        reader = _reader(options["checkpoint"])
        readings = CorpusReadings(reader, articles, options["limit"], self.stderr.write)
        asserted = _asserted(reader, options["thresholds"])
        given = {"checkpoint": reader.name, "digest": reader.digest, "limit": options["limit"], "thresholds": asserted}
        result: dict[str, Any] = dict(given)
        self.stdout.write(f"checkpoint {reader.name}, asserted from {options['thresholds']} thresholds")
        if options["corpora"]:
            result |= self._corpora(readings, asserted, options)
        if options["near_misses"]:
            result["near_misses"] = self._near_misses(readings, items, asserted)
        return result

    def _corpora(self, readings: CorpusReadings, asserted: Thresholds, options: dict[str, Any]) -> dict[str, Any]:
        from training.evaluation.news.assertions import best_threshold
        from training.evaluation.news.measures import Cut
        from training.evaluation.news.reading import CORPORA

        threshold, source = options["f1_threshold"], "as given"
        if threshold is None:
            source = "the best on dev of both corpora"
            threshold = best_threshold([article for corpus in CORPORA for article in readings.of(corpus, "dev")])
        self.stdout.write(f"F1 of relations, factuality, claimants and times from a score of {threshold:g}, {source}")
        cut, split = Cut({"default": threshold}, asserted), options["split"]
        figures = {
            corpus: self._figures(f"{corpus} {split}", readings.of(corpus, split), cut) for corpus in options["corpora"]
        }
        return {"split": split, "f1_threshold": threshold, "f1_threshold_source": source, "corpora": figures}

    def _figures(self, name: str, articles: list[ComparedArticle], cut: Any) -> dict[str, Any]:
        from training.evaluation.news import report
        from training.evaluation.news.measures import by_relation, measure

        values, relations = measure(articles, cut), by_relation(articles, cut)
        self.stdout.write(f"\n{name}: {len(articles)} articles")
        for line in (*report.table(values), "", *report.relation_table(relations)):
            self.stdout.write(line)
        return {"articles": len(articles), **report.as_json(values, relations)}

    def _near_misses(self, readings: CorpusReadings, items: list[Any], asserted: Thresholds) -> dict[str, Any]:
        from training.evaluation.news import report
        from training.evaluation.news.near_misses import mistaken

        read = readings.extractions("near misses", [item.document() for item in items])
        judged = (mistaken(*pair, asserted) for pair in zip(items, read, strict=True))
        found = [one for one in judged if one is not None]
        self.stdout.write("")
        for line in report.near_miss_table(items, found):
            self.stdout.write(line)
        return report.near_misses_as_json(items, found)


@contextmanager
def _reported() -> Iterator[None]:
    """Turns what is wrong with the inputs into a message."""
    from training.evaluation.news.near_misses import NearMissError
    from training.evaluation.news.reading import TextMissing

    try:
        yield
    except TextMissing as problem:
        hint = " The best threshold is chosen on both corpora; --f1-threshold gives one without them."
        raise CommandError(f"{problem}{hint}", returncode=WRONG_USE) from problem
    except (ArticleError, AnnotationError, NearMissError) as problem:
        raise CommandError(str(problem), returncode=WRONG_USE) from problem


def _reader(folder: str | None) -> Reader:
    try:
        return reader_from_settings.load(folder)
    except reader_from_settings.ComponentMissing as error:
        raise CommandError(str(error), returncode=COMPONENT_MISSING) from error


def _asserted(reader: Reader, thresholds: str | float) -> dict[str, float]:
    if thresholds == "shipped":
        return dict(reader.thresholds)
    return {"default": 0.0 if thresholds == "none" else float(thresholds)}
