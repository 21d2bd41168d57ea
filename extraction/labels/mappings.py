"""Map each data set's labels to the inventory, with their direction, or keep them as they are ("native").

A mapped relation label gives `(key, turned, match)`: `turned` means that the data set's head is our tail. `match`
compares the data set's label with our key, in the same terms as for Wikidata's properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeGuard

from extraction.labels.relations import (
    ENTITY_TYPES,
    NEWS_RELATIONS,
    REGION_RELATIONS,
    RELATIONS,
    Match,
    RelationType,
)
from extraction.schema import FORMS

LabelMode = Literal["mapped", "native"]


class MappedLabel(NamedTuple):
    key: str
    turned: bool = False
    match: Match = "exact"


# "" means: a mention is annotated, but the label does not give its type.
_MNRE_TYPES = {"per": "person", "org": "organization", "loc": "location", "misc": "miscellaneous"}
_TWITTER2015_TYPES = {"PER": "person", "ORG": "organization", "LOC": "location", "OTHER": "miscellaneous"}

# CrossRE: a few files of several domains, all with the types of all of them.
CROSSRE_DOMAINS = ("ai", "literature", "music", "news", "news-extension", "politics", "science")
CROSSRE: tuple[str, ...] = ("crossre", *(f"crossre_{domain.replace('-', '_')}" for domain in CROSSRE_DOMAINS))
_CROSSRE_KINDS = {
    "person": "person writer politician musicalartist scientist researcher",
    "organization": "organisation politicalparty band university",
    "location": "location country astronomicalobject",
    "miscellaneous": "misc award book musicgenre election album algorithm product task field song literarygenre event "
    "metrics chemicalcompound academicjournal poem protein conference magazine programlang enzyme discipline "
    "chemicalelement musicalinstrument theory",
}
_CROSSRE_TYPES = {label: key for key, labels in _CROSSRE_KINDS.items() for label in labels.split()}
_CROSSRE_LABELS = (
    "part-of physical usage role social general-affiliation compare temporal artifact origin topic opposite "
    "cause-effect win-defeat type-of named related-to"
)

# The corpora of news that are annotated for kgbuilder, with every type and relation of the inventory.
NEWS = ("voa", "newsroom")
# What editors have judged, in versions: "labels-2026-12-01" is one, "labels" the latest.
REVIEWED = "labels"
_VERSION = re.compile(rf"{REVIEWED}-\d{{4}}-\d{{2}}-\d{{2}}(-\d{{1,4}})?")
ALL_FORMS = (*NEWS, REVIEWED)  # they annotate nominals and pronouns too

TYPE_MAP: dict[str, dict[str, str]] = {
    "redocred": {
        "PER": "person",
        "ORG": "organization",
        "LOC": "location",
        "MISC": "miscellaneous",
        "TIME": "time",
        "NUM": "number",
    },
    "jmere": _MNRE_TYPES,
    "mnre_none": _MNRE_TYPES,
    "mnre": _MNRE_TYPES,
    "conll04": {"Peop": "person", "Org": "organization", "Loc": "location", "Other": ""},
    **{name: {key: key for key in ENTITY_TYPES} for name in ALL_FORMS},
    "twitter2015": _TWITTER2015_TYPES,
    "twitter2017": {"PER": "person", "ORG": "organization", "LOC": "location", "MISC": "miscellaneous"},
    "gmner": _TWITTER2015_TYPES,
    "more": {"entity": ""},  # it does not annotate the types of mentions
    **dict.fromkeys(CROSSRE, _CROSSRE_TYPES),
}

# Re-DocRED's labels are properties of Wikidata. What news adds is none of its, but for the positions.
_REDOCRED = {
    relation.property: MappedLabel(key)
    for key, relation in RELATIONS.items()
    if relation.match == "exact" and relation.property and (key == "position_held" or key not in NEWS_RELATIONS)
    if key != "killed_by"
}

_MNRE_RELATIONS = {
    "/per/per/parent": MappedLabel("child"),
    "/per/per/siblings": MappedLabel("sibling"),
    "/per/per/couple": MappedLabel("couple"),
    "/per/per/neighbor": MappedLabel("neighbor"),
    "/per/per/peer": MappedLabel("peer"),
    "/per/per/charges": MappedLabel("in_charge_of"),
    "/per/per/alumi": MappedLabel("alumni"),
    "/per/per/alternate_names": MappedLabel("alternate_names"),
    "/per/org/member_of": MappedLabel("member_of", match="close"),
    "/per/loc/place_of_residence": MappedLabel("residence", match="close"),
    "/per/loc/place_of_birth": MappedLabel("place_of_birth"),
    "/org/org/alternate_names": MappedLabel("alternate_names"),
    "/org/org/subsidiary": MappedLabel("subsidiary"),
    "/org/loc/locate_at": MappedLabel("location", match="close"),
    "/loc/loc/contain": MappedLabel("located_in", turned=True, match="close"),
    "/per/misc/present_in": MappedLabel("participant_in", match="close"),
    "/per/misc/awarded": MappedLabel("award_received"),
    "/per/misc/race": MappedLabel("ethnic_group", match="close"),
    "/per/misc/religion": MappedLabel("religion"),
    "/per/misc/nationality": MappedLabel("country_of_citizenship", match="close"),
    "/misc/misc/part_of": MappedLabel("part_of"),
    "/misc/loc/held_on": MappedLabel("location"),
}

RELATION_MAP: dict[str, dict[str, MappedLabel]] = {
    "redocred": _REDOCRED,
    "jmere": _MNRE_RELATIONS,
    "mnre_none": _MNRE_RELATIONS,
    "mnre": _MNRE_RELATIONS,
    "conll04": {
        "Located_In": MappedLabel("located_in", match="close"),
        "Work_For": MappedLabel("employer", match="close"),
        "OrgBased_In": MappedLabel("headquarters_location", match="close"),
        "Live_In": MappedLabel("residence", match="close"),
        "Kill": MappedLabel("killed_by", turned=True),
    },
    **{name: {key: MappedLabel(key) for key in RELATIONS} for name in ALL_FORMS},
    "twitter2015": {},
    "twitter2017": {},
    "gmner": {},
    "more": {},
    **{name: {} for name in CROSSRE},
}

# Relations with native labels only: CrossRE's are broader than any of ours, so none is mapped.
NATIVE_RELATIONS: dict[str, dict[str, RelationType]] = {
    name: {
        label: RelationType(label, label.replace("-", " "), None, None, *(frozenset(_CROSSRE_TYPES),) * 2)
        for label in _CROSSRE_LABELS.split()
    }
    for name in CROSSRE
}

# Relations of mentions to regions of the picture, by data set, in both kinds of labels. MORE's are in its own file.
REGIONS: dict[str, tuple[str, ...]] = {"gmner": ("depicts",)}

DATASETS: tuple[str, ...] = tuple(TYPE_MAP)

_CONLL04_ENDS = {
    "Located_In": ("Loc", "Loc"),
    "Work_For": ("Peop", "Org"),
    "OrgBased_In": ("Org", "Loc"),
    "Live_In": ("Peop", "Loc"),
    "Kill": ("Peop", "Peop"),
}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a network predicts: entity types and relations in a fixed order, which is the order of its outputs.

    `forms`: those of the mentions that it finds. A word-pair network's tags are the types, once for each form.
    """

    types: tuple[str, ...]
    relations: tuple[RelationType, ...]
    forms: tuple[str, ...] = ("name",)

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """The type and form of each tag, in the order of a network's outputs."""
        return tuple((kind, form) for form in self.forms for kind in self.types)

    @property
    def relation_keys(self) -> tuple[str, ...]:
        return tuple(relation.key for relation in self.relations)

    def extends(self, other: Inventory) -> bool:
        """Whether it has all tags and relations of the other."""
        return set(other.tags) <= set(self.tags) and set(other.relation_keys) <= set(self.relation_keys)

    def as_dict(self) -> dict[str, object]:
        """The inventory as plain JSON values, for a checkpoint's config."""
        return {
            "types": list(self.types),
            "forms": list(self.forms),
            "relations": [
                {
                    "key": relation.key,
                    "label": relation.label,
                    "property": relation.property,
                    "match": relation.match,
                    "heads": sorted(relation.heads),
                    "tails": sorted(relation.tails),
                    "symmetric": relation.symmetric,
                    "inverse": relation.inverse,
                    "sensitive": relation.sensitive,
                }
                for relation in self.relations
            ],
        }

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> Inventory:
        """Rebuild what `as_dict` wrote. The values are not trusted: ValueError names the error."""
        types, rows, forms = values.get("types"), values.get("relations"), values.get("forms", ["name"])
        if not _are_texts(types) or not isinstance(rows, list):
            raise ValueError("this is no inventory: `types` and `relations` are lists")
        if not _are_texts(forms) or not forms or not set(forms) <= set(FORMS):
            raise ValueError(f"this is no inventory: `forms` are some of {', '.join(FORMS)}")
        return cls(tuple(types), tuple(_relation_from(row, frozenset(types)) for row in rows), tuple(forms))


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _relation_from(row: object, types: frozenset[str]) -> RelationType:
    if not isinstance(row, dict):
        raise ValueError(f"this is no inventory: {row!r} is no relation")
    heads, tails = row.get("heads"), row.get("tails")
    texts = all(isinstance(row.get(name), str) for name in ("key", "label"))
    optional = all(row.get(name) is None or isinstance(row[name], str) for name in ("property", "inverse"))
    if not (texts and optional and row.get("match") in (None, "exact", "close", "broad")):
        raise ValueError(f"this is no inventory: a field of the relation {row.get('key')!r} cannot be right")
    if not (_are_texts(heads) and _are_texts(tails) and {*heads, *tails} <= types | set(ENTITY_TYPES)):
        raise ValueError(f"this is no inventory: the ends of the relation {row['key']!r} are no entity types")
    symmetric = row.get("symmetric") is True
    sensitive = row.get("sensitive") is True
    ends = frozenset(heads), frozenset(tails)
    return RelationType(
        row["key"], row["label"], row.get("property"), row.get("match"), *ends, symmetric, row.get("inverse"), sensitive
    )


