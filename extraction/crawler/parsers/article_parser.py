"""Parse an article page: headline, body text, pictures with captions, and the page's metadata.

The body is trafilatura's, after elements that are known not to be part of the story have been removed; where a page has
the whole story only in its JSON-LD, that is used instead. No Django: notebooks and `manage.py read --url` use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from extraction.crawler.parsers.character_encoding import decode_page
from extraction.crawler.parsers.jsonld import Story, story_of
from extraction.crawler.parsers.page_kind import Instead, instead_of_story
from extraction.text.cleaning import clean

if TYPE_CHECKING:
    from lxml.html import HtmlElement

LARGEST_PAGE = 8 << 20
LONGEST_TEXT = 300_000  # code points; ten times a long magazine story
LONGEST_TITLE = 1000
MOST_ELEMENTS = 30_000  # ten times a large news page; the extractor's time grows faster than the page
MOST_OTHERS = 20
_SHORT = 900  # code points; a page that leads on to another shows a few sentences at most

# Parts of article elements that are not the story: embedded posts, lists of other stories, appeals, captions.
_FOREIGN = (
    *("twitter-tweet", "instagram-media", "tiktok-embed", "fb-post", "pullquote", "wp-caption-text", "gallery-caption"),
    *("author-bio", "newsletter", "popular-articles", "related-articles", "related-posts", "related-content"),
    *("more-from", "recirc", "collections__", "promo-box", "ad-label", "advertisement"),
)
_PRUNED = " | ".join(
    f"//*[contains(translate(@class,'ABCDEFGHIJKLMNOPQRSTUVWXYZ','abcdefghijklmnopqrstuvwxyz'),'{name}')]"
    "[not(self::html or self::body or self::main or self::article)]"
    for name in _FOREIGN
)
_APPEAL = re.compile(
    r"(advertisement|story continues below.*|read more:?|read also:?.*|related:?.*|more from .{1,40}|popular|most read"
    r"|watch:? .*|click here.*|sign up (for|to) .*newsletter.*|subscribe to .*|share this.*|follow us on .*"
    r"|our standards: .*|copyright ©.*|© .*|get the latest .*newsletter.*|download .{1,30} app.*|[_*•·—–-]{2,})",
    re.I | re.S,
)
_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]{0,500}>")
_DATES = (
    *("article:published_time", "og:article:published_time", "datePublished", "parsely-pub-date", "pubdate"),
    *("publishdate", "publish-date", "publish_date", "sailthru.date", "dc.date.issued", "DC.date.issued", "dc.date"),
    *("DC.date", "dcterms.created", "dcterms.date", "cXenseParse:recs:publishtime", "date"),
)
_JSON_LD = (
    "//script[starts-with(translate(normalize-space(@type),'ADIJLNOPST','adijlnopst'),'application/ld+json')]/text()"
)
_SEPARATOR = re.compile(r"\s+[|–—·•*»:-]\s+")
_REFRESH = re.compile(r"\s*(\d{1,4})(?:\.\d*)?\s*[;,]?\s*(?:url\s*=)?\s*['\"]?([^'\"]+)['\"]?\s*", re.I)
_AT_ONCE = 15  # seconds; a page that loads itself again does so after minutes


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """The content of an article page. `text` is the body alone, paragraphs separated by blank lines; `whole` has the
    title before it.

    `others`: further pictures of the story, each as its address and its caption. `canonical` is what the page
    claims, unchecked. `published` is verbatim. `instead`: what the page is if it is no story. `refresh`: the page that
    this one sends visitors on to by itself. Every field may be empty.
    """

    title: str = ""
    text: str = ""
    image: str = ""
    caption: str = ""
    others: tuple[tuple[str, str], ...] = ()
    canonical: str = ""
    published: str = ""
    language: str = ""
    instead: Instead = ""
    refresh: str = ""

    @property
    def login_wall(self) -> bool:
        """The page asks visitors to sign in, to pay, to consent or to solve a captcha instead of showing the story."""
        return self.instead in ("wall", "consent")

    @property
    def day(self) -> date | None:
        """The day of publication, where the page gives it in ISO 8601."""
        try:
            return date.fromisoformat(self.published.strip()[:10])
        except ValueError:
            return None

    @property
    def whole(self) -> str:
        return f"{self.title}\n\n{self.text}".strip()


def extract(html: bytes | str, url: str, content_type: str = "") -> ParsedArticle:
    """Parse a page, as fetched with its Content-Type or as text. One that cannot be parsed gives a ParsedArticle
    without text, never an error."""
    import trafilatura

    if len(html) > LARGEST_PAGE:
        return ParsedArticle()
    try:
        text = decode_page(html, content_type).text if isinstance(html, bytes) else html
        # what a declaration says of the bytes is settled, and lxml refuses text that still has one
        tree = trafilatura.load_html(_DECLARATION.sub("", text, count=1))
        if tree is None or sum(1 for _ in tree.iter()) > MOST_ELEMENTS:
            return ParsedArticle()
        return _parse(tree, url)
    except (ValueError, RecursionError, AssertionError, AttributeError, TypeError):
        # malicious pages do break the parsers: lxml and trafilatura raise several classes on them
        return ParsedArticle()


def _parse(tree: HtmlElement, url: str) -> ParsedArticle:
    story = story_of(tree.xpath(_JSON_LD))
    title = _title(tree, story, url)
    image = _image(tree, story, url)
    others = _others(tree, image, url)
    caption = _caption(tree, image) or story.caption or _meta(tree, "og:image:alt", "twitter:image:alt")
    canonical = _first(tree, "//link[@rel='canonical']/@href") or _meta(tree, "og:url")
    published = (story.published or _meta(tree, *_DATES) or _written_date(tree))[:200]
    language = (tree.get("lang") or tree.get("xml:lang") or _meta(tree, "og:locale")).replace("_", "-")[:35]
    gated = story.paid or bool(tree.xpath("//input[@type='password']"))
    titles = [title, _headline(_first(tree, "//head/title/text()"))]
    titles += [_headline(heading.text_content()) for heading in tree.iter("h1")]
    refresh = _refresh(tree, url)
    text, shown = _body(tree, story, title)
    return ParsedArticle(
        title=clean(title),
        text=clean(text),
        image=image,
        caption=clean(_line(caption)),
        others=others,
        canonical=_address(url, canonical),
        published=published,
        language=language,
        instead=instead_of_story(
            titles, text, shown, urlsplit(url).path, gated=gated, marked=bool(story.headline and published)
        ),
        refresh=refresh if len(text) <= _SHORT else "",
    )


def _body(tree: HtmlElement, story: Story, title: str) -> tuple[str, str]:
    """The story's text, and everything that the extractor took for it, appeals to subscribe included."""
    import trafilatura

    whole = _prose(tree)
    for element in tree.xpath(_PRUNED):
        # a container may be named after one thing in it: "layout-with-newsletter"
        if 2 * _prose(element) < whole:
            _drop(element)
    for element in tree.xpath("//p[a] | //p[strong/a] | //li[a]"):
        if _only_a_link(element):
            _drop(element)
    document = trafilatura.bare_extraction(tree, include_comments=False, include_tables=False)
    body = getattr(document, "body", None)
    shown = [] if body is None else list(_paragraphs(body))
    extracted, from_jsonld = _story_paragraphs(shown, title), _story_paragraphs(story.paragraphs, title)
    # some pages are split into pieces of which the extractor sees the first, or are extracted as one paragraph; a
    # summary in the JSON-LD is not the story
    longer = sum(map(len, from_jsonld)) > 1.3 * sum(map(len, extracted)) + 200
    paragraphs = from_jsonld if longer or len(extracted) == 1 < len(from_jsonld) else extracted
    return _cut("\n\n".join(paragraphs)), " ".join(" ".join(shown).split())[:LONGEST_TEXT]


