"""The time of a post: as its feed item gives it, when the item's own date is corrected, and from its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from extraction.crawler.parsers.dates import ZONE_UNCLEAR, iso_moment, moment_of
from extraction.crawler.parsers.feed_parser import FeedItem
from extraction.models import Post, Sighting

FUTURE = timedelta(minutes=15)  # a publisher's clock may run ahead by this much
FROM_PAGE = "from the page"  # the feed gives no time that can be read, the article page does
_UNDATED = ("no date", "unreadable", FROM_PAGE)
_ZONES_APART = timedelta(hours=27)  # what two zones can differ by
_FEW = 3  # items; in a feed of fewer, all dates may be corrected at once


@dataclass(frozen=True, slots=True)
class Dating:
    """The fields of a post that hold its time."""

    published_at: datetime
    published_text: str
    published_notice: str


def dating(item: FeedItem, now: datetime) -> Dating:
    """What an item says of its post's time; the time of first sight where it says nothing."""
    if item.published is None:
        return Dating(now, item.published_text, "unreadable" if item.published_text else "no date")
    notice = "future" if item.published > now + FUTURE else item.date_notice
    return Dating(item.published, item.published_text, notice)


def follow(seen: Sequence[tuple[Sighting, FeedItem]], now: datetime) -> dict[int, int]:
    """Take corrected dates over to posts; the posts by the item's row. Inside a transaction.

    Only the date of publication is followed, by the item that gave it. A feed that stamps all items with the time of
    the request corrects nothing.
    """
    other = [(row, item) for row, item in seen if item.published_text and row.published_text != item.published_text]
    corrected = [(row, item) for row, item in other if item.published is not None and not item.updated_only]
    stamped = [row for row, _ in corrected if row.published_text]
    if len(seen) > _FEW and len(stamped) > len(seen) / 2:
        corrected = []
    posts = Post.objects.in_bulk([row.post_id for row, _ in corrected])
    redated: dict[int, int] = {}
    for row, item in corrected:
        post = posts.get(row.post_id)
        if post is not None and _gave_the_date(row, post) and post.published_at != item.published:
            _set(post, dating(item, now))
            redated[row.pk] = post.pk
    for row, item in other:
        row.published_text = item.published_text
    Sighting.objects.bulk_update([row for row, _ in other], ["published_text"])
    return redated


def from_page(post: Post, verbatim: str, now: datetime) -> bool:
    """Give a post the time that its article page states, where the feed's is absent or unclear; whether it changed. The
    caller saves the post."""
    read = moment_of(verbatim) or (iso_moment(verbatim), "")
    moment, notice = read
    if moment is None or not 1980 <= moment.year <= 2200 or moment > now + FUTURE:
        return False
    undated = post.published_notice in _UNDATED
    same_time = abs(moment - post.published_at) <= _ZONES_APART
    clearer = post.published_notice == ZONE_UNCLEAR and not notice and ":" in verbatim and same_time
    if not (undated or clearer) or moment == post.published_at:
        return False
    post.published_at, post.published_text = moment, verbatim[:200]
    post.published_notice = FROM_PAGE if undated else ""
    return True


def _gave_the_date(row: Sighting, post: Post) -> bool:
    return post.published_notice in _UNDATED or bool(row.published_text and row.published_text == post.published_text)


def _set(post: Post, found: Dating) -> None:
    Post.objects.filter(pk=post.pk).update(
        published_at=found.published_at,
        published_text=found.published_text,
        published_notice=found.published_notice,
    )
