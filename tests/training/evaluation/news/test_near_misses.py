"""What counts as falling for a near miss, and the items that the repository keeps."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from extraction.datasets.annotation import load_annotations
from kgbuilder.conf.environment import ROOT
from tests.training.evaluation.news import article as a
from training.evaluation.news.near_misses import (
    ForbiddenRelation,
    NearMiss,
    NearMissError,
    by_kind,
    load_near_misses,
    mistaken,
)
from training.evaluation.news.report import near_miss_table

FILE = ROOT / "training" / "corpora" / "near_misses.jsonl"
NEWSROOM = FILE.parent / "newsroom"
REAL = ("Los Angeles", "New Delhi", "Associated Press")
EVERYTHING = {"default": 0.5}


def item(*forbidden, kind="denial"):
    return NearMiss("one", kind, a.TEXT, None, tuple(ForbiddenRelation(*one) for one in forbidden))


def assertions(extraction, *forbidden):
    found = mistaken(item(*forbidden), extraction, EVERYTHING)
    return () if found is None else found.assertions


def test_a_forbidden_relation_is_found_by_the_words_of_its_mentions():
    assert assertions(a.perfect(), ("Ada Obi", "leads", "Lagoon Bank")) == (
        "Ada Obi | leads | Lagoon Bank | stated 0.90",
    )
    assert assertions(a.perfect(), ("Ada Obi", "leads", "Kite")) == ()
    assert assertions(a.perfect(), ("Ada Obi", "employer", "Lagoon Bank")) == ()


def test_an_end_is_also_met_by_its_entitys_name_and_by_a_part_of_its_words():
    assert assertions(a.perfect(), ("Kite", "accuses", "Ada Obi"))  # extracted of “her”
    assert assertions(a.perfect(), ("The Obi", "leads", "Lagoon Bank of Lagos"))
    alone = replace(a.with_mention(a.perfect(), a.HER, entity=None))
    assert assertions(alone, ("Kite", "accuses", "Ada Obi")) == ()


def test_direction_counts_but_not_for_symmetric_and_inverse_relations_and_not_for_any():
    assert assertions(a.perfect(), ("Lagoon Bank", "leads", "Ada Obi")) == ()
    assert assertions(a.perfect(), ("Ben Roe", "met", "Ada Obi"))
    assert assertions(a.perfect(), ("Lagos", "contains", "Kite"))
    assert assertions(a.perfect(), ("Kite", "contains", "Lagos")) == ()
    assert assertions(a.perfect(), ("Lagoon Bank", "*", "Ada Obi"))


def test_what_is_denied_or_below_its_threshold_is_not_asserted():
    forbidden = ("Lagoon Bank", "sued", "Kite")
    assert assertions(a.perfect(), forbidden) == ()
    stated = a.with_relation(a.perfect(), a.SUED, factuality="alleged")
    assert assertions(stated, forbidden)
    assert mistaken(item(forbidden), stated, {"default": 0.5, "sued": 0.95}) is None


def test_shares_are_by_kind_and_together():
    items = [item(("Ada Obi", "*", "Kite")), item(kind="question"), item(kind="question")]
    found = [one for one in (mistaken(each, a.perfect(), EVERYTHING) for each in items) if one]
    assert by_kind(items, found) == {"denial": (1, 1), "question": (0, 2), "together": (1, 3)}
    assert "together                       33.3   1 of 3" in list(near_miss_table(items, found))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"published": "May"}, "isoformat"),
        ({"forbidden": [{"head": "Ada Obi", "relation": "ledd", "tail": "Kite"}]}, "ledd is no relation"),
        ({"forbidden": [{"head": "Ada Obi", "relation": "*", "tail": "Zoe"}]}, "does not hold the words Zoe"),
        ({"forbidden": [{"head": "Ada Obi", "relation": "*"}]}, "tail"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, change, reason):
    row = {"id": "one", "kind": "denial", "text": a.TEXT, "published": "2024-05-01", "forbidden": []}
    path = tmp_path / "items.jsonl"
    path.write_text("\n" + json.dumps(row | change) + "\n", encoding="utf-8")
    with pytest.raises(NearMissError, match=f"items.jsonl:2.*{reason}"):
        load_near_misses(path)


def test_the_kept_items_are_thirty_of_each_kind_and_each_forbids_something():
    items = load_near_misses(FILE)
    assert Counter(one.kind for one in items) == dict.fromkeys(("denial", "question", "condition", "dateline"), 30)
    assert len({one.id for one in items}) == len({one.text for one in items}) == 120
    assert all(one.forbidden and one.published for one in items)


def test_the_names_of_the_kept_items_are_in_nothing_that_a_reader_is_made_from():
    texts = [one.text or "" for name in ("train", "dev") for one in load_annotations(NEWSROOM / f"{name}.jsonl")]
    ends = {end for one in load_near_misses(FILE) for each in one.forbidden for end in (each.head, each.tail)}
    names = {end for end in ends if " " in end} - {"chief executive", "finance minister", *REAL}
    assert {name for name in names if any(name in text for text in texts)} == set()
