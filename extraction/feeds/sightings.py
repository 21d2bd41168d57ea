"""Record a feed's items as sightings of posts, in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from extraction.crawler import canonical_urls
from extraction.crawler.parsers.feed_parser import FeedItem
from extraction.feeds.known_items import link_key, recognized
from extraction.models import Feed, Post, Sighting
from extraction.posts import item_dates
from extraction.posts.versions import NO_TEXT

_CHANGED = ("link", "link_key", "title", "text", "image", "published_text", "item_hash")


@dataclass(slots=True)
class ItemChanges:
    """The number of new posts and of changed items, and the posts whose link or date changed."""

    new: int = 0
    changed: int = 0
    moved: list[int] = field(default_factory=list)

    def __iadd__(self, other: ItemChanges) -> ItemChanges:
        self.new += other.new
        self.changed += other.changed
        self.moved += other.moved
        return self


def record_items(feed: Feed, items: Sequence[FeedItem], now: datetime) -> ItemChanges:
    """Write a page of a feed's items: new posts, due now; sightings of known posts; changed items, whose posts are
    fetched again; corrected dates. Of an erased post's items only the links are kept. Inside a transaction."""
    items, known = recognized(feed, items)
    fresh = [item for item in items if item.guid not in known]
    posts, created = _posts(feed, fresh, now)
    erased = _erased([*posts.values(), *(row.post_id for row in known.values())])
    seen = [(known[item.guid], item) for item in items if item.guid in known]
    live = [(row, item) for row, item in seen if row.post_id not in erased]
    changed = [(row, item) for row, item in live if row.item_hash != item.digest]
    Sighting.objects.bulk_create(
        [
            Sighting(
                feed=feed,
                post_id=posts[item.guid],
                guid=item.guid,
                first_seen=now,
                last_seen=now,
                **(_fields(item) | (NO_TEXT if posts[item.guid] in erased else {})),
            )
            for item in fresh
        ],
        ignore_conflicts=True,
    )
    Sighting.objects.filter(feed=feed, guid__in=list(known)).update(last_seen=now)
    redated = item_dates.follow(live, now)
    moved = _rewrite(changed, now)
    return ItemChanges(created, len({row.pk for row, _ in changed} | redated.keys()), [*moved, *redated.values()])


def recheck_vanished(feed: Feed, items: Sequence[FeedItem], now: datetime) -> None:
    """Recheck posts that left the feed before older ones did: they did not roll off the end, so they may be withdrawn.

    The fetch decides; leaving a feed alone withdraws nothing. Inside a transaction.
    """
    dated = [item.published for item in items if item.published is not None]
    if feed.listed_at is None or not dated:
        return
    left = Sighting.objects.filter(feed=feed, last_seen__gte=feed.listed_at, last_seen__lt=now)
    left = left.filter(post__published_at__gt=min(dated), post__published_notice="")
    _recheck(list(left.values_list("post_id", flat=True)), now)


def _posts(feed: Feed, items: Sequence[FeedItem], now: datetime) -> tuple[dict[str, int], int]:
    """The post of each item by guid: one that is known by its link, or a new one; and how many are new."""
    names = {item.guid: link_key(item) or item.guid for item in items}
    post_ids = _known({link_key(item) for item in items} - {""})
    drafts: dict[str, Post] = {}
    for item in items:
        if names[item.guid] not in post_ids:
            drafts.setdefault(names[item.guid], _draft(feed, item, now))
    # in the order of their keys, so that two polls with common links cannot deadlock
    Post.objects.bulk_create(sorted(drafts.values(), key=lambda post: post.link_key or ""), ignore_conflicts=True)
    ids = dict(
        Post.objects.filter(public_id__in=[post.public_id for post in drafts.values()]).values_list("public_id", "pk")
    )
    created = {name: ids[post.public_id] for name, post in drafts.items() if post.public_id in ids}
    # another feed's poll may have created the same post meanwhile
    post_ids |= created | _known({name for name in drafts if name not in created})
    return {guid: post_ids[name] for guid, name in names.items()}, len(created)


def _erased(posts: Sequence[int]) -> set[int]:
    return set(Post.objects.filter(pk__in=posts, state=Post.State.ERASED).values_list("pk", flat=True))


def _known(keys: set[str]) -> dict[str, int]:
    """Posts by link key: their own link, or one under which a feed has listed them before."""
    if not keys:
        return {}
    sighted = Sighting.objects.filter(link_key__in=keys).order_by("-pk").values_list("link_key", "post_id")
    named = Post.objects.filter(link_key__in=keys).values_list("link_key", "pk")
    return dict(sighted) | {key: pk for key, pk in named if key}


def _recheck(posts: Sequence[int], now: datetime) -> None:
    """Make posts due, locked in the order of their ids."""
    live = Post.objects.filter(pk__in=posts).exclude(state=Post.State.ERASED).order_by("pk")
    locked = list(live.select_for_update(no_key=True).values_list("pk", flat=True))
    Post.objects.filter(pk__in=locked).update(due_at=now)


def _draft(feed: Feed, item: FeedItem, now: datetime) -> Post:
    dating = item_dates.dating(item, now)
    return Post(
        link=item.link,
        link_key=link_key(item) or None,
        publisher=canonical_urls.publisher(item.link or feed.site or feed.url),
        published_at=dating.published_at,
        published_text=dating.published_text,
        published_notice=dating.published_notice,
        seen_at=now,
        due_at=now,
        sample=feed.sample,
    )


def _rewrite(changed: Sequence[tuple[Sighting, FeedItem]], now: datetime) -> list[int]:
    """Store changed items. A new link becomes that of the post, unless it is another post's. Returns the posts whose
    link changed."""
    moved_posts: list[int] = []
    if not changed:
        return moved_posts
    owners = _known({link_key(item) for _, item in changed} - {""})
    for sighting, item in changed:
        fields = _fields(item)
        key, moved = fields["link_key"], fields["link_key"] != sighting.link_key
        for name, value in fields.items():
            setattr(sighting, name, value)
        if key and moved and key not in owners:
            owners[key] = sighting.post_id
            Post.objects.filter(pk=sighting.post_id).update(link=item.link, link_key=key, etag="", last_modified="")
            moved_posts.append(sighting.post_id)
    Sighting.objects.bulk_update([sighting for sighting, _ in changed], _CHANGED)
    _recheck([sighting.post_id for sighting, _ in changed], now)
    return moved_posts


def _fields(item: FeedItem) -> dict[str, str]:
    return {
        "link": item.link,
        "link_key": link_key(item),
        "title": item.title,
        "text": item.text,
        "image": item.image,
        "published_text": item.published_text,
        "item_hash": item.digest,
    }
