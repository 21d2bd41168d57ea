"""Find the feed that an address stands for, before anything is subscribed to: itself, or those that its page offers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urljoin

from extraction.crawler import canonical_urls, http_client, politeness
from extraction.crawler.parsers import sandbox
from extraction.crawler.parsers.feed_parser import MAX_FEED_BYTES, FeedError, FeedItem, ParsedFeed
from extraction.feeds import subscriptions
from extraction.models import Feed

PATIENCE = 10.0  # seconds for a host's turn: somebody waits for the page
DEADLINE = 15.0  # seconds for one fetch
MOST_TRIED = 5
SHOWN_ITEMS = 5
# Where sites have their feed without linking to it.
USUAL = ("/feed", "/rss", "/feed.xml", "/rss.xml", "/atom.xml", "/index.xml")
ACCEPT = (
    "application/rss+xml,application/atom+xml,application/feed+json,application/xml;q=0.9,text/html;q=0.8,*/*;q=0.1"
)
LATER = frozenset({"timeout", "refused", "protocol", "robots"})  # codes of fetches that may succeed later
LATER_STATUS = frozenset({401, 403, 408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that was fetched and parsed. `known`: the id of the feed with this address, None where it is new."""

    url: str
    title: str
    site: str
    count: int
    items: tuple[FeedItem, ...]
    notice: str
    known: int | None


class NoFeedFound(Exception):
    """There is no feed at an address, or it cannot be reached; the message is a sentence for people.

    `later`: the server did not answer or asks to come again, so that a feed may be there all the same.
    """

    def __init__(self, sentence: str, later: bool = False) -> None:
        super().__init__(sentence)
        self.later = later


def discover(address: str) -> list[FoundFeed]:
    """The feed at `address`, or those that its page or site offers. Raises NoFeedAddress, NoFeedFound."""
    url, credentials = subscriptions.checked(address)
    try:
        answer = _fetched(url, credentials)
    except http_client.FetchError as error:
        raise NoFeedFound(error.sentence, error.code in LATER or error.status in LATER_STATUS) from error
    except politeness.HostBusy as busy:
        raise NoFeedFound(f"{busy} Try again then.", later=True) from busy
    try:
        return [_found(url, _parsed(answer))]
    except FeedError as error:
        return _offered(answer, credentials, error)


def _offered(answer: http_client.Response, credentials: str, reason: FeedError) -> list[FoundFeed]:
    """The feeds that a page links to; where it links to none, the first at a usual address of its site."""
    if answer.content.lstrip()[:1] != b"<":
        raise NoFeedFound(str(reason))
    links = [link.url for link in sandbox.feed_links(answer.content, answer.url)]
    found = [feed for url in links[:MOST_TRIED] if (feed := _tried(url, answer.url, credentials))]
    if found:
        return found
    for path in USUAL:
        feed = _tried(urljoin(answer.url, path), answer.url, credentials)
        if feed is not None:
            return [feed]
    host = canonical_urls.host(answer.url)
    tried = "the feeds that the page links to cannot be read" if links else "and none was found on its site"
    raise NoFeedFound(f"This address of {host} is a web page, not a feed: {tried}. Look for “RSS” on the site.")


def _tried(url: str, page: str, credentials: str) -> FoundFeed | None:
    """The feed at `url`; None where there is none. A password is sent to the page's own host alone."""
    own = credentials if canonical_urls.same_host(url, page) else ""
    with suppress(http_client.FetchError, politeness.HostBusy, FeedError):
        return _found(url, _parsed(_fetched(url, own)))
    return None


def _fetched(url: str, credentials: str) -> http_client.Response:
    politeness.wait_turn(url, PATIENCE)
    return http_client.get(
        url,
        accept=ACCEPT,
        max_bytes=MAX_FEED_BYTES,
        deadline=DEADLINE,
        credentials=credentials,
        check_redirect=partial(politeness.check_redirect, patience=PATIENCE),
    )


def _parsed(answer: http_client.Response) -> tuple[ParsedFeed, str]:
    """The feed and where it was. Raises FeedError."""
    parsed = sandbox.parse_feed(answer.content, answer.content_type, answer.url)
    return parsed, answer.moved_permanently_to


def _found(url: str, answer: tuple[ParsedFeed, str]) -> FoundFeed:
    parsed, moved = answer
    url = moved or url
    known = Feed.objects.filter(url=url, deleted_at__isnull=True).values_list("pk", flat=True).first()
    title, items = parsed.title or canonical_urls.host(url), tuple(parsed.items[:SHOWN_ITEMS])
    return FoundFeed(url, title, parsed.site, len(parsed.items), items, parsed.notice, known)
