"""Entity splits: in chosen posts mentions mean another entity, now and whenever the posts are read again."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from extraction.models import Post
from knowledge.entities import merges
from knowledge.linking import link_queue
from knowledge.models import Assertion, Entity, Event, Link, Mention, Review, Split
from knowledge.record import current
from knowledge.recording import recorder, splits
from tests import factories, records

pytestmark = pytest.mark.django_db
ONE = "John Smith, the explorer, wed Olivia."
OTHER = "John Smith, the banker, wed Clara."


def read(text: str, wife: str) -> Post:
    made = records.post(text)
    records.read(made, [("John Smith", "person"), (wife, "person")], [("John Smith", "spouse", wife)])
    return made


@pytest.fixture
def two() -> tuple[Post, Post]:
    records.checkpoint()
    return read(ONE, "Olivia"), read(OTHER, "Clara")


def wives() -> dict[int, set[str]]:
    """The spouses of each entity with the label John Smith."""
    called = Entity.objects.filter(label="John Smith").values_list("pk", flat=True)
    found: dict[int, set[str]] = {pk: set() for pk in called}
    for head, _, tail in current.supported_statements().values_list("head_now", "relation", "tail_now"):
        for one, other in ((head, tail), (tail, head)):
            if one in found:
                found[one].add(Entity.objects.get(pk=other).label)
    return found


def test_a_new_entity_is_not_called_by_a_pronoun_and_a_claim_is_that_of_who_is_meant() -> None:
    records.checkpoint()
    post = records.post(records.DEAL)
    recorder.record(records.claim_of(post), records.deal())
    made = splits.split(records.entity("Facebook"), [post], None, None)
    assert list(made.target.names.values_list("name", flat=True)) == ["Facebook"]
    records.settle()
    splits.split(records.entity("Zoe"), [post], records.entity("Ann"), None)
    assert ("statement", "Facebook acquired WhatsApp") in records.marked()


def test_a_split_moves_the_posts_statements_marks_them_and_is_undone(two: tuple[Post, Post]) -> None:
    smith = records.entity("John Smith")
    statement = Assertion.objects.get(reading__version__post=two[1]).statement
    Review.objects.create(post=two[1], statement=statement, verdict="accept", quintuple={}, quotes={})
    records.settle()
    made = splits.split(smith, [two[1]], None, factories.make_user("editor"))
    assert wives() == {smith.pk: {"Olivia"}, made.target_id: {"Clara"}}
    judged = Review.objects.get().statement
    assert made.target_id in (judged.head_id, judged.tail_id), "a verdict goes with its post"
    assert {("post", two[1].link), ("entity", "John Smith")} <= records.marked()
    assert ("post", two[0].link) not in records.marked()
    assert Link.objects.filter(entity=made.target, due_at__isnull=False).exists()
    records.settle()
    splits.undo(made, None)
    assert wives() == {smith.pk: {"Olivia", "Clara"}, made.target_id: set()}
    assert not Mention.objects.filter(resolved__isnull=False).exists()
    assert ("post", two[1].link) in records.marked()
    assert list(Event.objects.values_list("what", flat=True)) == ["split", "split undone"]
    splits.undo(made, None)
    assert Event.objects.count() == 2


def test_a_post_that_is_read_again_finds_the_same(two: tuple[Post, Post]) -> None:
    smith = records.entity("John Smith")
    made = splits.split(smith, [two[1]], None, None)
    records.edit(two[1], OTHER + " Dora watched.")
    relations: list[records.RelationSpec] = [("John Smith", "spouse", "Clara"), ("John Smith", "sibling", "Dora")]
    records.read(two[1], [(name, "person") for name in ("John Smith", "Clara", "Dora")], relations)
    read("John Smith wed Esther.", "Esther")
    assert wives() == {smith.pk: {"Olivia", "Esther"}, made.target_id: {"Clara", "Dora"}}
    splits.undo(made, None)
    assert wives()[smith.pk] == {"Olivia", "Esther", "Clara", "Dora"}


def test_linking_never_merges_what_was_split_and_an_editor_may(two: tuple[Post, Post]) -> None:
    smith = records.entity("John Smith")
    made = splits.split(smith, [two[1]], None, None)
    for entity in (smith, made.target):
        Link.objects.update_or_create(entity=entity, defaults={"target": "Q1", "sure": 0.99, "due_at": timezone.now()})
    assert link_queue._merge_same_links(Link.objects.get(entity=made.target)) == 0
    merges.merge(smith, [made.target], None)
    assert wives()[smith.pk] == {"Olivia", "Clara"}


def test_splits_over_each_other_end_where_the_last_one_leads(two: tuple[Post, Post]) -> None:
    smith = records.entity("John Smith")
    first = splits.split(smith, [two[1]], None, None)
    splits.split(first.target, [two[1]], smith, None)
    assert wives()[smith.pk] == {"Olivia", "Clara"}, "back where it came from"
    third = splits.split(smith, [two[0], two[1]], first.target, None)
    fourth = splits.split(first.target, [two[1]], None, None)
    assert wives() == {smith.pk: set(), first.target_id: {"Olivia"}, fourth.target_id: {"Clara"}}
    splits.undo(third, None)
    splits.undo(fourth, None)
    assert wives()[smith.pk] == {"Olivia", "Clara"}


def test_nothing_to_split_is_refused(two: tuple[Post, Post]) -> None:
    smith = records.entity("John Smith")
    for posts, target in (([], None), ([two[0]], smith)):
        with pytest.raises(splits.NothingToSplit):
            splits.split(smith, posts, target, None)
    assert not Split.objects.exists()


def test_an_editor_does_it_on_the_page(two: tuple[Post, Post], client: Any) -> None:
    smith = records.entity("John Smith")
    page, address = reverse("entity", args=[smith.public_id]), reverse("split", args=[smith.public_id])
    client.force_login(factories.make_user("viewer"))
    assert client.post(address, {"post": [two[1].public_id]}).status_code == 403
    client.force_login(factories.make_user("editor"))
    assert f'value="{two[1].public_id}"' in client.get(page).content.decode()
    assert "Choose posts" in client.post(address, {}, follow=True).content.decode()
    client.post(address, {"post": [two[1].public_id]})
    made = Split.objects.get()
    shown = client.get(page).content.decode()
    assert "Splits" in shown and "Clara" not in shown
    client.post(reverse("undo_split", args=[smith.public_id]), {"split": made.pk})
    assert "Clara" in client.get(page).content.decode()


def test_a_merge_by_name_first_shows_what_it_touches(two: tuple[Post, Post], client: Any) -> None:
    client.force_login(factories.make_user("editor"))
    olivia, clara = records.entity("Olivia"), records.entity("Clara")
    address = reverse("merge", args=[olivia.public_id])
    asked = client.post(address, {"other": "Clara"}).content.decode()
    assert "1 statement and 1 post" in asked
    assert Entity.objects.get(pk=clara.pk).canonical is None
    client.post(address, {"other": str(clara.public_id), "sure": "yes"})
    assert Entity.objects.get(pk=clara.pk).canonical == olivia


def test_the_graph_follows_a_split_and_its_undo(two: tuple[Post, Post]) -> None:
    smith = records.entity("John Smith")
    store = records.MemoryStore()
    records.project(store)
    made = splits.split(smith, [two[1]], None, None)
    assert records.project(store).done
    stated = {key: str(unit) for key, unit in store.units.items() if str(made.target.public_id) in str(unit)}
    assert two[1].public_id in stated and two[0].public_id not in stated
    splits.undo(made, None)
    records.project(store)
    assert str(made.target.public_id) not in str(store.units[two[1].public_id])
