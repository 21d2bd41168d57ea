"""An evaluated example for its page: its words as annotated and as extracted, the errors, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from training.models import EvaluatedExample

PICTURE_WIDTH, PICTURE_HEIGHT = 160.0, 120.0
Span = tuple[int, int, str]


@dataclass(frozen=True)
class ShownError:
    """A relation as annotated and as extracted; `gold` or `found` empty where there is none."""

    kind: str
    label: str
    head: str
    tail: str
    gold: str
    found: str
    score: float | None


@dataclass(frozen=True)
class ShownExample:
    """What the page shows of one example."""

    position: int
    annotated: SafeString
    read: SafeString
    before: str
    faults: tuple[ShownError, ...]
    right: tuple[ShownError, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    facts: tuple[str, ...]
    image: str


def shown(row: EvaluatedExample, kinds: Mapping[str, str]) -> ShownExample:
    content = row.content
    words: list[str] = content["words"]
    gold, found = (_spans(content[part]["mentions"]) for part in ("gold", "found"))
    judged = [_shown_error(words, one, kinds) for one in content["judged"]]
    return ShownExample(
        position=row.position,
        annotated=marked(words, gold, set(found)),
        read=marked(words, found, set(gold)),
        before=" ".join(content.get("before", [])),
        faults=tuple(one for one in judged if one.kind != "right"),
        right=tuple(one for one in judged if one.kind == "right"),
        boxes=tuple(
            (x * PICTURE_WIDTH, y * PICTURE_HEIGHT, w * PICTURE_WIDTH, h * PICTURE_HEIGHT)
            for x, y, w, h in content.get("regions", [])
        ),
        facts=tuple(content.get("facts", [])),
        image=content.get("image", ""),
    )


def _spans(mentions: Sequence[Sequence[Any]]) -> list[Span]:
    return sorted((int(start), int(end), str(kind)) for start, end, kind in (one[:3] for one in mentions))


def _shown_error(words: Sequence[str], one: Mapping[str, Any], kinds: Mapping[str, str]) -> ShownError:
    head, tail = (" ".join(words[place[0] : place[1]]) if place else "" for place in (one["head"], one["tail"]))
    label = kinds.get(one["kind"], "right")
    return ShownError(
        one["kind"], label, head, tail or one.get("object", ""), one["gold"], one["found"], one.get("score")
    )


def marked(words: Sequence[str], spans: Sequence[Span], others: set[Span]) -> SafeString:
    """The words with mentions marked by their type; those that only one side has are marked as a difference."""
    pieces: list[tuple[SafeString]] = []
    at = 0
    for start, end, kind in spans:
        if start < at:
            continue  # a nested mention: the outer one is marked
        pieces.append((_plain(words[at:start]),))
        same = (start, end, kind) in others
        pieces.append(
            (
                format_html(
                    '<mark class="span{}"><bdi>{}</bdi> <small>{}</small></mark> ',
                    "" if same else " differs",
                    " ".join(words[start:end]),
                    kind or "?",
                ),
            )
        )
        at = end
    pieces.append((_plain(words[at:]),))
    return format_html_join("", "{}", pieces)


def _plain(words: Sequence[str]) -> SafeString:
    return format_html("{} ", " ".join(words)) if words else SafeString()
