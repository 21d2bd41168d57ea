"""The inventory: entity types, and relations with their Wikidata properties and permitted ends. No Django, no numpy.

A relation's `key` is what the record stores, so a key is never renamed. Labels are Wikidata's English ones at the time
of writing; the property's number is what identifies it. `match` compares our relation with that property, in SKOS's
sense: "exact" means the same, "close" nearly the same, "broad" that the property covers more than our relation.

Permitted ends are those of the training sets, counted over Re-DocRED's facts; a type of less than about one end in
eighty, or that is clearly an annotation error, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from extraction.labels import news

Match = Literal["exact", "close", "broad"]


@dataclass(frozen=True, slots=True)
class EntityType:
    key: str
    label: str
    plural: str


@dataclass(frozen=True, slots=True)
class RelationType:
    """One relation: `heads` and `tails` are the keys of the entity types that its ends may have.

    `sensitive`: a wrong statement of it harms somebody, so that it needs a higher threshold.
    """

    key: str
    label: str
    property: str | None
    match: Match | None
    heads: frozenset[str]
    tails: frozenset[str]
    symmetric: bool = False
    inverse: str | None = None
    sensitive: bool = False

    def permits(self, head_type: str, tail_type: str) -> bool:
        return head_type in self.heads and tail_type in self.tails


ENTITY_TYPES: dict[str, EntityType] = {
    entity_type.key: entity_type
    for entity_type in (
        EntityType("person", "Person", "People"),
        EntityType("organization", "Organization", "Organizations"),
        EntityType("location", "Location", "Locations"),
        EntityType("group", "Group", "Groups"),
        EntityType("role", "Role", "Roles"),
        EntityType("event", "Event", "Events"),
        EntityType("miscellaneous", "Miscellaneous", "Miscellaneous"),
        EntityType("time", "Time", "Times"),
        EntityType("number", "Number", "Numbers"),
    )
}

# The letter of each type in the tables and in the notation of the corpora.
LETTERS: dict[str, str] = dict(zip("POLGREMTN", ENTITY_TYPES, strict=True))

_Row = tuple[str, str, str | None, Match | None, str, str]

# key, label, property, match, heads, tails; ends by the letters above.
_ROWS: tuple[_Row, ...] = (
    ("head_of_government", "head of government", "P6", "exact", "LO", "P"),
    ("country", "country", "P17", "exact", "OLM", "L"),
    ("place_of_birth", "place of birth", "P19", "exact", "P", "L"),
    ("place_of_death", "place of death", "P20", "exact", "P", "L"),
    ("father", "father", "P22", "exact", "P", "P"),
    ("mother", "mother", "P25", "exact", "P", "P"),
    ("spouse", "spouse", "P26", "exact", "P", "P"),
    ("country_of_citizenship", "country of citizenship", "P27", "exact", "P", "LM"),
    ("continent", "continent", "P30", "exact", "LO", "L"),
    ("instance_of", "instance of", "P31", "exact", "OLM", "OLM"),
    ("head_of_state", "head of state", "P35", "exact", "L", "P"),
    ("capital", "capital", "P36", "exact", "L", "L"),
    ("official_language", "official language", "P37", "exact", "LO", "ML"),
    ("position_held", "position held", "P39", "exact", "P", "OM"),
    ("child", "child", "P40", "exact", "P", "P"),
    ("author", "author", "P50", "exact", "M", "P"),
    ("member_of_sports_team", "member of sports team", "P54", "exact", "P", "OL"),
    ("director", "director", "P57", "exact", "M", "P"),
    ("screenwriter", "screenwriter", "P58", "exact", "M", "P"),
    ("educated_at", "educated at", "P69", "exact", "P", "OL"),
    ("composer", "composer", "P86", "exact", "M", "P"),
    ("member_of_political_party", "member of political party", "P102", "exact", "P", "O"),
    ("employer", "employer", "P108", "exact", "P", "OLM"),
    ("founded_by", "founded by", "P112", "exact", "OLM", "PO"),
    ("league", "league or competition", "P118", "exact", "OP", "OM"),
    ("publisher", "publisher", "P123", "exact", "MO", "O"),
    ("owned_by", "owned by", "P127", "exact", "MOL", "OPL"),
    ("located_in", "located in the administrative territorial entity", "P131", "exact", "LOM", "L"),
    ("genre", "genre", "P136", "exact", "POM", "MO"),
    ("operator", "operator", "P137", "exact", "MLO", "OL"),
    ("religion", "religion or worldview", "P140", "exact", "POML", "OM"),
    ("contains", "contains the administrative territorial entity", "P150", "exact", "L", "L"),
    ("follows", "follows", "P155", "exact", "MOLT", "MOLT"),
    ("followed_by", "followed by", "P156", "exact", "MOLT", "MOLT"),
    ("headquarters_location", "headquarters location", "P159", "exact", "O", "L"),
    ("cast_member", "cast member", "P161", "exact", "M", "P"),
    ("producer", "producer", "P162", "exact", "M", "PO"),
    ("award_received", "award received", "P166", "exact", "PMO", "MO"),
    ("creator", "creator", "P170", "exact", "PMOL", "PO"),
    ("parent_taxon", "parent taxon", "P171", "exact", "M", "M"),
    ("ethnic_group", "ethnic group", "P172", "exact", "LP", "LOM"),
    ("performer", "performer", "P175", "exact", "MP", "POM"),
    ("manufacturer", "manufacturer", "P176", "exact", "MO", "O"),
    ("developer", "developer", "P178", "exact", "MO", "OMP"),
    ("series", "part of the series", "P179", "exact", "M", "MO"),
    ("sister_city", "twinned administrative body", "P190", "exact", "L", "L"),
    ("legislative_body", "legislative body", "P194", "exact", "LO", "O"),
    ("basin_country", "basin country", "P205", "exact", "L", "L"),
    ("next_to_body_of_water", "located in or next to body of water", "P206", "exact", "L", "L"),
    ("military_branch", "military branch", "P241", "exact", "POM", "O"),
    ("record_label", "record label", "P264", "exact", "MPO", "OM"),
    ("production_company", "production company", "P272", "exact", "M", "OM"),
    ("location", "location", "P276", "exact", "MO", "LO"),
    ("subclass_of", "subclass of", "P279", "exact", "OM", "OM"),
    ("subsidiary", "has subsidiary", "P355", "exact", "OM", "OML"),
    ("part_of", "part of", "P361", "exact", "LMPO", "OML"),
    ("original_language", "original language of film or TV show", "P364", "exact", "ML", "ML"),
    ("platform", "platform", "P400", "exact", "MO", "MO"),
    ("mouth_of_the_watercourse", "mouth of the watercourse", "P403", "exact", "L", "L"),
    ("original_network", "original broadcaster", "P449", "exact", "M", "OM"),
    ("member_of", "member of", "P463", "exact", "PLO", "OML"),
    ("chairperson", "chairperson", "P488", "exact", "O", "P"),
    ("country_of_origin", "country of origin", "P495", "exact", "M", "L"),
    ("has_part", "has part(s)", "P527", "exact", "OML", "LMPO"),
    ("residence", "residence", "P551", "exact", "P", "L"),
    ("date_of_birth", "date of birth", "P569", "exact", "P", "T"),
    ("date_of_death", "date of death", "P570", "exact", "P", "T"),
    ("inception", "inception", "P571", "exact", "OML", "T"),
    ("dissolved", "dissolved, abolished or demolished date", "P576", "exact", "LOM", "T"),
    ("publication_date", "publication date", "P577", "exact", "M", "T"),
    ("start_time", "start time", "P580", "exact", "MLO", "T"),
    ("end_time", "end time", "P582", "exact", "MO", "T"),
    ("point_in_time", "point in time", "P585", "exact", "MLO", "T"),
    ("conflict", "conflict", "P607", "exact", "POLM", "M"),
    ("characters", "characters", "P674", "exact", "M", "PM"),
    ("lyrics_by", "lyrics by", "P676", "exact", "M", "P"),
    ("on_physical_feature", "located in/on physical feature", "P706", "exact", "L", "L"),
    ("participant", "participant", "P710", "exact", "MO", "PLOM"),
    ("influenced_by", "influenced by", "P737", "exact", "P", "PM"),
    ("location_of_formation", "location of formation", "P740", "exact", "OM", "L"),
    ("parent_organization", "parent organization", "P749", "exact", "OML", "OM"),
    ("notable_work", "notable work", "P800", "exact", "POM", "MP"),
    ("separated_from", "separated from", "P807", "exact", "LO", "LO"),
    ("narrative_location", "narrative location", "P840", "exact", "M", "L"),
    ("work_location", "work location", "P937", "exact", "P", "L"),
    ("applies_to_jurisdiction", "applies to jurisdiction", "P1001", "exact", "POML", "LO"),
    ("product", "product, material, or service produced or provided", "P1056", "exact", "OM", "M"),
    ("unemployment_rate", "unemployment rate", "P1198", "exact", "L", "N"),
    ("territory_claimed_by", "territory claimed by", "P1336", "exact", "L", "LO"),
    ("participant_in", "participant in", "P1344", "exact", "PLOM", "MO"),
    ("replaces", "replaces", "P1365", "exact", "LO", "LO"),
    ("replaced_by", "replaced by", "P1366", "exact", "LO", "LO"),
    ("capital_of", "capital of", "P1376", "exact", "L", "L"),
    ("languages_spoken", "languages spoken, written or signed", "P1412", "exact", "PL", "ML"),
    ("present_in_work", "present in work", "P1441", "exact", "PLMO", "M"),
    ("sibling", "sibling", "P3373", "exact", "P", "P"),
    # Relations that only CoNLL04 and MNRE have.
    ("killed_by", "killed by", "P157", "exact", "P", "P"),
    ("couple", "couple with", "P26", "close", "P", "P"),
    ("peer", "peer of", "P3342", "broad", "P", "P"),
    ("neighbor", "neighbor of", None, None, "P", "P"),
    ("in_charge_of", "in charge of", None, None, "P", "P"),
    ("alumni", "alumni together with", None, None, "P", "P"),
    ("alternate_names", "also known as", "P460", "close", "PO", "PO"),
)

_SYMMETRIC = news.SYMMETRIC | {
    *("spouse", "sister_city", "sibling", "couple", "peer", "neighbor", "alumni", "alternate_names"),
}

_INVERSES = (
    ("capital", "capital_of"),
    ("located_in", "contains"),
    ("follows", "followed_by"),
    ("subsidiary", "parent_organization"),
    ("part_of", "has_part"),
    ("participant", "participant_in"),
    ("replaces", "replaced_by"),
    ("characters", "present_in_work"),
    ("killed", "killed_by"),
)


def _types(letters: str) -> frozenset[str]:
    return frozenset(LETTERS[letter] for letter in letters)


def _relation(row: _Row) -> RelationType:
    key, label, property_id, match, heads, tails = row
    inverse = dict(_INVERSES) | {b: a for a, b in _INVERSES}
    return RelationType(
        *(key, label, property_id, match, _types(heads), _types(tails)),
        symmetric=key in _SYMMETRIC,
        inverse=inverse.get(key),
        sensitive=key in news.SENSITIVE,
    )


def _widened(relation: RelationType) -> RelationType:
    """The relation with the ends that news gives it: an event wherever it permits miscellaneous, and groups."""
    heads, tails = (ends | {"event"} if "miscellaneous" in ends else ends for ends in (relation.heads, relation.tails))
    heads |= _types("G") if relation.key in news.GROUP_HEADS else set()
    tails |= _types("G") if relation.key in news.GROUP_TAILS else set()
    return replace(relation, heads=heads, tails=tails)


# What news adds, with exactly the ends that its guideline permits.
NEWS_RELATIONS: dict[str, RelationType] = {row[0]: _relation(row) for row in news.ROWS}


def _table() -> dict[str, RelationType]:
    table = {row[0]: _widened(_relation(row)) for row in _ROWS}
    assert len(table) == len(_ROWS), "a relation key occurs twice in the table"
    for key, added in NEWS_RELATIONS.items():
        known = table.get(key, added)
        table[key] = replace(added, heads=known.heads | added.heads, tails=known.tails | added.tails)
    return table


RELATIONS: dict[str, RelationType] = _table()

# A relation and its inverse are one fact, kept in one direction: these are kept as their inverse.
FOLDED: dict[str, str] = {
    key: RELATIONS[key].inverse or key
    for key in (
        *("contains", "capital_of", "followed_by", "parent_organization", "has_part", "participant", "replaced_by"),
        *("present_in_work", "killed_by"),
    )
}

# Between a mention and a region of a picture. Their tails are regions, which have no entity type.
REGION_RELATIONS: dict[str, RelationType] = {
    "depicts": RelationType("depicts", "shown in the picture", None, None, frozenset(ENTITY_TYPES), frozenset()),
}


def by_property(property_id: str) -> RelationType:
    """The relation that means exactly this Wikidata property; KeyError names the property."""
    for relation in RELATIONS.values():
        if relation.property == property_id and relation.match == "exact":
            return relation
    raise KeyError(f"no relation of the inventory means exactly {property_id}")
