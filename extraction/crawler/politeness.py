"""Politeness towards web hosts, shared by all processes: delays between requests, and robots.txt."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from extraction.crawler import canonical_urls, http_client
from extraction.models import Host
from extraction.text.cleaning import clean

ROBOTS_FOR = timedelta(hours=24)
ROBOTS_RETRY = timedelta(hours=1)
ROBOTS_BYTES = 500_000
LONGEST_DELAY = 30.0  # seconds; a longer Crawl-delay is cut to this
LOCAL_SECONDS = 0.02
_UNKNOWN = "# could not be had"


class HostBusy(Exception):
    """The host must not be requested yet; `seconds` is the time until it may be."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"{name} must not be requested again for {seconds:.0f} seconds.")
        self.seconds = seconds


def wait_turn(url: str, patience: float) -> None:
    """Wait until the host of `url` may be requested, and take that turn. Raises HostBusy, without taking a turn, where
    that is more than `patience` seconds away."""
    name = canonical_urls.host(url)
    with transaction.atomic():
        row = lock([name])[name]
        wait = reserve(row, timezone.now(), patience)
        row.save(update_fields=["next_request_at"])
    if wait > patience:
        raise HostBusy(name, wait)
    time.sleep(wait)


def reserve(row: Host, now: datetime, patience: float) -> float:
    """The seconds until the next free turn of a locked host; within `patience` it is taken (and not saved yet)."""
    start = max(row.next_request_at or now, now)
    wait = (start - now).total_seconds()
    if wait <= patience:
        row.next_request_at = start + timedelta(seconds=gap(row))
    return wait


def gap(row: Host) -> float:
    """The seconds between two requests to a host: the setting, or robots.txt's Crawl-delay where that is more.

    This machine's own pages (the samples) need no delay.
    """
    if urlsplit(f"//{row.name}").hostname in ("127.0.0.1", "::1", "localhost"):
        return min(settings.FETCH_HOST_SECONDS, LOCAL_SECONDS)
    delay = 0.0
    if settings.FETCH_ROBOTS and "crawl-delay" in row.robots.lower():
        delay = float(_rules(row.robots).crawl_delay("kgbuilder") or 0.0)
    return max(settings.FETCH_HOST_SECONDS, min(delay, LONGEST_DELAY))


def check_redirect(url: str, patience: float) -> None:
    """Check a redirect to another host against its robots.txt, and wait for its turn. Raises HostBusy and
    FetchError."""
    if not robots_allow(url, patience):
        raise http_client.FetchError(
            "disallowed", f"The robots.txt of {canonical_urls.host(url)} does not allow {url[:200]}."
        )
    wait_turn(url, patience)


def hold(url: str, seconds: float) -> None:
    """Request nothing from a host for as long as it asked (Retry-After), at most a day."""
    name, until = canonical_urls.host(url), timezone.now() + timedelta(seconds=min(seconds, 86_400))
    with transaction.atomic():
        row = lock([name])[name]
        row.next_request_at = max(row.next_request_at or until, until)
        row.save(update_fields=["next_request_at"])


def lock(names: Iterable[str]) -> dict[str, Host]:
    """The rows of hosts, created where they are new and locked in the order of their names. Inside a transaction."""
    sorted_names = sorted({name[:300] for name in names})
    Host.objects.bulk_create([Host(name=name) for name in sorted_names], ignore_conflicts=True)
    return {row.name: row for row in Host.objects.select_for_update().filter(name__in=sorted_names).order_by("name")}


def robots_allow(url: str, patience: float) -> bool:
    """Whether the host's robots.txt lets us fetch `url`; it is fetched where the stored one is a day old.

    As in RFC 9309: a missing robots.txt (4xx) allows everything; where the server fails to deliver one, nothing is
    fetched until it does. Raises HostBusy as `wait_turn`, and FetchError.
    """
    # Our own samples have no robots.txt, and nothing else is fetched from our own web server.
    if not settings.FETCH_ROBOTS or http_client.is_own_sample(url):
        return True
    row = Host.objects.filter(name=canonical_urls.host(url)).first()
    if row is None or row.robots_until is None or row.robots_until < timezone.now():
        wait_turn(url, patience)
        robots, lasts = _fetch_robots(url)
        Host.objects.filter(name=canonical_urls.host(url)).update(robots=robots, robots_until=timezone.now() + lasts)
    else:
        robots = row.robots
    if robots == _UNKNOWN:
        raise http_client.FetchError(
            "robots", f"{canonical_urls.host(url)} does not deliver its robots.txt, so its pages are not fetched."
        )
    return not robots or bool(_rules(robots).can_fetch(url, "kgbuilder"))


def _fetch_robots(url: str) -> tuple[str, timedelta]:
    parts = urlsplit(url)
    try:
        found = http_client.get(
            f"{parts.scheme}://{parts.netloc}/robots.txt", accept="text/plain", max_bytes=ROBOTS_BYTES
        )
    except http_client.FetchError as error:
        if error.code == "status" and (error.status >= 500 or error.status == 429):
            return _UNKNOWN, ROBOTS_RETRY
        if error.code in ("status", "redirects", "too_big", "encoding"):
            return "", ROBOTS_FOR
        raise
    return clean(found.content.decode("utf-8", "replace")), ROBOTS_FOR


@lru_cache(maxsize=64)
def _rules(robots: str) -> Any:
    from protego import Protego

    return Protego.parse(robots)
