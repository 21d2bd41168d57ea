"""The projector by itself: what it takes, marks done, keeps as errors; and that a change in between is not lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from extraction.models import Post
from knowledge.entities import merges
from knowledge.graphs import projector, unit_builder
from knowledge.graphs.stores import STORES
from knowledge.graphs.units import EntityUnit, PostUnit, StatementUnit, Unit
from knowledge.models import Entity, Projection, ProjectorLock, Statement
from knowledge.record import projection_queue, thresholds
from knowledge.record.projection_queue import stale
from knowledge.recording import reviews
from tests import records

pytestmark = pytest.mark.django_db

TEXT = "Ann married Bob in Rome."
NAMES = [("Ann", "person"), ("Bob", "person"), ("Rome", "location")]
TRIPLES = [("Ann", "spouse", "Bob"), ("Ann", "place_of_birth", "Rome")]


@pytest.fixture
def post() -> Post:
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, TRIPLES)
    made.refresh_from_db()
    return made


def unit(store: records.MemoryStore, row: Post | Entity | Statement) -> Unit:
    return store.units[row.public_id]


def test_everything_marked_is_projected_and_then_nothing_is_stale(post: Post) -> None:
    store = records.MemoryStore()
    done = records.project(store)
    assert (done.done, done.failed, stale("rdf").count()) == (6, 0, 0)
    shown = unit(store, post)
    assert isinstance(shown, PostUnit) and shown.content is not None
    assert [one.triple.relation for one in shown.content.assertions] == ["spouse", "place_of_birth"]
    assert len(shown.content.mentions) == 3
    assert not records.project(store), "nothing is left to do"


def test_marks_that_come_together_are_one_projection(post: Post) -> None:
    store = records.MemoryStore()
    records.project(store)
    for _ in range(5):
        projection_queue.mark_posts([post])
    requests = store.requests
    records.project(store)
    assert store.requests == requests + 1
    assert Projection.objects.get(key=post.public_id).done == 6


def test_a_change_while_an_update_is_written_leaves_it_stale(post: Post) -> None:
    class Interrupted(records.MemoryStore):
        def replace(self, units: Sequence[Unit]) -> None:
            super().replace(units)
            if self.requests == 1:
                Post.objects.update(state=Post.State.WITHDRAWN)
                projection_queue.mark_posts([post])

    store = Interrupted()
    projector.run("rdf", opened=store, chunk=100)
    assert store.requests == 2
    shown = unit(store, post)
    assert isinstance(shown, PostUnit) and shown.content is None


def test_a_refused_update_keeps_its_error_and_waits_while_others_continue(post: Post) -> None:
    store = records.MemoryStore()
    store.refuse = {post.public_id}
    done = records.project(store)
    assert (done.done, done.failed) == (5, 1)
    row = stale("rdf").get()
    assert (row.key, row.attempts, row.error) == (post.public_id, 1, "malformed")
    assert row.due_at is not None and row.due_at > timezone.now()
    assert not records.project(store), "it waits"
    store.refuse = set()
    stale("rdf").update(due_at=timezone.now())
    assert records.project(store).done == 1
    row.refresh_from_db()
    assert (row.attempts, row.error) == (0, "")


def test_the_wait_grows_and_ends_when_the_post_changes(post: Post) -> None:
    store = records.MemoryStore()
    store.refuse = {post.public_id}
    waits: list[timedelta] = []
    for _ in range(4):
        Projection.objects.update(due_at=timezone.now())
        records.project(store)
        due = stale("rdf").get().due_at
        assert due is not None
        waits.append(due - timezone.now())
    assert all(later > sooner * 1.5 for sooner, later in pairwise(waits))
    projection_queue.mark_posts([post])
    store.refuse = set()
    assert records.project(store).done


def test_a_store_that_does_not_answer_delays_all_and_counts_no_attempt(post: Post) -> None:
    store = records.MemoryStore()
    store.down = True
    done = records.project(store)
    assert not done and done.unavailable == "the store is down"
    assert stale("rdf").filter(attempts=0).count() == 6
    store.down = False
    assert records.project(store).done == 6


def test_an_update_that_cannot_be_built_delays_no_other(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(keys: Sequence[object]) -> list[PostUnit]:
        if keys:
            raise KeyError("broken")
        return []

    monkeypatch.setattr(unit_builder, "posts", broken)
    done = records.project()
    assert (done.done, done.failed) == (5, 1)
    assert "KeyError" in stale("rdf").get().error


def test_one_projector_at_a_time_and_a_dead_ones_lease_runs_out(post: Post) -> None:
    ProjectorLock.objects.create(store="rdf", token="another", until=timezone.now() + timedelta(minutes=1))
    assert not records.project()
    assert not projector.start_over("rdf", records.MemoryStore())
    ProjectorLock.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert records.project().done == 6
    assert ProjectorLock.objects.get().token == ""


def test_one_that_lost_its_lease_writes_no_more(post: Post) -> None:
    class Slow(records.MemoryStore):
        def replace(self, units: Sequence[Unit]) -> None:
            super().replace(units)
            ProjectorLock.objects.update(token="another", until=timezone.now() + timedelta(minutes=1))

    store = Slow()
    projector.run("rdf", opened=store, chunk=1)
    assert store.requests == 1
    assert ProjectorLock.objects.get().token == "another"


def test_a_death_after_the_store_took_it_only_repeats_work(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    store = records.MemoryStore()
    with monkeypatch.context() as patch:
        patch.setattr(projector, "_mark_done", lambda rows: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            records.project(store)
    before = dict(store.units)
    assert stale("rdf").count() == 6
    records.project(store)
    assert store.units == before and stale("rdf").count() == 0


def test_a_symmetric_statement_is_one_update_and_an_assertion_keeps_its_direction(post: Post) -> None:
    other = records.post("Bob married Ann.")
    records.read(other, NAMES[:2], [("Bob", "spouse", "Ann")])
    store = records.MemoryStore()
    records.project(store)
    ann, bob = records.entity("Ann").public_id, records.entity("Bob").public_id
    statement = unit(store, Statement.objects.get(relation="spouse"))
    assert isinstance(statement, StatementUnit)
    [triple] = statement.present
    assert {triple.head, triple.tail} == {ann, bob} and not statement.gone
    shown = unit(store, other)
    assert isinstance(shown, PostUnit) and shown.content is not None
    assert (shown.content.assertions[0].triple.head, shown.content.assertions[0].triple.tail) == (bob, ann)


def test_a_merge_moves_the_triple_and_its_undo_brings_it_back(post: Post) -> None:
    records.read(records.post("Anna married Bob."), [("Anna", "person"), NAMES[1]], [("Anna", "spouse", "Bob")])
    ann, anna, bob = (records.entity(name) for name in ("Ann", "Anna", "Bob"))
    store = records.MemoryStore()
    records.project(store)
    done = merges.merge(ann, [anna], None)
    records.project(store)
    of_anna = Statement.objects.get(head__in=[anna, bob], tail__in=[anna, bob])
    moved = unit(store, of_anna)
    assert isinstance(moved, StatementUnit)
    assert [{one.head, one.tail} for one in moved.present] == [{ann.public_id, bob.public_id}]
    assert [{one.head, one.tail} for one in moved.gone] == [{anna.public_id, bob.public_id}]
    pointer = unit(store, anna)
    assert isinstance(pointer, EntityUnit) and pointer.content is not None
    assert pointer.content.survivor == ann.public_id
    survivor = unit(store, ann)
    assert isinstance(survivor, EntityUnit) and survivor.content is not None
    assert [name.name for name in survivor.content.names] == ["Ann", "Anna"]

    merges.undo(done, None)
    records.project(store)
    back = unit(store, of_anna)
    assert isinstance(back, StatementUnit)
    ends = {frozenset((one.head, one.tail)) for one in back.present}
    assert ends == {frozenset((one.public_id, bob.public_id)) for one in (ann, anna)}
    assert not back.gone, "what another row supports is not taken out"


def test_reviews_and_thresholds_reach_the_store(post: Post) -> None:
    store = records.MemoryStore()
    records.project(store)
    spouse, born = (Statement.objects.get(relation=relation) for relation in ("spouse", "place_of_birth"))
    reviews.review(post, spouse, "accept", None)
    reviews.review(post, born, "reject", None)
    thresholds.set_active({"default": 0.99})
    records.project(store)
    shown = unit(store, post)
    assert isinstance(shown, PostUnit) and shown.content is not None
    [alone] = shown.content.assertions
    assert (alone.triple.relation, alone.accepted, alone.score) == ("spouse", True, None)
    assert alone.head is not None and TEXT[alone.head.start : alone.head.end] in ("Ann", "Bob")
    gone = unit(store, born)
    assert isinstance(gone, StatementUnit) and not gone.present and len(gone.gone) == 1


def test_building_takes_a_fixed_number_of_queries(post: Post, django_assert_max_num_queries: object) -> None:
    for number in range(6):
        records.read(records.post(f"{TEXT} {number}"), NAMES, TRIPLES)
    rows = list(Projection.objects.all())
    with django_assert_max_num_queries(24):  # type: ignore[operator]
        unit_builder.units(rows)


def test_recorders_and_the_projector_lock_rows_in_one_order(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """In two orders PostgreSQL would find them waiting for each other in a ring, and end one of them."""
    marked: list[tuple[Projection.Kind, list[UUID]]] = []
    monkeypatch.setattr(projection_queue, "_upsert", lambda store, kind, keys: marked.append((kind, keys)))
    again = records.post("Cleo married Dan in Bonn.")
    records.read(again, [("Cleo", "person"), ("Dan", "person"), ("Bonn", "location")], [("Cleo", "spouse", "Dan")])
    taken = [Projection(kind=kind, key=key) for kind, keys in marked for key in keys]
    assert len({unit.kind for unit in taken}) == 3
    assert taken == sorted(taken, key=projection_queue.in_order)
    asked: list[Projection] = []

    def in_order(unit: Projection) -> tuple[int, UUID]:
        asked.append(unit)
        return projection_queue.in_order(unit)

    monkeypatch.setattr(projector, "in_order", in_order)
    projector._mark_done(list(Projection.objects.order_by("-pk")))
    assert len(asked) == Projection.objects.count()


@pytest.mark.parametrize("address", ["", "bolt://neo4j.example:7687"])
def test_the_names_in_the_queue_are_those_of_the_stores(settings: Any, address: str) -> None:
    settings.NEO4J_URL = address
    names = projection_queue.store_names()
    assert set(names) == set(STORES) - (set() if address else {"neo4j"})
