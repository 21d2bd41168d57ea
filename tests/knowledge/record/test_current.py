"""Active thresholds, what they show and mark; the current query's edges."""

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
    relations = [("Ann", "child", "Bob", 0.3), ("Ann", "child", "Cat", 0.6), ("Bob", "sibling", "Cat", 0.6)]
    records.read(post, NAMES, relations)
    records.settle()


def test_the_threshold_of_the_checkpoint_is_active_relation_by_relation() -> None:
    records.checkpoint(default=0.5, sibling=0.7)
    three_scores()
    assert records.supported_triples() == {("Ann", "child", "Cat")}


def test_a_score_at_the_threshold_is_active() -> None:
    records.checkpoint(default=0.6)
    three_scores()
    assert ("Ann", "child", "Cat") in records.supported_triples()


def test_another_threshold_marks_what_it_changes_and_reads_nothing() -> None:
    records.checkpoint(default=0.5, sibling=0.7)
    three_scores()
    thresholds.set_active({"default": 0.2, "sibling": 0.7})
    assert records.supported_triples() == {("Ann", "child", "Cat"), ("Ann", "child", "Bob")}
    kinds = {(kind, name) for kind, name in records.marked() if kind != "post"}
    assert kinds == {("statement", "Ann child Bob"), ("entity", "Ann"), ("entity", "Bob")}
    assert len(records.marked()) == 4
    assert Event.objects.get().after == {"default": 0.2, "sibling": 0.7}
    records.settle()
    thresholds.set_active({"default": 0.2, "sibling": 0.7})
    assert records.marked() == set(), "nothing changed"


@pytest.mark.parametrize("wrong", [{"adores": 0.5}, {"default": 1.5}, {"default": float("nan")}])
def test_wrong_thresholds_are_refused(wrong: dict[str, float]) -> None:
    records.checkpoint()
    with pytest.raises(ValueError, match=r"relation|threshold"):
        thresholds.set_active(wrong)
    assert Deployment.objects.get().thresholds == {}


def test_no_threshold_without_a_deployment() -> None:
    with pytest.raises(ValueError, match="deployed"):
        thresholds.set_active({"default": 0.4})


def test_scores_and_neighbours_come_from_active_assertions() -> None:
    records.checkpoint(default=0.5)
    three_scores()
    found, count = current.neighbours(records.entity("Cat"), limit=1)
    assert (len(found), count) == (1, 2)
    assert {edge.score for edge in current.statements_of(records.entity("Cat"))} == {0.6}


def test_inactive_assertions_take_no_place_among_the_newest_statements() -> None:
    records.checkpoint(default=0.5)
    text = "Ann, Bob, Cat, Dan and Eve."
    names = [*NAMES, ("Dan", "person"), ("Eve", "person")]
    relations = [("Ann", "child", "Bob", 0.9), ("Ann", "child", "Cat", 0.9), ("Ann", "child", "Dan", 0.1)]
    records.read(records.post(text), names, relations)
    records.read(records.post(f"Again {text}"), names, [("Ann", "child", "Eve", 0.1)])
    found = {edge.tail.label for limit in (1, 2, 3) for edge in current.statements_of(records.entity("Ann"), limit)}
    assert found == {"Bob", "Cat"}
    assert [len(current.statements_of(records.entity("Ann"), limit)) for limit in (1, 2, 3)] == [1, 2, 2]


def test_the_neighbours_of_an_entity_take_a_fixed_number_of_queries(django_assert_max_num_queries: object) -> None:
    records.checkpoint(default=0.5)
    three_scores()
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        current.neighbours(records.entity("Cat"))


def test_a_recording_marks_active_assertions_and_an_edit_formerly_active_ones() -> None:
    records.checkpoint(default=0.5, sibling=0.7)
    post = records.post(TEXT)
    relations = [("Ann", "child", "Bob", 0.3), ("Ann", "child", "Cat", 0.6)]
    records.read(post, NAMES, relations)
    assert {name for kind, name in records.marked() if kind == "statement"} == {"Ann child Cat"}
    records.settle()
    records.edit(post, TEXT + " Dan came.")
    records.read(post, NAMES, [("Ann", "child", "Bob", 0.3)])
    assert {name for kind, name in records.marked() if kind == "statement"} == {"Ann child Cat"}
