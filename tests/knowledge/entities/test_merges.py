"""Merging entities, seeing them as one, and undoing it in any order."""

from __future__ import annotations

import pytest

from extraction.models import Post
from knowledge.entities import merges
from knowledge.models import Entity, Event, Mention, Statement
from knowledge.record import current
from knowledge.views.entities.merge_split import affected
from tests import records

pytestmark = pytest.mark.django_db


def recorded_post(text: str, *relations: records.RelationSpec) -> None:
    """Record a post with these relations between people."""
    names = sorted({name for item in relations for name in (item[0], item[2])})
    records.read(records.post(text), [(name, "person") for name in names], relations)


def three() -> tuple[Entity, Entity, Entity]:
    records.checkpoint()
    recorded_post("Samuel Clemens wed Olivia.", ("Samuel Clemens", "spouse", "Olivia"))
    recorded_post("Mark Twain wed Olivia.", ("Mark Twain", "spouse", "Olivia"))
    recorded_post("S. L. Clemens is the father of Clara.", ("Clara", "father", "S. L. Clemens"))
    return records.entity("Samuel Clemens"), records.entity("Mark Twain"), records.entity("S. L. Clemens")


def test_a_merge_of_three_and_its_undo_after_new_posts() -> None:
    clemens, twain, initials = three()
    records.settle()
    done = merges.merge(twain, [clemens, initials], None)
    assert records.supported_triples() == {("Olivia", "spouse", "Mark Twain"), ("Clara", "father", "Mark Twain")} or (
        records.supported_triples() == {("Mark Twain", "spouse", "Olivia"), ("Clara", "father", "Mark Twain")}
    )
    edges = {(edge.relation, edge.posts, len(edge.statements)) for edge in current.statements_of(twain)}
    assert edges == {("spouse", 2, 2), ("father", 1, 1)}
    assert set(current.entities().values_list("label", flat=True)) == {"Mark Twain", "Olivia", "Clara"}
    marked = {name for kind, name in records.marked() if kind == "entity"}
    assert {"Mark Twain", "Samuel Clemens", "S. L. Clemens"} <= marked
    assert len([1 for kind, _ in records.marked() if kind == "post"]) == 3

    recorded_post("Samuel Clemens had a brother, Orion.", ("Samuel Clemens", "sibling", "Orion"))
    assert "Orion" in {end for edge in current.statements_of(twain) for end in (edge.head.label, edge.tail.label)}

    records.settle()
    merges.undo(done, None)
    assert not Entity.objects.filter(canonical__isnull=False).exists()
    assert {edge.relation for edge in current.statements_of(clemens)} == {"spouse", "sibling"}
    assert {edge.relation for edge in current.statements_of(twain)} == {"spouse"}
    assert {name for kind, name in records.marked() if kind == "entity"} >= {"Mark Twain", "Samuel Clemens"}
    assert Event.objects.filter(what__startswith="merge").count() == 2


def test_mentions_and_statements_keep_the_rows_that_they_were_resolved_to() -> None:
    clemens, twain, initials = three()
    before = (
        list(Mention.objects.order_by("pk").values_list("entity", flat=True)),
        list(Statement.objects.order_by("pk").values_list("head", "tail")),
    )
    merges.merge(twain, [clemens, initials], None)
    after = (
        list(Mention.objects.order_by("pk").values_list("entity", flat=True)),
        list(Statement.objects.order_by("pk").values_list("head", "tail")),
    )
    assert before == after


def test_pointers_stay_flat_and_merging_a_merged_entity_merges_its_survivor() -> None:
    clemens, twain, initials = three()
    merges.merge(clemens, [initials], None)
    merges.merge(twain, [initials], None)
    pointers = dict(Entity.objects.filter(canonical__isnull=False).values_list("label", "canonical__label"))
    assert pointers == {"Samuel Clemens": "Mark Twain", "S. L. Clemens": "Mark Twain"}


def test_undoing_the_earlier_merge_first() -> None:
    clemens, twain, initials = three()
    earlier = merges.merge(clemens, [initials], None)
    later = merges.merge(twain, [clemens], None)
    merges.undo(earlier, None)
    pointers = dict(Entity.objects.filter(canonical__isnull=False).values_list("label", "canonical__label"))
    assert pointers == {"Samuel Clemens": "Mark Twain"}
    merges.undo(later, None)
    assert not Entity.objects.filter(canonical__isnull=False).exists()


