"""Plain text of the HTML in feeds' titles and summaries. Only this text is kept and shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from extraction.text.cleaning import clean

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
_ANY_TAG = re.compile(r"<(?P<closes>/?)(?P<name>[a-zA-Z][\w:-]*)[^<>]*?(?P<empty>/?)>|<")
_EMPTY = ("br", "hr", "img", "wbr")
# What titles are formatted with; any other tag in one is something that the title is about.
_FORMATTING = frozenset(
    (
        *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "div", "em", "font", "i", "ins", "kbd", "mark"),
        *("p", "q", "s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "h1", "h2", "h3", "h4"),
        *("script", "style", "svg", "iframe", "noscript"),
    )
)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_SOURCES = ("data-src", "data-original", "data-lazy-src", "data-lazy", "src", "data-srcset", "srcset")
_DROPPED = ("script", "style", "template", "noscript", "iframe", "svg")
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table"),
        *("td", "th", "tr", "ul"),
    )
)


def text_of(html: str) -> str:
    """The text of a piece of HTML, its paragraphs separated by blank lines. Text without tags is kept as it is, and so
    is what looks like a tag and is no element ("List<String>")."""
    html = _literal(html, _is_element)
    if not _TAG.search(html):
        return "\n\n".join(_lines(clean(unescape(html))))
    from lxml import etree
    from lxml.html import fragment_fromstring

    try:
        tree = fragment_fromstring(clean(html), create_parent="div")
    except (etree.LxmlError, ValueError, AssertionError):
        return "\n\n".join(_lines(clean(unescape(_TAG.sub(" ", html)))))
    etree.strip_elements(tree, etree.Comment, etree.ProcessingInstruction, *_DROPPED, with_tail=False)
    for element in tree.iter():
        # in HTML a line's end is a space: only elements end lines
        bound = "\n" if element.tag in _BLOCKS else ""
        element.text = bound + " ".join((element.text or "").split("\n"))
        element.tail = bound + " ".join((element.tail or "").split("\n"))
    return "\n\n".join(_lines(clean("".join(tree.itertext()))))


def line_of(html: str) -> str:
    """The text of a piece of HTML on one line."""
    return " ".join(text_of(html).split())


def title_of(title: str, kind: str = "") -> str:
    """A title on one line. `kind`: "text", which has no markup, "html", or "" for a feed format that does not say: then
    formatting is removed, and other tags are words of the title ("Why <table> is back")."""
    if kind == "text":
        return " ".join(clean(unescape(title)).split())
    if kind == "html":
        return line_of(title)
    return line_of(_literal(title, _is_formatting))


def first_picture(html: str) -> str:
    """The address of the first picture in a piece of HTML that is no tracking pixel, as written; "" if there is none.

    Pictures that are loaded late have a placeholder as their source and the address beside it."""
    for tag in re.findall(r"<(?:img|source)\b[^<>]*>", html[:100_000], re.I):
        fields = {name.lower(): one or two or three for name, one, two, three in _ATTRIBUTE.findall(tag)}
        tiny = {fields.get("width", ""), fields.get("height", "")} & {"0", "1", "0px", "1px"}
        if tiny or fields.get("type", "image").partition("/")[0] != "image":
            continue
        for name in _SOURCES:
            address = unescape(fields.get(name, "")).strip()
            address = _first_of_set(address) if name.endswith("srcset") else address
            if address and not address.startswith(("data:", "about:", "#", "javascript:")):
                return address
    return ""


def _first_of_set(addresses: str) -> str:
    return addresses.split(",")[0].split()[0] if addresses.strip(" ,") else ""


def _literal(html: str, is_tag: Callable[[re.Match[str], str], bool]) -> str:
    """`html` with the signs of what is no tag escaped, so that it is kept as text."""
    lower = html.lower()

    def kept(match: re.Match[str]) -> str:
        comment = match[0] == "<" and html.startswith(("<!--", "<![", "<?", "<!d", "<!D"), match.start())
        return match[0] if comment or (match["name"] and is_tag(match, lower)) else "&lt;" + match[0][1:]

    return _ANY_TAG.sub(kept, html)


def _is_element(tag: re.Match[str], html: str) -> bool:
    """Whether a tag is HTML's, or one of a pair, or empty as XML writes it."""
    from lxml.html.defs import tags

    name = tag["name"].lower()
    paired = f"</{name}" in html and f"<{name}" in html
    return name in tags or name in _BLOCKS or "-" in name or ":" in name or bool(tag["empty"]) or paired


def _is_formatting(tag: re.Match[str], html: str) -> bool:
    name = tag["name"].lower()
    paired = name in _FORMATTING and f"</{name}" in html and bool(re.search(rf"<{name}[\s>]", html))
    return name in _EMPTY or paired


def _lines(text: str) -> list[str]:
    return [line for line in (" ".join(line.split()) for line in text.split("\n")) if line]
