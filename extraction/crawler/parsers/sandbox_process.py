"""The process that parses untrusted input for `sandbox.py`.

    python -m extraction.crawler.parsers.sandbox_process BYTES_OF_MEMORY

It reads jobs from its standard input and writes answers to its standard output, each after its length. The system ends
it when a job takes too long (which does not depend on any Python code getting a turn), and limits its memory, files and
connections.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import struct
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from extraction.crawler.parsers import article_parser, feed_links, feed_parser

_LENGTH = struct.Struct("!I")
_WALL = 8  # times the seconds of processor time: on a busy machine these take longer
_FORBIDDEN = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.bind",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
)


def main() -> None:
    answers = _own_output()
    logging.disable()
    _limit(int(sys.argv[1]))
    while job := _read(sys.stdin.buffer):
        request = json.loads(job)
        content = _read(sys.stdin.buffer)
        _load(request["kind"])
        _time(request["seconds"])
        answer = json.dumps(_answer(request, content)).encode()
        _time(0)
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()


def _own_output() -> BinaryIO:
    """The stream for answers; what a library prints is discarded."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _limit(memory: int) -> None:
    for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        try:
            resource.setrlimit(what, (most, most))
        except (OSError, ValueError):
            continue  # macOS has no limit of address space
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: object) -> None:
    if event in _FORBIDDEN:
        raise PermissionError(f"{event} is not for parsers")


def _load(kind: str) -> None:
    """Load the libraries before the time is measured, so that it does not count against the first feed."""
    if kind == "feed":
        import feedparser  # noqa: F401
    elif kind == "page":
        import trafilatura  # noqa: F401


def _time(seconds: float) -> None:
    """Let the system end this process after `seconds` of processor time from now; 0: no limit."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * _WALL)


def _answer(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    if request["kind"] == "page":
        return asdict(article_parser.extract(content, request["url"], request["content_type"]))
    if request["kind"] == "links":
        return {"links": [asdict(link) for link in feed_links.feed_links(content, request["url"])]}
    try:
        parsed = asdict(feed_parser.parse(content, request["content_type"], request["url"]))
    except feed_parser.FeedError as error:
        return {"error": str(error)}
    for item in parsed["items"]:
        item["published"] = item["published"] and item["published"].isoformat()
    return parsed


def _read(source: BinaryIO) -> bytes:
    """Read one message, which is preceded by its length; empty at the end of the input."""
    head = source.read(_LENGTH.size)
    return source.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""


if __name__ == "__main__":
    main()
