"""The sentences written for training on news: they load, mean what they say, and leave open what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from extraction.datasets import newsroom, registry
from extraction.labels import RELATIONS
from extraction.schema import Example

NOWHERE = Path("nowhere")


def examples(split: str) -> list[Example]:
    return registry.load("newsroom", split, NOWHERE)


def stated(example: Example) -> set[tuple[str, str, str]]:
    names = [" ".join(example.words[one.start : one.end]) for one in example.mentions]
    return {(names[one.head], one.key, names[one.tail]) for one in example.relations}


def test_every_sentence_has_relations_between_permitted_ends_only() -> None:
    for example in (*examples("train"), *examples("dev")):
        for one in example.relations:
            ends = example.mentions[one.head].type, example.mentions[one.tail].type
            assert RELATIONS[one.key].permits(*ends), (example.id, one.key, ends)


def test_the_splits_share_no_template_and_there_is_no_test_split() -> None:
    lines = [{example.id.rsplit("-", 1)[0] for example in examples(split)} for split in ("train", "dev")]
    assert all(lines) and not lines[0] & lines[1]
    assert examples("test") == []


def test_the_same_sentences_each_time_and_no_name_twice_in_one() -> None:
    assert examples("dev") == examples("dev")
    for example in examples("train"):
        names = [example.words[one.start : one.end] for one in example.mentions if one.type != "person"]
        assert len(names) == len(set(names)), example.words


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    def put(line: str) -> Example:
        (tmp_path / "templates.txt").write_text(line, encoding="utf-8")
        (tmp_path / "lists.txt").write_text(
            "first | person | Ada\nlast | person | Byron\nuscity/state | location/location | Reno / Nevada\n"
            "body | organization | the Senate\n",
            encoding="utf-8",
        )
        return examples("train")[0]

    monkeypatch.setattr(newsroom, "FOLDER", tmp_path)
    for cached in (newsroom._templates, newsroom._lists):
        cached.cache_clear()
    yield put
    for cached in (newsroom._templates, newsroom._lists):
        cached.cache_clear()


def test_a_template_becomes_words_mentions_relations_and_what_is_unsettled(template: object) -> None:
    made = template(
        "{p} of {body} lives in {uscity} , {state} . | p residence uscity ; uscity in state ; ?p member_of body\n"
    )  # type: ignore[operator]
    assert " ".join(made.words) == "Ada Byron of the Senate lives in Reno , Nevada ."
    assert stated(made) == {
        ("Ada Byron", "residence", "Reno"),
        ("Reno", "located_in", "Nevada"),
        ("Nevada", "contains", "Reno"),
    }
    assert made.masked_pairs == {(0, 1)}
    assert [(one.type, one.end - one.start) for one in made.mentions][:2] == [("person", 2), ("organization", 1)]


@pytest.mark.parametrize(
    "line", ["{p} sleeps .\n", "{p} sleeps . | p residence uscity\n", "Nobody sleeps . |\n", "{p} sees {ghost} . |\n"]
)
def test_a_line_that_is_not_in_the_format_is_named(template: object, line: str) -> None:
    with pytest.raises(registry.DatasetError, match=r"line 1|template 1"):
        template(line)  # type: ignore[operator]
