"""Thresholds in force, what they show and mark; the current query's edges."""

from __future__ import annotations

import pytest

from extraction.models import Deployment
from knowledge.models import Event
from knowledge.record import current, thresholds
from tests import records

pytestmark = pytest.mark.django_db

TEXT = "Ann, Bob and Cat."
NAMES = [("Ann", "person"), ("Bob", "person"), ("Cat", "person")]


def three_scores() -> None:
    post = records.post(TEXT)
    said = [("Ann", "child", "Bob", 0.3), ("Ann", "child", "Cat", 0.6), ("Bob", "sibling", "Cat", 0.6)]
    records.read(post, NAMES, said)
    records.settle()


def test_the_threshold_of_the_checkpoint_is_in_force_relation_by_relation() -> None:
    records.checkpoint(default=0.5, sibling=0.7)
    three_scores()
    assert records.said_now() == {("Ann", "child", "Cat")}


def test_a_score_at_the_threshold_counts() -> None:
    records.checkpoint(default=0.6)
    three_scores()
    assert ("Ann", "child", "Cat") in records.said_now()


def test_another_threshold_marks_what_it_changes_and_reads_nothing() -> None:
    records.checkpoint(default=0.5, sibling=0.7)
    three_scores()
    thresholds.set_in_force({"default": 0.2, "sibling": 0.7})
    assert records.said_now() == {("Ann", "child", "Cat"), ("Ann", "child", "Bob")}
    kinds = {(kind, name) for kind, name in records.marked() if kind != "post"}
    assert kinds == {("statement", "Ann child Bob"), ("entity", "Ann"), ("entity", "Bob")}
    assert len(records.marked()) == 4
    assert Event.objects.get().after == {"default": 0.2, "sibling": 0.7}
    records.settle()
    thresholds.set_in_force({"default": 0.2, "sibling": 0.7})
    assert records.marked() == set(), "nothing changed"


@pytest.mark.parametrize("wrong", [{"adores": 0.5}, {"default": 1.5}, {"default": float("nan")}])
def test_wrong_thresholds_are_refused(wrong: dict[str, float]) -> None:
    records.checkpoint()
    with pytest.raises(ValueError, match=r"relation|threshold"):
        thresholds.set_in_force(wrong)
    assert Deployment.objects.get().thresholds == {}


def test_no_threshold_without_a_deployment() -> None:
    with pytest.raises(ValueError, match="deployed"):
        thresholds.set_in_force({"default": 0.4})


def test_scores_and_neighbours_come_from_what_counts() -> None:
    records.checkpoint(default=0.5)
    three_scores()
    found, count = current.neighbours(records.entity("Cat"), limit=1)
    assert (len(found), count) == (1, 2)
    assert {edge.score for edge in current.statements_of(records.entity("Cat"))} == {0.6}


def test_what_does_not_count_takes_no_place_among_the_newest_statements() -> None:
    records.checkpoint(default=0.5)
    text = "Ann, Bob, Cat, Dan and Eve."
    names = [*NAMES, ("Dan", "person"), ("Eve", "person")]
    said = [("Ann", "child", "Bob", 0.9), ("Ann", "child", "Cat", 0.9), ("Ann", "child", "Dan", 0.1)]
    records.read(records.post(text), names, said)
    records.read(records.post(f"Again {text}"), names, [("Ann", "child", "Eve", 0.1)])
    found = {edge.tail.label for limit in (1, 2, 3) for edge in current.statements_of(records.entity("Ann"), limit)}
    assert found == {"Bob", "Cat"}
    assert [len(current.statements_of(records.entity("Ann"), limit)) for limit in (1, 2, 3)] == [1, 2, 2]


def test_the_neighbours_of_an_entity_take_a_fixed_number_of_queries(django_assert_max_num_queries: object) -> None:
    records.checkpoint(default=0.5)
    three_scores()
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        current.neighbours(records.entity("Cat"))


def test_a_recording_marks_what_counts_and_an_edit_what_counted() -> None:
    records.checkpoint(default=0.5, sibling=0.7)
    post = records.post(TEXT)
    said = [("Ann", "child", "Bob", 0.3), ("Ann", "child", "Cat", 0.6)]
    records.read(post, NAMES, said)
    assert {name for kind, name in records.marked() if kind == "statement"} == {"Ann child Cat"}
    records.settle()
    records.edit(post, TEXT + " Dan came.")
    records.read(post, NAMES, [("Ann", "child", "Bob", 0.3)])
    assert {name for kind, name in records.marked() if kind == "statement"} == {"Ann child Cat"}
