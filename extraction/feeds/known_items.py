"""Recognize the items of a feed among those that it listed before, and see which links lead to one item alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from django.db.models import Exists, OuterRef, Q

from extraction.crawler import canonical_urls
from extraction.crawler.parsers.feed_parser import FeedItem
from extraction.crawler.parsers.item_identity import is_other_story, qualified
from extraction.models import Feed, Post, Sighting


def link_key(item: FeedItem) -> str:
    """The key by which an item's post is known; "" where its link is not the item's alone."""
    return canonical_urls.key(item.link) if item.own_link else ""


def recognized(feed: Feed, items: Sequence[FeedItem]) -> tuple[list[FeedItem], dict[str, Sighting]]:
    """The items under the guids by which the feed's rows know them, and those rows by guid.

    A guid that the feed uses again for another story gets a name of its own; an item that comes back under another guid
    keeps its row. Links that turn out to be shared lose their posts. Inside a transaction.
    """
    rows = _rows(feed, items)
    by_guid = {row.guid: row for row in rows}
    by_content = {(row.item_hash, row.published_text): row for row in rows if row.title or row.text}
    # a program that sends posts vouches for its ids
    if feed.state != Feed.State.SENT:
        items = [_named(item, by_guid, by_content) for item in items]
    named = [_judged(item, by_guid) for item in items]
    named = _with_shared_links(named, by_guid, rows)
    result = list({item.guid: item for item in reversed(named)}.values())[::-1]
    return result, {item.guid: by_guid[item.guid] for item in result if item.guid in by_guid}


def _rows(feed: Feed, items: Sequence[FeedItem]) -> list[Sighting]:
    guids = {name for item in items for name in (item.guid, qualified(item), qualified(replace(item, own_link=False)))}
    links = {item.link for item in items} - {""}
    keys = {canonical_urls.key(link) for link in links} - {""}
    hashes = {item.digest for item in items if not item.link}
    same = Q(guid__in=guids) | Q(link_key__in=keys) | Q(link_key="", link__in=links) | Q(item_hash__in=hashes, link="")
    return list(Sighting.objects.filter(same, feed=feed).order_by("pk"))


def _named(item: FeedItem, by_guid: dict[str, Sighting], by_content: dict[tuple[str, str], Sighting]) -> FeedItem:
    """The item under the guid of its row, or under one that no other story has."""
    for name in (qualified(item), qualified(replace(item, own_link=False))):
        if name in by_guid:
            return replace(item, guid=name)
    row = by_guid.get(item.guid)
    if row is not None:
        return replace(item, guid=qualified(item)) if _is_reused(row, item) else item
    same = by_content.get((item.digest, item.published_text)) if not link_key(item) else None
    return item if same is None else replace(item, guid=same.guid)


def _is_reused(row: Sighting, item: FeedItem) -> bool:
    """Whether a guid now stands for another story than before: its link leads elsewhere and nothing else is alike.

    Where no link of its own tells the story, more has to differ; a page of its own that changes is edited.
    """
    if row.link_key and link_key(item):
        return row.link_key != link_key(item) and is_other_story(row, item)
    return is_other_story(row, item, least=2)


def _judged(item: FeedItem, by_guid: dict[str, Sighting]) -> FeedItem:
    """A link that was found to be shared stays so, also while the feed lists one item alone."""
    row = by_guid.get(item.guid)
    shared = row is not None and row.link == item.link != "" and not row.link_key
    return replace(item, own_link=False) if shared else item


def _with_shared_links(items: list[FeedItem], by_guid: dict[str, Sighting], rows: list[Sighting]) -> list[FeedItem]:
    """The items, with `own_link` false where a row of the feed has the link and another story.

    The posts that owned such a link own it no more: the page is not theirs alone.
    """
    listed: dict[str, list[Sighting]] = defaultdict(list)
    for row in rows:
        listed[canonical_urls.key(row.link)].append(row)
    shared = {
        canonical_urls.key(item.link)
        for item in items
        if item.link and item.guid not in by_guid and _is_shared(item, listed[canonical_urls.key(item.link)])
    }
    _release(row for key in shared for row in listed[key])
    return [replace(item, own_link=item.own_link and canonical_urls.key(item.link) not in shared) for item in items]


def _is_shared(item: FeedItem, rows: list[Sighting]) -> bool:
    """Whether an item that is new under a known link is another story than each that was listed under it. An item
    without text has only its page."""
    return bool(rows) and bool(item.text) and all(is_other_story(row, item) for row in rows)


def _release(rows: Iterable[Sighting]) -> None:
    owning = [row for row in rows if row.link_key]
    if not owning:
        return
    Sighting.objects.filter(pk__in=[row.pk for row in owning]).update(link_key="")
    elsewhere = Sighting.objects.exclude(feed=owning[0].feed_id).filter(post=OuterRef("pk"))
    posts = Post.objects.filter(pk__in=[row.post_id for row in owning]).exclude(state=Post.State.ERASED)
    posts.exclude(Exists(elsewhere)).update(link_key=None, due_at=max(row.last_seen for row in owning))
