"""The entities that the examples of the consoles ask about: two that a statement of the graph connects."""

from __future__ import annotations

from knowledge.ontology.values import VALUE_TYPES
from knowledge.record import current

NOBODYS = ("Ada Lovelace", "London")  # while the graph is empty


def related() -> tuple[str, str]:
    """The labels of head and tail of the newest statement between two entities."""
    rows = current.supported_statements().exclude(tail__type__in=VALUE_TYPES).exclude(head__type__in=VALUE_TYPES)
    for edge in current.edges_of(rows.order_by("-pk")[:1]):
        return edge.head.label, edge.tail.label
    return NOBODYS
