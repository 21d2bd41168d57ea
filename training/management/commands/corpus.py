"""`manage.py corpus`: shows articles, converts the annotators' notation, and measures annotations. Needs no database.

Guideline and notation: training/corpora/GUIDELINE.md.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from extraction.datasets.annotation import Annotation, AnnotationError, load_annotations, save_annotations
from extraction.datasets.articles import ArticleError, NewsArticle, lines_of, load_articles
from training.corpora.agreement import agreement, format_agreement
from training.corpora.items import NotationProblem
from training.corpora.notation import parse
from training.corpora.render import to_brackets, to_notation
from training.corpora.splits import by_split
from training.corpora.statistics import count, format_counts
from training.corpora.validation import faults


class Command(BaseCommand):
    help = "Works with the annotated corpora: show, convert, validate, stats, agreement, render, read."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("show", help="an article with its lines numbered; without an id, the articles")
        show.add_argument("articles", type=Path)
        show.add_argument("ids", nargs="*", metavar="id")
        convert = actions.add_parser("convert", help="notation files into one file of annotations")
        convert.add_argument("files", nargs="+", type=Path)
        convert.add_argument("--out", required=True, type=Path)
        self._articles(convert, "whose texts are annotated; without it the items hold their own text")
        split = actions.add_parser("split", help="annotations into train.jsonl, dev.jsonl and test.jsonl of a folder")
        split.add_argument("files", nargs="+", type=Path)
        split.add_argument("--out", required=True, type=Path, help="the folder")
        for name, about in (("validate", "what the schema refuses"), ("stats", "counts of types and relations")):
            action = actions.add_parser(name, help=about)
            action.add_argument("files", nargs="+", type=Path)
            self._articles(action)
        for name, second in (("agreement", "other"), ("render", "id"), ("read", "id")):
            action = actions.add_parser(name, help=_ABOUT[name])
            action.add_argument("file", type=Path)
            action.add_argument(second, type=Path if second == "other" else str)
            self._articles(action)

    def _articles(self, parser: ArgumentParser, about: str = "whose texts are annotated") -> None:
        parser.add_argument("--articles", type=Path, help=f"file of the articles {about}")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (ArticleError, AnnotationError, OSError) as problem:
            raise CommandError(str(problem)) from problem

    def _show(self, options: dict[str, Any]) -> None:
        articles = load_articles(options["articles"])
        for article in articles.values() if not options["ids"] else ():
            self.stdout.write(f"{article.id}  {article.published}  {len(article.text.split()):5}  {article.title}")
        for identifier in options["ids"]:
            if identifier not in articles:
                raise CommandError(f"No article has the id {identifier}; without an id, show lists them.")
            article = articles[identifier]
            self.stdout.write(f"# {article.id}\n## published {article.published}")
            for line in lines_of(article.text):
                self.stdout.write(f"{line.number}: {line.text}")

    def _split(self, options: dict[str, Any]) -> None:
        annotations = [annotation for path in options["files"] for annotation in load_annotations(path)]
        if problems := _twice(annotations):
            raise CommandError("\n".join(map(str, problems)))
        options["out"].mkdir(parents=True, exist_ok=True)
        for name, part in by_split(annotations).items():
            save_annotations(part, options["out"] / f"{name}.jsonl")
            self.stdout.write(f"{name}: {len(part)} items")

    def _convert(self, options: dict[str, Any]) -> None:
        articles = load_articles(options["articles"]) if options["articles"] else None
        annotations: list[Annotation] = []
        problems: list[NotationProblem] = []
        for path in options["files"]:
            read, wrong = parse(str(path), path.read_text(encoding="utf-8"), articles)
            annotations += read
            problems += wrong
        problems += _twice(annotations)
        if problems:
            for problem in problems:
                self.stderr.write(str(problem))
            raise CommandError(f"{len(problems)} problems; nothing is written.")
        save_annotations(annotations, options["out"])
        facts = sum(len(annotation.relations) for annotation in annotations)
        self.stdout.write(f"{len(annotations)} items with {facts} relations → {options['out']}")

    def _validate(self, options: dict[str, Any]) -> None:
        articles = self._texts(options)
        found = unread = 0
        for path, annotation in self._each(options["files"]):
            text = annotation.text_in(articles)
            unread += text is None
            for fault in faults(annotation, text):
                found += 1
                self.stderr.write(f"{path}: {annotation.id}: {fault.part} {fault.index}: {fault.message}")
        if unread:
            self.stderr.write(f"{unread} items were checked without their text; name it with --articles.")
        if found:
            raise CommandError(f"{found} faults.")
        self.stdout.write("No faults.")

    def _stats(self, options: dict[str, Any]) -> None:
        annotations = [annotation for _, annotation in self._each(options["files"])]
        self.stdout.write(format_counts(count(annotations, self._texts(options))))

    def _agreement(self, options: dict[str, Any]) -> None:
        first, second = load_annotations(options["file"]), load_annotations(options["other"])
        if not {one.id for one in first} & {one.id for one in second}:
            raise CommandError("The two files annotate no text in common.")
        self.stdout.write(format_agreement(agreement(first, second)))

    def _render(self, options: dict[str, Any]) -> None:
        self.stdout.write(to_notation(*self._one(options)), ending="")

    def _read(self, options: dict[str, Any]) -> None:
        self.stdout.write(to_brackets(*self._one(options)), ending="")

    def _one(self, options: dict[str, Any]) -> tuple[Annotation, str]:
        found = [one for one in load_annotations(options["file"]) if one.id == options["id"]]
        if not found:
            raise CommandError(f"{options['file']} holds no item {options['id']}.")
        text = found[0].text_in(self._texts(options))
        if text is None:
            raise CommandError("The text of this item lies in a file of articles; name it with --articles.")
        return found[0], text

    def _texts(self, options: dict[str, Any]) -> dict[str, NewsArticle]:
        return load_articles(options["articles"]) if options["articles"] else {}

    def _each(self, paths: list[Path]) -> list[tuple[Path, Annotation]]:
        return [(path, annotation) for path in paths for annotation in load_annotations(path)]


_ABOUT = {
    "agreement": "how far two annotations of the same texts agree",
    "render": "an item as notation, to be edited",
    "read": "an item with its mentions in brackets, to be read once more",
}


def _twice(annotations: list[Annotation]) -> list[NotationProblem]:
    seen: set[str] = set()
    problems = []
    for annotation in annotations:
        if annotation.id in seen:
            problems.append(NotationProblem(annotation.id, 0, "annotated twice in these files; convert them apart"))
        seen.add(annotation.id)
    return problems
