"""What qualifies an assertion, in words for people: its factuality, claimant, time and amount."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from extraction.schema import FACTUALITIES, Factuality
from extraction.text.plain_values import days_of, plain_amount, plain_interval, plain_time
from knowledge.models import Assertion, Entity

CLAIMANT = "claimant__entity__canonical"
"""What a query of assertions selects for `qualifiers_of`."""


@dataclass(frozen=True, slots=True)
class Qualifiers:
    """`claimant`: the entity that claims what is alleged, None where nobody is named; `time`, `amount`: "" for none."""

    factuality: Factuality = "stated"
    claimant: Entity | None = None
    time: str = ""
    amount: str = ""

    def __bool__(self) -> bool:
        return self != STATED


STATED = Qualifiers()


def qualifiers_of(row: Assertion) -> Qualifiers:
    claimant = row.claimant.entity if row.claimant else None
    return Qualifiers(
        factuality=row.factuality,  # type: ignore[arg-type]
        claimant=claimant and (claimant.canonical or claimant),
        time=plain_time(_line(row.when_words), row.when_earliest, row.when_latest),
        amount=plain_amount(_line(row.amount_words), row.amount_value, row.amount_unit),
    )


def shown_value(words: str, entity: Entity) -> str:
    """The words of an end; of a time that was resolved also the days that they mean."""
    days = _days(entity)
    return plain_time(words, *days) if days else words


def value_meaning(entity: Entity) -> str:
    """The days that a time means, "" where it was not resolved, and for a number."""
    days = _days(entity)
    return plain_interval(*days) if days else ""


def _days(entity: Entity) -> tuple[date | None, date | None] | None:
    """Of a time that was resolved: its label is then in ISO 8601."""
    if entity.type != "time":
        return None
    try:
        return days_of(entity.label)
    except ValueError:
        return None


def strongest(factualities: Iterable[str]) -> Factuality:
    """What a statement is shown as that assertions give differently: stated before planned, planned before alleged."""
    return min(factualities, key=FACTUALITIES.index, default="stated")  # type: ignore[return-value, arg-type]


def _line(words: str) -> str:
    return " ".join(words.split())
