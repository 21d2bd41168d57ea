"""Entities and relations in the form of all responses of the API."""

from __future__ import annotations

from typing import Any

from extraction.labels import RELATIONS
from knowledge.models import Entity
from knowledge.ontology.vocabulary import entity_iri


def entity_ref(entity: Entity) -> dict[str, Any]:
    iri = entity_iri(entity.public_id)
    return {"id": entity.public_id, "iri": iri, "label": entity.label, "type": entity.type}


def relation(key: str) -> dict[str, Any]:
    known = RELATIONS.get(key)
    label = known.label if known else key.replace("_", " ")
    return {"key": key, "label": label, "property": known.property if known else None}
