"""A post that a program sends: noted like a feed's item, once by source and id, with its words or an address for them.

Each source is a feed that nobody polls. Words that are sent are the post's words at once and its page is not asked for
others; without words the page is visited as for any item. A picture that is named is fetched by the next visit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from extraction.crawler import canonical_urls
from extraction.crawler.parsers.feed_parser import MAX_TEXT, MAX_TITLE, FeedItem
from extraction.feeds.sightings import note
from extraction.models import Feed, Post, Sighting
from extraction.posts.article_page import SENT
from extraction.posts.versions import new_version, revive, was_erased
from extraction.text.cleaning import clean

LONGEST_ID = 500


class NotTaken(ValueError):
    """The post cannot be taken as it was sent; the message is a sentence for whoever sent it."""


class Erased(ValueError):
    """What was sent had been erased here and stays away."""


@dataclass(frozen=True, slots=True)
class Sending:
    """`id` names the post in its source: sent again it is the same post, with other words its next version."""

    id: str
    url: str = ""
    title: str = ""
    text: str = ""
    image: str = ""
    published: datetime | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """`new`: the post was not known. `changed`: it was, and something about it is new. `touched`: its link changed or
    it is back, so that the graph is stale where it shows the post."""

    post: Post
    new: bool
    changed: bool
    touched: bool


def take(source: str, sending: Sending) -> Taken:
    """Note the post and, where its words came along, make them its current version. Idempotent.

    Raises NotTaken, or Erased with nothing kept. Inside the transaction in which the caller marks a post that was
    touched.
    """
    item = _item(sending)
    for last_try in (False, True):
        try:
            with transaction.atomic():
                return _take(_feed(source), item, sending.language)
        except IntegrityError:
            # somebody sent the same, or a poll made a post of the same link, meanwhile: now it is found
            if last_try:
                raise
    raise AssertionError("one of the two tries returns or raises")


def _take(feed: Feed, item: FeedItem, language: str) -> Taken:
    now = timezone.now()
    noted = note(feed, [item], now)
    sighting = Sighting.objects.get(feed=feed, guid=item.guid)
    post = Post.objects.select_for_update(no_key=True).get(pk=sighting.post_id)
    if post.state == Post.State.ERASED:
        raise Erased("This post was erased here and cannot be added again.")
    if item.text and post.current_version is None and was_erased(f"{item.title}\n\n{item.text}"):
        raise Erased("This text was erased here under another address and cannot be added again.")
    Feed.objects.filter(pk=feed.pk).update(new_at=now)
    state = post.state
    made = _take_text(post, item, language, now) if item.text else False
    changed = not noted.new and (bool(noted.changed) or made)
    return Taken(post, bool(noted.new), changed, touched=bool(noted.moved) or post.state != state)


def _take_text(post: Post, item: FeedItem, language: str, now: datetime) -> bool:
    """The words become the current version; whether they are other ones."""
    made = new_version(post, item.title, item.text, SENT, language=language, fetched_at=now)
    back = revive(post)
    post.first_fetched_at = post.first_fetched_at or now
    # Nothing is left to fetch but a picture.
    post.due_at = now if item.image and not post.images.filter(url=item.image).exclude(file="").exists() else None
    post.save(update_fields=["first_fetched_at", "due_at"])
    return made is not None or back


def _feed(source: str) -> Feed:
    """The feed that stands for a source. Its address is a name and is never asked for anything."""
    url = f"urn:kgbuilder:source:{source}"
    defaults = {"title": f"Sent: {source}"[:500], "state": Feed.State.SENT, "due_at": None}
    return Feed.objects.get_or_create(url=url, defaults=defaults)[0]


def _item(sending: Sending) -> FeedItem:
    title, text = " ".join(clean(sending.title).split()), clean(sending.text).strip()
    url, image = _address(sending.url, "url"), _address(sending.image, "image")
    name = clean(sending.id).strip()
    if not name or len(name) > LONGEST_ID:
        raise NotTaken(f"A post has an `id` of 1 to {LONGEST_ID} characters, by which it is recognized.")
    if not url and not text:
        raise NotTaken("A post needs a `url`, from which its text is fetched, or a `text`, or both.")
    if len(title) > MAX_TITLE or len(text) > MAX_TEXT:
        raise NotTaken(f"A title has at most {MAX_TITLE:,} characters and a text {MAX_TEXT:,}.")
    content = "\x1f".join((url, title, text, image))
    return FeedItem(
        guid=name,
        link=url,
        title=title,
        text=text,
        image=image,
        published=sending.published,
        published_text=sending.published.isoformat() if sending.published else "",
        digest=hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _address(value: str, field: str) -> str:
    address = clean(value).strip()
    if not address:
        return ""
    fits = address.startswith(("http://", "https://")) and canonical_urls.key(address) and len(address) <= 2000
    if not fits or any(sign.isspace() or sign in '<>"' for sign in address):
        raise NotTaken(f"`{field}` takes an address such as https://example.org/story, of at most 2000 characters.")
    return canonical_urls.without_credentials(address)
