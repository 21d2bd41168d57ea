"""Poll feeds: claim those that are due, record their items as sightings and posts, and schedule the next poll.

Each page of items is one short transaction that first renews the poll's lease. The feed's metadata (such as its ETag)
is stored last, so a poll that dies half-way is simply done again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from extraction import leases
from extraction.crawler import canonical_urls, http_client, politeness
from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.feed_parser import MAX_FEED_BYTES, FeedError, FeedItem, ParsedFeed
from extraction.feeds.poll_interval import LONGEST_S, SHORTEST_S, next_interval
from extraction.feeds.sightings import ItemChanges, recheck_vanished, record_items
from extraction.models import Feed, Post
from extraction.posts.versions import Mark
from extraction.text.cleaning import clean
from kgbuilder.conf import encrypted_field
from kgbuilder.supervision import telemetry

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
PATIENCE = 30.0
PAGE_OF_ITEMS = 50
LONGEST_REST = timedelta(days=1)
ACCEPT = (
    "application/rss+xml,application/atom+xml,application/feed+json,application/xml;q=0.9,application/json;q=0.8,"
    "text/xml;q=0.8,*/*;q=0.1"
)


@dataclass(slots=True)
class Polled:
    """The result of a round of polls: feeds claimed, new posts, changed items, and the errors by feed."""

    claimed: int = 0
    new: int = 0
    changed: int = 0
    errors: dict[str, str] = field(default_factory=dict)


class LeaseLost(Exception):
    """Another worker has taken the feed over."""


def poll_due(limit: int = 4, *, mark: Mark, worker: str = "") -> Polled:
    """Poll at most `limit` feeds that are due. An error is stored with its feed and does not stop the others."""
    return poll_all(claim(limit, worker), mark)


def poll_all(feeds: Sequence[Feed], mark: Mark, alive: Callable[[], None] = lambda: None) -> Polled:
    """Poll claimed feeds one after another, `alive` called before each."""
    done = Polled(claimed=len(feeds))
    for feed in feeds:
        alive()
        with telemetry.about(feed=feed.pk):
            _poll(feed, done, mark)
    return done


def _poll(feed: Feed, done: Polled, mark: Mark) -> None:
    try:
        recorded = poll_feed(feed, mark)
        done.new += recorded.new
        done.changed += recorded.changed
        logger.info("Polled: %d new, %d changed.", recorded.new, recorded.changed)
    except LeaseLost:
        return
    except (http_client.FetchError, FeedError) as error:
        done.errors[feed.url] = str(error)
        logger.info("The poll failed: %s", error)
    except Exception as error:
        logger.exception("The poll of %s failed", feed.url)
        done.errors[feed.url] = f"{type(error).__name__}: {error}"
        _fail(feed, done.errors[feed.url])


def claim(limit: int, worker: str = "") -> list[Feed]:
    """The feeds that are longest due, at most `limit`, leased."""
    return leases.claim(Feed.objects.filter(state=Feed.State.ACTIVE, deleted_at__isnull=True), limit, LEASE, worker)


def poll_feed(feed: Feed, mark: Mark) -> ItemChanges:
    """Poll one claimed feed; `mark` is called with posts whose link or date changed.

    An error is stored with the feed, then raised: FetchError, FeedError, LeaseLost.
    """
    try:
        politeness.wait_turn(feed.url, PATIENCE)
        answer = http_client.get(
            feed.url,
            etag=feed.etag,
            last_modified=feed.last_modified,
            accept=ACCEPT,
            max_bytes=MAX_FEED_BYTES,
            samples=feed.sample,
            credentials=encrypted_field.open_sealed(feed.credentials),
            check_redirect=partial(politeness.check_redirect, patience=PATIENCE),
        )
        parsed = None if answer.not_modified else sandbox.parse_feed(answer.content, answer.content_type, answer.url)
    except politeness.HostBusy as busy:
        _put_off(feed, busy.seconds)
        return ItemChanges()
    except encrypted_field.Unreadable as error:
        reason = f"The feed's user and password cannot be read: {error} Add the feed again with both in its address."
        _fail(feed, reason)
        raise FeedError(reason) from error
    except http_client.FetchError as error:
        _fetch_failed(feed, error)
        raise
    except FeedError as error:
        _fail(feed, str(error))
        raise
    now = timezone.now()
    recorded = _record_all(feed, parsed, now, mark) if parsed is not None else ItemChanges()
    _succeed(feed, answer, parsed, recorded, now)
    return recorded


def _record_all(feed: Feed, parsed: ParsedFeed, now: datetime, mark: Mark) -> ItemChanges:
    recorded = ItemChanges()
    for start in range(0, len(parsed.items), PAGE_OF_ITEMS):
        recorded += _record_page(feed, parsed.items[start : start + PAGE_OF_ITEMS], now, mark)
    with transaction.atomic():
        _hold(feed)
        recheck_vanished(feed, parsed.items, now)
    return recorded


def _record_page(feed: Feed, items: Sequence[FeedItem], now: datetime, mark: Mark) -> ItemChanges:
    for last_try in (False, True):
        try:
            with transaction.atomic():
                _hold(feed)
                recorded = record_items(feed, items, now)
                if recorded.moved:
                    mark(Post.objects.filter(pk__in=recorded.moved))
                return recorded
        except IntegrityError:
            # a fetch merged the post into another while its item was written: the second try finds that one
            if last_try:
                raise
    return ItemChanges()


def _hold(feed: Feed) -> None:
    """Renew the lease, as the first statement of each of a poll's transactions; where it is lost the poll ends."""
    held = Feed.objects.filter(pk=feed.pk, lease_token=feed.lease_token)
    if not held.update(lease_until=timezone.now() + LEASE):
        raise LeaseLost


