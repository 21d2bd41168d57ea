"""Automatic merges by names: spelt alike, or aliases; and what prevents them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.urls import reverse
from django.utils import timezone

from extraction.models import Post
from knowledge.entities import auto_merge, merges
from knowledge.linking import link_queue
from knowledge.linking.linker import Linker
from knowledge.models import Entity, EntitySpelling, Link, Mention, Merge, Review, Statement
from knowledge.record import current
from knowledge.recording import erasure, reviews, splits
from knowledge.sources import index_builder
from knowledge.sources.local_index import LocalIndex
from knowledge.sources.protocol import Known
from tests import factories, records

pytestmark = pytest.mark.django_db
ALSO = "alternate_names"


@pytest.fixture
def linker(tmp_path: Path) -> Linker:
    index_builder.build(tmp_path / "index.sqlite3", "these", [Known("Q9", "Nobody Here")])
    return Linker.shipped([LocalIndex(tmp_path / "index.sqlite3")])


def recorded_post(name: str, kind: str = "person") -> Post:
    post = records.post(f"{name} met Ann Lee in {kind}.")
    records.read(post, [(name, kind), ("Ann Lee", "person")], [(name, "spouse", "Ann Lee")] if kind == "person" else [])
    return post


def roots(*names: str) -> set[int]:
    return {row.canonical_id or row.pk for row in Entity.objects.filter(label__in=names)}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Thomas Müller", "Thomas Mueller"),
        ("Thomas Mueller", "Thomas Müller"),
        ("Volodymyr Zelensky", "Володимир Зеленський"),
        ("Володимир Зеленський", "Volodymyr Zelenskyy"),
        ("Vladimir Putin", "Владимир Путин"),
        ("Владимир Путин", "Vladimir Putin"),
        ("Lech Walesa", "Lech Wałęsa"),
    ],
)
def test_names_that_are_spelt_alike_become_one_which_can_be_undone_for_good(
    linker: Linker, first: str, second: str
) -> None:
    records.checkpoint()
    recorded_post(first)
    recorded_post(second)
    assert link_queue.look_up(linker, "index").merged == 1
    assert len(roots(first, second)) == 1
    [edge] = current.statements_of(records.entity("Ann Lee"))
    assert edge.posts == 2
    assert records.entity(second).canonical == records.entity(first), "the older one stays"
    merges.undo(Merge.objects.get(), factories.make_user("editor"))
    link_queue.again()
    assert link_queue.look_up(linker, "index").merged == 0
    assert len(roots(first, second)) == 2


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("Michael Novak", "Michał Novak", "person"),
        ("Thomas Müller", "Thomas Mueller", "organization"),
        ("王伟", "王维", "person"),
    ],
)
def test_other_names_and_other_types_stay_apart(linker: Linker, first: str, second: str, kind: str) -> None:
    records.checkpoint()
    recorded_post(first)
    recorded_post(second, kind)
    assert link_queue.look_up(linker, "index").merged == 0
    assert len(roots(first, second)) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_all_that_one_may_be_spelt_as_are_one_in_whatever_order_they_come(
    linker: Linker, order: tuple[int, int, int]
) -> None:
    records.checkpoint()
    names = ("Anna Sorensen", "Anna Soerensen", "Anna Sørensen")
    for place in order:
        recorded_post(names[place])
    assert link_queue.look_up(linker, "index").merged == 2
    assert len(roots(*names)) == 1


def test_a_spelling_that_is_read_later_joins_what_was_apart(linker: Linker) -> None:
    records.checkpoint()
    recorded_post("Thomas Mueller")
    recorded_post("Thomas Muller")
    assert link_queue.look_up(linker, "index").merged == 0
    recorded_post("Thomas Müller")
    assert link_queue.look_up(linker, "index").merged == 1
    assert Entity.objects.filter(canonical__isnull=True, type="person").count() == 2, "he and Ann Lee"


def test_what_is_linked_to_different_things_stays_apart(linker: Linker) -> None:
    records.checkpoint()
    recorded_post("Thomas Müller")
    recorded_post("Thomas Mueller")
    Link.objects.filter(entity__label="Thomas Müller").update(target="Q1", due_at=None)
    Link.objects.filter(entity__label="Thomas Mueller").update(
        target="Q2", by=factories.make_user("editor"), due_at=timezone.now()
    )
    assert link_queue.look_up(linker, "index").merged == 0
    Link.objects.filter(entity__label="Thomas Mueller").update(target="Q1", due_at=timezone.now())
    assert link_queue.look_up(linker, "index").merged == 1


def test_what_a_split_parted_stays_apart(linker: Linker) -> None:
    records.checkpoint()
    one, _ = recorded_post("Thomas Müller"), recorded_post("Thomas Mueller")
    origin, target = records.entity("Thomas Müller"), records.entity("Thomas Mueller")
    splits.split(origin, [one], target, factories.make_user("editor"))
    assert link_queue.look_up(linker, "index").merged == 0
    assert len(roots("Thomas Müller", "Thomas Mueller")) == 2


def test_a_part_of_a_longer_name_is_no_spelling_of_it(linker: Linker) -> None:
    records.checkpoint()
    text = "Volodymyr Zelensky spoke. Zelensky left."
    records.read(records.post(text), [("Volodymyr Zelensky", "person"), ("Zelensky", "person")])
    recorded_post("Зеленский")
    assert link_queue.look_up(linker, "index").merged == 0


@pytest.mark.parametrize(
    ("called", "sought", "found"),
    [
        ("Thomas Müller", "Thomas Mueller", True),
        ("Thomas Müller", "mull", True),
        ("Владимир Путин", "Vladimir Putin", True),
        ("Vladimir Putin", "Владимир Путин", True),
        ("Vladimir Putin", "Владимир Ленин", False),
        ("Thomas Müller", "Thomas Mueller Lee", False),
    ],
)
def test_a_search_finds_a_name_in_its_other_spellings(called: str, sought: str, found: bool) -> None:
    from knowledge.views.entities import index as entities_index
    from knowledge.views.entities import neighbourhood

    records.checkpoint()
    recorded_post(called)
    one = records.entity(called)
    assert list(entities_index.filtered(sought)) == [one] * found
    assert list(entities_index.filtered(sought, "location")) == []
    assert neighbourhood._referenced(sought) == [one] * (found and " " in sought)


def test_an_erased_name_leaves_no_spelling() -> None:
    records.checkpoint()
    post = recorded_post("Thomas Müller")
    assert EntitySpelling.objects.filter(key="=thomas mueller").exists()
    plain = records.post("Thomas Muller laughed.")
    records.read(plain, [("Thomas Muller", "person")])
    erasure.erase(post, None)
    assert not EntitySpelling.objects.filter(key="=thomas mueller").exists()
    Entity.objects.get(key="thomas muller|person")
    recorded_post("Juri Gagarin")
    assert EntitySpelling.objects.count() == 1
    erasure.erase(Post.objects.latest("pk"), None)
    assert not EntitySpelling.objects.exists()


def test_entities_of_an_earlier_version_get_their_spellings() -> None:
    records.checkpoint()
    recorded_post("Thomas Müller")
    recorded_post("Владимир Путин")
    before = set(EntitySpelling.objects.values_list("entity", "key"))
    EntitySpelling.objects.all().delete()
    import_module("knowledge.migrations.0011_spellings").fill(apps, None)
    assert set(EntitySpelling.objects.values_list("entity", "key")) == before != set()


def test_two_names_that_a_post_gives_for_one_entity_are_one() -> None:
    records.checkpoint()
    recorded_post("Samuel Clemens")
    text = "Mark Twain, born Samuel Clemens, wed Olivia. Twain wrote."
    people = [(name, "person") for name in ("Mark Twain", "Samuel Clemens", "Olivia", "Twain")]
    relations = [("Mark Twain", ALSO, "Samuel Clemens", 0.9), ("Mark Twain", "spouse", "Olivia", 0.9)]
    records.read(records.post(text), people, relations)
    clemens = records.entity("Samuel Clemens")
    assert Entity.objects.count() == 3, "he, Ann Lee and Olivia"
    assert {name.name for name in clemens.names.all()} == {"Samuel Clemens", "Mark Twain", "Twain"}
    assert [(edge.head, edge.relation) for edge in current.statements_of(records.entity("Olivia"))]
    assert all(edge.relation != ALSO for edge in current.statements_of(clemens)), "it makes no statement any more"


@pytest.mark.parametrize(("score", "kind"), [(0.79, "person"), (0.95, "organization")])
def test_an_alias_of_low_confidence_or_another_type_merges_nothing(score: float, kind: str) -> None:
    records.checkpoint()
    names = [("Mark Twain", "person"), ("Samuel Clemens", kind)]
    records.read(
        records.post("Mark Twain, born Samuel Clemens."), names, [("Mark Twain", ALSO, "Samuel Clemens", score)]
    )
    assert len(roots("Mark Twain", "Samuel Clemens")) == 2
    assert [edge.relation for edge in current.statements_of(records.entity("Mark Twain"))] == [ALSO]


def test_two_names_of_one_post_stay_two_where_an_editor_parted_them() -> None:
    records.checkpoint()
    recorded_post("Samuel Clemens")
    recorded_post("Mark Twain")
    editor = factories.make_user("editor")
    merges.undo(merges.merge(records.entity("Samuel Clemens"), [records.entity("Mark Twain")], editor), editor)
    post = records.post("Mark Twain, born Samuel Clemens.")
    records.read(
        post, [("Mark Twain", "person"), ("Samuel Clemens", "person")], [("Mark Twain", ALSO, "Samuel Clemens", 0.9)]
    )
    assert Mention.objects.filter(reading__version__post=post).values("entity").distinct().count() == 2


def test_a_confirmed_second_name_makes_two_entities_one(client: object) -> None:
    records.checkpoint()
    post = records.post("Mark Twain, born Samuel Clemens.")
    records.read(
        post, [("Mark Twain", "person"), ("Samuel Clemens", "person")], [("Mark Twain", ALSO, "Samuel Clemens", 0.6)]
    )
    assert len(roots("Mark Twain", "Samuel Clemens")) == 2
    editor = factories.make_user("editor")
    client.force_login(editor)  # type: ignore[attr-defined]
    reviews.review(post, Statement.objects.get(relation=ALSO), Review.Verdict.ACCEPT, editor)
    assert len(roots("Mark Twain", "Samuel Clemens")) == 1
    made = Merge.objects.get()
    assert made.by == editor
    page = client.get(reverse("entity", args=[made.survivor.public_id]))  # type: ignore[attr-defined]
    assert page.status_code == 200
    merges.undo(made, editor)
    assert auto_merge.by_accepted_alias(Statement.objects.get(relation=ALSO), editor) == 0
    assert len(roots("Mark Twain", "Samuel Clemens")) == 2
