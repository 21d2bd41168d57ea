"""The corpora of news by sentence: spans in words, what is masked, and what two sentences say together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extraction.datasets import news, registry
from extraction.schema import Example, WordRelation

NOWHERE = Path("/nowhere")
TEXT = "Ada Byron leads Northwind. She bought Southby on Monday, Ann Lee said.\nByron owns Northwind."


def at(words: str, occurrence: int = 0) -> tuple[int, int]:
    start = -1
    for _ in range(occurrence + 1):
        start = TEXT.index(words, start + 1)
    return start, start + len(words)


MENTIONS = [
    (*at("Ada Byron"), "ada", "name"),
    (*at("Northwind"), "north", "name"),
    (*at("She"), "ada", "pronoun"),
    (*at("Southby"), "south", "name"),
    (*at("Monday"), "day", "name"),
    (*at("Ann Lee"), "ann", "name"),
    (*at("Byron", 1), "ada", "name"),
    (*at("Northwind", 1), "north", "name"),
]
TYPES = {"ada": "person", "north": "organization", "south": "organization", "day": "time", "ann": "person"}


def relation(head: int, key: str, tail: int, **rest: object) -> dict[str, object]:
    return {"head": head, "relation": key, "tail": tail, "factuality": "stated", "by": None, "when": None} | {
        "amount": None,
        **rest,
    }


RELATIONS = [
    relation(0, "leads", 1),
    relation(2, "acquired", 3, factuality="alleged", by=5, when=4),
    relation(0, "founded_by", 3),  # not in one sentence
]


@pytest.fixture
def examples(tmp_path, monkeypatch) -> list[Example]:
    row = {
        "id": "one",
        "text": TEXT,
        "published": "2014-03-05",
        "entities": [{"id": key, "type": kind, "name": key} for key, kind in TYPES.items()],
        "mentions": [dict(zip(("start", "end", "entity", "form"), one, strict=True)) for one in MENTIONS],
        "relations": RELATIONS,
    }
    (tmp_path / "newsroom").mkdir()
    (tmp_path / "newsroom" / "train.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.setattr(news, "CORPORA", tmp_path)
    return registry.load("newsroom", "train", NOWHERE)


def test_sentences_stay_in_order_with_their_mentions_in_words(examples):
    assert [example.document for example in examples] == ["one"] * 3
    first, second, third = examples
    assert [first.words[m.start : m.end] for m in first.mentions] == [("Ada", "Byron"), ("Northwind",)]
    assert [(m.type, m.form, m.entity) for m in second.mentions[:1]] == [("person", "pronoun", "ada")]
    assert [third.words[m.start : m.end] for m in third.mentions] == [("Byron",), ("Northwind",)]
    assert all(example.news and "role" in example.types for example in examples)


def test_a_relation_keeps_what_its_own_sentence_says_of_it(examples):
    assert examples[1].relations == (WordRelation(0, 1, "acquired", "alleged", by=3, when=2),)
    assert examples[0].relations == (WordRelation(0, 1, "leads"),)


def test_a_fact_is_unknown_where_its_entities_meet_again(examples):
    assert examples[2].masked_relations == {(0, 1, "leads")}
    assert (0, 1, "leads") not in examples[0].masked_relations


def test_what_no_sentence_says_alone_is_counted_and_left_out(examples):
    report = registry.LoadReport()
    registry.load("newsroom", "train", NOWHERE, report=report)
    assert "      1  newsroom: relations between two sentences, left out" in list(report.lines())


def test_a_text_that_is_not_the_annotated_one_is_refused(tmp_path):
    (tmp_path / "voa").mkdir()
    (tmp_path / "voa" / "articles.jsonl").write_text("")
    with pytest.raises(registry.DatasetError, match="get the whole file"):
        registry.load("voa", "dev", tmp_path)


def test_the_kept_corpus_loads_whole():
    report = registry.LoadReport()
    examples = registry.load("newsroom", "dev", NOWHERE, report=report)
    lost = [line for line in report.lines() if "no whole words" in line]
    assert len(examples) > 100 and not lost
    assert {relation.factuality for example in examples for relation in example.relations} >= {"stated", "denied"}