def inventory(names: tuple[str, ...] | list[str], labels: LabelMode = "mapped") -> Inventory:
    """The types and relations that these data sets annotate, in the inventory's own order.

    Native labels belong to one data set alone: ValueError where several sets are requested with native labels.
    """
    names = tuple(dict.fromkeys(unversioned(name) for name in names))
    unknown = [name for name in names if name not in TYPE_MAP]
    if unknown:
        raise ValueError(f"unknown data set {unknown[0]!r}; there are {', '.join(DATASETS)}")
    if labels == "native":
        if len(names) != 1:
            raise ValueError("native labels are those of one data set; request one, or mapped labels")
        return _native(names[0])
    types = {mapped for name in names for mapped in TYPE_MAP[name].values()}
    keys = {mapped.key for name in names for mapped in RELATION_MAP[name].values()}
    return Inventory(
        tuple(key for key in ENTITY_TYPES if key in types),
        tuple(relation for relation in RELATIONS.values() if relation.key in keys) + _of_regions(names),
        _forms(names),
    )


def unversioned(name: str) -> str:
    """The data set that a name is a version of: "labels" of "labels-2026-12-01"; other names as they are."""
    return REVIEWED if _VERSION.fullmatch(name) else name


def _forms(names: Iterable[str]) -> tuple[str, ...]:
    """The forms of mentions that some of these data sets annotate."""
    return FORMS if set(ALL_FORMS) & set(names) else ("name",)


