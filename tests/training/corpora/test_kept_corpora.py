"""The corpora that the repository keeps, as far as they can be checked without the texts of articles."""

from __future__ import annotations

import pytest

from extraction.datasets.annotation import load_annotations
from kgbuilder.conf.environment import ROOT
from training.corpora.splits import SPLITS, split_of
from training.corpora.validation import faults

FOLDER = ROOT / "training" / "corpora" / "voa"


@pytest.mark.parametrize("name", [*SPLITS, "second"])
def test_every_annotation_keeps_to_the_schema(name: str) -> None:
    annotations = load_annotations(FOLDER / f"{name}.jsonl")
    assert {one.id: found for one in annotations if (found := list(faults(one, None)))} == {}
    assert not any(one.text for one in annotations), "the texts are not ours to publish"


def test_each_article_lies_in_its_split_and_in_no_other() -> None:
    placed = {name: [one.id for one in load_annotations(FOLDER / f"{name}.jsonl")] for name in SPLITS}
    assert all(split_of(one) == name for name, ids in placed.items() for one in ids)
    articles = {one for ids in placed.values() for one in ids}
    assert len(articles) == sum(map(len, placed.values())) == 184
    assert {one.id for one in load_annotations(FOLDER / "second.jsonl")} <= articles


@pytest.mark.parametrize("name", SPLITS)
def test_every_written_item_keeps_to_the_schema_and_to_its_split(name: str) -> None:
    items = load_annotations(FOLDER.parent / "newsroom" / f"{name}.jsonl")
    assert items and all(one.text and split_of(one.id) == name for one in items)
    assert {one.id: found for one in items if (found := list(faults(one, one.text)))} == {}


def test_a_tenth_of_the_items_is_annotated_a_second_time_on_the_same_texts() -> None:
    folder = FOLDER.parent / "newsroom"
    texts = {one.id: one.text for name in SPLITS for one in load_annotations(folder / f"{name}.jsonl")}
    second = load_annotations(folder / "second.jsonl")
    assert len(second) >= len(texts) // 10
    assert all(texts[one.id] == one.text for one in second)
    assert {one.id: found for one in second if (found := list(faults(one, one.text)))} == {}
