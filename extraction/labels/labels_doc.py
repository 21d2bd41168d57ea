"""Write `docs/labels.md` from the inventory of entity types and relations. No Django."""

from __future__ import annotations

from extraction.labels.relations import ENTITY_TYPES, REGION_RELATIONS, RELATIONS, RelationType

INTRODUCTION = """\
# Entity types and relations

The ontology of the graph. In SPARQL an entity type is `kg:` with its capitalised key (`kg:Person`), a relation
`kg:` with its key (`kg:place_of_birth`). In Cypher an entity type is a label (`:Person`), a relation a type in
capitals (`[:PLACE_OF_BIRTH]`). Made by `manage.py labels_doc`; edit `extraction/labels/relations.py` instead.

## Entity types
"""

RELATIONS_INTRODUCTION = """\
## Relations

Head and tail are the entity types that the ends of a relation may have. *exact* means that the relation is the
same as the Wikidata property, *close* nearly the same, *broad* that the property covers more. A symmetric relation
holds in both directions; an inverse is the same relation from the tail's side.
"""

REGIONS_INTRODUCTION = """\
## Relations of an entity and a region
"""


def as_markdown() -> str:
    """The inventory as `docs/labels.md` shows it."""
    types = [f"| `{entity_type.key}` | {entity_type.label} |" for entity_type in ENTITY_TYPES.values()]
    relations = [_row(relation) for relation in sorted(RELATIONS.values(), key=lambda one: one.key)]
    regions = [f"| `{relation.key}` | {relation.label} |" for relation in REGION_RELATIONS.values()]
    return "\n".join(
        (
            INTRODUCTION,
            _table("key", "label"),
            *types,
            "",
            RELATIONS_INTRODUCTION,
            _table("key", "label", "head", "tail", "Wikidata", "direction"),
            *relations,
            "",
            REGIONS_INTRODUCTION,
            _table("key", "label"),
            *regions,
            "",
        )
    )


def _table(*columns: str) -> str:
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def _row(relation: RelationType) -> str:
    wikidata = f"{relation.property}, {relation.match}" if relation.property else "none"
    inverse = f"inverse of `{relation.inverse}`" if relation.inverse else ""
    direction = "symmetric" if relation.symmetric else inverse
    cells = (f"`{relation.key}`", relation.label, _ends(relation.heads), _ends(relation.tails), wikidata, direction)
    return f"| {' | '.join(cells)} |"


def _ends(keys: frozenset[str]) -> str:
    return ", ".join(key for key in ENTITY_TYPES if key in keys)