def _of_regions(names: Iterable[str]) -> tuple[RelationType, ...]:
    """The relations to regions, each once, between all types of the inventory."""
    keys = {key for name in names for key in REGIONS.get(name, ())}
    return tuple(relation for key, relation in REGION_RELATIONS.items() if key in keys)


def _native(name: str) -> Inventory:
    types = tuple(TYPE_MAP[name])
    own = tuple(NATIVE_RELATIONS.get(name, {}).values())
    mapped = tuple(_native_relation(name, label) for label in RELATION_MAP[name])
    regions = tuple(replace(one, heads=frozenset(types)) for one in _of_regions((name,)))
    return Inventory(types, own + mapped + regions, _forms((name,)))


def _native_relation(name: str, label: str) -> RelationType:
    """A relation in the data set's own label: directed as annotated, even where it is symmetric by meaning."""
    mapped = RELATION_MAP[name][label]
    heads, tails = _native_ends(name, label, RELATIONS[mapped.key])
    return RelationType(label, RELATIONS[mapped.key].label if not mapped.turned else label, None, None, heads, tails)


def _native_ends(name: str, label: str, relation: RelationType) -> tuple[frozenset[str], frozenset[str]]:
    if name == "conll04":
        head, tail = _CONLL04_ENDS[label]
        return frozenset({head}), frozenset({tail})
    if name in ("jmere", "mnre_none", "mnre"):
        _, head, tail, _ = label.split("/")
        return frozenset({head}), frozenset({tail})
    back = {ours: theirs for theirs, ours in TYPE_MAP[name].items()}
    heads, tails = (frozenset(back[key] for key in ends & back.keys()) for ends in (relation.heads, relation.tails))
    return heads, tails


def annotated_types(name: str, labels: LabelMode) -> frozenset[str]:
    """The type keys that a data set annotates; cells of other types are masked when training on it."""
    name = unversioned(name)
    return frozenset(TYPE_MAP[name]) if labels == "native" else frozenset(TYPE_MAP[name].values()) - {""}


def annotated_relations(name: str, labels: LabelMode) -> frozenset[str]:
    """The relation keys between mentions that a data set annotates; the others are masked, not negative."""
    name = unversioned(name)
    if labels == "native":
        return frozenset(RELATION_MAP[name]) | frozenset(NATIVE_RELATIONS.get(name, {}))
    return frozenset(mapped.key for mapped in RELATION_MAP[name].values())


def native_type(name: str, type_key: str) -> str:
    """The data set's label for an entity type of ours, "" if it has none. CoNLL04's Other covers all the rest.

    What a set does not know as a type of its own has its wider one: in Re-DocRED a demonym is a location.
    """
    name = unversioned(name)
    back = {ours: theirs for theirs, ours in TYPE_MAP[name].items()}
    wider = "location" if name == "redocred" and type_key == "group" else "miscellaneous"
    known = back.get(type_key) or (back.get(wider) if type_key in ("group", "role", "event") else None)
    return known or back.get("", "")


def to_native(name: str, key: str, head_type: str, tail_type: str) -> tuple[str, bool] | None:
    """The data set's label for a mapped relation between ends of these types of ours, and whether it is turned.

    None where the set has no such label. Two of its labels may share a key, but then their ends differ in type.
    """
    name = unversioned(name)
    for label, mapped in RELATION_MAP[name].items():
        ends = native_type(name, head_type), native_type(name, tail_type)
        head, tail = ends[::-1] if mapped.turned else ends
        if mapped.key == key and _native_relation(name, label).permits(head, tail):
            return label, mapped.turned
    return None