def _succeed(
    feed: Feed, answer: http_client.Response, parsed: ParsedFeed | None, recorded: ItemChanges, now: datetime
) -> None:
    items = parsed.items if parsed is not None else []
    times = [item.published for item in items if item.published is not None]
    interval = next_interval(times, now, feed.interval_s, bool(recorded.new))
    requested = max(http_client.max_age(answer.headers), parsed.ttl if parsed is not None else 0.0)
    rest = max(timedelta(seconds=interval), min(timedelta(seconds=requested), LONGEST_REST))
    values: dict[str, object] = {"polled_at": now, "failures": 0, "error": "", "error_at": None}
    values |= {"interval_s": interval, "due_at": timezone.now() + rest}
    if parsed is not None:
        values |= _metadata(feed, answer, parsed, now)
    if recorded.new:
        values["new_at"] = now
    with transaction.atomic():
        values |= _moved(feed, answer.moved_permanently_to)
        _end(feed, values)


def _metadata(feed: Feed, answer: http_client.Response, parsed: ParsedFeed, now: datetime) -> dict[str, object]:
    return {
        "title": feed.title or parsed.title,
        "site": parsed.site,
        "notice": parsed.notice,
        "listed_at": now,
        "etag": answer.headers.get("etag", "")[:500],
        "last_modified": answer.headers.get("last-modified", "")[:200],
    }


def _moved(feed: Feed, to: str) -> dict[str, object]:
    """A 301 moves the feed; where that address is already one of the feeds, this one ends. The password is dropped when
    the host changes: it was entered for the old one."""
    if not to or to == feed.url:
        return {}
    other = Feed.objects.filter(url=to).exclude(pk=feed.pk).first()
    if other is None:
        credentials = {} if canonical_urls.same_host(feed.url, to) else {"credentials": ""}
        return {"url": to, "notice": f"The publisher moved this feed from {feed.url}.", **credentials}
    return {
        "state": Feed.State.GONE,
        "due_at": None,
        "error": f"The publisher moved this feed to {to}, which is polled already ({other}).",
        "error_at": timezone.now(),
    }


def _fetch_failed(feed: Feed, error: http_client.FetchError) -> None:
    if error.status == 410:
        reason = f"{error.sentence} The publisher has ended this feed, so it is polled no more."
        _end(feed, {"state": Feed.State.GONE, "due_at": None, "error": reason, "error_at": timezone.now()})
        return
    if error.retry_after is not None:
        politeness.hold(feed.url, error.retry_after)
    _fail(feed, error.sentence, error.retry_after or 0.0)


def _fail(feed: Feed, reason: str, rest_s: float = 0.0) -> None:
    """Store the error and poll later: the delay doubles with each failure, up to a day."""
    now, failures = timezone.now(), feed.failures + 1
    backoff = min(max(feed.interval_s, SHORTEST_S) * 2.0 ** min(failures - 1, 12), 86_400.0)
    due = now + max(timedelta(seconds=backoff), min(timedelta(seconds=rest_s), LONGEST_REST))
    _end(feed, {"failures": failures, "error": clean(reason)[:2000], "error_at": now, "due_at": due})


def _put_off(feed: Feed, seconds: float) -> None:
    _end(feed, {"due_at": timezone.now() + timedelta(seconds=min(seconds, LONGEST_S))})


def _end(feed: Feed, values: dict[str, object]) -> None:
    """Write the result of a poll and end the lease, unless it is lost already."""
    held = Feed.objects.filter(pk=feed.pk, lease_token=feed.lease_token)
    held.update(**values, **leases.NO_LEASE)
