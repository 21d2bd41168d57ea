"""Mark repeated facts: relations that equal a fact which the reader was shown, between the same two entities.

The post may state such a relation too, but it is no independent evidence for the fact. It is marked by evidence of the
kind "fact"; nothing is removed. No Django.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from extraction.labels import RELATIONS
from extraction.schema import EvidencePart, Extraction, Fact, Relation

_YEAR = re.compile(r"-?(\d{4})-\d{2}-\d{2}")


def marked(extraction: Extraction, facts: Sequence[Fact]) -> Extraction:
    """The extraction with its repeated facts marked, and with the facts that its reader was shown."""
    relations = tuple(_with_fact(one, extraction, facts) for one in extraction.relations)
    return replace(extraction, relations=relations, facts=tuple(facts))


def _with_fact(relation: Relation, extraction: Extraction, facts: Sequence[Fact]) -> Relation:
    if not isinstance(relation.tail, int) or relation.key not in RELATIONS:
        return relation
    ends = (extraction.mentions[relation.head], extraction.mentions[relation.tail])
    head, tail = (extraction.text[one.start : one.end] for one in ends)
    for fact in facts:
        if _repeats(relation.key, head, tail, fact):
            reference = {
                "subject": fact.subject,
                "property": fact.property,
                "object": fact.object,
                "source": fact.source,
            }
            return replace(relation, evidence=(*relation.evidence, EvidencePart("fact", dict(reference))))
    return relation


def _repeats(key: str, head: str, tail: str, fact: Fact) -> bool:
    kind = RELATIONS[key]
    if fact.relation == key and _same(head, fact.subject) and _same(tail, fact.object):
        return True
    turned = bool(fact.relation) and (fact.relation == kind.inverse or (kind.symmetric and fact.relation == key))
    return turned and _same(tail, fact.subject) and _same(head, fact.object)


def _same(name: str, known: str) -> bool:
    """Whether a post's `name` can be that of the `known` entity: the words of one are among the other's; a date by
    year."""
    if date := _YEAR.fullmatch(known):
        return date[1] in name
    ours, theirs = _words(name), _words(known)
    return bool(ours and theirs) and (ours <= theirs or theirs <= ours)


def _words(name: str) -> set[str]:
    folded = unicodedata.normalize("NFKD", name).casefold()
    return set(re.findall(r"\w+", "".join(sign for sign in folded if not unicodedata.combining(sign))))
