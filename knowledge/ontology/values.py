"""Values: times and numbers, which the record keeps as tails of statements and which are no entities of the graph.

A time that was resolved is written as ISO 8601: a day, a month or a year where it is exactly that, else the two days
between which it lies, `..` for an open side. No Django.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Literal

from extraction.labels import RELATIONS

VALUE_TYPES = frozenset({"time", "number"})
# The relations whose tail is a value and never an entity: in RDF these are datatype properties.
VALUED = frozenset(key for key, kind in RELATIONS.items() if kind.tails <= VALUE_TYPES)

_YEAR, _MONTH, _DAY = re.compile(r"[12]\d{3}"), re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])"), re.compile(r"\d{4}-\d\d-\d\d")
_OPEN = ".."

Datatype = Literal["", "date", "gYear", "gYearMonth"]
DATATYPES: tuple[Datatype, ...] = ("date", "gYear", "gYearMonth")


@dataclass(frozen=True, slots=True, order=True)
class Value:
    """A value as the graph shows it; `datatype`: its name in XML Schema, "" for a string."""

    text: str
    datatype: Datatype = ""


def is_shown(relation: str, head_type: str, tail_type: str) -> bool:
    """Whether graphs show statements between such ends: those of things, and a thing's value by a relation to values.

    Statements about a value are not shown: a year that follows another is not a value of anything.
    """
    return head_type not in VALUE_TYPES and (tail_type not in VALUE_TYPES or relation in VALUED)


def interval(earliest: date | None, latest: date | None) -> str:
    """The interval from one day to another, both included, in its shortest form; "" where both sides are open."""
    if earliest is None or latest is None:
        sides = [day.isoformat() if day else _OPEN for day in (earliest, latest)]
        return "/".join(sides) if earliest or latest else ""
    if earliest == latest:
        return earliest.isoformat()
    if (earliest.month, earliest.day, latest) == (1, 1, date(earliest.year, 12, 31)):
        return f"{earliest.year:04}"
    if (earliest.day, latest) == (1, earliest.replace(day=monthrange(earliest.year, earliest.month)[1])):
        return f"{earliest.year:04}-{earliest.month:02}"
    return f"{earliest.isoformat()}/{latest.isoformat()}"


def value(entity_type: str, key: str, label: str) -> Value:
    """The value that a row of the record stands for, by the row's type, key and label."""
    name, _, rest = key.rpartition("|")
    # A key with a scope is that of words which were not resolved.
    if entity_type == "time" and rest == entity_type and (datatype := _datatype(name)):
        return Value(name, datatype)
    return Value(label)


def _datatype(text: str) -> Datatype:
    if _YEAR.fullmatch(text):
        return "gYear"
    if _MONTH.fullmatch(text):
        return "gYearMonth"
    try:
        return "date" if _DAY.fullmatch(text) and date.fromisoformat(text) else ""
    except ValueError:
        return ""
