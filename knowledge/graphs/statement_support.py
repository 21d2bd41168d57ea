"""The posts that support a triple now, with their scores: for the stores that show them with the triple."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from knowledge.graphs.units import TripleSupport
from knowledge.record import current

Ends = tuple[int, str, int]
MOST_ROWS, TOGETHER = 20_000, 500
Best = dict[UUID, float | None]


def rows_of_triples(forms: Collection[Ends], members: Mapping[int, int]) -> list[int] | None:
    """The statement rows of these triples now, whichever of their ends' merged entities they name; None where there
    are too many to list.

    Each by its three columns, which one index has: a query by either end alone would read all statements of an entity
    with very many, again for each chunk of its graph updates.
    """
    under: dict[int, list[int]] = defaultdict(list)
    for member, survivor in members.items():
        under[survivor].append(member)
    triples: set[Ends] = set()
    for head, relation, tail in forms:
        triples |= {(h, relation, t) for h in under[head] for t in under[tail]}
        if len(triples) > MOST_ROWS:
            return None
    triples |= {(t, relation, h) for h, relation, t in triples if relation in current.SYMMETRIC}
    ordered, found = sorted(triples), list[int]()
    for start in range(0, len(ordered), TOGETHER):
        some = ordered[start : start + TOGETHER]
        values = ", ".join(["(%s, %s, %s)"] * len(some))
        with connection.cursor() as cursor:
            sql = f"SELECT id FROM knowledge_statement WHERE (head_id, relation, tail_id) IN (VALUES {values})"  # noqa: S608
            cursor.execute(sql, [part for triple in some for part in triple])
            found += [row[0] for row in cursor.fetchall()]
    return found


def of(forms: Collection[Ends], only: Collection[int] | None = None) -> dict[Ends, TripleSupport]:
    """The support of these triples, by ids of entities, where they have any; `only`: the statement rows to search."""
    if not forms:
        return {}
    wanted = set(forms)
    rows: dict[str, Iterable[Any]] = {"statement__in": only or ()}
    if only is None:
        heads = current.members(end for head, _, tail in wanted for end in (head, tail))
        relations = {relation for _, relation, _ in wanted}
        rows = {"statement__head__in": heads, "statement__tail__in": heads, "statement__relation__in": relations}
    best: dict[Ends, Best] = defaultdict(dict)
    active = current.assertions().filter(**rows).order_by()
    columns = ("head_now", "statement__relation", "tail_now", "reading__version__post__public_id", "score")
    for head, relation, tail, post, score in active.values_list(*columns):
        ends = (head, relation, tail)
        if ends in wanted:
            best[ends][post] = max(score, best[ends].get(post) or 0.0)
    accepted = set()
    upheld = current.accepting().filter(**rows).order_by()
    for *triple, post in upheld.values_list("head_now", "statement__relation", "tail_now", "post__public_id"):
        ends = (triple[0], triple[1], triple[2])
        if ends in wanted:
            accepted.add(ends)
            best[ends].setdefault(post, None)
    return {ends: _support(posts, ends in accepted) for ends, posts in best.items()}


def _support(posts: Best, accepted: bool) -> TripleSupport:
    ordered = sorted(posts)
    return TripleSupport(tuple(ordered), tuple(posts[post] for post in ordered), accepted)