def test_undoing_the_later_merge_keeps_the_earlier() -> None:
    clemens, twain, initials = three()
    merges.merge(clemens, [initials], None)
    merges.undo(merges.merge(twain, [clemens], None), None)
    pointers = dict(Entity.objects.filter(canonical__isnull=False).values_list("label", "canonical__label"))
    assert pointers == {"S. L. Clemens": "Samuel Clemens"}


def test_an_undone_merge_is_undone_once() -> None:
    clemens, twain, _ = three()
    done = merges.merge(twain, [clemens], None)
    merges.undo(done, None)
    again = merges.merge(twain, [clemens], None)
    merges.undo(done, None)
    clemens.refresh_from_db()
    assert clemens.canonical_id == again.survivor_id


def test_a_statement_that_became_a_loop_is_hidden_and_returns() -> None:
    records.checkpoint()
    recorded_post("Mark Twain met Samuel Clemens.", ("Mark Twain", "sibling", "Samuel Clemens"))
    twain, clemens = records.entity("Mark Twain"), records.entity("Samuel Clemens")
    records.settle()
    done = merges.merge(twain, [clemens], None)
    assert records.supported_triples() == set() and Statement.objects.count() == 1
    assert any(kind == "post" for kind, _ in records.marked())
    merges.undo(done, None)
    assert len(records.supported_triples()) == 1


def test_nothing_to_merge_is_refused_and_leaves_no_trace() -> None:
    clemens, twain, _ = three()
    merges.merge(twain, [clemens], None)
    events = Event.objects.count()
    with pytest.raises(merges.NothingToMerge):
        merges.merge(twain, [clemens], None)
    with pytest.raises(merges.NothingToMerge):
        merges.merge(twain, [twain], None)
    assert Event.objects.count() == events


def test_neighbours_of_a_merged_entity() -> None:
    clemens, twain, initials = three()
    merges.merge(twain, [clemens, initials], None)
    initials.refresh_from_db()
    found, count = current.neighbours(initials)
    assert [(one.entity.label, len(one.edges)) for one in found] == [("Olivia", 1), ("Clara", 1)]
    assert count == 2


def test_what_a_merge_would_touch_is_counted_for_each_entity_with_its_merged_ones() -> None:
    clemens, twain, initials = three()
    merges.merge(twain, [clemens], None)
    clemens.refresh_from_db()
    olivia = records.entity("Olivia")
    found = affected([twain, initials, olivia])
    triples = {(one.head_now, one.relation, one.tail_now) for one in current.supported_statements()}
    by_hand = {
        one.pk: (
            sum(one.pk in (head, tail) for head, _, tail in triples),
            Post.objects.filter(current_reading__mentions__entity__in=rows).distinct().count(),
        )
        for one, rows in ((twain, [twain, clemens]), (initials, [initials]), (olivia, [olivia]))
    }
    assert found == by_hand
    assert found[twain.pk] == (1, 2), "two posts state one statement now"


def test_the_marks_of_very_many_statements_come_later_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clemens, twain, initials = three()
    records.settle()
    monkeypatch.setattr(merges, "MARKED_AT_ONCE", 1)
    done = merges.merge(twain, [clemens, initials], None)
    assert {kind for kind, _ in records.marked()} == {"entity"} and merges.unmarked().exists()
    asked = iter([True, False])
    merges.mark_rest(lambda: next(asked))
    assert merges.unmarked().exists(), "one that is stopped starts again"
    merges.mark_rest()
    assert not merges.unmarked().exists()
    late = {name for kind, name in records.marked() if kind != "entity"}
    records.settle()
    monkeypatch.undo()
    merges.undo(done, None)
    assert late == {name for kind, name in records.marked() if kind != "entity"} and len(late) == 6


def test_a_projector_marks_what_a_merge_left_before_it_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    clemens, twain, initials = three()
    whole, late = records.MemoryStore(), records.MemoryStore()
    done = merges.merge(twain, [clemens, initials], None)
    records.project(whole)
    merges.undo(done, None)
    records.project(late)
    monkeypatch.setattr(merges, "MARKED_AT_ONCE", 1)
    merges.merge(twain, [clemens, initials], None)
    records.project(late)
    assert not merges.unmarked().exists()
    assert late.units == whole.units
