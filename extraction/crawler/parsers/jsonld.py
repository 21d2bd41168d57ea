"""Parse the JSON-LD of article pages (schema.org Article and its subtypes)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

LONGEST = 2_000_000  # characters of one script
# bounded and without the markers inside: else a text of nothing but markers would take quadratic time
_EMPHASIS = re.compile(r"(?<!\w)(\*{1,3}|_{1,3})(?=\S)([^*_\n]{1,300})(?<=\S)\1(?!\w)")
_KINDS = ("Article", "BlogPosting", "Report", "LiveBlogPosting")


@dataclass(frozen=True, slots=True)
class Story:
    """Fields are empty where the page does not give them. `paid`: the page is marked as not free to read."""

    headline: str = ""
    paragraphs: tuple[str, ...] = ()
    image: str = ""
    caption: str = ""
    published: str = ""
    paid: bool = False


def story_of(scripts: Iterable[str]) -> Story:
    """The story that the scripts describe at greatest length."""
    stories = [_story(thing) for script in scripts for thing in _things(script)]
    return max(stories, key=lambda story: (sum(map(len, story.paragraphs)), len(story.headline)), default=Story())


def _things(script: str) -> Iterator[dict[str, Any]]:
    if len(script) > LONGEST:
        return
    try:
        # strict=False: publishers leave bare line ends inside their strings
        found = json.loads(script, strict=False)
    except (ValueError, RecursionError):
        return
    for thing in found if isinstance(found, list) else [found]:
        graph = thing.get("@graph") if isinstance(thing, dict) else None
        for part in graph if isinstance(graph, list) else [thing]:
            if isinstance(part, dict) and any(kind in str(part.get("@type")) for kind in _KINDS):
                yield part


def _story(thing: dict[str, Any]) -> Story:
    picture = thing.get("image")
    while isinstance(picture, list):
        picture = picture[0] if picture else None
    fields = picture if isinstance(picture, dict) else {"url": picture}
    return Story(
        headline=" ".join(_text(thing.get("headline")).split()),
        paragraphs=tuple(_paragraphs(_text(thing.get("articleBody")))),
        image=_text(fields.get("url")),
        caption=_text(fields.get("caption")),
        published=_text(thing.get("datePublished"))[:100],
        paid=str(thing.get("isAccessibleForFree")).lower() == "false",
    )


def _text(value: object) -> str:
    return unescape(value) if isinstance(value, str) else ""


def _paragraphs(body: str) -> Iterator[str]:
    """The body's paragraphs without HTML and without the Markdown that some publishers leave in it."""
    body = re.sub(r"<br\s*/?>|</?(?:p|div|li|h\d)\b[^>]*>", "\n", body)
    body = re.sub(r"<[a-zA-Z/][^<>]*>", "", body)
    body = re.sub(r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1", body)
    body = re.sub(r"\{:[^{}]*\}", "", body)
    for line in body.splitlines():
        plain = re.sub(r"^\s*(#{1,6}|[*+-]|>)\s+", "", line)
        plain = _EMPHASIS.sub(r"\2", plain).strip()
        if plain and not plain.startswith(("+++", "{%", "[#")):
            yield plain
