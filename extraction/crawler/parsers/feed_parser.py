"""Parse feeds: RSS 2.0, 1.0 and 0.9, Atom (feedparser) and JSON Feed 1.1, with one function.

No Django and no network: `polling.py` decides what follows from a feed's content.
"""

from __future__ import annotations

import calendar
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from extraction.crawler import canonical_urls
from extraction.crawler.parsers.html_text import first_picture, line_of, text_of
from extraction.text.cleaning import clean

MAX_FEED_BYTES = 5 << 20
MAX_ITEMS = 1000
MAX_TITLE = 1000  # code points
MAX_TEXT = 100_000

# A character reference to a surrogate stands for no character, and breaks the parser.
_NO_CHARACTER = re.compile(
    rb"&#(?:[xX]0{0,8}[dD][89a-fA-F][0-9a-fA-F]{2}|0{0,8}(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]));"
)
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


class FeedError(Exception):
    """The fetched content is not a feed; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One item. `guid` identifies it in its feed; `text` is plain; `published` is UTC, None where the feed gives no
    time or one (`published_text`, verbatim) that cannot be parsed. `digest` changes when the publisher changes the
    item."""

    guid: str
    link: str
    title: str
    text: str
    image: str
    published: datetime | None
    published_text: str
    digest: str


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """`ttl`: the seconds until the feed asks to be polled again, 0 where it does not ask. `notice`: what was wrong."""

    title: str
    site: str
    items: list[FeedItem]
    ttl: float = 0.0
    notice: str = ""


def parse(content: bytes, content_type: str, url: str) -> ParsedFeed:
    """Parse a feed that was fetched from `url`. Raises FeedError."""
    start = content[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise FeedError("The feed is empty.")
    if len(content) > MAX_FEED_BYTES:
        raise FeedError(f"The feed is larger than {MAX_FEED_BYTES:,} bytes.")
    if start.startswith(b"{"):
        return _json_feed(content, url)
    if max(content.count(b"<item"), content.count(b"<entry"), content.count(b":item")) > 10 * MAX_ITEMS:
        raise FeedError(f"The feed has more than {10 * MAX_ITEMS:,} items.")
    return _xml_feed(content, content_type, url)


def _xml_feed(content: bytes, content_type: str, url: str) -> ParsedFeed:
    import feedparser

    headers = {"content-type": content_type or "application/xml"}
    content = _NO_CHARACTER.sub(b"", content)
    try:
        # a file object: bytes would be tried as the name of a file first
        found = feedparser.parse(io.BytesIO(content), response_headers=headers)
    except Exception as error:  # feedparser passes on what its parsers raise on broken markup: several classes
        raise FeedError(f"The feed cannot be read ({type(error).__name__}: {str(error)[:200]}).") from error
    feed, entries = found.get("feed", {}), list(found.get("entries", []))
    if not found.get("version") and not entries:
        raise FeedError(f"This is not a feed: neither RSS nor Atom nor JSON Feed.{_hint(content, url)}")
    notice = ""
    if found.get("bozo"):
        reason = str(found.get("bozo_exception", "")).replace("<unknown>:", "line ")
        if not entries:
            raise FeedError(f"The feed is damaged and no item could be parsed ({reason[:200]}).")
        notice = f"The feed is not well formed ({reason[:200]})."
        if not re.search(rb"</(rss|feed|rdf:RDF|RDF)\s*>\s*\Z", content[-200:]):
            entries.pop()
            notice += " It is truncated: its last item was ignored."
    items = _unique(_xml_item(entry, url) for entry in entries[:MAX_ITEMS])
    notice = notice or _too_many(len(entries)) or ("" if items else "The feed lists no items.")
    site = _web(feed.get("link", ""), url)
    return ParsedFeed(line_of(_str(feed.get("title")))[:500], site, items, _ttl(feed), notice)


def _too_many(entries: int) -> str:
    return f"The feed lists {entries:,} items; the first {MAX_ITEMS:,} are used." if entries > MAX_ITEMS else ""


def _hint(content: bytes, url: str) -> str:
    """The feed that a web page links to, as a sentence."""
    for tag in re.findall(rb"<link\b[^<>]{1,2000}>", content[:200_000], re.I):
        href = re.search(rb"\bhref\s*=\s*[\"']?([^\"'\s>]+)", tag, re.I)
        if href and re.search(rb"application/(rss\+xml|atom\+xml|feed\+json)", tag, re.I):
            found = _web(unescape(href[1].decode("utf-8", "replace")), url)
            return f" The page links to this one: {found}" if found else ""
    return ""


def _xml_item(entry: Any, url: str) -> FeedItem:
    contents = [_str(part.get("value")) for part in entry.get("content", []) if isinstance(part, dict)]
    html = max([_str(entry.get("summary")), *contents], key=len)
    link = _str(entry.get("feedburner_origlink")) or _str(entry.get("link"))
    if entry.get("guidislink") and link == entry.get("id") and not link.startswith(("http:", "https:")):
        link = ""  # a guid is a link by default, also where it is only a number
    published_text, published = _time(entry)
    return _item(
        guid=_str(entry.get("id")),
        link=_web(link, url),
        title=line_of(_str(entry.get("title"))),
        text=text_of(html[: 4 * MAX_TEXT]),
        image=_web(_xml_image(entry) or first_picture(html), url),
        published=published,
        published_text=published_text,
        changed=_str(dict.get(entry, "updated")),
    )


def _time(entry: Any) -> tuple[str, datetime | None]:
    """An entry's time, verbatim and as UTC. (`dict.get`: feedparser's own falls back to another field by itself.)"""
    for name in ("published", "updated", "created"):
        verbatim = _str(dict.get(entry, name))
        if verbatim:
            return verbatim[:200], _utc(dict.get(entry, f"{name}_parsed"))
    return "", None


def _utc(parsed: Any) -> datetime | None:
    try:
        found = datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (TypeError, ValueError, OverflowError, OSError, IndexError):
        return None
    return found if 1980 <= found.year <= 2200 else None


def _xml_image(entry: Any) -> str:
    for part in [*entry.get("media_content", []), *entry.get("enclosures", [])]:
        kind = f"{part.get('medium', '')} {part.get('type', '')}"
        if "image" in kind and (part.get("url") or part.get("href")):
            return _str(part.get("url") or part.get("href"))
    return next((_str(part.get("url")) for part in entry.get("media_thumbnail", [])), "")


def _ttl(feed: Any) -> float:
    minutes = re.fullmatch(r"\s*(\d{1,6})\s*", _str(feed.get("ttl")))
    period = _PERIODS.get(_str(feed.get("sy_updateperiod")).strip().lower(), 0)
    times = re.fullmatch(r"\s*([1-9]\d{0,4})\s*", _str(feed.get("sy_updatefrequency")))
    return max(float(minutes[1]) * 60 if minutes else 0.0, period / int(times[1]) if times else float(period))


def _json_feed(content: bytes, url: str) -> ParsedFeed:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"The feed looks like JSON but is not valid JSON ({str(error)[:200]}).") from error
    if not isinstance(found, dict) or not re.match(r"https?://jsonfeed\.org/version/", _str(found.get("version"))):
        raise FeedError("This is JSON, but not a JSON Feed: it has no jsonfeed.org version.")
    entries = found.get("items")
    if not isinstance(entries, list):
        raise FeedError("This JSON Feed has no list of items.")
    items = _unique(_json_item(entry, url) for entry in entries[:MAX_ITEMS] if isinstance(entry, dict))
    notice = "The publisher has ended this feed." if found.get("expired") is True else ""
    notice = notice or _too_many(len(entries))
    site = _web(_str(found.get("home_page_url")), url)
    return ParsedFeed(line_of(_str(found.get("title")))[:500], site, items, 0.0, notice)


