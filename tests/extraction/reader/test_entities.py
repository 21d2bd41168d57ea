"""Mentions become entities, and each relation between two entities is kept once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from extraction.reader.entities import Read, bring_together, consistent, deduplicated
from extraction.schema import ExtractedMention, Extraction, Relation

TEXT = "Ada Byron met Ann Lee in Rome. She left. Byron stayed."


class Refers(nn.Module):
    """A scorer with given antecedents: later mention -> earlier one."""

    def __init__(self, antecedents: dict[int, int]) -> None:
        super().__init__()
        self.antecedents, self.none = antecedents, nn.Linear(1, 1)

    def forward(self, states, targets):
        pairs = zip(targets.anaphor.tolist(), targets.candidate.tolist(), strict=True)
        scores = torch.tensor([2.0 if self.antecedents.get(one) == other else -2.0 for one, other in pairs])
        return scores, torch.zeros(len(states))


def mention(words: str, kind: str = "person", form: str = "name", score: float = 1.0) -> ExtractedMention:
    start = TEXT.index(words)
    return ExtractedMention(start, start + len(words), kind, score, form)  # type: ignore[arg-type]


MENTIONS = (
    mention("Ada Byron"),
    mention("Ann Lee"),
    mention("Rome", "location"),
    mention("She", form="pronoun"),
    replace(mention("Byron"), start=TEXT.rindex("Byron"), end=TEXT.rindex("Byron") + 5),
)


def together(antecedents: dict[int, int], mentions=MENTIONS, relations=()) -> Extraction:
    extraction = Extraction("1", TEXT, mentions=mentions, relations=tuple(relations))
    read = {
        (one.start, one.end): Read(place, 0, tuple(TEXT[one.start : one.end].split()), np.zeros(4, np.float32))
        for place, one in enumerate(mentions)
    }
    return bring_together(extraction, read, Refers(antecedents))  # type: ignore[arg-type]


def test_what_refers_to_one_thing_is_one_entity_with_its_longest_name():
    found = together({3: 0, 4: 0})
    assert [one.entity for one in found.mentions] == [0, 1, 2, 0, 0]
    assert [(one.type, one.name) for one in found.entities] == [
        ("person", "Ada Byron"),
        ("person", "Ann Lee"),
        ("location", "Rome"),
    ]


def test_an_entity_without_a_name_has_none_and_equal_names_are_one():
    assert together({}).entities[3].name == ""
    twice = (MENTIONS[0], replace(MENTIONS[0], start=TEXT.rindex("Byron"), end=TEXT.rindex("Byron") + 5))
    assert [one.entity for one in together({}, twice).mentions] == [0, 1]
    same = (mention("Byron"), replace(MENTIONS[4]))
    assert [one.entity for one in together({}, same).mentions] == [0, 0]


@pytest.mark.parametrize(
    "relations, entities",
    [
        ([], [0, 1, 2, 3]),
        ([(0, "role_at", 2), (1, "role_at", 2)], [0, 0, 1, 2]),
        ([(0, "role_at", 2), (1, "role_at", 3)], [0, 1, 2, 3]),
        ([(2, "position_held", 0), (2, "position_held", 1)], [0, 0, 1, 2]),
        ([(2, "position_held", 0), (2, "position_held", 1), (0, "role_at", 2), (1, "role_at", 3)], [0, 1, 2, 3]),
    ],
)
def test_an_office_is_one_of_its_body_and_holder_whatever_its_words(relations, entities):
    offices = (mention("Byron", "role"), replace(MENTIONS[4], type="role"))
    others = (replace(mention("Ann Lee")), mention("Rome", "organization"))
    order = sorted((*offices, *others), key=lambda one: one.start)
    places = [order.index(one) for one in (*offices, *others)]
    found = [Relation(places[head], places[tail], key, 0.9) for head, key, tail in relations]
    made = together({places[1]: places[0]}, tuple(order), found)
    own = [made.mentions[place].entity for place in places]
    assert [own.index(one) for one in own] == [entities.index(one) for one in entities]
    assert len(made.entities) == len(set(entities))


def test_a_pronoun_may_stand_before_the_name_it_means_and_joins_no_nameless_one():
    assert [one.entity for one in together({3: 4}).mentions] == [0, 1, 2, 3, 3]
    they = (replace(MENTIONS[3], form="nominal"), replace(MENTIONS[4], form="pronoun"))
    assert [one.entity for one in together({1: 0}, they).mentions] == [0, 1]


def test_he_and_she_are_two():
    he = replace(MENTIONS[4], start=TEXT.index("met"), end=TEXT.index("met") + 3, form="pronoun")
    mentions = (MENTIONS[0], he, MENTIONS[3])
    text = TEXT.replace("met", "him")
    read = {
        (one.start, one.end): Read(place, 0, tuple(text[one.start : one.end].split()), np.zeros(4, np.float32))
        for place, one in enumerate(mentions)
    }
    both = Refers({1: 0, 2: 0})
    found = bring_together(Extraction("1", text, mentions=mentions), read, both)  # type: ignore[arg-type]
    assert [one.entity for one in found.mentions] == [0, 0, 1]


def test_the_type_is_that_of_most_names():
    odd = replace(MENTIONS[4], type="organization", score=0.4)
    found = together({3: 0, 4: 0}, (*MENTIONS[:4], odd))
    assert found.mentions[4].type == "person" and found.entities[0].type == "person"


def test_a_relation_of_she_is_one_of_the_woman_and_is_kept_once():
    relations = [
        Relation(0, 1, "met", 0.5),
        Relation(3, 1, "met", 0.9),
        Relation(1, 3, "met", 0.7),
        Relation(0, 4, "sibling", 0.9),
        Relation(0, 1, "met", 0.6, factuality="denied"),
    ]
    found = together({3: 0, 4: 0}, relations=relations)
    kept = [(one.score, one.factuality) for one in found.relations]
    assert sorted(kept) == [(0.6, "denied"), (0.9, "stated")]


def test_ends_that_a_vote_has_changed_must_be_permitted():
    odd = replace(MENTIONS[4], type="organization", score=0.4)
    mentions = (*MENTIONS[:4], odd)
    relations = [Relation(4, 2, "headquarters_location", 0.9)]
    assert together({3: 0, 4: 0}, mentions, relations).relations == ()
    assert together({3: 0}, mentions, relations).relations


def places(*relations: tuple[int, str, int, float]) -> list[tuple[int, str, object]]:
    mentions = tuple(ExtractedMention(place, place + 1, "location", entity=place) for place in range(4))
    found = [Relation(head, tail, key, score) for head, key, tail, score in relations]
    return [(one.head, one.key, one.tail) for one in consistent(deduplicated(found, mentions), mentions)]


@pytest.mark.parametrize(
    "relations, kept",
    [
        # one relation of geography for two places
        ([(0, "located_in", 1, 0.9), (0, "country", 1, 0.7), (1, "located_in", 0, 0.6)], [(0, "located_in", 1)]),
        # a place lies in one other,
        ([(0, "located_in", 1, 0.9), (0, "country", 2, 0.8)], [(0, "located_in", 1)]),
        # unless these lie in one another
        (
            [(0, "located_in", 1, 0.9), (0, "country", 2, 0.8), (1, "country", 2, 0.7)],
            [(0, "located_in", 1), (0, "country", 2), (1, "country", 2)],
        ),
    ],
)
def test_no_place_lies_in_two_countries(relations, kept):
    assert places(*relations) == kept


def test_without_states_of_all_mentions_nothing_is_brought_together():
    extraction = Extraction("1", TEXT, mentions=MENTIONS)
    assert bring_together(extraction, {}, Refers({})) is extraction  # type: ignore[arg-type]
