"""The validator refuses what the schema does, and names the part that it lies in."""

from dataclasses import replace
from typing import Any

import pytest

from extraction.datasets.annotation import (
    AnnotatedEntity,
    AnnotatedMention,
    AnnotatedRelation,
    AnnotationError,
    from_row,
    load_annotations,
    save_annotations,
    to_row,
)
from extraction.datasets.articles import ArticleError, digest, lines_of, load_articles
from tests.training.corpora.texts import TEXT, converted
from training.corpora.validation import faults

VALID = converted()
RUMOURED: Any = "rumoured"
BOUGHT = VALID.relations[0]


def faulty(text: str | None = TEXT, **changes: Any) -> list[tuple[str, str]]:
    return [(fault.part, fault.message) for fault in faults(replace(VALID, **changes), text)]


def mention_at(words: str, entity: str, form: Any = "name", text: str = TEXT) -> AnnotatedMention:
    start = text.index(words)
    return AnnotatedMention(start, start + len(words), entity, form)


def with_mention(mention: AnnotatedMention) -> dict[str, Any]:
    return {"mentions": (*VALID.mentions, mention)}


def with_relation(*relations: AnnotatedRelation) -> dict[str, Any]:
    return {"relations": (*VALID.relations, *relations)}


def test_a_good_annotation_has_no_faults_with_or_without_its_text():
    assert faulty() == [] and faulty(text=None) == []


@pytest.mark.parametrize(
    ("changes", "part", "expected"),
    [
        ({"sha256": digest("other")}, "item", "another digest"),
        ({"entities": (*VALID.entities, AnnotatedEntity("kite", "person", "Kite"))}, "entity", "stands twice"),
        ({"entities": (*VALID.entities, AnnotatedEntity("new", "person", "New"))}, "entity", "has no mention"),
        ({"entities": (replace(VALID.entities[0], type="animal"), *VALID.entities[1:])}, "entity", "no entity type"),
        (with_mention(mention_at("said on", "nobody")), "mention", "no entity nobody"),
        (with_mention(mention_at("said on", "ada", "noun")), "mention", "no form"),
        (with_mention(mention_at("Obi", "ada")), "mention", "“Obi” overlaps “Ada Obi”"),
        (with_mention(mention_at("aid o", "ada", "nominal")), "mention", "cuts a word"),
        (with_mention(mention_at("paid ", "ada", "nominal")), "mention", "begins or ends with a space"),
        (with_mention(AnnotatedMention(10, 10, "ada", "name")), "mention", "does not lie in the text"),
        (with_mention(AnnotatedMention(5, len(TEXT) + 1, "ada", "name")), "mention", "does not lie in the text"),
        (with_relation(AnnotatedRelation(0, "bought", 1)), "relation", "no relation"),
        (with_relation(AnnotatedRelation(0, "capital", 1)), "relation", "capital goes from L to L"),
        (with_relation(AnnotatedRelation(2, "position_held", 3)), "relation", "position_held goes from P to R"),
        (with_relation(AnnotatedRelation(3, "position_held", 4)), "relation", "turn the two round"),
        (with_relation(AnnotatedRelation(0, "sued", 2)), "relation", "both ends"),
        (with_relation(AnnotatedRelation(0, "sued", 1, RUMOURED)), "relation", "no factuality"),
        (with_relation(AnnotatedRelation(0, "sued", 99)), "relation", "no mention with the index 99"),
        (with_relation(AnnotatedRelation(0, "sued", 1, by=(-1,))), "relation", "no mention with the index -1"),
        (with_relation(AnnotatedRelation(0, "sued", 1, by=(5,))), "relation", "by must be who claims it"),
        (with_relation(AnnotatedRelation(0, "sued", 1, by=(4, 4))), "relation", "twice"),
        (with_relation(AnnotatedRelation(0, "sued", 1, when=4)), "relation", "when must be a mention of type time"),
        (
            with_relation(AnnotatedRelation(0, "sued", 1, amount=5)),
            "relation",
            "amount must be a mention of type number",
        ),
        (with_relation(BOUGHT), "relation", "annotated already"),
        (with_relation(replace(BOUGHT, head=2)), "relation", "annotated already"),
    ],
)
def test_each_fault_is_found_in_its_part(changes, part, expected):
    assert any(found == part and expected in message for found, message in faulty(**changes)), faulty(**changes)


