"""Inputs of `manage.py read` as documents: lines of JSON, a file, or a page, with the problems of invalid ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from extraction.schema import Declined, Document
from extraction.text.cleaning import clean
from extraction.text.markup import why_refused

LONGEST_LINE = 16 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its document, or why there is none. `missing`: the picture inputs that were not available."""

    id: str
    document: Document | None = None
    problem: Declined | None = None
    missing: tuple[str, ...] = ()


def document(id: str, text: str, title: str = "", language: str = "", published: date | None = None) -> Document:
    """Title, blank line, text, as a post's version holds them: without NUL and lone surrogates."""
    title, text = clean(title), clean(text)
    whole = f"{title}\n\n{text}" if title and text else title or text
    return Document(id=id, text=whole, title_end=len(title), language=language, published=published)


def from_text(id: str, text: str) -> Input:
    refused = why_refused(text)
    return _invalid(id, "markup", refused) if refused else Input(id, document(id, text))


def from_bytes(id: str, content: bytes) -> Input:
    """The input of a text file's content."""
    try:
        return from_text(id, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return _invalid(id, "encoding", f"{id} is not UTF-8 (byte {error.start}): save it as UTF-8 and try again.")


def from_jsonl(stream: IO[bytes]) -> Iterator[Input]:
    """One input a line, in order; blank lines are skipped. An invalid line gives an Input with its problem."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_LINE)
            yield _invalid(str(number), "input", f"Line {number} is longer than {LONGEST_LINE >> 20} MB.")
        elif line.strip():
            yield _from_line(line, number)


def _from_line(line: bytes, number: int) -> Input:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return _invalid(str(number), "input", f"Line {number} is not UTF-8 (byte {error.start}).")
    except (ValueError, RecursionError) as error:
        return _invalid(str(number), "input", f"Line {number} is not JSON ({str(error)[:100]}).")
    if not isinstance(row, dict):
        return _invalid(str(number), "input", f"Line {number} is no JSON object with `id` and `text`.")
    return _from_row(row, number)


def _from_row(row: dict[str, Any], number: int) -> Input:
    id, text, title = row.get("id"), row.get("text"), row.get("title")
    id = number if id is None else id
    if isinstance(id, bool) or not isinstance(id, str | int):
        return _invalid(str(number), "input", f"Line {number}: `id` is neither a text nor a whole number.")
    id = clean(str(id))
    if not isinstance(text, str):
        return _invalid(id, "input", f"Line {number}: `text` is {'missing' if text is None else 'not a text'}.")
    if title is not None and not isinstance(title, str):
        return _invalid(id, "input", f"Line {number}: `title` is not a text.")
    if refused := why_refused(text) or why_refused(title or "", "title"):
        return _invalid(id, "markup", f"Line {number}: {refused}")
    try:
        published = date.fromisoformat(row["published"]) if row.get("published") is not None else None
    except (TypeError, ValueError):
        return _invalid(id, "input", f"Line {number}: `published` is no date such as 2014-03-05.")
    return Input(id, document(id, text, title or "", published=published))


def from_url(url: str) -> Input:
    """The article at `url`, fetched by the guarded client."""
    from extraction.crawler import http_client
    from extraction.crawler.parsers import sandbox

    try:
        response = http_client.get(url, accept=http_client.PAGE)
    except http_client.FetchError as error:
        return _invalid(url, "fetch", f"{url} could not be fetched: {error.sentence}")
    try:
        article = sandbox.extract_article(response.content, response.url, response.content_type)
    except sandbox.Overrun as error:
        return _invalid(url, "no_article", f"The page at {url} could not be read: {error}")
    if article.login_wall:
        return _invalid(url, "login_wall", f"{url} asks visitors to sign in, to subscribe or to solve a captcha.")
    if not article.text or article.instead or article.refresh:
        return _invalid(url, "no_article", f"No article was found in the page at {url}.")
    return Input(url, document(url, article.text, article.title, published=article.day))


def _invalid(id: str, code: str, message: str) -> Input:
    return Input(id, problem=Declined(code, clean(message)))
