"""The names of relations on pages: short, readable from both ends, and the same for a relation and its inverse."""

from __future__ import annotations

import re

import pytest

from extraction.labels import NEWS_RELATIONS, RELATIONS
from knowledge.ontology.relation_names import SHORT, inverse_label, label

LONGEST = 24
# "convicted of of", "accuses of": from the tail's side only a noun takes "of".
_TWO_PREPOSITIONS = re.compile(r"\b(of|in|at|by|for|to|with|against) of$")
_VERB_WITH_OF = re.compile(r"^(\w+(ed|es)|met|won|left) of$")


@pytest.mark.parametrize("key", RELATIONS)
def test_names_are_short_and_read_well_from_both_ends(key: str) -> None:
    for name in (label(key), inverse_label(key)):
        assert 0 < len(name) <= LONGEST, name
        assert name == name.lower().strip()
    inverse = inverse_label(key)
    assert not _TWO_PREPOSITIONS.search(inverse) and not _VERB_WITH_OF.search(inverse), inverse


@pytest.mark.parametrize("key", RELATIONS)
def test_only_symmetric_relations_have_the_same_name_from_both_ends(key: str) -> None:
    same = label(key) == inverse_label(key)
    assert same == RELATIONS[key].symmetric or key == "next_to_body_of_water"


@pytest.mark.parametrize("key", NEWS_RELATIONS)
def test_what_news_adds_is_called_as_people_say_it(key: str) -> None:
    assert key in SHORT


INVERSE = [(key, relation.inverse) for key, relation in RELATIONS.items() if relation.inverse]


@pytest.mark.parametrize(("key", "inverse"), INVERSE)
def test_a_relation_and_its_inverse_read_alike_on_the_same_page(key: str, inverse: str) -> None:
    """The page of an entity has both of them; two headings for one thing look like two things."""
    assert inverse_label(key).removesuffix("s") == label(inverse).removesuffix("s")  # "participants"


def test_names_are_of_relations_that_exist() -> None:
    assert SHORT.keys() <= RELATIONS.keys()
