"""Additions to the inventory for news: three entity types, relations of news, and more ends of existing relations.

The shipped reader extracts none of these. The corpora are annotated with them; when the reader is trained on them,
these types and relations are merged into ENTITY_TYPES and RELATIONS. Until then only `training/corpora` uses them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from extraction.labels.relations import ENTITY_TYPES, RELATIONS, EntityType, Match, RelationType

ADDED_TYPES: dict[str, EntityType] = {
    entity_type.key: entity_type
    for entity_type in (
        EntityType("group", "Group", "Groups"),
        EntityType("role", "Role", "Roles"),
        EntityType("event", "Event", "Events"),
    )
}

NEWS_TYPES: dict[str, EntityType] = ENTITY_TYPES | ADDED_TYPES

# The letter of each type in the notation and the tables below.
LETTERS: dict[str, str] = {
    "P": "person",
    "O": "organization",
    "L": "location",
    "G": "group",
    "R": "role",
    "E": "event",
    "M": "miscellaneous",
    "T": "time",
    "N": "number",
}

LETTER_OF: dict[str, str] = {key: letter for letter, key in LETTERS.items()}


@dataclass(frozen=True, slots=True)
class AddedRelation:
    """A relation of news. `inverse_property` is the Wikidata property for the direction from the tail to the head;
    `also` holds further properties that `relation.match` compares with."""

    relation: RelationType
    inverse_property: str | None = None
    also: tuple[str, ...] = ()


_Row = tuple[str, str, str | None, Match | None, str, str]

# key, label, property, match, heads, tails; ends by the letters above.
_ROWS: tuple[_Row, ...] = (
    # Re-DocRED has organizations and MISC as tails; in news the office is an entity of its own type.
    ("position_held", "position held", "P39", "exact", "P", "R"),
    ("role_at", "role at", "P1001", "broad", "R", "POLE"),
    ("appointed_by", "appointed by", "P748", "exact", "P", "POL"),
    ("succeeds", "succeeds", "P1365", "close", "P", "P"),
    ("left", "left", None, None, "PO", "ORLE"),
    ("leads", "leads", None, None, "P", "OLG"),
    ("candidate_for", "candidate for", "P3602", "close", "P", "REOL"),
    ("spokesperson_for", "spokesperson for", None, None, "P", "POLG"),
    ("represents", "represents", None, None, "PO", "POLG"),
    ("relative", "relative", "P1038", "exact", "P", "P"),
    ("partner", "unmarried partner", "P451", "exact", "P", "P"),
    ("acquired", "acquired", "P1830", "close", "POL", "OM"),
    ("invested_in", "invested in", "P1951", "close", "POL", "OML"),
    # P7888 is "merged into", which has a direction.
    ("merged_with", "merged with", "P7888", "close", "OLPG", "OLPG"),
    ("agreement_with", "agreement with", None, None, "OLPG", "OLPG"),
    ("supplies", "supplies", None, None, "OPL", "OLPG"),
    ("funds", "funds", None, None, "POLG", "POLGEM"),
    ("operates_in", "operates in", "P2541", "exact", "O", "L"),
    ("accuses", "accuses", None, None, "POLG", "POLG"),
    ("charged_with", "charged with", "P1595", "exact", "PO", "M"),
    ("convicted_of", "convicted of", "P1399", "exact", "PO", "M"),
    ("sued", "sued", None, None, "POLG", "POLG"),
    ("arrested", "arrested", None, None, "OLG", "PG"),
    ("released", "released", None, None, "OLG", "PG"),
    ("held_at", "held at", None, None, "P", "LO"),
    ("asks", "asks", None, None, "POLG", "POLG"),
    ("investigates", "investigates", None, None, "OLP", "POLEM"),
    ("sanctions", "sanctions", None, None, "OL", "POLG"),
    ("bans", "bans", None, None, "OLP", "POLGEM"),
    ("attacked", "attacked", None, None, "POLG", "POLG"),
    ("killed", "killed", None, None, "POLG", "PG"),
    ("victim_of", "victim of", None, None, "POLG", "EM"),
    ("responsible_for", "responsible for", None, None, "POLG", "E"),
    ("controls", "controls", None, None, "POLG", "LO"),
    ("deployed_to", "deployed to", None, None, "OLG", "L"),
    ("fights", "fights", None, None, "POLG", "POLG"),
    ("protests_against", "protests against", None, None, "POG", "POLEM"),
    ("met", "met", None, None, "POL", "POL"),
    ("visited", "visited", None, None, "PO", "LOE"),
    ("supports", "supports", None, None, "POLG", "POLGEM"),
    ("opposes", "opposes", None, None, "POLG", "POLGEM"),
    ("won", "won", "P2522", "exact", "POLG", "EMR"),
    ("defeated", "defeated", None, None, "POL", "POL"),
    ("plays_against", "plays against", None, None, "POL", "POL"),
    ("organizes", "organizes", None, None, "OLP", "E"),
    ("cause_of_death", "cause of death", "P509", "exact", "P", "EM"),
    ("place_of_burial", "place of burial", "P119", "exact", "P", "L"),
    ("affected_by", "affected by", None, None, "OLPG", "E"),
)

_SYMMETRIC = frozenset(
    {"relative", "partner", "merged_with", "agreement_with", "fights", "met", "plays_against"},
)

_INVERSE_PROPERTIES = {
    "represents": "P1875",
    "funds": "P8324",
    "killed": "P157",
    "supports": "P8001",
    "organizes": "P664",
}

_ALSO = {"role_at": ("P2389",)}

# The record already has `killed` from the other end.
_INVERSES = {"killed": "killed_by", "killed_by": "killed"}

# Relations of which a wrong statement harms somebody. `killed_by` is `killed` from the other end.
SENSITIVE: frozenset[str] = frozenset(
    {
        *("killed", "killed_by", "attacked", "accuses", "charged_with", "convicted_of", "arrested", "sued"),
        *("sanctions", "cause_of_death", "date_of_death", "religion", "ethnic_group", "partner"),
    }
)

# Relations of which a group may be the tail, or the head, beside what the inventory permits.
_GROUP_TAILS = frozenset(
    {"member_of_political_party", "country_of_citizenship", "ethnic_group", "religion", "member_of"}
)
_GROUP_HEADS = frozenset({"participant_in"})


def _types(letters: str) -> frozenset[str]:
    return frozenset(LETTERS[letter] for letter in letters)


def _added(row: _Row) -> AddedRelation:
    key, label, property_id, match, heads, tails = row
    relation = RelationType(
        key,
        label,
        property_id,
        match,
        _types(heads),
        _types(tails),
        symmetric=key in _SYMMETRIC,
        inverse=_INVERSES.get(key),
    )
    return AddedRelation(relation, _INVERSE_PROPERTIES.get(key), _ALSO.get(key, ()))


ADDED_RELATIONS: dict[str, AddedRelation] = {row[0]: _added(row) for row in _ROWS}


def _with_events(types: frozenset[str]) -> frozenset[str]:
    return types | {"event"} if "miscellaneous" in types else types


def _widened(relation: RelationType) -> RelationType:
    """The inventory's relation with the ends that news gives it: an event wherever it permits miscellaneous."""
    heads, tails = _with_events(relation.heads), _with_events(relation.tails)
    if relation.key in _GROUP_HEADS:
        heads |= {"group"}
    if relation.key in _GROUP_TAILS:
        tails |= {"group"}
    return replace(relation, heads=heads, tails=tails, inverse=_INVERSES.get(relation.key, relation.inverse))


def news_relations() -> dict[str, RelationType]:
    """Every relation that the corpora may use, by key: the inventory with wider ends, and what news adds.

    A relation of both keeps its place and takes the ends of the table above.
    """
    widened = {key: _widened(relation) for key, relation in RELATIONS.items()}
    return widened | {key: added.relation for key, added in ADDED_RELATIONS.items()}
