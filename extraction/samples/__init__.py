"""The sample posts: short accounts of well-known public events, written for kgbuilder and published under CC0.

The product serves them as a feed of its own, so that a first start has posts to analyse. They are not news: the feed
states it, and their dates are the dates of the samples. The same people, bodies and places return in several of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

POSTS = Path(__file__).parent / "posts"
TITLE = "Sample posts written for kgbuilder"
DESCRIPTION = "Accounts of well-known public events, written as samples for kgbuilder. Not news. CC0: take them freely."


@dataclass(frozen=True, slots=True)
class SamplePost:
    """`id` is also part of its page's address; `published` is UTC."""

    id: str
    title: str
    published: datetime
    paragraphs: tuple[str, ...]


def load_posts() -> list[SamplePost]:
    """All sample posts, oldest first. Raises ValueError naming the file that is not in their format."""
    posts = [_parse(path) for path in POSTS.glob("*.txt")]
    return sorted(posts, key=lambda post: post.published)


def _parse(path: Path) -> SamplePost:
    """`title: …` and `published: …` on two lines, a blank line, then paragraphs with blank lines between."""
    head, *paragraphs = path.read_text(encoding="utf-8").strip().split("\n\n")
    fields = {name: value for name, _, value in (line.partition(": ") for line in head.split("\n"))}
    if fields.keys() != {"title", "published"} or not paragraphs:
        raise ValueError(f"The sample post {path.name} needs a title, a date and at least one paragraph.")
    published = datetime.strptime(fields["published"], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    return SamplePost(path.stem, fields["title"], published, tuple(paragraph.strip() for paragraph in paragraphs))
