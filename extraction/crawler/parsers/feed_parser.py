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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

from extraction.crawler import canonical_urls
from extraction.crawler.parsers import item_identity
from extraction.crawler.parsers.character_encoding import Decoded, decode_xml
from extraction.crawler.parsers.dates import hints_of, iso_moment, moment_of
from extraction.crawler.parsers.html_text import first_picture, text_of, title_of
from extraction.text.cleaning import clean

MAX_FEED_BYTES = 5 << 20
MAX_ITEMS = 1000
MAX_TITLE = 1000  # code points
MAX_TEXT = 100_000

# A character reference to a surrogate stands for no character, and breaks the parser; so do control characters.
_NO_CHARACTER = re.compile(
    r"&#(?:[xX]0{0,8}[dD][89a-fA-F][0-9a-fA-F]{2}"
    r"|0{0,8}(?:5529[6-9]|55[3-9]\d\d|56\d{3}|57[0-2]\d\d|573[0-3]\d|5734[0-3]));"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
)
_DECLARATION = re.compile(r"<\?xml\b[^>]{0,500}\?>")
_ROOT = re.compile(r"<\?xml\b|<!DOCTYPE\s+(?:rss|feed|rdf)\b|<(?:\w+:)?(?:rss|feed|RDF)\b", re.I)
_ROOT_END = re.compile(r"</(?:\w+:)?(?:rss|feed|RDF)\s*>", re.I)
_ITEM = re.compile(r"<(/?)(?:\w+:)?(?:item|entry)\b", re.I)
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)(?:[?#]|\Z)", re.I)
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


class FeedError(Exception):
    """The fetched content is not a feed; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One item. `guid` identifies it in its feed; `text` is plain; `published` is UTC, None where the feed gives no
    time or one (`published_text`, verbatim) that cannot be parsed. `digest` changes when the publisher changes the
    item's link or words. `date_notice`: what is unclear about the time. `updated_only`: the time is that of the last
    change, since the feed gives no other. `own_link`: the link leads to a page of this item alone."""

    guid: str
    link: str
    title: str
    text: str
    image: str
    published: datetime | None
    published_text: str
    digest: str
    date_notice: str = ""
    updated_only: bool = False
    own_link: bool = True


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
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        raise FeedError("The feed is empty.")
    if len(content) > MAX_FEED_BYTES:
        raise FeedError(f"The feed is larger than {MAX_FEED_BYTES:,} bytes.")
    decoded = decode_xml(content, content_type)
    text = decoded.text.lstrip()
    if text.startswith("{"):
        return _json_feed(text, url)
    if max(text.count("<item"), text.count("<entry"), text.count(":item")) > 10 * MAX_ITEMS:
        raise FeedError(f"The feed has more than {10 * MAX_ITEMS:,} items.")
    parsed = _xml_feed(text, url)
    return replace(parsed, notice=f"{parsed.notice} {_unreadable(decoded)}".strip())


def _unreadable(decoded: Decoded) -> str:
    return f"{decoded.bad:,} characters are no {decoded.encoding.upper()} and were replaced." if decoded.bad else ""


def _xml_feed(text: str, url: str) -> ParsedFeed:
    import feedparser

    content, complete = _document(text)
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        # a file object: bytes would be tried as the name of a file first. Only text is kept, so nothing is sanitized:
        # that would remove words in angle brackets from titles.
        result = feedparser.parse(
            io.BytesIO(content.encode("utf-8", "replace")), response_headers=headers, sanitize_html=False
        )
    except Exception as error:  # feedparser passes on what its parsers raise on broken markup: several classes
        raise FeedError(f"The feed cannot be read ({type(error).__name__}: {str(error)[:200]}).") from error
    feed, entries = result.get("feed", {}), list(result.get("entries", []))
    version = _str(result.get("version"))
    if not version and not entries:
        raise FeedError(f"This is not a feed: neither RSS nor Atom nor JSON Feed.{_hint(text, url)}")
    notice = ""
    if result.get("bozo"):
        reason = str(result.get("bozo_exception", "")).replace("<unknown>:", "line ")
        if not entries:
            raise FeedError(f"The feed is damaged and no item could be parsed ({reason[:200]}).")
        notice = f"The feed is not well formed ({reason[:200]})."
    if not complete:
        notice += " It is truncated."
        if _last_item_is_open(content):
            entries.pop()
            notice = notice.removesuffix(".") + ": its last item was ignored."
    site = _web(feed.get("link", ""), url)
    hints = hints_of(_str(feed.get("language")), urlsplit(site or url).hostname or "")
    read = [_xml_item(entry, url, version, hints) for entry in entries[:MAX_ITEMS]]
    items = item_identity.named(_not_empty(read), site)
    notice = notice.strip() or _too_many(len(entries)) or ("" if items else "The feed lists no items.")
    return ParsedFeed(_title(feed, version)[:500], site, items, _ttl(feed), notice)


def _document(text: str) -> tuple[str, bool]:
    """The feed without what stands before its root and after the root's end, such as a server's warning or a cache's
    comment; and whether it has an end."""
    start = _ROOT.search(text)
    text = _NO_CHARACTER.sub("", _DECLARATION.sub("", text[start.start() if start else 0 :], count=1)).lstrip()
    ends = [match.end() for match in _ROOT_END.finditer(text)]
    return (text[: ends[-1]], True) if ends else (text, False)


def _last_item_is_open(text: str) -> bool:
    tags = [match[1] for match in _ITEM.finditer(text)]
    return bool(tags) and tags[-1] == ""


def _title(part: Any, version: str) -> str:
    """The title of a feed or an entry: Atom says what kind of text it is, the other formats leave it open."""
    kind = _str(part.get("title_detail", {}).get("type")) if version.startswith("atom") else ""
    return title_of(_str(part.get("title")), {"": "", "text/plain": "text"}.get(kind, "html"))


def _too_many(entries: int) -> str:
    return f"The feed lists {entries:,} items; the first {MAX_ITEMS:,} are used." if entries > MAX_ITEMS else ""


def _hint(page: str, url: str) -> str:
    """The feed that a web page links to, as a sentence."""
    for tag in re.findall(r"<link\b[^<>]{1,2000}>", page[:200_000], re.I):
        href = re.search(r"\bhref\s*=\s*[\"']?([^\"'\s>]+)", tag, re.I)
        if href and re.search(r"application/(rss\+xml|atom\+xml|feed\+json)", tag, re.I):
            result = _web(unescape(href[1]), url)
            return f" The page links to this one: {result}" if result else ""
    return ""


def _xml_item(entry: Any, url: str, version: str, hints: frozenset[str]) -> FeedItem:
    html, literal = _content(entry, version)
    link = _str(entry.get("feedburner_origlink")) or _str(entry.get("link"))
    if entry.get("guidislink") and link == entry.get("id") and not link.startswith(("http:", "https:")):
        link = ""  # a guid is a link by default, also where it is only a number
    link = _web(link, url)
    picture = _web(_xml_image(entry), url) or _web("" if literal else first_picture(html), link or url)
    return _dated(
        _item(
            guid=_str(entry.get("id")),
            link=link,
            title=_title(entry, version),
            text=clean(html).strip() if literal else text_of(html[: 4 * MAX_TEXT]),
            image=picture,
            changed=_str(dict.get(entry, "updated")),
        ),
        entry,
        hints,
    )


def _content(entry: Any, version: str) -> tuple[str, bool]:
    """An entry's longest text, and whether Atom says that it is no HTML."""
    parts = [entry.get("summary_detail"), *entry.get("content", [])]
    plain = version.startswith("atom")
    found = [part for part in parts if isinstance(part, dict)]
    texts = [(_str(part.get("value")), plain and part.get("type") == "text/plain") for part in found]
    candidates: list[tuple[str, bool]] = [*reversed(texts), (_str(entry.get("summary")), False)]
    return max(candidates, key=lambda text: len(text[0]))


def _dated(item: FeedItem, entry: Any, hints: frozenset[str]) -> FeedItem:
    """An item with its entry's time. (`dict.get`: feedparser's own falls back to another field by itself.)"""
    for name in ("published", "updated", "created"):
        verbatim = _str(dict.get(entry, name))
        if verbatim:
            moment, notice = moment_of(verbatim, hints) or (_utc(dict.get(entry, f"{name}_parsed")), "")
            return _with_time(item, moment, verbatim, notice, updated_only=name == "updated")
    return item


def _with_time(
    item: FeedItem, moment: datetime | None, verbatim: str, notice: str = "", *, updated_only: bool = False
) -> FeedItem:
    fits = moment is not None and 1980 <= moment.year <= 2200
    return replace(
        item,
        published=moment if fits else None,
        published_text=clean(verbatim)[:200],
        date_notice=notice if fits else "",
        updated_only=updated_only,
    )


def _utc(parsed: Any) -> datetime | None:
    try:
        result = datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (TypeError, ValueError, OverflowError, OSError, IndexError):
        return None
    return result if 1980 <= result.year <= 2200 else None


def _xml_image(entry: Any) -> str:
    for part in [*entry.get("media_content", []), *entry.get("enclosures", [])]:
        address = _str(part.get("url") or part.get("href"))
        if address and _is_picture(part, address):
            return address
    thumbnail = next((_str(part.get("url")) for part in entry.get("media_thumbnail", [])), "")
    own = entry.get("image")  # itunes:image, and the image that some publishers give an item
    return thumbnail or (_str(own.get("href") or own.get("url")) if isinstance(own, dict) else "")


def _is_picture(part: Any, address: str) -> bool:
    """Whether a media element or enclosure is a picture: it says so, or it says nothing and its address does."""
    kind = f"{_str(part.get('medium'))} {_str(part.get('type'))}".strip().lower()
    if kind and not kind.endswith("octet-stream"):
        return "image" in kind
    sized = part.get("width") and not part.get("duration") and not re.search(r"\.\w{2,4}\Z", urlsplit(address).path)
    return bool(_PICTURE.search(address) or sized)


def _ttl(feed: Any) -> float:
    minutes = re.fullmatch(r"\s*(\d{1,6})\s*", _str(feed.get("ttl")))
    period = _PERIODS.get(_str(feed.get("sy_updateperiod")).strip().lower(), 0)
    times = re.fullmatch(r"\s*([1-9]\d{0,4})\s*", _str(feed.get("sy_updatefrequency")))
    return max(float(minutes[1]) * 60 if minutes else 0.0, period / int(times[1]) if times else float(period))


def _json_feed(content: str, url: str) -> ParsedFeed:
    try:
        # what follows the end is a cache's or a server's; control characters in strings are the publisher's
        result, _ = json.JSONDecoder(strict=False).raw_decode(content)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"The feed looks like JSON but is not valid JSON ({str(error)[:200]}).") from error
    if not isinstance(result, dict) or not re.match(r"https?://jsonfeed\.org/version/", _str(result.get("version"))):
        raise FeedError("This is JSON, but not a JSON Feed: it has no jsonfeed.org version.")
    entries = result.get("items")
    if not isinstance(entries, list):
        raise FeedError("This JSON Feed has no list of items.")
    site = _web(_str(result.get("home_page_url")), url)
    hints = hints_of(_str(result.get("language")), urlsplit(site or url).hostname or "")
    read = [_json_item(entry, url, hints) for entry in entries[:MAX_ITEMS] if isinstance(entry, dict)]
    items = item_identity.named(_not_empty(read), site)
    notice = "The publisher has ended this feed." if result.get("expired") is True else ""
    notice = notice or _too_many(len(entries))
    return ParsedFeed(title_of(_str(result.get("title")), "text")[:500], site, items, 0.0, notice)


def _json_item(entry: dict[str, Any], url: str, hints: frozenset[str]) -> FeedItem:
    html = _str(entry.get("content_html"))
    text = text_of(html[: 4 * MAX_TEXT]) or clean(_str(entry.get("content_text"))) or clean(_str(entry.get("summary")))
    published = _str(entry.get("date_published"))
    verbatim = published or _str(entry.get("date_modified"))
    guid = entry.get("id")
    link = _web(_str(entry.get("url")) or _str(entry.get("external_url")), url)
    picture = _str(entry.get("image")) or _str(entry.get("banner_image"))
    item = _item(
        guid=str(guid) if isinstance(guid, str | int | float) else "",
        link=link,
        title=" ".join(clean(_str(entry.get("title"))).split()),
        text=text.strip(),
        image=_web(picture, url) or _web(first_picture(html), link or url),
        changed=_str(entry.get("date_modified")),
    )
    moment, notice = moment_of(verbatim, hints) or (iso_moment(verbatim), "")
    return _with_time(item, moment, verbatim, notice, updated_only=not published) if verbatim else item


def _item(*, guid: str, link: str, title: str, text: str, image: str, changed: str) -> FeedItem:
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
        published=None,
        published_text="",
        digest=_digest(link, title, text, changed),
    )


def _not_empty(items: Iterable[FeedItem]) -> Iterator[FeedItem]:
    return (item for item in items if item.link or item.title or item.text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _web(address: str, base: str) -> str:
    """`address` as an absolute http or https address without user and password, else ""."""
    address = clean(address).strip()
    try:
        result = urljoin(base, address) if address else ""
        parts = urlsplit(result)
        _ = parts.port
    except ValueError:
        return ""
    fits = parts.scheme in ("http", "https") and parts.hostname and len(result) <= 2000
    return canonical_urls.without_credentials(result) if fits and not re.search(r"[\s<>\"]", result) else ""


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""
