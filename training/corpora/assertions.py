"""Reads a relation's line, `> head | relation | tail | planned by=who when=day amount=sum`, into mentions' indexes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from extraction.datasets.annotation import AnnotatedMention, AnnotatedRelation
from extraction.schema import FACTUALITIES, Factuality
from training.corpora.placing import NotationError, fold

_QUALIFIER = re.compile(r"(?:^|\s)(by|when|amount)\s*=\s*")
_PLACE = re.compile(r"(?P<words>.+?)(?:#(?P<nth>\d+))?(?:@(?P<line>\d+))?")
_ARTICLE = re.compile(r"(?:the|an?)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Marked:
    """A mention with its words and the number of its line."""

    mention: AnnotatedMention
    words: str
    line: int


def read_relation(written: str, line: int, mentions: Sequence[Marked]) -> AnnotatedRelation:
    """The relation that stands under this line of the text. `mentions` are in the text's order."""
    if not line:
        raise NotationError("a relation stands under the sentence that states it; write the sentence first")
    parts = [part.strip() for part in written.removeprefix(">").split("|")]
    if len(parts) < 3 or not all(parts[:3]):
        raise NotationError(
            "a relation is written > head | relation | tail, and | planned by=… when=… amount=… if need be"
        )
    factuality, values = _qualifiers(" ".join(parts[3:]))
    when, amount = (find(values[name], line, mentions) if name in values else None for name in ("when", "amount"))
    return AnnotatedRelation(
        head=find(parts[0], line, mentions),
        relation=parts[1],
        tail=find(parts[2], line, mentions),
        factuality=factuality,
        by=tuple(find(one, line, mentions) for one in _claimants(values)),
        when=when,
        amount=amount,
    )


def _claimants(values: dict[str, str]) -> list[str]:
    return [one.strip() for one in values["by"].split(";") if one.strip()] if "by" in values else []


def _qualifiers(written: str) -> tuple[Factuality, dict[str, str]]:
    factuality, *rest = [part.strip() for part in _QUALIFIER.split(written)]
    values = dict(zip(rest[::2], rest[1::2], strict=True))
    if factuality and factuality not in FACTUALITIES:
        raise NotationError(
            f"“{factuality}” is no factuality; write {', '.join(FACTUALITIES)}, then by=, when= or amount="
        )
    if len(values) < len(rest) // 2:
        raise NotationError("by, when or amount stands twice; write by=one; another for two who say so")
    if not all(values.values()):
        raise NotationError("by=, when= or amount= has no words; name a mention or delete it")
    return cast(Factuality, factuality or "stated"), values


def find(written: str, line: int, mentions: Sequence[Marked]) -> int:
    """The index of the mention that an end names: by its words or its entity's key, `#2` the second, `@5` in line 5."""
    match = _PLACE.fullmatch(written)
    assert match, "an end has words"
    line = int(match["line"] or line)
    here = [index for index, marked in enumerate(mentions) if marked.line == line]
    found = _named(match["words"].strip(), here, mentions)
    if not found:
        marked = ", ".join(f"“{mentions[index].words}”" for index in here) or "nothing"
        raise NotationError(
            f"“{written}” is not marked in line {line}; marked there: {marked}. For another line write words@5"
        )
    if match["nth"]:
        nth = int(match["nth"])
        if not 1 <= nth <= len(found):
            raise NotationError(f"“{written}”: line {line} has {len(found)} such mentions")
        return found[nth - 1]
    if len(found) > 1:
        raise NotationError(
            f"“{written}” is marked {len(found)} times in line {line}; write {written}#1 or {written}#2"
        )
    return found[0]


def _named(words: str, here: list[int], mentions: Sequence[Marked]) -> list[int]:
    """The line's mentions with these words; else with spaces for _, or without the article; else those of the key."""
    of_key = [index for index in here if mentions[index].mention.entity == words]
    for form in (words, words.replace("_", " "), _ARTICLE.sub("", words.replace("_", " "), count=1)):
        found = [index for index in here if fold(mentions[index].words) == fold(form)]
        if of_key and any(mentions[index].mention.entity != words for index in found):
            raise NotationError(f"“{words}” is both the words of one mention and the key of another; rename the key")
        if found:
            return found
    return of_key
