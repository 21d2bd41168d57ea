"""Parse and write OPML, the lists of feeds that feed readers exchange. No Django."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

MAX_BYTES = 5 << 20
MAX_FEEDS = 5000


class OpmlError(ValueError):
    """The file is not OPML; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One feed of a list."""

    url: str
    title: str = ""
    site: str = ""


def parse(content: bytes) -> list[Outline]:
    """The feeds of an OPML file, folders and all, each URL once. Raises OpmlError."""
    from defusedxml.ElementTree import ParseError, fromstring

    if len(content) > MAX_BYTES:
        raise OpmlError(f"The file is larger than {MAX_BYTES:,} bytes.")
    try:
        root = fromstring(content, forbid_dtd=False)
    except (ParseError, ValueError, LookupError) as error:
        raise OpmlError(f"The file is not OPML: it is not well-formed XML ({error}).") from error
    if root.tag.lower() != "opml":
        raise OpmlError(f"The file is not OPML: it begins with <{str(root.tag)[:50]}>.")
    found: dict[str, Outline] = {}
    for element in root.iter("outline"):
        fields = {name.lower(): " ".join(value.split()) for name, value in element.attrib.items()}
        url = fields.get("xmlurl", "")
        if url and len(found) < MAX_FEEDS:
            title = fields.get("title") or fields.get("text") or ""
            found.setdefault(url, Outline(url, title[:500], fields.get("htmlurl", "")))
    return list(found.values())


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
