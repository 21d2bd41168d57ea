"""Parse and write OPML, the lists of feeds that feed readers exchange. No Django."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.entities import name2codepoint
from typing import Any
from xml.etree import ElementTree

from extraction.crawler.parsers.character_encoding import decode_xml

MAX_BYTES = 5 << 20
MAX_FEEDS = 5000

_FEEDS = ("", "rss", "rss1", "rss2", "atom", "feed", "xml")
_XML_NAMES = ("amp", "lt", "gt", "quot", "apos")
_ENTITIES = {name: chr(code) for name, code in name2codepoint.items()} | {"apos": "'"}
_DECLARATION = re.compile(r"\A<\?xml\b[^>]{0,500}\?>")
_NO_CHARACTER = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
    r"|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2\d|3[01]));",
    re.I,
)
# A named reference, or an ampersand that begins none.
_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#[xX][0-9a-fA-F]{1,6};)(?:(\w{1,31});)?")


class OpmlError(ValueError):
    """The file is not OPML; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One feed of a list."""

    url: str
    title: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class FeedList:
    """The feeds of an OPML file. `notice`: what of it could not be read, as sentences; "" where all was."""

    outlines: list[Outline]
    notice: str = ""


def parse(content: bytes) -> FeedList:
    """The feeds of an OPML file, folders and all, each URL once. Raises OpmlError.

    What readers write that is not well-formed is read as it is meant: bare ampersands, named entities of HTML, control
    characters, blank lines at the start, a wrong encoding, `url` for `xmlUrl`, names in other case, a cut end.
    """
    if len(content) > MAX_BYTES:
        raise OpmlError(f"The file is larger than {MAX_BYTES:,} bytes.")
    decoded = decode_xml(content)
    root, damage = _tree(_mended(decoded.text))
    if _name(root) != "opml":
        raise OpmlError(f"The file is not OPML: it begins with <{_name(root)[:50]}>.")
    outlines, unread = _outlines(root)
    if damage and not outlines:
        raise OpmlError(f"The file is not OPML: it is not well-formed XML ({damage}).")
    notices = [f"{decoded.bad:,} characters could not be read and were replaced."] if decoded.bad else []
    notices += [f"The file is damaged ({damage}): the feeds that could be read were taken."] if damage else []
    if unread:
        shown = ", ".join(f"“{title}”" for title in unread[:5]) + (" …" if len(unread) > 5 else "")
        notices.append(f"{len(unread):,} entries have no address of a feed and were left out: {shown}.")
    return FeedList(outlines, " ".join(notices))


def _outlines(root: Any) -> tuple[list[Outline], list[str]]:
    """The feeds, and the titles of entries that have no address and are no folders."""
    outlines: dict[str, Outline] = {}
    unread: list[str] = []
    for element in root.iter():
        if _name(element) != "outline":
            continue
        fields = {str(name).lower(): " ".join(str(value).split()) for name, value in element.attrib.items()}
        title = (fields.get("title") or fields.get("text") or "")[:500]
        url = fields.get("xmlurl") or (fields.get("url", "") if fields.get("type", "rss").lower() in _FEEDS else "")
        if not url:
            unread += [title or "without a title"] if not len(element) else []
        elif len(outlines) < MAX_FEEDS:
            outlines.setdefault(url, Outline(url, title, fields.get("htmlurl", "")))
    return list(outlines.values()), unread


def _mended(text: str) -> str:
    text = _DECLARATION.sub("", _NO_CHARACTER.sub("", text).lstrip(), count=1).lstrip()
    return _AMPERSAND.sub(_entity, text)


def _entity(match: re.Match[str]) -> str:
    """A named entity of HTML as its character, a bare ampersand as one; XML's own entities stay."""
    name = match[1]
    if name is None or name not in _ENTITIES:
        return "&amp;" + match[0][1:]
    return match[0] if name in _XML_NAMES else _ENTITIES[name]


def _tree(text: str) -> tuple[Any, str]:
    """The root element, and what was wrong where the rest had to be read past it."""
    from defusedxml.ElementTree import ParseError, fromstring
    from lxml import etree

    try:
        return fromstring(text, forbid_dtd=False), ""
    except ParseError as error:
        # no entities, no network, no huge text: what the file declares is not followed
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(text.encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError:
            root = None
        if root is None:
            raise OpmlError(f"The file is not OPML: it is not well-formed XML ({error}).") from error
        return root, str(error)
    except ValueError as error:
        raise OpmlError(f"The file is not OPML: it is not well-formed XML ({error}).") from error


def _name(element: Any) -> str:
    """An element's name in lower case, without its namespace; "" for a comment."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def write(outlines: Iterable[Outline], title: str = "kgbuilder feeds") -> bytes:
    """An OPML 2.0 file of the outlines."""
    root = ElementTree.Element("opml", version="2.0")
    ElementTree.SubElement(ElementTree.SubElement(root, "head"), "title").text = title
    body = ElementTree.SubElement(root, "body")
    for outline in outlines:
        name = outline.title or outline.url
        fields = {"type": "rss", "text": name, "title": name, "xmlUrl": outline.url}
        ElementTree.SubElement(body, "outline", fields | ({"htmlUrl": outline.site} if outline.site else {}))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
