"""What qualifies an assertion, in words for people: its factuality, claimant, time and amount."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import QuerySet

from extraction.schema import Factuality
from extraction.text.plain_values import days_of, plain_amount, plain_interval, plain_time
from knowledge.models import Assertion, Entity, Review
from knowledge.record import current
from knowledge.record.current import Edge

CLAIMANT = "claimant__entity__canonical"
"""What a query of assertions selects for `qualifiers_of`."""


@dataclass(frozen=True, slots=True)
class ShownQualifiers:
    """`claimant`: the entity that claims what is alleged, None where nobody is named; `time`, `amount`: "" for none."""

    factuality: Factuality = "stated"
    claimant: Entity | None = None
    time: str = ""
    amount: str = ""

    def __bool__(self) -> bool:
        return self != STATED


STATED = ShownQualifiers()
Ends = tuple[int, str, int]


def qualifiers_of(row: Assertion) -> ShownQualifiers:
    claimant = row.claimant.entity if row.claimant else None
    return ShownQualifiers(
        factuality=row.factuality,  # type: ignore[arg-type]
        claimant=claimant and (claimant.canonical or claimant),
        time=plain_time(_line(row.when_words), row.when_earliest, row.when_latest),
        amount=plain_amount(_line(row.amount_words), row.amount_value, row.amount_unit),
    )


def reviewed_qualifiers(given: Review) -> ShownQualifiers:
    """Those of a verdict: of its own claim, or of what it was about."""
    claimant = given.claimant
    return ShownQualifiers(
        factuality=given.factuality,  # type: ignore[arg-type]
        claimant=claimant and (claimant.canonical or claimant),
        time=plain_time(_line(given.when_words), given.when_earliest, given.when_latest),
        amount=plain_amount(_line(given.amount_words), given.amount_value, given.amount_unit),
    )


def qualified(label: str, factuality: Factuality) -> str:
    """The label of a relation for where a line cannot tell: "acquired, planned"."""
    return label if factuality == "stated" else f"{label}, {factuality}"


def ends_of(edge: Edge) -> Ends:
    return edge.head.pk, edge.relation, edge.tail.pk


def denied_in(edges: Iterable[Edge]) -> dict[Ends, int]:
    """For each of these statements, by its ends, how many posts deny it; their rows may be others of its triple, before
    a merge."""
    chosen = [ends_of(edge) for edge in edges]
    rows = _denials_between(end for head, _, tail in chosen for end in (head, tail)).order_by()
    posts: dict[Ends, set[int]] = defaultdict(set)
    for head, relation, tail, post in rows.values_list("head_now", "relation", "tail_now", "reading__version__post"):
        posts[head, relation, tail].add(post)
    members = current.members(end for head, _, tail in chosen for end in (head, tail))
    claims = current.own_denials().filter(statement__head__in=members, statement__tail__in=members).order_by()
    for head, relation, tail, post in claims.values_list("head_now", "statement__relation", "tail_now", "post"):
        posts[head, relation, tail].add(post)
    return {ends: len(posts[ends]) for ends in chosen}


def denials_of(edge: Edge) -> QuerySet[Assertion]:
    """The assertions that deny a statement, by any row of its triple."""
    ends = {"head_now": edge.head.pk, "tail_now": edge.tail.pk}
    found: QuerySet[Assertion] = _denials_between(ends.values()).filter(relation=edge.relation, **ends)
    return found


def _denials_between(entities: Iterable[int]) -> QuerySet[Any]:
    """With `head_now` and `tail_now`."""
    members = current.members(entities)
    found: QuerySet[Any] = current.denials().filter(statement__head__in=members, statement__tail__in=members)
    return found


def shown_value(words: str, entity: Entity) -> str:
    """The words of an end; of a time that was resolved also the days that they mean."""
    days = _days(entity)
    return plain_time(words, *days) if days else words


def label_of(entity: Entity) -> str:
    """The label of an entity; of a time that was resolved the days in words."""
    return value_meaning(entity) or entity.label


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


def _line(words: str) -> str:
    return " ".join(words.split())
