"""Record posts that programs send: once by source and id, like a feed's item, with their text or an address for it.

Each source is a feed that is not polled. A text that is sent is the post's text at once, and the article page is not
fetched; without a text the page is fetched as for any item. A picture is fetched with the next visit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from extraction.crawler import canonical_urls
from extraction.crawler.parsers.feed_parser import MAX_TEXT, MAX_TITLE, FeedItem
from extraction.feeds.sightings import record_items
from extraction.models import Feed, Post, Sighting
from extraction.posts.article_page import SENT
from extraction.posts.versions import new_version, revive, was_erased
from extraction.text.cleaning import clean

LONGEST_ID = 500


class InvalidSubmission(ValueError):
    """The post cannot be accepted as it was sent; the message is a sentence for the sender."""


class AlreadyErased(ValueError):
    """The post or text was erased here before and cannot come back."""


@dataclass(frozen=True, slots=True)
class Submission:
    """`id` identifies the post in its source: sent again it is the same post, and another text is its next version. A
    corrected date or language is followed."""

    id: str
    url: str = ""
    title: str = ""
    text: str = ""
    image: str = ""
    published: datetime | None = None
    language: str = ""


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """`new`: the post was not known. `changed`: it was known, and something about it changed. `touched`: its link
    changed or it is back, so that the graph is stale where it shows the post."""

    post: Post
    new: bool
    changed: bool
    touched: bool


def submit(source: str, submission: Submission) -> SubmissionResult:
    """Record the post and, where its text was sent, make that its current version. Idempotent.

    Raises InvalidSubmission, or AlreadyErased with nothing stored. Inside the transaction in which the caller marks a
    post that was touched.
    """
    item = _item(submission)
    for last_try in (False, True):
        try:
            with transaction.atomic():
                return _submit(_feed(source), item, submission.language)
        except IntegrityError:
            # another request or a poll created the same post meanwhile: the second try finds it
            if last_try:
                raise
    raise AssertionError("one of the two tries returns or raises")


def _submit(feed: Feed, item: FeedItem, language: str) -> SubmissionResult:
    now = timezone.now()
    recorded = record_items(feed, [item], now)
    sighting = Sighting.objects.get(feed=feed, guid=item.guid)
    post = Post.objects.select_for_update(no_key=True).get(pk=sighting.post_id)
    if post.state == Post.State.ERASED:
        raise AlreadyErased("This post was erased here and cannot be added again.")
    if item.text and post.current_version is None and was_erased(f"{item.title}\n\n{item.text}"):
        raise AlreadyErased("This text was erased here under another address and cannot be added again.")
    Feed.objects.filter(pk=feed.pk).update(new_at=now)
    state = post.state
    has_new_text = _take_text(post, item, language, now) if item.text else False
    changed = not recorded.new and (bool(recorded.changed) or has_new_text)
    return SubmissionResult(post, bool(recorded.new), changed, touched=bool(recorded.moved) or post.state != state)


def _take_text(post: Post, item: FeedItem, language: str, now: datetime) -> bool:
    """Make the sent text the current version. Returns whether the post changed."""
    version = new_version(post, item.title, item.text, SENT, language=language, fetched_at=now)
    back = revive(post)
    post.first_fetched_at = post.first_fetched_at or now
    # Only a picture is left to fetch.
    post.due_at = now if item.image and not post.images.filter(url=item.image).exclude(file="").exists() else None
    post.save(update_fields=["first_fetched_at", "due_at"])
    return version is not None or back


def _feed(source: str) -> Feed:
    """The feed that stands for a source. Its address is only a name and is never requested."""
    url = f"urn:kgbuilder:source:{source}"
    defaults = {"title": f"Sent: {source}"[:500], "state": Feed.State.SENT, "due_at": None}
    return Feed.objects.get_or_create(url=url, defaults=defaults)[0]


def _item(submission: Submission) -> FeedItem:
    title, text = " ".join(clean(submission.title).split()), clean(submission.text).strip()
    url, image = _address(submission.url, "url"), _address(submission.image, "image")
    name = clean(submission.id).strip()
    if not name or len(name) > LONGEST_ID:
        raise InvalidSubmission(f"A post has an `id` of 1 to {LONGEST_ID} characters, by which it is recognized.")
    if not url and not text:
        raise InvalidSubmission("A post needs a `url`, from which its text is fetched, or a `text`, or both.")
    if len(title) > MAX_TITLE or len(text) > MAX_TEXT:
        raise InvalidSubmission(f"A title has at most {MAX_TITLE:,} characters and a text {MAX_TEXT:,}.")
    content = "\x1f".join((url, title, text, image))
    return FeedItem(
        guid=name,
        link=url,
        title=title,
        text=text,
        image=image,
        published=submission.published,
        published_text=submission.published.isoformat() if submission.published else "",
        digest=hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _address(value: str, field: str) -> str:
    address = clean(value).strip()
    if not address:
        return ""
    fits = address.startswith(("http://", "https://")) and canonical_urls.key(address) and len(address) <= 2000
    if not fits or any(sign.isspace() or sign in '<>"' for sign in address):
        raise InvalidSubmission(
            f"`{field}` takes an address such as https://example.org/story, of at most 2000 characters."
        )
    return canonical_urls.without_credentials(address)
