"""A version of a post's text, and how it differs from another one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from extraction.models import Post, PostVersion
from knowledge.views.access import READ, page

Change = Literal["same", "added", "removed"]
MOST_WORDS = 3000  # of a changed part that is compared word by word; more is shown as a whole
_SENTENCES = re.compile(r"[^.!?\n]*(?:[.!?]+[\"”’)]*\s*|\n+|$)")
_WORDS = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text that both versions have, or one of them."""

    change: Change
    text: str


@page(READ)
def version(request: HttpRequest, public_id: uuid.UUID, ordinal: int) -> HttpResponse:
    """`?against=N` compares with version N; by default with the one before."""
    post = get_object_or_404(Post, public_id=public_id)
    if post.state == Post.State.ERASED:
        raise Http404("This post was erased.")
    shown = get_object_or_404(post.versions, ordinal=ordinal)
    others = list(post.versions.exclude(pk=shown.pk).order_by("ordinal").values_list("ordinal", flat=True))
    against = _against(request.GET.get("against", ""), shown, others)
    other = post.versions.get(ordinal=against) if against else None
    context = {
        "post": post,
        "version": shown,
        "other": other,
        "others": others,
        "parts": list(differences(other.text, shown.text)) if other and not _pruned(shown, other) else None,
        "pruned": bool(other and _pruned(shown, other)),
        "paragraphs": [part for part in shown.body.split("\n") if part.strip()],
    }
    return render(request, "posts/version.html", context)


def _against(asked: str, shown: PostVersion, others: Sequence[int]) -> int:
    """The version to compare with; 0 where there is none or nothing is to be compared."""
    if asked.isdecimal() and len(asked) < 10 and int(asked) in others:
        return int(asked)
    earlier = [one for one in others if one < shown.ordinal]
    return earlier[-1] if earlier and asked != "0" else 0


def _pruned(*versions: PostVersion) -> bool:
    return any(one.pruned_at is not None for one in versions)


def differences(old: str, new: str) -> Iterator[Part]:
    """The text of both versions in order: by sentences, and inside changed ones by words."""
    one, other = _SENTENCES.findall(old), _SENTENCES.findall(new)
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Part("same", "".join(one[a:b]))
        else:
            yield from _by_words("".join(one[a:b]), "".join(other[c:d]))


def _by_words(old: str, new: str) -> Iterator[Part]:
    one, other = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(one), len(other)) > MOST_WORDS:
        yield from _changed(old, new)
        return
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Part("same", "".join(one[a:b]))
        else:
            yield from _changed("".join(one[a:b]), "".join(other[c:d]))


def _changed(old: str, new: str) -> Iterator[Part]:
    if old:
        yield Part("removed", old)
    if new:
        yield Part("added", new)
