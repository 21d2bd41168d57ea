"""Feeds and pages are parsed in processes apart: what strangers send may cost so much time and memory, and no more.

The markup decides how long a parser takes, and no thread can be ended; so a parser that overruns ends itself, with
nothing lost but its answer. A parser has no secrets in its environment, opens no connection and writes no file
(`sandbox_process.py`). Bytes go out and JSON comes back: never an object that could carry code.
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

from extraction.crawler.parsers.article_parser import Article
from extraction.crawler.parsers.feed_parser import FeedError, FeedItem, ParsedFeed

SECONDS = 10.0  # of computing, for one feed or page; a large honest one takes two
MEMORY = 1 << 30  # bytes of address space
PROCESSES = 3  # at once, in one worker
JOBS = 500  # of one process: what its libraries keep goes with it

_ROOT = Path(__file__).resolve().parents[3]
_LENGTH = struct.Struct("!I")
_ANSWER_LIMIT = 512 << 20


class Overrun(Exception):
    """The parser ended without an answer: too much time or memory, or its libraries crashed. A sentence for people."""


def parse_feed(content: bytes, content_type: str, url: str) -> ParsedFeed:
    """As `feed_parser.parse`, within SECONDS and MEMORY. Raises FeedError."""
    try:
        said = _asked("feed", content, {"content_type": content_type, "url": url})
    except Overrun as error:
        raise FeedError(f"The feed could not be read: {error}") from error
    if "error" in said:
        raise FeedError(str(said["error"]))
    items = [_item(row) for row in said.pop("items")]
    return ParsedFeed(items=items, **said)


def extract_article(content: bytes, url: str) -> Article:
    """As `article_parser.extract`, within SECONDS and MEMORY. Raises Overrun."""
    said = _asked("page", content, {"url": url})
    said["others"] = tuple((str(address), str(caption)) for address, caption in said["others"])
    return Article(**{field.name: said[field.name] for field in fields(Article)})


def _item(row: dict[str, Any]) -> FeedItem:
    published = row.pop("published")
    return FeedItem(published=datetime.fromisoformat(published) if published else None, **row)


def _asked(kind: str, content: bytes, said: dict[str, str]) -> dict[str, Any]:
    job = json.dumps(said | {"kind": kind, "seconds": SECONDS}).encode()
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
        """The answer to one job. Raises Overrun, and is of no more use then."""
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
        found = self.process.stdout.read(size)
        if len(found) < size:
            raise EOFError
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written to it went with the process
                    pipe.close()


_idle: list[_Parser] = []
_lock = threading.Lock()
_at_once = threading.BoundedSemaphore(PROCESSES)


def idle() -> tuple[_Parser, ...]:
    """The parsers that wait for work: while nothing is parsed, all that there are."""
    with _lock:
        return tuple(_idle)


@contextmanager
def _parser() -> Iterator[_Parser]:
    """A process that is nobody else's meanwhile: an idle one, or a new one."""
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
