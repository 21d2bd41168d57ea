"""Parsers in separate processes: their answers, and the handling of one that overruns or dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.article_parser import extract
from extraction.crawler.parsers.feed_parser import FeedError, parse
from tests.servers.fakeweb import article

pytestmark = pytest.mark.integration

URL = "https://news.example/feed"
ITEM = "<item><title>Zoë 😀 &#xFFFE;</title><link>/a</link><pubDate>Mon, 02 Mar 2026 13:00:00 +0100</pubDate></item>"
FEED = f"<rss version='2.0'><channel><title>News</title><ttl>60</ttl>{ITEM}</channel></rss>".encode()
# The parser takes quadratic time in the depth: five megabytes of this take a quarter of an hour.
DEEP = b"<rss version='2.0'><channel><item><title>x</title></item>" + b"<a>" * 200_000


@pytest.fixture(autouse=True)
def none_idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    own: list[sandbox._Parser] = []
    monkeypatch.setattr(sandbox, "_idle", own)
    yield
    for parser in own:
        parser.end()


def test_the_answer_is_the_parser_s_own() -> None:
    assert sandbox.parse_feed(FEED, "", URL) == parse(FEED, "", URL)
    assert sandbox.parse_feed(FEED, "", URL).items[0].published == datetime(2026, 3, 2, 12, tzinfo=UTC)
    page = article().encode()
    assert sandbox.extract_article(page, URL) == extract(page, URL) != sandbox.extract_article(b"", URL)
    assert len(sandbox._idle) == 1, "one process is enough for one thread"


def test_an_invalid_feed_is_reported() -> None:
    with pytest.raises(FeedError, match="neither RSS nor Atom"):
        sandbox.parse_feed(b"<html>not a feed</html>", "text/html", URL)


def test_one_that_takes_too_long_is_ended_by_the_system_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 0.3)
    with pytest.raises(FeedError, match=r"more than 0.3 seconds of processor time"):
        sandbox.parse_feed(DEEP, "", URL)
    assert sandbox._idle == []
    monkeypatch.undo()
    assert sandbox.parse_feed(FEED, "", URL).title == "News"


def test_one_that_takes_too_much_memory_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", 120 << 20)
    with pytest.raises(FeedError, match="120 MB of memory"):
        sandbox.parse_feed(b'{"items": [' + b"[]," * 1_700_000 + b"[]]}", "", URL)


def test_a_parser_that_dies_between_two_jobs_costs_none() -> None:
    sandbox.parse_feed(FEED, "", URL)
    sandbox._idle[0].process.kill()
    sandbox._idle[0].process.wait()
    assert sandbox.parse_feed(FEED, "", URL).title == "News"


def test_a_parser_is_changed_after_some_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "JOBS", 2)
    pids = []
    for _ in range(4):
        sandbox.parse_feed(FEED, "", URL)
        pids.append(sandbox._idle[0].process.pid)
    assert pids[0] == pids[1] != pids[2] == pids[3]


FORBIDDEN = {
    "a connection": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "a name": "import socket; socket.getaddrinfo('localhost', 80)",
    "a program": "import subprocess; subprocess.run(['true'])",
    "a shell": "import os; os.system('true')",
}


LIMITED = "from extraction.crawler.parsers import sandbox_process\nsandbox_process._limit(1 << 30)"


@pytest.mark.parametrize("code", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_parser_reaches_nothing(code: str) -> None:
    wrapped = f"{LIMITED}\ntry:\n    {code}\nexcept PermissionError:\n    print('no')"
    ended = subprocess.run([sys.executable, "-c", wrapped], capture_output=True, text=True, check=False)
    assert ended.stdout == "no\n", ended


def test_a_parser_writes_no_file(tmp_path: Path) -> None:
    code = f"{LIMITED}\nopen({str(tmp_path / 'x')!r}, 'w').write('x')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (tmp_path / "x").read_bytes() == b"", ended


def test_a_parser_has_no_secrets_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@127.0.0.1/x")
    sandbox.parse_feed(FEED, "", URL)
    environ = Path(f"/proc/{sandbox._idle[0].process.pid}/environ")
    if environ.exists():
        assert b"secret" not in environ.read_bytes()
    assert "DATABASE_URL" in os.environ
