"""The feeds that a web page links to. No Django and no network; run in the sandbox, since pages are not trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from extraction.text.cleaning import clean

MOST_LINKS = 12
MOST_BYTES = 2 << 20
FEED_TYPES = re.compile(r"application/(rss|atom|rdf)\+xml|application/(feed\+)?json", re.IGNORECASE)
# What addresses of feeds look like where a page links to them in its text, as in its footer.
FEED_PATH = re.compile(r"/(feed|rss|atom)s?/?$|\.(rss|atom|rdf)$|/(feed|rss|atom|index)\.(xml|json)$", re.IGNORECASE)
COMMENTS = re.compile(r"comment|kommentar|comentario", re.IGNORECASE)
CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FeedLink:
    url: str
    title: str


def feed_links(content: bytes, url: str) -> list[FeedLink]:
    """The feeds that a page at `url` declares, then those that it links to; feeds of comments last."""
    reader = _Links(url)
    reader.feed(_text(content[:MOST_BYTES]))
    reader.close()
    found = {one.url: one for one in reversed([*reader.declared, *reader.linked])}
    links = [found[one] for one in dict.fromkeys(link.url for link in [*reader.declared, *reader.linked])]
    links.sort(key=lambda one: bool(COMMENTS.search(f"{one.url} {one.title}")))
    return links[:MOST_LINKS]


class _Links(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base = url
        self.declared: list[FeedLink] = []
        self.linked: list[FeedLink] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}
        if tag == "base" and given.get("href"):
            self.base = self._address(given["href"]) or self.base
        elif tag == "link" and "alternate" in given.get("rel", "").lower().split():
            if FEED_TYPES.match(given.get("type", "").strip()) and not _is_wordpress_api(given.get("href", "")):
                self._add(self.declared, given.get("href", ""), given.get("title", ""))
        elif tag == "a" and FEED_PATH.search(_path(given.get("href", ""))):
            self._add(self.linked, given.get("href", ""), given.get("title", ""))

    def _add(self, links: list[FeedLink], href: str, title: str) -> None:
        address = self._address(href)
        if address:
            links.append(FeedLink(address, " ".join(clean(title).split())[:300]))

    def _address(self, href: str) -> str:
        """`href` as an address on the web; "" for one that is none."""
        href = href.strip()
        if href.lower().startswith("feed:"):
            href = href[5:] if href[5:].startswith("http") else f"https://{href[5:].lstrip('/')}"
        try:
            address = urljoin(self.base, href)
            fits = urlsplit(address).scheme in ("http", "https") and bool(urlsplit(address).hostname)
        except ValueError:
            return ""
        return address if fits and len(address) <= 2000 else ""


def _path(href: str) -> str:
    try:
        return urlsplit(href.strip()).path
    except ValueError:
        return ""


def _is_wordpress_api(href: str) -> bool:
    """WordPress declares its API and oEmbed as alternates of each page, with the type of JSON."""
    return "/wp-json/" in href or "oembed" in href.lower()


def _text(content: bytes) -> str:
    named = CHARSET.search(content[:4096])
    try:
        return content.decode(named[1].decode("ascii") if named else "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
