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
_WRAPPING = re.compile(
    r"^\s*(?:(?:/\*|//)?\s*<!\[CDATA\[\s*(?:\*/)?|<!--)|(?:(?:/\*|//)?\s*\]\]>\s*(?:\*/)?|(?://)?\s*-->)\s*;?\s*$|;\s*$"
)
_STRING_OR_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.S)
_INNER = ("@graph", "mainEntity", "mainEntityOfPage", "image", "primaryImageOfPage")
MOST_THINGS = 5000  # of one script
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
    things = [thing for script in scripts for thing in _things(_parsed(script))]
    # The same thing may be described in parts, each with its @id, of which one part refers to another.
    named: dict[str, dict[str, Any]] = {}
    for thing in things:
        if isinstance(name := thing.get("@id"), str):
            named[name] = named.get(name, {}) | thing
    stories = [_story(thing, named) for thing in things if any(kind in str(thing.get("@type")) for kind in _KINDS)]
    return max(stories, key=lambda story: (sum(map(len, story.paragraphs)), len(story.headline)), default=Story())


def _parsed(script: str) -> Any:
    """The script's JSON, also in a comment or CDATA and with commas after the last element; None if it has none."""
    plain = _WRAPPING.sub("", script) if len(script) <= LONGEST else ""
    for text in (plain, _STRING_OR_COMMA.sub(lambda found: found[1] or "", plain)):
        try:
            # strict=False: publishers leave bare line ends inside their strings
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _things(data: Any) -> Iterator[dict[str, Any]]:
    """The objects of a script: alone, in lists, in a @graph, as the main entity of a page, or as a picture."""
    waiting, seen = [data], 0
    while waiting and seen < MOST_THINGS:
        one = waiting.pop(0)
        seen += 1
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            yield one
            waiting += [one[name] for name in _INNER if isinstance(one.get(name), list | dict)]


def _story(thing: dict[str, Any], named: dict[str, dict[str, Any]]) -> Story:
    picture = _picture(thing, named)
    return Story(
        headline=" ".join(_text(thing.get("headline")).split()),
        paragraphs=tuple(_paragraphs(_text(thing.get("articleBody")))),
        image=_text(picture.get("url")) or _text(picture.get("contentUrl")),
        caption=_text(picture.get("caption")),
        published=_text(thing.get("datePublished"))[:100],
        paid=str(thing.get("isAccessibleForFree")).lower() == "false",
    )


def _picture(thing: dict[str, Any], named: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The fields of the first picture: given as an address, as an object, or by the @id of one."""
    picture = thing.get("image") or thing.get("primaryImageOfPage") or thing.get("thumbnailUrl")
    while isinstance(picture, list):
        picture = picture[0] if picture else None
    if not isinstance(picture, dict):
        return named.get(picture, {"url": picture}) if isinstance(picture, str) else {}
    return named.get(str(picture.get("@id")), {}) | picture


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
