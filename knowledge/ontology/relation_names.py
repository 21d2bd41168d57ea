"""The names of relations on pages. The graph, the API and the ontology keep Wikidata's labels."""

from __future__ import annotations

from extraction.labels import RELATIONS

# key: (from head to tail, from tail to head). Other relations keep Wikidata's label, with "of" added from tail to head.
SHORT: dict[str, tuple[str, str]] = {
    "alternate_names": ("also known as", "also known as"),
    "alumni": ("studied with", "studied with"),
    "applies_to_jurisdiction": ("applies to", "jurisdiction of"),
    "award_received": ("award", "awarded to"),
    "capital": ("capital", "capital of"),
    "capital_of": ("capital of", "capital"),
    "characters": ("character", "appears in"),
    "conflict": ("fought in", "fought by"),
    "contains": ("contains", "in"),
    "country_of_citizenship": ("citizen of", "citizens"),
    "country_of_origin": ("from", "origin of"),
    "couple": ("couple with", "couple with"),
    "date_of_birth": ("born", "date of birth of"),
    "date_of_death": ("died", "date of death of"),
    "dissolved": ("dissolved", "date of dissolution of"),
    "educated_at": ("educated at", "alumni"),
    "follows": ("follows", "followed by"),
    "followed_by": ("followed by", "follows"),
    "founded_by": ("founded by", "founder of"),
    "has_part": ("has part", "part of"),
    "headquarters_location": ("headquartered in", "headquarters of"),
    "in_charge_of": ("in charge of", "led by"),
    "inception": ("founded", "founding date of"),
    "influenced_by": ("influenced by", "influence on"),
    "instance_of": ("is a", "examples"),
    "killed_by": ("killed by", "killer of"),
    "languages_spoken": ("speaks", "spoken by"),
    "league": ("league", "league of"),
    "located_in": ("in", "contains"),
    "location_of_formation": ("formed in", "place of formation of"),
    "lyrics_by": ("lyrics by", "lyricist of"),
    "member_of": ("member of", "members"),
    "member_of_political_party": ("member of", "party members"),
    "member_of_sports_team": ("plays for", "players"),
    "mouth_of_the_watercourse": ("flows into", "mouth of"),
    "narrative_location": ("set in", "setting of"),
    "neighbor": ("neighbour of", "neighbour of"),
    "next_to_body_of_water": ("next to", "next to"),
    "on_physical_feature": ("on", "location of"),
    "original_language": ("original language", "original language of"),
    "original_network": ("broadcast by", "broadcaster of"),
    "owned_by": ("owned by", "owner of"),
    "part_of": ("part of", "parts"),
    "participant": ("participant", "took part in"),
    "participant_in": ("took part in", "participants"),
    "peer": ("peer of", "peer of"),
    "place_of_birth": ("born in", "birthplace of"),
    "place_of_death": ("died in", "place of death of"),
    "position_held": ("position", "held by"),
    "present_in_work": ("appears in", "characters"),
    "product": ("product", "product of"),
    "publication_date": ("published", "publication date of"),
    "religion": ("religion", "religion of"),
    "replaced_by": ("replaced by", "replaces"),
    "replaces": ("replaces", "replaced by"),
    "residence": ("lives in", "residence of"),
    "separated_from": ("separated from", "origin of"),
    "series": ("part of series", "includes"),
    "sister_city": ("twinned with", "twinned with"),
    "subclass_of": ("kind of", "kinds"),
    "subsidiary": ("subsidiary", "subsidiary of"),
    "territory_claimed_by": ("claimed by", "claims"),
    "work_location": ("works in", "place of work of"),
}


def label(key: str) -> str:
    """From head to tail: Ada — born in → London."""
    if key in SHORT:
        return SHORT[key][0]
    known = RELATIONS.get(key)
    return known.label if known else key.replace("_", " ")


def inverse_label(key: str) -> str:
    """From tail to head, as a heading on the tail's page: Birthplace of."""
    if key in SHORT:
        return SHORT[key][1]
    known = RELATIONS.get(key)
    return label(key) if known and known.symmetric else f"{label(key)} of"
