"""Reads the articles of the corpora of news with a reader, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Protocol

from extraction.datasets.annotation import Annotation, load_annotations
from extraction.datasets.articles import NewsArticle
from extraction.schema import Document, Extraction
from training.evaluation.news.alignment import ReadArticle
from training.evaluation.news.assertions import ComparedArticle

CORPORA = ("voa", "newsroom")
FOLDER = Path(__file__).parents[2] / "corpora"
TOGETHER = 4  # texts that are given to the reader at once


class TextMissing(Exception):
    """The text of an annotated article is not at hand, or is another one; the message says what to do."""


class ReadsDocuments(Protocol):
    def read(self, documents: Sequence[Document]) -> list[Extraction]: ...


class CorpusReadings:
    """The articles of each corpus and split as a reader reads them, compared with their annotation.

    `limit`: only so many of each. `say` reports the progress.
    """

    def __init__(
        self,
        reader: ReadsDocuments,
        articles: Mapping[str, NewsArticle],
        limit: int | None = None,
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.reader, self.articles, self.limit, self.say = reader, articles, limit, say
        self._read: dict[tuple[str, str], list[ComparedArticle]] = {}

    def of(self, corpus: str, split: str) -> list[ComparedArticle]:
        """Raises TextMissing, and AnnotationError where the corpus's file is damaged."""
        if (corpus, split) not in self._read:
            golds = list(islice(load_annotations(FOLDER / corpus / f"{split}.jsonl"), self.limit))
            documents = [document_of(gold, self.articles) for gold in golds]
            read = self.extractions(f"{corpus} {split}", documents)
            pairs = zip(golds, read, strict=True)
            self._read[corpus, split] = [ComparedArticle(ReadArticle(*pair)) for pair in pairs]
        return self._read[corpus, split]

    def extractions(self, name: str, documents: Sequence[Document]) -> list[Extraction]:
        found: list[Extraction] = []
        for start in range(0, len(documents), TOGETHER):
            self.say(f"{name}: {start} of {len(documents)} texts are read")
            found += self.reader.read(documents[start : start + TOGETHER])
        return found


def document_of(gold: Annotation, articles: Mapping[str, NewsArticle]) -> Document:
    """The document of an annotated text, with its title apart, as the loader of the corpora gives it to training."""
    published = date.fromisoformat(gold.published) if gold.published else None
    if gold.text is not None:
        return Document(gold.id, gold.text, published=published)
    article = articles.get(gold.id)
    if article is None:
        raise TextMissing(f"The text of {gold.id} lies in a file of articles; name it with --articles.")
    if article.sha256 != gold.sha256:
        raise TextMissing(f"The text of {gold.id} has another digest than its annotation; get the file again.")
    return Document(gold.id, article.text, len(article.title), published=published)
