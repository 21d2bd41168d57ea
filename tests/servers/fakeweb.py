"""A web and a clock that tests set: `http_client.get` answers from a table, sleeping passes the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from extraction.crawler import http_client, politeness
from extraction.crawler.http_client import FetchError, Response

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
BODY = (
    "A storm closed the port of Hartlepool on Monday, the harbour master said, and left nine ships waiting at anchor.",
    "Waves of six metres broke over the north pier, where the lifeboat station lost its slipway during the night.",
    "The town council opened two schools as shelters and asked people to stay away from the sea front until Wednesday.",
)


@dataclass
class Clock:
    now: datetime = START
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **length: float) -> None:
        self.now += timedelta(**length)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeWeb:
    """`pages` by URL: a whole page, a Response, or a FetchError. Other URLs are 404. `asked`: what `get` was given."""

    clock: Clock
    pages: dict[str, str | Response | FetchError] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def get(self, url: str, **options: object) -> Response:
        self.asked.append((url, options))
        page = self.pages.get(url, status(404, url))
        if isinstance(page, FetchError):
            raise page
        return page if isinstance(page, Response) else html(page, url)

    def urls(self) -> list[str]:
        return [url for url, _ in self.asked]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timezone, "now", made)
    monkeypatch.setattr(politeness.time, "sleep", made.sleep)
    return made


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[FakeWeb]:
    made = FakeWeb(clock)
    monkeypatch.setattr(http_client, "get", made.get)
    politeness._rules.cache_clear()
    yield made


def html(content: str | bytes, url: str, kind: str = "text/html; charset=utf-8", **headers: str) -> Response:
    """A whole answer; header names are written with `_` for `-`."""
    body = content.encode() if isinstance(content, str) else content
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(url, 200, {"content-type": kind} | named, body)


def status(number: int, url: str = "https://news.example/x", retry_after: float | None = None) -> FetchError:
    return FetchError("status", f"{url} answers {number}.", status=number, retry_after=retry_after)


def article(*body: str, title: str = "Storm closes port", head: str = "") -> str:
    inner = "".join(f"<p>{part}</p>" for part in body or BODY)
    return (
        f"<html lang='en'><head><title>{title}</title>{head}</head>"
        f"<body><article><h1>{title}</h1>{inner}</article></body></html>"
    )
