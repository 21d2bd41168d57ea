"""Facts that were shown to the reader of a post, and the statements that only repeat one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from extraction.models import Reading
from knowledge.models import Evidence
from knowledge.views.posts.quintuples import Quintuple

MOST = 60


@dataclass(frozen=True, slots=True)
class ShownFact:
    """A fact as text."""

    subject: str
    property: str
    object: str
    source: str


def shown_facts(reading: Reading | None) -> list[ShownFact]:
    """The facts that were shown to the reader, in their order."""
    rows = reading.results.get("facts", []) if reading else []
    return [_fact(row) for row in rows[:MOST]]


def join(quintuples: Iterable[Quintuple]) -> None:
    """Add to each statement the facts that it repeats."""
    chosen = list(quintuples)
    places = [place.assertion.pk for quintuple in chosen for place in quintuple.places]
    repeated: dict[int, list[ShownFact]] = defaultdict(list)
    for assertion, row in _repeated(assertion__in=places):
        repeated[assertion].append(_fact(row))
    for quintuple in chosen:
        facts = [fact for place in quintuple.places for fact in repeated[place.assertion.pk]]
        quintuple.repeated_facts = list(dict.fromkeys(facts))


def repeated_facts_of(statements: Collection[int]) -> dict[int, ShownFact]:
    """The fact that each of these statements repeats, where the reader of a current reading was shown that fact."""
    rows = Evidence.objects.filter(kind=Evidence.Kind.FACT, assertion__statement__in=statements)
    current = rows.filter(assertion__reading__current_of__isnull=False)
    return {pk: _fact(row) for pk, row in current.order_by("pk").values_list("assertion__statement", "reference")}


def _repeated(**which: Any) -> Iterable[tuple[int, dict[str, Any]]]:
    rows = Evidence.objects.filter(kind=Evidence.Kind.FACT, **which).order_by("pk")
    return rows.values_list("assertion", "reference")


def _fact(row: dict[str, Any]) -> ShownFact:
    return ShownFact(*(str(row.get(name, "")) for name in ("subject", "property", "object", "source")))
