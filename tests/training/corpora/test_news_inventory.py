"""What news adds is consistent in itself, and the guideline describes every relation with the ends of the table."""

import re

from extraction.labels.news import (
    ADDED_RELATIONS,
    ADDED_TYPES,
    LETTERS,
    NEWS_TYPES,
    SENSITIVE,
    news_relations,
)
from extraction.labels.relations import ENTITY_TYPES, RELATIONS
from kgbuilder.conf.environment import ROOT
from training.corpora.notation import parse

GUIDELINE = (ROOT / "training/corpora/GUIDELINE.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^- \*\*(\w+)\*\* \((\w+) → (\w+)(, sym)?\): (.+)\n  (.+) · (.+)$", re.MULTILINE)


def letters(types):
    return "".join(letter for letter, key in LETTERS.items() if key in types)


def test_types_and_letters_are_of_one_another():
    assert set(ADDED_TYPES) == {"group", "role", "event"} and not set(ADDED_TYPES) & set(ENTITY_TYPES)
    assert set(LETTERS.values()) == set(NEWS_TYPES)


def test_relations_are_consistent():
    relations = news_relations()
    assert set(relations) == set(RELATIONS) | set(ADDED_RELATIONS)
    for relation in relations.values():
        assert relation.heads and relation.tails and relation.heads | relation.tails <= set(NEWS_TYPES), relation.key
        assert (relation.property is None) == (relation.match is None), relation.key
        if relation.symmetric:
            assert relation.heads == relation.tails and relation.inverse is None, relation.key
        if relation.inverse:
            assert relations[relation.inverse].inverse == relation.key
    assert set(relations) >= SENSITIVE


def test_events_go_where_miscellaneous_goes_and_groups_where_they_are_listed():
    relations = news_relations()
    for key, before in RELATIONS.items():
        if key not in ADDED_RELATIONS:
            now = relations[key]
            assert before.heads <= now.heads and before.tails <= now.tails, key
            assert ("event" in now.heads) == ("miscellaneous" in before.heads), key
            assert ("event" in now.tails) == ("miscellaneous" in before.tails), key
    assert relations["participant_in"].permits("group", "event")
    assert relations["religion"].permits("person", "group") and not relations["spouse"].permits("person", "group")
    assert relations["position_held"].permits("person", "role")
    assert not relations["position_held"].permits("person", "organization")


def test_the_guideline_describes_every_relation_with_its_ends_and_two_examples():
    described = {entry[0]: entry[1:] for entry in ENTRY.findall(GUIDELINE)}
    relations = news_relations()
    assert set(described) == set(relations)
    for key, (heads, tails, symmetric, _, *examples) in described.items():
        relation = relations[key]
        assert (heads, tails, bool(symmetric)) == (letters(relation.heads), letters(relation.tails), relation.symmetric)
        assert all("→" in example and "“" in example for example in examples), key


def test_the_guideline_s_written_item_converts():
    start = GUIDELINE.index("# harbour-strike")
    [item], problems = parse("GUIDELINE.md", GUIDELINE[start : GUIDELINE.index("```", start)], None)
    assert problems == [] and [relation.relation for relation in item.relations] == ["protests_against"]
