"""Resolve what assertions say of time and sums, and keep what no sentence says: pure functions, no Django.

A dateline names where a report was filed: its mentions take part in no relation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from extraction.schema import Amount, Document, ExtractedMention, Extraction, Relation, When
from extraction.text import amounts, datelines, time_expressions


def with_values(document: Document, extraction: Extraction) -> Extraction:
    """The extraction without relations of its dateline, with the days of its times and the sums of its amounts.

    A relation whose tail is a time is dated by it.
    """
    dateline = datelines.find(extraction.text, document.title_end)
    outside = [one for one in extraction.relations if not _in(dateline, one, extraction.mentions)]
    relations = tuple(_resolved(one, document, extraction) for one in outside)
    return replace(extraction, relations=relations)


def _in(span: tuple[int, int] | None, relation: Relation, mentions: Sequence[ExtractedMention]) -> bool:
    if span is None:
        return False
    ends = [mentions[end] for end in (relation.head, relation.tail) if isinstance(end, int)]
    return any(span[0] <= one.start and one.end <= span[1] for one in ends)


def _resolved(relation: Relation, document: Document, extraction: Extraction) -> Relation:
    when, amount = relation.when, relation.amount
    tail = extraction.mentions[relation.tail] if isinstance(relation.tail, int) else None
    if tail is not None and tail.type == "time" and isinstance(relation.tail, int):
        when = When(relation.tail)
    if when is not None:
        words = _words(extraction, when.mention)
        earliest, latest = time_expressions.resolve(words, document.published, relation.factuality == "planned")
        when = When(when.mention, earliest, latest)
    if amount is not None:
        value, unit = amounts.resolve(_words(extraction, amount.mention))
        amount = Amount(amount.mention, value, unit)
    return replace(relation, when=when, amount=amount)


def _words(extraction: Extraction, index: int) -> str:
    mention = extraction.mentions[index]
    return extraction.text[mention.start : mention.end]