def _prose(element: HtmlElement) -> int:
    """Code points in paragraphs; of a page without paragraphs those of all its text."""
    paragraphs = element.iter("p") if element.getroottree().getroot().find(".//p") is not None else [element]
    return sum(len(_line(paragraph.text_content())) for paragraph in paragraphs)


def _cut(text: str) -> str:
    """The text up to the limit, cut between paragraphs where possible."""
    if len(text) <= LONGEST_TEXT:
        return text
    bound = text.rfind("\n\n", 1, LONGEST_TEXT)
    return text[: bound if bound > 0 else LONGEST_TEXT]


def _paragraphs(body: HtmlElement) -> Iterator[str]:
    """The lines of trafilatura's tree: its elements, lists item by item, and text between elements."""
    yield body.text or ""
    for element in body:
        if element.tag == "list":
            yield from ("".join(item.itertext()) for item in element)
        else:
            for line_break in element.iter("lb"):
                line_break.tail = "\n" + (line_break.tail or "")
            yield from "".join(element.itertext()).split("\n")
        yield element.tail or ""


def _story_paragraphs(paragraphs: Iterable[str], title: str) -> list[str]:
    """The paragraphs without repetitions of the headline or each other, appeals, and lines in capitals."""
    kept: list[str] = []
    seen = {_words(title)}
    for paragraph in map(_line, paragraphs):
        words = _words(paragraph)
        in_capitals = paragraph.isupper() and len(paragraph.split()) > 4
        if not words or words in seen or in_capitals or (len(paragraph) < 200 and _APPEAL.fullmatch(paragraph)):
            continue
        seen.add(words)
        kept.append(paragraph)
    return kept


def _only_a_link(element: HtmlElement) -> bool:
    """Whether a paragraph is nothing but one link of several words: another story's headline."""
    text = _line(element.text_content())
    links = [_line(link.text_content()) for link in element.iter("a")]
    return len(links) == 1 and links[0] == text and len(text.split()) >= 4 and text[-1:] not in '.!?”"'


