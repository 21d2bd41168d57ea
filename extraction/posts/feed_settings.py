"""What the feeds that list a post say about it: its language, and whether its article page is fetched."""

from __future__ import annotations

from django.db.models import QuerySet

from extraction.models import Feed, Post

FEED_TEXT_ALONE = "The settings of its feed say that article pages are not fetched."


def language_of(post: Post) -> str:
    """The language that a feed of the post is set to; "" where none is, so that the page's own counts."""
    return _feeds(post).exclude(language="").order_by("pk").values_list("language", flat=True).first() or ""


def takes_page(post: Post) -> bool:
    """Whether any feed that lists the post wants its article page, as without any feed."""
    wanted = list(_feeds(post).values_list("full_text", flat=True))
    return not wanted or any(wanted)


def _feeds(post: Post) -> QuerySet[Feed]:
    return Feed.objects.filter(sightings__post=post, deleted_at__isnull=True)
