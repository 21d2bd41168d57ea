"""Recognize two posts of one story: of the same publisher, with the same canonical link or the same text.

The same text from another publisher is a duplicate post: a post of its own with the same text hash, counted and never
merged.
"""

from __future__ import annotations

from extraction.crawler import canonical_urls, politeness
from extraction.crawler.parsers.article_parser import ParsedArticle
from extraction.models import Post, Sighting
from extraction.posts.versions import NO_TEXT, text_hash

SHORTEST_STORY = 200  # code points; shorter texts are alike by chance ("Live updates")


def same_story(post: Post, url: str, article: ParsedArticle) -> Post | None:
    """The post that already holds the story which the first fetch of `post` found at `url`, if there is one.

    Else `post` gets the publisher and the link key of the page. A lock on the publisher makes two first fetches of one
    story wait for each other. Inside a transaction that holds the post's row.
    """
    post.publisher = canonical_urls.publisher(url) or post.publisher
    politeness.lock([post.publisher])
    others = Post.objects.exclude(pk=post.pk)
    canonical = _trusted_key(article.canonical, url)
    if canonical:
        # also an erased one, so that the story does not come back
        twin = others.filter(link_key=canonical).first()
        if twin is not None:
            return twin
        post.link_key = canonical
    if len(article.whole) < SHORTEST_STORY:
        return None
    alike = others.exclude(state=Post.State.ERASED)
    alike = alike.filter(publisher=post.publisher, current_version__text_hash=text_hash(article.whole))
    return alike.order_by("pk").first()


def merge_into(twin: Post, post: Post) -> None:
    """Move the sightings of `post`, which has no reading, to `twin`, and delete `post`."""
    cleared = NO_TEXT if twin.state == Post.State.ERASED else {}
    Sighting.objects.filter(post=post).update(post=twin, **cleared)
    post.delete()


def _trusted_key(canonical: str, url: str) -> str:
    """The key of a page's canonical link where it is plausible: on the page's own host, and not a front page (which
    some publishers name on every page)."""
    if not canonical or not canonical_urls.same_host(canonical, url):
        return ""
    return (
        ""
        if canonical_urls.is_front_page(canonical) and not canonical_urls.is_front_page(url)
        else canonical_urls.key(canonical)
    )