def _json_item(entry: dict[str, Any], url: str) -> FeedItem:
    html = _str(entry.get("content_html"))
    text = text_of(html[: 4 * MAX_TEXT]) or clean(_str(entry.get("content_text"))) or clean(_str(entry.get("summary")))
    published = _str(entry.get("date_published")) or _str(entry.get("date_modified"))
    guid = entry.get("id")
    return _item(
        guid=str(guid) if isinstance(guid, str | int | float) else "",
        link=_web(_str(entry.get("url")) or _str(entry.get("external_url")), url),
        title=" ".join(clean(_str(entry.get("title"))).split()),
        text=text.strip(),
        image=_web(_str(entry.get("image")) or _str(entry.get("banner_image")) or first_picture(html), url),
        published=_rfc3339(published),
        published_text=published[:200],
        changed=_str(entry.get("date_modified")),
    )


def _rfc3339(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC) if 1980 <= aware.year <= 2200 else None
    except (ValueError, OverflowError):
        return None


def _item(
    *,
    guid: str,
    link: str,
    title: str,
    text: str,
    image: str,
    published: datetime | None,
    published_text: str,
    changed: str,
) -> FeedItem:
    title, text = title[:MAX_TITLE], text[:MAX_TEXT]
    name = clean(guid).strip() or link or _digest(title, text)
    if name.startswith(("http:", "https:")):
        name = canonical_urls.without_credentials(name)
    return FeedItem(
        guid=name if len(name) <= 500 else f"sha256:{_digest(name)}",
        link=link,
        title=title,
        text=text,
        image=image,
        published=published,
        published_text=clean(published_text),
        digest=_digest(link, title, text, changed),
    )


def _unique(items: Iterable[FeedItem]) -> list[FeedItem]:
    """The items that are not empty; of those with the same guid the first."""
    return list({item.guid: item for item in reversed(list(_not_empty(items)))}.values())[::-1]


def _not_empty(items: Iterable[FeedItem]) -> Iterator[FeedItem]:
    return (item for item in items if item.link or item.title or item.text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _web(address: str, base: str) -> str:
    """`address` as an absolute http or https address without user and password, else ""."""
    address = clean(address).strip()
    try:
        found = urljoin(base, address) if address else ""
        parts = urlsplit(found)
        _ = parts.port
    except ValueError:
        return ""
    fits = parts.scheme in ("http", "https") and parts.hostname and len(found) <= 2000
    return canonical_urls.without_credentials(found) if fits and not re.search(r"[\s<>\"]", found) else ""


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""
