"""Which gold entity an extracted one stands for, and which mentions lead to it."""

from __future__ import annotations

from dataclasses import replace

from extraction.schema import ExtractedEntity
from tests.training.evaluation.news import article as a
from training.evaluation.news.alignment import EntityAlignment, as_annotation


def aligned(extraction):
    return EntityAlignment(a.GOLD, as_annotation(extraction))


def moved(extraction, entity, *indexes):
    for index in indexes:
        extraction = a.with_mention(extraction, index, entity=entity)
    return extraction


def new_entity(extraction, *indexes):
    added = replace(extraction, entities=(*extraction.entities, ExtractedEntity("person", "")))
    return moved(added, len(extraction.entities), *indexes)


def test_one_name_outweighs_two_pronouns():
    mixed = moved(a.perfect(), 3, a.SHE, a.HER, a.BEN_2)
    mixed = a.with_mention(mixed, a.BEN, start=0, end=1)
    assert aligned(mixed).gold_entity("entity 3") == "ben"


def test_without_a_name_most_mentions_decide_and_then_the_earliest():
    assert aligned(new_entity(a.perfect(), a.SHE, a.HER, a.THE_BANK)).gold_entity("entity 6") == "ada"
    assert aligned(new_entity(a.perfect(), a.THE_BANK, a.HER)).gold_entity("entity 6") == "ada"


def test_what_shares_no_span_exactly_stands_for_nothing():
    off = a.with_mention(a.perfect(), a.MONDAY, start=a.GOLD.mentions[a.MONDAY].start - 3)
    assert aligned(off).gold_entity("entity 4") is None


def test_a_split_entity_stands_twice_for_one():
    parted = aligned(new_entity(a.perfect(), a.BEN_2))
    assert parted.gold_entity("entity 3") == parted.gold_entity("entity 6") == "ben"


def test_a_pronoun_alone_and_a_chain_of_pronouns_lead_nowhere():
    assert list(aligned(a.perfect()).references("pronoun")) == [True, True]
    assert list(aligned(new_entity(a.perfect(), a.SHE)).references("pronoun")) == [False, True]
    assert list(aligned(new_entity(a.perfect(), a.SHE, a.HER)).references("pronoun")) == [False, False]


def test_a_pronoun_of_the_wrong_entity_or_with_another_span_leads_nowhere():
    assert list(aligned(moved(a.perfect(), 3, a.SHE)).references("pronoun")) == [False, True]
    off = a.with_mention(a.perfect(), a.HER, end=a.GOLD.mentions[a.HER].end + 1)
    assert list(aligned(off).references("pronoun")) == [True, False]


def test_without_entities_no_reference_is_right_but_relations_can_be():
    bare = replace(
        a.perfect(), entities=(), mentions=tuple(replace(mention, entity=None) for mention in a.perfect().mentions)
    )
    assert not any(aligned(bare).references("pronoun")) and not any(aligned(bare).references("nominal"))
    assert len(a.compared(bare).best_scores.keys() & a.compared(bare).facts.keys()) == 6


def test_a_mention_that_is_all_of_its_entity_leads_nowhere_by_itself_and_is_not_counted():
    alone = replace(a.GOLD, mentions=tuple(replace(one, form="nominal") for one in a.GOLD.mentions))
    counted = list(EntityAlignment(alone, as_annotation(a.perfect())).references("nominal"))
    assert len(counted) == len(alone.mentions) - 1  # Monday is mentioned once
    assert all(counted)  # no entity has a name to be led to
