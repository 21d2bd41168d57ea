"""What news adds to the inventory of relations: the rows, and which relations can harm people. Plain data.

The ends are those of the annotation guideline, `training/corpora/GUIDELINE.md`.
"""

from __future__ import annotations

from typing import Literal

_Row = tuple[str, str, str | None, Literal["exact", "close", "broad"] | None, str, str]

# key, label, property, match, heads, tails; ends by the letters above.
ROWS: tuple[_Row, ...] = (
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

SYMMETRIC = frozenset(
    {"relative", "partner", "merged_with", "agreement_with", "fights", "met", "plays_against"},
)

# The Wikidata property for the direction from the tail to the head.
INVERSE_PROPERTIES: dict[str, str] = {
    "represents": "P1875",
    "funds": "P8324",
    "killed": "P157",
    "supports": "P8001",
    "organizes": "P664",
}

# Further properties that the relation's `match` compares with.
ALSO_PROPERTIES: dict[str, tuple[str, ...]] = {"role_at": ("P2389",)}

# Relations of which a wrong statement harms somebody. `killed_by` is `killed` from the other end.
SENSITIVE: frozenset[str] = frozenset(
    {
        *("killed", "killed_by", "attacked", "accuses", "charged_with", "convicted_of", "arrested", "sued"),
        *("sanctions", "cause_of_death", "date_of_death", "religion", "ethnic_group", "partner"),
    }
)

# Relations of which a group may be the tail, or the head, beside what the inventory permits.
GROUP_TAILS = frozenset(
    {"member_of_political_party", "country_of_citizenship", "ethnic_group", "religion", "member_of"}
)
GROUP_HEADS = frozenset({"participant_in"})
