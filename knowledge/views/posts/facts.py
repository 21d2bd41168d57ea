"""What a post's reader was shown beside the post, and which statements merely say the same again."""

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
    """A fact in words."""

    subject: str
    property: str
    object: str
    source: str


def shown_facts(reading: Reading | None) -> list[ShownFact]:
    """Those that the reading was shown, in their order."""
    rows = reading.results.get("facts", []) if reading else []
    return [_fact(row) for row in rows[:MOST]]


def join(quintuples: Iterable[Quintuple]) -> None:
    """Gives each statement the facts that it echoes."""
    chosen = list(quintuples)
    places = [place.assertion.pk for quintuple in chosen for place in quintuple.places]
    found: dict[int, list[ShownFact]] = defaultdict(list)
    for assertion, row in _echoes(assertion__in=places):
        found[assertion].append(_fact(row))
    for quintuple in chosen:
        said = [fact for place in quintuple.places for fact in found[place.assertion.pk]]
        quintuple.echoes = list(dict.fromkeys(said))


def echoing(statements: Collection[int]) -> dict[int, ShownFact]:
    """Of these statements those that a post's current reading says with the fact before its eyes, with that fact."""
    rows = Evidence.objects.filter(kind=Evidence.Kind.FACT, assertion__statement__in=statements)
    current = rows.filter(assertion__reading__current_of__isnull=False)
    return {pk: _fact(row) for pk, row in current.order_by("pk").values_list("assertion__statement", "reference")}


def _echoes(**which: Any) -> Iterable[tuple[int, dict[str, Any]]]:
    rows = Evidence.objects.filter(kind=Evidence.Kind.FACT, **which).order_by("pk")
    return rows.values_list("assertion", "reference")


def _fact(row: dict[str, Any]) -> ShownFact:
    return ShownFact(*(str(row.get(name, "")) for name in ("subject", "property", "object", "source")))
