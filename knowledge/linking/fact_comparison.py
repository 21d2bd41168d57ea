"""Compares statements with the facts of Wikidata and DBpedia on their ends: extracted only, known, or in conflict.

Known: one of them has the same fact. In conflict: none has, the property takes one value, one of them has another
value for it, and our value is linked there. Everything else is extracted only. Works on what links hold,
without any request. Code that changes a link's target or facts marks its entity's statements (`link_queue.mark`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from extraction.labels import RELATIONS
from knowledge.linking import linked_facts
from knowledge.models import Entity
from knowledge.ontology.vocabulary import COMPARABLE
from knowledge.record import current
from knowledge.sources.protocol import DBPEDIA, source_of

Standing = Literal["said", "known", "conflict"]
EXTRACTED_ONLY: Final = "said"  # the value that the API, exports and Neo4j publish
Ends = tuple[int, str, int]

# Properties with one value; a place of birth may be given as city or as country, so places are left out.
ONCE = frozenset({"P22", "P25", "P36", "P569", "P570"})
_YEAR = re.compile(r"\b(\d{4})\b")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_INTERVAL = re.compile(r"\d/(\d{4}-|\.\.)|\.\./\d")
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class StatementComparison:
    """The comparison of a statement with a source. `fact`: the source's value in words, whether the same or another;
    `value`: its id or the words themselves; `target`: the end that has the fact, by Wikidata's id or DBpedia's address.
    """

    standing: Standing
    source: str = ""
    fact: str = ""
    value: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class _End:
    """`time`: its words, where it is a date. `facts`: by property, Wikidata's first."""

    target: str = ""
    time: str | None = None
    facts: Mapping[str, tuple[_SourceFact, ...]] = field(default_factory=dict)
    address: str = ""  # in DBpedia


@dataclass(frozen=True, slots=True)
class _SourceFact:
    value: str
    label: str
    source: str

    def agreement(self, standing: Standing, of: _End) -> StatementComparison:
        target = of.address if self.source == DBPEDIA and of.address else of.target
        return StatementComparison(standing, self.source, self.label or self.value, self.value, target)


def agreements(triples: Iterable[Ends]) -> dict[Ends, StatementComparison]:
    """The comparison of each (head, relation, tail), by the ids of entities that stand for themselves; extracted only
    where nothing is linked."""
    wanted = set(triples)
    found = dict.fromkeys(wanted, StatementComparison(EXTRACTED_ONLY))
    comparable = [one for one in wanted if one[1] in COMPARABLE]
    ends = _ends({end for head, _, tail in comparable for end in (head, tail)})
    nothing = _End()
    for one in comparable if ends else ():
        found[one] = _agreement(ends.get(one[0], nothing), one[1], ends.get(one[2], nothing))
    return found


def _ends(ids: set[int]) -> dict[int, _End]:
    """The ends of which anything can be compared; none where nothing is linked, so that this is cheap then."""
    links = linked_facts.links_of(current.members(ids)) if ids else {}
    if not links:
        return {}
    times = dict(Entity.objects.filter(pk__in=ids, type="time").values_list("pk", "label"))
    return {pk: _End(time=label) for pk, label in times.items()} | {
        pk: _End(link.target, times.get(pk), _by_property(link.facts), link.addresses.get("dbpedia", ""))
        for pk, link in links.items()
    }


def _by_property(facts: Iterable[linked_facts.Fact]) -> dict[str, tuple[_SourceFact, ...]]:
    found: dict[str, list[_SourceFact]] = {}
    for name, value, label, source_property in facts:
        found.setdefault(name, []).append(_SourceFact(value, label, source_of(source_property)))
    return {name: tuple(values) for name, values in found.items()}


def _agreement(head: _End, relation: str, tail: _End) -> StatementComparison:
    kind = RELATIONS[relation]
    assert kind.property is not None
    known = head.facts.get(kind.property, ())
    if kind.symmetric and not any(_same(one.value, tail) for one in known):
        turned = tail.facts.get(kind.property, ())
        if not known or any(_same(one.value, head) for one in turned):
            head, tail, known = tail, head, turned
    for one in known:
        if _same(one.value, tail):
            return one.agreement("known", head)
    if known and kind.property in ONCE and _is_identified(tail) and all(_other(one.value, tail) for one in known):
        return known[0].agreement("conflict", head)
    return StatementComparison(EXTRACTED_ONLY)


def _is_identified(tail: _End) -> bool:
    return bool(tail.target) if tail.time is None else bool(_date(tail.time))


def _same(value: str, tail: _End) -> bool:
    if tail.time is None:
        return bool(tail.target) and value == tail.target
    ours, theirs = _date(tail.time), _date(value)
    return bool(ours and theirs) and all(a == b for a, b in zip(ours, theirs, strict=False))


def _other(value: str, tail: _End) -> bool:
    """Whether the value is certainly another: a date that cannot be parsed conflicts with nothing."""
    return not _same(value, tail) and (tail.time is None or bool(_date(value)))


def _date(text: str) -> tuple[int, ...]:
    """(year,), (year, month) or (year, month, day) of an ISO date or an English one; () where there is no year, and for
    an interval between two days, which is no date.

    In Wikidata's dates a month or day of 00 is not known.
    """
    if _INTERVAL.search(text):
        return ()
    if iso := _ISO.search(text):
        numbers = [int(part) for part in iso.groups()]
        return tuple(numbers[: 3 if numbers[2] else 2 if numbers[1] else 1])
    years = _YEAR.findall(text)
    if len(years) != 1:
        return ()
    words = re.findall(r"\w+", text.casefold())
    months = [at for at, name in enumerate(_MONTHS, 1) for word in words if len(word) >= 3 and name.startswith(word)]
    days = [int(word) for word in words if word.isdecimal() and 0 < int(word) < 32 and len(word) <= 2]
    if len(months) != 1:
        return (int(years[0]),)
    return (int(years[0]), months[0], days[0]) if len(days) == 1 else (int(years[0]), months[0])
