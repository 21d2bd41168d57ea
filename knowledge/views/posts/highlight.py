"""A text with its mentions marked, as HTML. Offsets are code points, so this is not done in a browser."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from extraction.labels import ENTITY_TYPES
from extraction.schema import Form

QUOTE_MARGIN = 70
QUOTE_LIMIT = 300
_BREAK = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class MarkedMention:
    """A mention to mark: its offsets, its anchor and label on the page, and the address that it links to.

    `address` "": a time or number, which has no page. `label`: the name of the entity, or what the value means.
    """

    id: int
    start: int
    end: int
    type: str
    address: str
    label: str
    form: Form = "name"


@dataclass(frozen=True, slots=True)
class TextSegment:
    """A segment of text that the same mentions cover, the shortest first."""

    text: str
    spans: tuple[MarkedMention, ...]
    starting: tuple[MarkedMention, ...]
    ending: bool


def segments(text: str, start: int, end: int, spans: Sequence[MarkedMention]) -> Iterator[TextSegment]:
    """`text[start:end]` cut wherever a mention begins or ends; mentions may nest and cross."""
    waiting = sorted((s for s in spans if s.start < end and s.end > start), key=lambda s: s.start, reverse=True)
    cuts = sorted({start, end, *(c for s in waiting for c in (s.start, s.end) if start < c < end)})
    open_here: list[MarkedMention] = []
    for left, right in pairwise(cuts):
        open_here = [s for s in open_here if s.end > left]
        while waiting and waiting[-1].start <= left:
            open_here.append(waiting.pop())
        over = tuple(sorted(open_here, key=_shortest))
        starting = tuple(s for s in over if max(s.start, start) == left)
        yield TextSegment(text[left:right], over, starting, bool(over) and over[0].end == right)


def paragraphs(text: str, title_end: int) -> list[tuple[int, int]]:
    """The body's paragraphs, as offsets in `text`."""
    parts, start = [], title_end
    for gap in _BREAK.finditer(text, title_end):
        parts.append((start, gap.start()))
        start = gap.end()
    parts.append((start, len(text)))
    return [(a, b) for a, b in parts if text[a:b].strip()]


def marked_parts(text: str, parts: Iterable[tuple[int, int]], spans: Sequence[MarkedMention]) -> list[SafeString]:
    """`marked` for each of a text's parts, in order."""
    ordered = sorted(spans, key=lambda s: s.start)
    starts, longest = [s.start for s in ordered], max((s.end - s.start for s in ordered), default=0)
    html = []
    for start, end in parts:
        first, last = bisect_left(starts, start - longest), bisect_left(starts, end)
        html.append(marked(text, start, end, ordered[first:last]))
    return html


def marked(text: str, start: int, end: int, spans: Sequence[MarkedMention]) -> SafeString:
    """`text[start:end]` as HTML: each mention a link with the id `m<id>`, isolated from the direction around it."""
    return format_html_join("", "{}", ((_html(segment),) for segment in segments(text, start, end, spans)))


def quoted(text: str, ends: Iterable[tuple[int, int]]) -> SafeString:
    """The words around `ends` (head and tail of an assertion), each marked.

    The middle is left out where it is long or crosses into another paragraph.
    """
    spans = sorted(ends)
    first, last = spans[0], max(spans, key=lambda span: span[1])
    apart = last[1] - first[0] > QUOTE_LIMIT or "\n" in text[first[1] : last[0]]
    quotes = [_quote(text, [first]), _quote(text, [last])] if apart else [_quote(text, spans)]
    before = "… " if quotes[0].cut_before else ""
    after = " …" if quotes[-1].cut_after else ""
    return format_html("{}{}{}", before, format_html_join(" … ", "{}", ((quote.html,) for quote in quotes)), after)


@dataclass(frozen=True, slots=True)
class _Quote:
    html: SafeString
    cut_before: bool
    cut_after: bool


def _quote(text: str, ends: Sequence[tuple[int, int]]) -> _Quote:
    left = _outward(text, min(a for a, _ in ends), -1)
    right = _outward(text, max(b for _, b in ends), 1)
    spans = [MarkedMention(i, a, b, "", "", "") for i, (a, b) in enumerate(ends)]
    body = format_html_join(
        "",
        "{}",
        (
            (format_html("<mark><bdi>{}</bdi></mark>", segment.text) if segment.spans else segment.text,)
            for segment in segments(text, left, right, spans)
        ),
    )
    return _Quote(body, left > 0 and text[left - 1] != "\n", right < len(text) and text[right] != "\n")


def _outward(text: str, at: int, step: int) -> int:
    """The edge of a word about QUOTE_MARGIN code points from `at`, within the same paragraph."""
    edge = max(0, at - QUOTE_MARGIN) if step < 0 else min(len(text), at + QUOTE_MARGIN)
    if step < 0:
        line = text.rfind("\n", edge, at)
        if line >= 0:
            return line + 1
        space = text.find(" ", edge, at) if edge else -1
        return space + 1 if space >= 0 else edge
    line = text.find("\n", at, edge)
    if line >= 0:
        return line
    space = text.rfind(" ", at, edge) if edge < len(text) else -1
    return space if space >= 0 else edge


def _shortest(span: MarkedMention) -> tuple[int, int, int]:
    return (span.end - span.start, span.start, span.id)


def _html(segment: TextSegment) -> SafeString:
    if not segment.spans:
        return escape(segment.text)
    inner, first = segment.spans[0], segment.spans[0] in segment.starting
    anchors = format_html_join("", '<span id="m{}"></span>', ((s.id,) for s in segment.starting if s is not inner))
    return format_html(
        '{}<bdi><{tag} class="mention t-{}{}{}"{}{} data-m="{}"{}{}>{}</{tag}></bdi>',
        anchors,
        inner.type,
        # A pronoun or nominal is marked more quietly, without the letter of its type at the end.
        " ends" if segment.ending and inner.form == "name" else "",
        "" if inner.form == "name" else f" {inner.form}",
        format_html(' id="m{}"', inner.id) if first else "",
        # Where another mention cuts this one, only its first part is a tab stop.
        mark_safe(' tabindex="-1"') if inner.address and not first else "",
        " ".join(str(s.id) for s in segment.spans),
        format_html(' href="{}"', inner.address) if inner.address else "",
        _description(segment),
        segment.text,
        tag="a" if inner.address else "span",
    )


def _description(segment: TextSegment) -> SafeString:
    """What a pointer shows; a pronoun's or nominal's link is also named after its entity."""
    inner = segment.spans[0]
    title = format_html(
        ' title="{}"', "; ".join(": ".join(filter(None, (_type_label(s.type), s.label))) for s in segment.spans)
    )
    if inner.form == "name" or not inner.address:
        return title
    return format_html('{} aria-label="{}: {}"', title, segment.text, inner.label)


def _type_label(key: str) -> str:
    known = ENTITY_TYPES.get(key)
    return known.label if known else key or "Mention"
