"""Parse feeds and pages in separate processes: untrusted content is limited in the time and memory that it takes.

The markup decides how long a parser takes, and no thread can be ended; so the system ends a parser process that
overruns, and only its answer is lost. A parser has no secrets in its environment, opens no connection and writes no
file (`sandbox_process.py`). Bytes are sent and JSON comes back: never an object that could carry code.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from extraction.crawler.parsers.article_parser import ParsedArticle
from extraction.crawler.parsers.feed_links import FeedLink
from extraction.crawler.parsers.feed_parser import FeedError, FeedItem, ParsedFeed

SECONDS = 10.0  # of processor time, for one feed or page; a large genuine one takes two
MEMORY = 1 << 30  # bytes of address space
PROCESSES = 3  # at once, in one worker
JOBS = 500  # of one process: memory that its libraries keep is freed with it

_ROOT = Path(__file__).resolve().parents[3]
_LENGTH = struct.Struct("!I")
_ANSWER_LIMIT = 512 << 20


class Overrun(Exception):
    """The parser ended without an answer: too much time or memory, or its libraries crashed. A sentence for people."""


def parse_feed(content: bytes, content_type: str, url: str) -> ParsedFeed:
    """As `feed_parser.parse`, within SECONDS and MEMORY. Raises FeedError."""
    try:
        parsed = _ask("feed", content, {"content_type": content_type, "url": url})
    except Overrun as error:
        raise FeedError(f"The feed could not be read: {error}") from error
    if "error" in parsed:
        raise FeedError(str(parsed["error"]))
    items = [_item(row) for row in parsed.pop("items")]
    return ParsedFeed(items=items, **parsed)


def extract_article(content: bytes, url: str, content_type: str = "") -> ParsedArticle:
    """As `article_parser.extract`, within SECONDS and MEMORY. Raises Overrun."""
    parsed = _ask("page", content, {"content_type": content_type, "url": url})
    parsed["others"] = tuple((str(address), str(caption)) for address, caption in parsed["others"])
    return ParsedArticle(**{field.name: parsed[field.name] for field in fields(ParsedArticle)})


def feed_links(content: bytes, url: str) -> list[FeedLink]:
    """As `feed_links.feed_links`, within SECONDS and MEMORY; none where a page overruns them."""
    try:
        return [FeedLink(**row) for row in _ask("links", content, {"url": url})["links"]]
    except Overrun:
        return []


def _item(row: dict[str, Any]) -> FeedItem:
    published = row.pop("published")
    return FeedItem(published=datetime.fromisoformat(published) if published else None, **row)


def _ask(kind: str, content: bytes, options: dict[str, str]) -> dict[str, Any]:
    job = json.dumps(options | {"kind": kind, "seconds": SECONDS}).encode()
    with _parser() as parser:
        return parser.ask(job, content)


class _Parser:
    """One process. It ends when its input is closed, so none outlives the worker that started it."""

    def __init__(self) -> None:
        environ = {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ.get("PATH", "")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "extraction.crawler.parsers.sandbox_process", str(MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
        )
        self.jobs = 0

    @property
    def usable(self) -> bool:
        return self.jobs < JOBS and self.process.poll() is None

    def ask(self, job: bytes, content: bytes) -> dict[str, Any]:
        """The answer to one job. Raises Overrun, and cannot be used after that."""
        assert self.process.stdin is not None
        self.jobs += 1
        try:
            self.process.stdin.write(_LENGTH.pack(len(job)) + job + _LENGTH.pack(len(content)))
            self.process.stdin.write(content)
            self.process.stdin.flush()
            answer = json.loads(self._read(_LENGTH.unpack(self._read(_LENGTH.size))[0]))
        except (OSError, EOFError, ValueError):
            self.end()
            limits = f"{SECONDS:g} seconds of processor time or {MEMORY >> 20} MB of memory"
            raise Overrun(f"it took more than {limits}, or broke the parser.") from None
        assert isinstance(answer, dict)
        return answer

    def _read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        if size > _ANSWER_LIMIT:
            raise ValueError("the answer is too long")
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # unwritten input is lost with the process
                    pipe.close()


_idle: list[_Parser] = []
_lock = threading.Lock()
_at_once = threading.BoundedSemaphore(PROCESSES)


def idle() -> tuple[_Parser, ...]:
    """The parsers that wait for work: all of them while nothing is being parsed."""
    with _lock:
        return tuple(_idle)


@contextmanager
def _parser() -> Iterator[_Parser]:
    """A process for exclusive use: an idle one, or a new one."""
    with _at_once:
        with _lock:
            parser = _idle.pop() if _idle else None
        if parser is not None and not parser.usable:
            parser.end()
            parser = None
        parser = parser or _Parser()
        try:
            yield parser
        except BaseException:
            parser.end()  # its answer may be half read
            raise
        with _lock:
            _idle.append(parser)
