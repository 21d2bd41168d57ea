"""A client for knowledge services over HTTP, with a cache, retries and a circuit breaker.

The function that sends is passed in (`Send`): callers give the guarded client, which waits for the host's turn and
names the product. Failures in a row open the service's circuit: for a while no request is sent, then one is let
through to see whether the service is back. Circuit and answers are rows, so that all processes share them. Never used
on a worker that reads posts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.db.models import F
from django.utils import timezone

from knowledge.models import KnowledgeService, ServiceAnswer
from knowledge.sources.protocol import SourceUnavailable

TRIES = 2
FIRST_WAIT, LONGEST_WAIT = 1.0, 8.0  # seconds between tries; a host that asks for more is not waited for
FAILURES = 4  # requests in a row that fail before the circuit opens
OPEN_FOR, LONGEST_OPEN = timedelta(minutes=1), timedelta(hours=1)
TRIAL = timedelta(minutes=2)  # far longer than one request takes with all its tries
OUR_FAULT = frozenset({400, 404, 405, 413, 414, 422})  # wrong requests; they do not open the circuit


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """What a service sent with a status of 2xx."""

    content: bytes
    content_type: str = ""


class Unanswered(Exception):
    """A request without an answer; the message is a sentence. `retry_after`: the service's wait in seconds."""

    def __init__(
        self, sentence: str, *, status: int = 0, retry_after: float | None = None, final: bool = False
    ) -> None:
        super().__init__(sentence)
        self.status, self.retry_after = status, retry_after
        self.final = final or status in OUR_FAULT  # a retry gives the same


class Send(Protocol):
    """Fetches `url` by GET, in its host's turn, under the product's name. Raises Unanswered."""

    def __call__(self, url: str, accept: str) -> ServiceResponse: ...


class Remote:
    """Sends requests to services. `fresh_for`: how old a cached answer may be before it is requested again."""

    def __init__(self, send: Send, fresh_for: timedelta, wait: Callable[[float], None] = time.sleep) -> None:
        self._send, self._fresh_for, self._wait = send, fresh_for, wait

    def ask(self, name: str, url: str, accept: str, parse: Callable[[ServiceResponse], Any]) -> Any:
        """The answer as `parse` returns it, as JSON values; requested once while it is fresh. `name` is the service's,
        for people. An error of `parse` (ValueError, KeyError, TypeError) means that the response is not valid. Raises
        SourceUnavailable.

        Where the service is unavailable, an older answer is used.
        """
        key = hashlib.sha256(url.encode()).hexdigest()
        cached = ServiceAnswer.objects.filter(key=key).first()
        if cached and cached.asked_at >= timezone.now() - self._fresh_for:
            return cached.content
        try:
            content = self._request(name, url, accept, parse)
        except SourceUnavailable:
            if cached is None:
                raise
            return cached.content
        values = {"service": _host(url), "content": content, "asked_at": timezone.now()}
        ServiceAnswer.objects.update_or_create(key=key, defaults=values)
        return content

    def _request(self, name: str, url: str, accept: str, parse: Callable[[ServiceResponse], Any]) -> Any:
        service = KnowledgeService.objects.get_or_create(host=_host(url), defaults={"name": name})[0]
        if not _may_send(service):
            raise SourceUnavailable(
                f"{name} is not used until {service.open_until:%H:%M} UTC, after {service.failures} failures in a "
                f"row: {service.error}"
            )
        try:
            content = self._send_with_retries(url, accept, parse)
        except Unanswered as error:
            if error.status not in OUR_FAULT:
                _failed(service, str(error), error.retry_after)
            raise SourceUnavailable(f"{name}: {error}") from error
        KnowledgeService.objects.filter(pk=service.pk).update(
            failures=0, opened=0, open_until=None, error="", answered_at=timezone.now()
        )
        return content

    def _send_with_retries(self, url: str, accept: str, parse: Callable[[ServiceResponse], Any]) -> Any:
        for attempt in range(1, TRIES + 1):
            try:
                return _parsed(self._send(url, accept), parse)
            except Unanswered as error:
                backoff = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
                pause = backoff if error.retry_after is None else error.retry_after
                if error.final or attempt == TRIES or pause > LONGEST_WAIT:
                    raise
                self._wait(pause)
        raise AssertionError("the last try returns or raises")


def forget(older_than: timedelta, most: int = 1000) -> int:
    """Delete at most `most` answers that were not requested again in that time; how many."""
    old = ServiceAnswer.objects.filter(asked_at__lt=timezone.now() - older_than).values_list("pk", flat=True)
    return ServiceAnswer.objects.filter(pk__in=list(old[:most])).delete()[0]


def _parsed(answer: ServiceResponse, parse: Callable[[ServiceResponse], Any]) -> Any:
    try:
        return parse(answer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        start = answer.content[:60].decode("utf-8", "replace")
        message = f"The response is not valid ({type(error).__name__}: {error}). It begins with {start!r}."
        raise Unanswered(message) from error


def _may_send(service: KnowledgeService) -> bool:
    """Whether a request may be sent. Once the circuit has been open long enough, one request is let through."""
    if service.open_until is None:
        return True
    now = timezone.now()
    ended = KnowledgeService.objects.filter(pk=service.pk, open_until__lte=now)
    return bool(ended.update(open_until=now + TRIAL))


def _failed(service: KnowledgeService, sentence: str, retry_after: float | None) -> None:
    row = KnowledgeService.objects.filter(pk=service.pk)
    row.update(failures=F("failures") + 1, error=sentence[:2000])
    now = timezone.now()
    if retry_after is not None and retry_after > LONGEST_WAIT:
        row.update(open_until=now + timedelta(seconds=min(retry_after, LONGEST_OPEN.total_seconds())))
        return
    # The trial of an open circuit failed, or too many failed in a row: each time the wait is longer.
    if row.filter(failures__gte=FAILURES).exists() or service.open_until is not None:
        wait = min(LONGEST_OPEN, OPEN_FOR * 2 ** min(service.opened, 10))
        row.update(open_until=now + wait, opened=F("opened") + 1)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()[:300]
