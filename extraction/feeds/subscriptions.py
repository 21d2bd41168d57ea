"""Subscriptions to feeds: subscribe, import and export lists, retry, pause and resume."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.db.models import QuerySet
from django.utils import timezone

from extraction.crawler import canonical_urls, http_client
from extraction.crawler.parsers import opml
from extraction.models import Feed
from kgbuilder.conf import encrypted_field


class NoFeedAddress(ValueError):
    """The address cannot be that of a feed; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The result of a subscription. For a known feed: `resumed_from` is the state from which it was resumed, "" where
    it was polled already, and `new_credentials` that the user or password changed.
    """

    feed: Feed
    new: bool
    resumed_from: str = ""
    new_credentials: bool = False


@dataclass(slots=True)
class Imported:
    """The result of an import: each subscription, the reasons by refused address, and what of the file could not be
    read, as sentences."""

    subscribed: list[Subscribed] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    notice: str = ""

    @property
    def added(self) -> list[Feed]:
        return [one.feed for one in self.subscribed if one.new]

    @property
    def known(self) -> int:
        return len(self.subscribed) - len(self.added)


def subscribe(url: str, *, title: str = "", folder: str = "", sample: bool = False) -> Subscribed:
    """The feed at `url`, polled from now on. A user and password in the URL are stored separately.

    A feed that was paused, had ended or was deleted is resumed. Raises NoFeedAddress.
    """
    address, credentials = checked(url)
    named = {"title": title[:500], "folder": folder[:100], "credentials": credentials, "sample": sample}
    feed, new = Feed.objects.get_or_create(url=address, defaults={**named, "due_at": timezone.now()})
    if new:
        return Subscribed(feed, new)
    changed = bool(credentials) and credentials != _opened(feed)
    if changed:
        Feed.objects.filter(pk=feed.pk).update(credentials=credentials)
    resumed_from = feed.state if feed.state in (Feed.State.PAUSED, Feed.State.GONE) else ""
    if feed.deleted_at is not None:
        Feed.objects.filter(pk=feed.pk).update(deleted_at=None)
        resumed_from = "deleted"
    if resumed_from:
        retry(feed)
    feed.refresh_from_db()
    return Subscribed(feed, new, resumed_from, changed)


def _opened(feed: Feed) -> str | None:
    """A feed's user and password; None where they were encrypted with a key that is gone."""
    try:
        return encrypted_field.open_sealed(feed.credentials)
    except encrypted_field.Unreadable:
        return None


def listed() -> QuerySet[Feed]:
    """The feeds that have not been deleted."""
    return Feed.objects.filter(deleted_at__isnull=True)


def retry(feed: Feed) -> None:
    """Poll a feed now, whatever its last error; the error stays until a poll has succeeded."""
    _polled(feed).update(state=Feed.State.ACTIVE, due_at=timezone.now())


def pause(feed: Feed) -> None:
    """Stop polling a feed until it is retried; its posts stay."""
    _polled(feed).update(state=Feed.State.PAUSED, due_at=None)


def _polled(feed: Feed) -> QuerySet[Feed]:
    """The row of a feed that can be polled; a source of posts sent through the API cannot be."""
    return listed().filter(pk=feed.pk).exclude(state=Feed.State.SENT)


def import_opml(content: bytes) -> Imported:
    """Subscribe to the feeds of an OPML file. Raises OpmlError; a single bad address is refused and reported."""
    listed = opml.parse(content)
    done = Imported(notice=listed.notice)
    for outline in listed.outlines:
        try:
            done.subscribed.append(subscribe(outline.url, title=outline.title))
        except NoFeedAddress as error:
            done.refused[canonical_urls.without_credentials(outline.url)] = str(error)
    return done


def export_opml() -> bytes:
    """All feeds as OPML, without passwords, the samples and the sources of posts sent through the API."""
    feeds = listed().filter(sample=False).exclude(state=Feed.State.SENT).order_by("title", "url")
    return opml.write(opml.Outline(feed.url, feed.title, feed.site) for feed in feeds)


def checked(url: str) -> tuple[str, str]:
    """The address of a feed as people enter it, and its user and password apart. Raises NoFeedAddress."""
    entered = url.strip()
    scheme, _, rest = entered.partition(":")
    if scheme.lower() in ("feed", "rss", "pcast", "itpc"):
        # "feed://host" is an address of http by definition, "feed:https://host" the one that it wraps
        entered = f"http:{rest}" if rest.startswith("//") else rest
    if "://" not in entered:
        entered = f"https://{entered.removeprefix('//')}"
    try:
        address, credentials = http_client.split_credentials(entered)
        parts = urlsplit(address)
    except http_client.FetchError as error:
        raise NoFeedAddress(error.sentence) from error
    host = parts.hostname or ""
    fits = parts.scheme in ("http", "https") and host and not any(c.isspace() for c in address)
    if not fits or len(address) > 2000 or len(credentials) > 500:
        shown = canonical_urls.without_credentials(url)[:200]
        raise NoFeedAddress(
            f"{shown!r} is not the address of a feed. Enter an address such as https://example.org/feed."
        )
    return address, credentials