def _title(tree: HtmlElement, story: Story, url: str) -> str:
    headings = [_headline(heading.text_content()) for heading in tree.iter("h1")]
    named = _headline(_meta(tree, "og:title") or _first(tree, "//head/title/text()") or story.headline)
    for heading in headings:
        if len(heading) > 3 and _words(named).startswith(_words(heading)):
            return heading
    site = _words(_meta(tree, "og:site_name"))
    host = _words((urlsplit(url).hostname or "").removeprefix("www.").split(".")[0])
    if story.headline and _words(named).startswith(_words(story.headline)):
        return _headline(story.headline)
    return _without_site(named, {site, host} - {""}) or (headings[0] if len(headings) == 1 else "")


def _without_site(title: str, names: set[str]) -> str:
    """`title` without a publisher's suffixes: " | TechCrunch", " - by Somebody"."""
    pieces = [*_SEPARATOR.finditer(title)]
    for piece in reversed(pieces):
        last = _words(title[piece.end() :])
        if not (last.startswith("by ") or any(last.replace(" ", "") == name.replace(" ", "") for name in names)):
            break
        title = title[: piece.start()]
    return title


def _image(tree: HtmlElement, story: Story, url: str) -> str:
    address = _meta(tree, "og:image", "og:image:url", "twitter:image", "twitter:image:src") or story.image
    return _address(url, address)


def _address(base: str, address: str) -> str:
    """`address` as an absolute web address; "" where it is not one."""
    try:
        absolute = urljoin(base, address) if address else ""
        return absolute if urlsplit(absolute).scheme in ("http", "https") and len(absolute) <= 2000 else ""
    except ValueError:
        return ""


def _caption(tree: HtmlElement, image: str) -> str:
    """The caption of the lead picture, which is recognized by its file's name; else that of the first figure."""
    first = ""
    name = _file_name(image)
    for figure in tree.iter("figure"):
        captions = [_line(part.text_content()) for part in figure.iter("figcaption")]
        caption = next((text for text in captions if len(text.split()) > 3), "")
        sources = " ".join(image.get("src", "") + image.get("srcset", "") for image in figure.iter("img"))
        if caption and name and name in sources:
            return caption
        first = first or caption
    return first


def _others(tree: HtmlElement, lead: str, url: str) -> tuple[tuple[str, str], ...]:
    """The pictures with a caption within the story itself, except the lead picture, in the page's order."""
    result: dict[str, str] = {}
    for figure in tree.xpath("(//article | //main)//figure[not(ancestor::aside or ancestor::nav or ancestor::footer)]"):
        caption = next((_line(part.text_content()) for part in figure.iter("figcaption")), "")
        shown = next((image.get("src") or image.get("data-src") or "" for image in figure.iter("img")), "")
        address = _address(url, shown)
        same = address == lead or (_file_name(lead) and _file_name(address) == _file_name(lead))
        if address and not same and len(caption.split()) > 3:
            result.setdefault(address, clean(caption))
    return tuple(result.items())[:MOST_OTHERS]


def _file_name(url: str) -> str:
    name = urlsplit(url).path.rpartition("/")[2].partition(".")[0]
    return name if len(name) > 5 else ""


def _refresh(tree: HtmlElement, url: str) -> str:
    """The other page that a page loads at once; not one for visitors without scripts."""
    path = "//meta[translate(@http-equiv,'REFSH','refsh')='refresh'][not(ancestor::noscript)]/@content"
    match = _REFRESH.fullmatch(_first(tree, path))
    target = _address(url, match[2].strip()) if match and int(match[1]) <= _AT_ONCE else ""
    return "" if target.partition("#")[0] == url.partition("#")[0] else target


def _meta(tree: HtmlElement, *names: str) -> str:
    for name in names:
        result = _first(tree, f"//meta[@property='{name}' or @name='{name}']/@content")
        if result:
            return result
    return ""


def _written_date(tree: HtmlElement) -> str:
    """The date that the page shows, where its markup says that it is that of publication."""
    marked = _first(tree, "//*[@itemprop='datePublished']/@content | //*[@itemprop='datePublished']/@datetime")
    shown = "//time[@pubdate]/@datetime | (//article//time | //main//time)[not(ancestor::aside)]/@datetime"
    return marked or _first(tree, shown)


def _first(tree: HtmlElement, path: str) -> str:
    return next((str(result).strip() for result in tree.xpath(path) if str(result).strip()), "")


def _drop(element: HtmlElement) -> None:
    """Remove an element, keeping the text that follows it."""
    if element.getparent() is not None:
        element.drop_tree()


def _headline(text: str) -> str:
    return _line(text[: 4 * LONGEST_TITLE])[:LONGEST_TITLE]


def _line(text: str) -> str:
    return " ".join(text.split())


def _words(text: str) -> str:
    """`text` for comparison: its words in lower case, separated by one space."""
    return " ".join(re.findall(r"\w+", text.casefold()))
