"""What an assistant cites: the addresses of pages, and the very words of a post around an assertion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from extraction.models import PostVersion

MOST_WORDS = 600  # characters of a quotation
_ENDS = (". ", "! ", "? ", "\n")


def page_of(kind: str, public_id: object) -> str | None:
    """The address of the page of an entity or post here; a value has none."""
    return settings.BASE_IRI.rstrip("/") + reverse(kind, args=[public_id]) if public_id else None


def supports(rows: Iterable[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The first `most` assertions, each with its words and with the addresses of its post."""
    rows = list(rows)[:most]
    texts = _texts(rows)
    return [_support(row, texts.get((row["post"], row["version"]), "")) for row in rows]


def _support(row: dict[str, Any], text: str) -> dict[str, Any]:
    kept = ("title", "link", "published", "score", "factuality", "claimant", "when", "amount", "review")
    ends = [(row[end]["start"], row[end]["end"]) for end in ("head", "tail") if row[end]["start"] is not None]
    return {
        "words": words(text, ends) if text and ends else None,
        "head_as_written": row["head"]["text"],
        "tail_as_written": row["tail"]["text"],
        **{key: row[key] for key in kept},
        "page": page_of("post", row["post"]),
    }


def _texts(rows: list[dict[str, Any]]) -> dict[tuple[Any, Any], str]:
    wanted = Q()
    for post, ordinal in {(row["post"], row["version"]) for row in rows if row["version"] is not None}:
        wanted |= Q(post__public_id=post, ordinal=ordinal)
    found = PostVersion.objects.filter(wanted).select_related("post") if wanted else []
    return {(version.post.public_id, version.ordinal): version.text for version in found}


def words(text: str, ends: list[tuple[int, int]]) -> str:
    """The sentences around both ends, as they are in the text; with `…` where they are more than may be quoted."""
    start, end = min(one for one, _ in ends), max(one for _, one in ends)
    begin = max((at + len(sign) for sign in _ENDS if (at := text.rfind(sign, 0, start)) >= 0), default=0)
    stops = [at + 1 for sign in _ENDS if (at := text.find(sign, end)) >= 0]
    whole = text[begin : min(stops, default=len(text))].strip()
    return whole if len(whole) <= MOST_WORDS else whole[: MOST_WORDS - 1] + "…"


def console(name: str) -> str:
    """The address of the page where a person can run the same query."""
    return settings.BASE_IRI.rstrip("/") + reverse(name)
