"""The articles that a corpus annotates: their texts lie outside the repository, and a digest proves that they match."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path


class ArticleError(Exception):
    """The file of articles cannot be used; the message gives the line, the reason, and what to do."""


@dataclass(frozen=True, slots=True)
class NewsArticle:
    id: str
    published: str
    title: str
    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ArticleLine:
    """A line of a text that holds words: its number, counted from 1 without the empty ones, and where it starts."""

    number: int
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def lines_of(text: str) -> list[ArticleLine]:
    lines: list[ArticleLine] = []
    start = 0
    for words in text.split("\n"):
        if words.strip():
            lines.append(ArticleLine(len(lines) + 1, start, words))
        start += len(words) + 1
    return lines


def _article(row: str, where: str) -> NewsArticle:
    try:
        values = json.loads(row)
        article = NewsArticle(*(str(values[name]) for name in ("id", "published", "title", "text", "sha256")))
    except (ValueError, KeyError, TypeError) as error:
        raise ArticleError(
            f"{where}: no article ({error!r}). A line is a JSON object with id, published, title, text and sha256."
        ) from error
    if digest(article.text) != article.sha256:
        raise ArticleError(f"{where}: the text of {article.id} has another digest than its sha256. Get the file again.")
    return article


def load_articles(path: Path) -> dict[str, NewsArticle]:
    """The articles of a file by their identifiers, in the file's order."""
    try:
        rows = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ArticleError(f"{path} cannot be read: {error}. Name the file of articles.") from error
    articles: dict[str, NewsArticle] = {}
    for number, row in enumerate(rows, start=1):
        if row.strip():
            article = _article(row, f"{path}:{number}")
            if article.id in articles:
                raise ArticleError(f"{path}:{number}: {article.id} stands twice. Delete one of the two.")
            articles[article.id] = article
    return articles
