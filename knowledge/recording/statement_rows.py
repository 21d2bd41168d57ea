"""The rows of statements, by their ends: found, or created where there are none."""

from __future__ import annotations

from collections.abc import Sequence

from extraction.labels import RELATIONS
from knowledge.models import Statement

Ends = tuple[int, str, int]


def statements_of(triples: Sequence[Ends]) -> list[int]:
    """For each head, relation and tail as read the id of its statement, created where there is none."""
    wanted = [_ordered(*ends) for ends in triples]
    found = _existing(set(wanted))
    new = sorted(set(wanted) - found.keys())
    if new:
        rows = [Statement(head_id=head, relation=relation, tail_id=tail) for head, relation, tail in new]
        Statement.objects.bulk_create(rows, ignore_conflicts=True)
        found |= _existing(set(new))
    return [found[triple] for triple in wanted]


def _existing(triples: set[Ends]) -> dict[Ends, int]:
    if not triples:
        return {}
    rows = Statement.objects.filter(head__in={ends[0] for ends in triples}, tail__in={ends[2] for ends in triples})
    found = {(head, relation, tail): pk for pk, head, relation, tail in rows.values_list(*_ENDS)}
    return {triple: found[triple] for triple in triples if triple in found}


_ENDS = ("pk", "head", "relation", "tail")


def _ordered(head: int, relation: str, tail: int) -> Ends:
    """A symmetric relation has one statement, its ends ordered by id."""
    if RELATIONS[relation].symmetric and tail < head:
        return tail, relation, head
    return head, relation, tail
