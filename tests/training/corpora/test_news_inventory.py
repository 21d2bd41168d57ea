"""What news adds is consistent in itself, and the guideline describes every relation with the ends of the table."""

import re

from extraction.labels import ENTITY_TYPES, LETTERS, NEWS_RELATIONS, RELATIONS, news
from kgbuilder.conf.environment import ROOT
from training.corpora.notation import parse
from training.corpora.validation import PERMITTED

GUIDELINE = (ROOT / "training/corpora/GUIDELINE.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^- \*\*(\w+)\*\* \((\w+) → (\w+)(, sym)?\): (.+)\n  (.+) · (.+)$", re.MULTILINE)


def letters(types):
    return "".join(letter for letter, key in LETTERS.items() if key in types)


def test_relations_are_consistent():
    for relation in RELATIONS.values():
        assert relation.heads and relation.tails and relation.heads | relation.tails <= set(ENTITY_TYPES), relation.key
        assert (relation.property is None) == (relation.match is None), relation.key
    assert set(RELATIONS) >= news.SENSITIVE | set(news.INVERSE_PROPERTIES) | set(news.ALSO_PROPERTIES)
    assert {key for key, relation in RELATIONS.items() if relation.sensitive} == news.SENSITIVE


def test_events_go_where_miscellaneous_goes_and_groups_where_they_are_listed():
    for key, relation in RELATIONS.items():
        if key not in NEWS_RELATIONS:
            assert ("event" in relation.heads) == ("miscellaneous" in relation.heads), key
            assert ("event" in relation.tails) == ("miscellaneous" in relation.tails), key
    assert RELATIONS["participant_in"].permits("group", "event")
    assert RELATIONS["religion"].permits("person", "group") and not RELATIONS["spouse"].permits("person", "group")


def test_re_docred_s_positions_stay_permitted_and_the_guideline_allows_roles_alone():
    assert RELATIONS["position_held"].permits("person", "role")
    assert RELATIONS["position_held"].permits("person", "organization")
    assert not PERMITTED["position_held"].permits("person", "organization")


def test_the_guideline_describes_every_relation_with_its_ends_and_two_examples():
    described = {entry[0]: entry[1:] for entry in ENTRY.findall(GUIDELINE)}
    assert set(described) == set(PERMITTED)
    for key, (heads, tails, symmetric, _, *examples) in described.items():
        relation = PERMITTED[key]
        assert (heads, tails, bool(symmetric)) == (letters(relation.heads), letters(relation.tails), relation.symmetric)
        assert all("→" in example and "“" in example for example in examples), key


def test_the_guideline_s_written_item_converts():
    start = GUIDELINE.index("# harbour-strike")
    [item], problems = parse("GUIDELINE.md", GUIDELINE[start : GUIDELINE.index("```", start)], None)
    assert problems == [] and [relation.relation for relation in item.relations] == ["protests_against"]
