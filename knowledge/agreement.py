"""How a statement stands to what a knowledge source says of its ends: said here, already known, or in conflict.

Known: the source has the same fact. In conflict: the property is one that a thing has once, the source has another
value for it, and we know what our value is there. Everything else is only said here. Works on `Link` rows alone: asks
nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from extraction.labels import RELATIONS
from knowledge.models import Link

Standing = Literal["said", "known", "conflict"]
Ends = tuple[int, str, int]

# Properties that a thing has one value of; a place of birth may be told as city or as country, so places are left out.
ONCE = frozenset({"P22", "P25", "P36", "P569", "P570"})
_YEAR = re.compile(r"\b(\d{4})\b")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Agreement:
    """`fact` is the source's value where it says something else, or the same: an id or a date, with its label."""

    standing: Standing
    source: str = ""
    fact: str = ""


@dataclass(frozen=True, slots=True)
class _End:
    target: str
    label: str
    type: str
    facts: Mapping[str, tuple[tuple[str, str], ...]]
    source: str


def agreements(said: Iterable[Ends]) -> dict[Ends, Agreement]:
    """For each (head, relation, tail), by the entities' ids, how it stands; only said here where nothing is linked."""
    wanted = set(said)
    ends = _ends({end for head, _, tail in wanted for end in (head, tail)})
    return {one: _agreement(ends.get(one[0]), one[1], ends.get(one[2])) for one in wanted}


def _ends(ids: Iterable[int]) -> dict[int, _End]:
    rows = Link.objects.filter(entity__in=set(ids)).select_related("entity")
    return {
        row.entity_id: _End(row.target, row.entity.label, row.entity.type, _by_property(row.facts), "Wikidata")
        for row in rows
    }


def _by_property(facts: list[list[str]]) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, value, label in facts:
        found.setdefault(name, []).append((value, label))
    return {name: tuple(values) for name, values in found.items()}


def _agreement(head: _End | None, relation: str, tail: _End | None) -> Agreement:
    kind = RELATIONS.get(relation)
    if kind is None or kind.property is None or kind.match != "exact" or head is None or tail is None:
        return Agreement("said")
    values = head.facts.get(kind.property, ())
    if not values and kind.symmetric:
        head, tail = tail, head
        values = head.facts.get(kind.property, ())
    for value, label in values:
        if _same(value, tail):
            return Agreement("known", head.source, label or value)
    if values and kind.property in ONCE and _told(tail) and all(_other(value, tail) for value, _ in values):
        value, label = values[0]
        return Agreement("conflict", head.source, label or value)
    return Agreement("said")


def _told(tail: _End) -> bool:
    return bool(_date(tail.label)) if tail.type == "time" else bool(tail.target)


def _same(value: str, tail: _End) -> bool:
    if tail.type != "time":
        return bool(tail.target) and value == tail.target
    ours, theirs = _date(tail.label), _date(value)
    return bool(ours and theirs) and all(a == b for a, b in zip(ours, theirs, strict=False))


def _other(value: str, tail: _End) -> bool:
    """Whether the value is surely another: a date that we cannot read speaks against nothing."""
    return not _same(value, tail) and (tail.type != "time" or bool(_date(value)))


def _date(text: str) -> tuple[int, ...]:
    """(year,), (year, month) or (year, month, day) of an ISO date or an English one; () where there is no year.

    In Wikidata's dates a month or day of 00 is not known.
    """
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
