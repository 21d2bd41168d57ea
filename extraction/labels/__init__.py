"""Entity types, relations, and the mapping of each data set's labels to them. No Django, no numpy."""

from extraction.labels.mappings import (
    CROSSRE_DOMAINS,
    DATASETS,
    RELATION_MAP,
    TYPE_MAP,
    Inventory,
    LabelMode,
    MappedLabel,
    annotated_relations,
    annotated_types,
    inventory,
    native_type,
    to_native,
)
from extraction.labels.relations import (
    ENTITY_TYPES,
    REGION_RELATIONS,
    RELATIONS,
    EntityType,
    Match,
    RelationType,
    by_property,
)

__all__ = [
    "CROSSRE_DOMAINS",
    "DATASETS",
    "ENTITY_TYPES",
    "REGION_RELATIONS",
    "RELATIONS",
    "RELATION_MAP",
    "TYPE_MAP",
    "EntityType",
    "Inventory",
    "LabelMode",
    "MappedLabel",
    "Match",
    "RelationType",
    "annotated_relations",
    "annotated_types",
    "by_property",
    "inventory",
    "native_type",
    "to_native",
]
