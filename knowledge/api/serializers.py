"""Entities and relations in the form of all responses of the API."""

from __future__ import annotations

from typing import Any

from extraction.labels import RELATIONS
from knowledge.models import Assertion, Entity
from knowledge.ontology.values import VALUE_TYPES
from knowledge.ontology.vocabulary import entity_iri


def entity_ref(entity: Entity) -> dict[str, Any]:
    iri = entity_iri(entity.public_id)
    return {"id": entity.public_id, "iri": iri, "label": entity.label, "type": entity.type}


def statement_end(entity: Entity) -> dict[str, Any]:
    """An end of a statement: a value has no address of its own."""
    return entity_ref(entity) | ({"id": None, "iri": None} if entity.type in VALUE_TYPES else {})


def qualifiers(row: Assertion) -> dict[str, Any]:
    """How its text gives an assertion."""
    claimant = row.claimant.entity if row.claimant else None
    days = {"earliest": row.when_earliest, "latest": row.when_latest}
    amount = {"text": row.amount_words, "value": row.amount_value, "unit": row.amount_unit}
    return {
        "factuality": row.factuality,
        "claimant": entity_ref(claimant.canonical or claimant) if claimant else None,
        "when": {"text": row.when_words, **days} if row.when_words else None,
        "amount": amount if row.amount_words else None,
    }


def relation(key: str) -> dict[str, Any]:
    known = RELATIONS.get(key)
    label = known.label if known else key.replace("_", " ")
    return {"key": key, "label": label, "property": known.property if known else None}