def test_an_article_or_a_possessive_is_no_part_of_a_mention_unless_it_is_a_name_of_its_own():
    text = "The Hague and the bank and her bank"
    entities = (AnnotatedEntity("hague", "location", "The Hague"), AnnotatedEntity("bank", "organization", "bank"))

    def messages(*mentions: AnnotatedMention) -> list[str]:
        whole = replace(VALID, sha256=digest(text), entities=entities, mentions=mentions, relations=())
        return [fault.message for fault in faults(whole, text)]

    hague, bank = mention_at("The Hague", "hague", text=text), mention_at("bank", "bank", text=text)
    assert messages(hague, bank) == []
    assert any("begins with an article" in m for m in messages(hague, mention_at("the bank", "bank", text=text)))
    assert any("possessive" in m for m in messages(hague, bank, mention_at("her bank", "bank", "nominal", text)))
    assert any("no mention of bank is a name" in m for m in messages(hague, replace(bank, form="nominal")))


def test_a_fact_may_stand_again_with_another_time_or_factuality_and_never_from_its_other_end():
    assert faulty(**with_relation(replace(BOUGHT, when=5))) == []
    assert faulty(**with_relation(replace(BOUGHT, factuality="denied"))) == []
    met = VALID.relations[3]
    turned = replace(met, head=met.tail, tail=met.head)
    assert "annotated already" in faulty(**with_relation(turned))[0][1]
    child = [AnnotatedRelation(0, "subsidiary", 1), AnnotatedRelation(1, "parent_organization", 0)]
    assert "annotated already" in faulty(**with_relation(*child))[0][1]


def test_geography_is_stated_once_for_a_pair_of_mentions():
    entities = (AnnotatedEntity("a", "location", "Paris"), AnnotatedEntity("b", "location", "France"))
    mentions = (AnnotatedMention(0, 5, "a", "name"), AnnotatedMention(7, 13, "b", "name"))
    relations = (AnnotatedRelation(0, "located_in", 1), AnnotatedRelation(0, "country", 1))
    whole = replace(VALID, sha256=digest("Paris, France"), entities=entities, mentions=mentions, relations=relations)
    assert [fault.message for fault in faults(whole, "Paris, France")] == [
        "located_in states this pair already; keep the more precise one"
    ]


def test_annotations_are_saved_with_their_keys_in_order_and_loaded_the_same(tmp_path):
    path = tmp_path / "some.jsonl"
    save_annotations([VALID], path)
    assert load_annotations(path) == [VALID]
    row = to_row(VALID)
    assert list(row) == ["id", "sha256", "published", "entities", "mentions", "relations"]
    assert list(row["relations"][0]) == ["head", "relation", "tail", "factuality", "by", "when", "amount"]
    assert [relation["by"] for relation in row["relations"]] == [None, None, None, 4, [11, 4]]


@pytest.mark.parametrize("by", [[], [4], "Ada", [4, "Ada"], True])
def test_by_is_an_index_a_list_of_several_or_null(by):
    row = to_row(VALID)
    row["relations"][0]["by"] = by
    with pytest.raises(ValueError, match="by"):
        from_row(row)


def test_a_line_that_is_no_annotation_is_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('\n{"id": "a"}\n', encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"bad\.jsonl:2: an annotation must be an object with the keys"):
        load_annotations(path)


def test_an_article_whose_text_changed_is_refused(tmp_path):
    path = tmp_path / "articles.jsonl"
    path.write_text(
        '{"id": "a", "published": "2024-05-01", "title": "", "text": "b", "sha256": "c"}\n', encoding="utf-8"
    )
    with pytest.raises(ArticleError, match=r"articles\.jsonl:1: the text of a has another digest"):
        load_articles(path)


def test_lines_are_numbered_without_the_empty_ones():
    assert [(line.number, line.start, line.text) for line in lines_of("a\n\n b\n")] == [(1, 0, "a"), (2, 3, " b")]
