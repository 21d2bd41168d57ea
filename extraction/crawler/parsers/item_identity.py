"""Whether two items of a feed are one story, and the names by which a feed's items are recognized. No Django.

No field decides alone. Publishers give one guid to all items, use a guid again for the next article, or link all items
to one page; a field is believed only where it tells this feed's items apart.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

from extraction.crawler import canonical_urls

if TYPE_CHECKING:
    from extraction.crawler.parsers.feed_parser import FeedItem

_LONGEST = 3000  # code points of a text that are compared
_ALIKE_TITLES, _ALIKE_TEXTS = 0.3, 0.4  # shares of common words
_MOST_COMPARED = 40  # items under one link or guid


class Described(Protocol):
    """What an item, or the row that is kept of one, says of its story."""

    @property
    def title(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def published_text(self) -> str: ...


def is_other_story(one: Described, other: Described, least: int = 1) -> bool:
    """Whether title, text and date together speak against one story, by at least so many more than for it. What is
    missing speaks for neither."""
    signs = (
        _alike(one.title, other.title, _ALIKE_TITLES),
        _alike(one.text, other.text, _ALIKE_TEXTS),
        _same(one.published_text, other.published_text),
    )
    return -sum(signs) >= least


def named(items: Iterable[FeedItem], site: str = "") -> list[FeedItem]:
    """The items with guids that tell them apart, each story once, and `own_link` false where the link leads to no page
    of the item's own. `site`: the feed's own link."""
    return _with_own_guids(_with_links_judged(list(items), site))


def qualified(item: FeedItem) -> str:
    """The name of an item whose guid stands for other items too: its guid with a hash of its link or title."""
    mark = canonical_urls.key(item.link) if item.own_link else ""
    mark = mark or hashlib.sha256(" ".join(_words(item.title or item.text[:200])).encode()).hexdigest()
    return f"{item.guid[:430]}#{mark}"


def _with_links_judged(items: list[FeedItem], site: str) -> list[FeedItem]:
    by_link: dict[str, list[FeedItem]] = defaultdict(list)
    for item in items:
        by_link[canonical_urls.key(item.link)].append(item)
    by_link.pop("", None)
    shared = {key for key, group in by_link.items() if _has_others(group)}
    home = canonical_urls.key(site)
    return [replace(item, own_link=_owns(item, shared, home)) for item in items]


def _owns(item: FeedItem, shared: set[str], home: str) -> bool:
    key = canonical_urls.key(item.link)
    leads_home = key == home or (key != "" and canonical_urls.is_front_page(item.link))
    return bool(key) and key not in shared and not (leads_home and item.text)


def _with_own_guids(items: list[FeedItem]) -> list[FeedItem]:
    by_guid: dict[str, list[FeedItem]] = defaultdict(list)
    for item in items:
        by_guid[item.guid].append(item)
    reused = {guid for guid, group in by_guid.items() if _has_others(group)}
    result: dict[str, FeedItem] = {}
    for item in items:
        name = qualified(item) if item.guid in reused else item.guid
        result.setdefault(name, replace(item, guid=name))
    return list(result.values())


def _has_others(group: list[FeedItem]) -> bool:
    return any(is_other_story(one, other) for one, other in combinations(group[:_MOST_COMPARED], 2))


def _alike(one: str, other: str, least: float) -> int:
    """1 where two texts have most words in common and the same numbers, -1 where not, 0 where one is missing."""
    first, second = _words(one), _words(other)
    if not first or not second:
        return 0
    if first == second:
        return 1
    numbers = [{word for word in words if word.isdecimal()} for words in (first, second)]
    common = len(set(first) & set(second)) / len(set(first) | set(second))
    return 1 if common >= least and numbers[0] == numbers[1] else -1


def _same(one: str, other: str) -> int:
    return 0 if not one or not other else (1 if one == other else -1)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text[:_LONGEST].casefold())
