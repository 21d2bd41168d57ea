"""Plain text of the HTML in feeds' titles and summaries. Only this text is kept and shown."""

from __future__ import annotations

import re
from html import unescape

from extraction.text.cleaning import clean

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
_DROPPED = ("script", "style", "template", "noscript", "iframe", "svg")
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table"),
        *("td", "th", "tr", "ul"),
    )
)


def text_of(html: str) -> str:
    """The text of a piece of HTML, its paragraphs separated by blank lines. Text without tags is kept as it is."""
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


def first_picture(html: str) -> str:
    """The address of the first picture in a piece of HTML that is not a tracking pixel; "" where there is none."""
    for tag in re.findall(r"<img\b[^<>]*>", html[:100_000], re.I):
        source = re.search(r"\bsrc\s*=\s*[\"']?(https?://[^\"'\s>]+)", tag, re.I)
        tiny = re.search(r"\b(width|height)\s*=\s*[\"']?[01]\b", tag, re.I)
        if source and not tiny:
            return unescape(source[1])
    return ""


def _lines(text: str) -> list[str]:
    return [line for line in (" ".join(line.split()) for line in text.split("\n")) if line]
