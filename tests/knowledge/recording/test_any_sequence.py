"""Random sequences of edits, readings, corrections, merges, splits, prunes and undos: the stores follow, checks are
clean, and undoing everything gives the graph back."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from extraction.models import Post
from extraction.readings import reading_requests
from knowledge.entities import edits, merges
from knowledge.graphs import unit_builder
from knowledge.models import Assertion, Entity, Mention, Projection, Review, Statement
from knowledge.record import integrity
from knowledge.recording import mention_corrections, reviews, splits
from knowledge.recording.claims import Change, ImpossibleClaim, NothingToReview
from knowledge.recording.mention_corrections import MarkedWords
from tests import records
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

BODY = "Story\n\nAnn met Bob in Rome. Ann hired Bob. Cleo and Bob left Rome, Ann told Cleo."
OTHER = BODY.replace("Story", "A longer story").replace("Ann hired Bob. ", "")
TYPES = ("person", "organization", "location")
NAMES = [("Ann", "person"), ("Bob", "person"), ("Rome", "location"), ("Cleo", "person")]
RELATIONS: list[records.RelationSpec] = [
    ("Ann", "spouse", "Bob", 0.9),
    ("Ann", "residence", "Rome", 0.6),
    ("Bob", "killed_by", "Cleo", 0.4),
    ("Cleo", "child", "Ann", 0.8),
]
some = st.integers(0, 1000)


class Desk(RuleBasedStateMachine):
    """Two editors and a reader at two posts. `done` has what can be undone, in the order in which it was done."""

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.atomic()
        self.point.__enter__()
        records.checkpoint()
        self.editors = [make_user("editor"), make_user("editor")]
        self.posts = [records.post(f"{BODY}", link=f"https://news.example/{number}") for number in range(2)]
        for post in self.posts:
            records.read(post, NAMES, RELATIONS)
        self.store = records.MemoryStore()
        self.store.shows_support = True
        records.project(self.store)
        self.done: list[Any] = []
        self.before = graph()
        self.read_again = False

    def teardown(self) -> None:
        try:
            self.undo_everything()
        finally:
            transaction.set_rollback(True)
            self.point.__exit__(None, None, None)

    def undo_everything(self) -> None:
        for undo in reversed(self.done):
            undo()
        if not self.read_again:
            assert graph() == self.before
        self.the_store_holds_what_the_record_holds()

    @rule(post=some, text=st.sampled_from([BODY, OTHER]), relations=st.sets(st.sampled_from(RELATIONS)))
    def edit_the_post(self, post: int, text: str, relations: set[Any]) -> None:
        self.read_again = True
        chosen = self.post(post)
        records.edit(chosen, text)
        records.read(chosen, NAMES, sorted(relations))

    @rule(post=some, names=st.sets(st.sampled_from(NAMES)), relations=st.sets(st.sampled_from(RELATIONS)))
    def analyse_again(self, post: int, names: set[Any], relations: set[Any]) -> None:
        self.read_again = True
        other = records.checkpoint(f"reader {Mention.everything.count()} {len(self.done)} {post}", active=False)
        records.activate(other)
        reading_requests.request_missing(other)
        known = {name for name, _ in names}
        kept = sorted(one for one in relations if {one[0], one[2]} <= known)
        for chosen in self.posts:
            records.read(self.post(chosen.pk), sorted(names), kept)

    @rule(which=some, editor=some, verdict=st.sampled_from(["accept", "reject"]))
    def judge(self, which: int, editor: int, verdict: str) -> None:
        post, statement = self.statement(which)
        if statement is not None:
            with contextlib.suppress(NothingToReview):
                self.to_undo_review(reviews.review(post, statement, verdict, self.editors[editor % 2]), editor)

    @rule(
        which=some,
        editor=some,
        relation=st.sampled_from([None, "sibling", "peer", "residence"]),
        reverse=st.booleans(),
        factuality=st.sampled_from([None, "planned", "alleged", "denied"]),
    )
    def correct(self, which: int, editor: int, relation: Any, reverse: bool, factuality: Any) -> None:
        post, statement = self.statement(which)
        if statement is not None:
            change = Change(relation=relation, reverse=reverse, factuality=factuality)
            with contextlib.suppress(NothingToReview, ImpossibleClaim):
                self.to_undo_review(reviews.correct(post, statement, change, self.editors[editor % 2]), editor)

    @rule(post=some, head=some, tail=some, editor=some, relation=st.sampled_from(["spouse", "residence", "member_of"]))
    def add_a_statement(self, post: int, head: int, tail: int, editor: int, relation: str) -> None:
        chosen = self.post(post)
        rows = list(Mention.objects.filter(reading=chosen.current_reading_id).order_by("pk"))
        if rows:
            ends = (rows[head % len(rows)], rows[tail % len(rows)])
            try:
                made = reviews.add(chosen, ends, Change(relation=relation), self.editors[editor % 2])
            except ImpossibleClaim:
                return
            self.to_undo_review(made, editor)

    @rule(post=some, start=some, length=st.integers(1, 6), kind=st.sampled_from(TYPES))
    def mark_words(self, post: int, start: int, length: int, kind: str) -> None:
        chosen = self.post(post)
        text = chosen.current_reading.version.text  # type: ignore[union-attr]
        words = [place for place in range(9, len(text) - 7) if text[place - 1] == " "]
        at = words[start % len(words)]
        try:
            made = mention_corrections.add(chosen, MarkedWords(at, at + length, kind), None)
        except mention_corrections.ImpossibleMention:
            return
        self.done.append(lambda: mention_corrections.withdraw(refreshed(made), None))

    @rule(which=some, kind=st.sampled_from([*TYPES, ""]), to=some)
    def correct_a_mention(self, which: int, kind: str, to: int) -> None:
        rows = list(
            Mention.objects.filter(reading__current_of__isnull=False).order_by("reading__version__post", "start")
        )
        if not rows:
            return
        mention = rows[which % len(rows)]
        if not kind:
            made = mention_corrections.delete(mention, None)
        else:
            entities = list(Entity.objects.filter(type=kind).order_by("pk"))
            entity = entities[to % len(entities)] if entities and to % 2 else None
            made = mention_corrections.change(mention, MarkedWords(mention.start, mention.end, kind, entity), None)
        self.done.append(lambda: mention_corrections.withdraw(refreshed(made), None))

    @rule(one=some, other=some)
    def merge(self, one: int, other: int) -> None:
        rows = list(Entity.objects.filter(canonical__isnull=True).order_by("pk"))
        pair = (rows[one % len(rows)], rows[other % len(rows)])
        if pair[0] != pair[1]:
            made = merges.merge(pair[0], [pair[1]], None)
            self.done.append(lambda: merges.undo(made, None))

    @rule(post=some, which=some)
    def split(self, post: int, which: int) -> None:
        chosen = self.post(post)
        rows = list(Entity.objects.filter(mentions__reading__current_of=chosen).distinct().order_by("pk"))
        if rows:
            origin = rows[which % len(rows)]
            made = splits.split(origin.canonical or origin, [chosen], None, None)
            self.done.append(lambda: splits.undo(made, None))

    @rule(which=some, kind=st.sampled_from(["label", "type", "removal", "alias"]))
    def edit_an_entity(self, which: int, kind: str) -> None:
        rows = list(Entity.objects.filter(canonical__isnull=True).order_by("pk"))
        value = {"label": "Another", "type": "group", "alias": f"Alias {len(self.done)}"}.get(kind, "")
        try:
            made = edits.edit(rows[which % len(rows)], kind, value, None)
        except edits.ImpossibleEdit:
            return
        self.done.append(lambda: edits.undo(refreshed(made), None))

    @rule()
    def undo_the_last(self) -> None:
        if self.done:
            self.done.pop()()

    @invariant()
    def the_store_holds_what_the_record_holds(self) -> None:
        records.project(self.store)
        for kind in Projection.Kind:
            keys = [key for key, unit in self.store.units.items() if isinstance(unit, UNITS[kind])]
            expected = {unit.key: present(unit) for unit in BUILDERS[kind](keys)}
            assert {key: present(self.store.units[key]) for key in keys} == expected

    @invariant()
    def the_record_is_sound(self) -> None:
        assert [str(found) for found in integrity.findings() if not found.pending] == []

    def post(self, number: int) -> Post:
        pks = [post.pk for post in self.posts]
        chosen = pks.index(number) if number in pks else number % len(pks)
        return Post.objects.select_related("current_reading__version").get(pk=pks[chosen])

    def statement(self, which: int) -> tuple[Post, Statement | None]:
        post = self.post(which)
        rows = Assertion.objects.filter(reading=post.current_reading_id).values("statement")
        judged = Review.objects.filter(post=post, withdrawn_at__isnull=True).values("statement")
        found = list((Statement.objects.filter(pk__in=rows) | Statement.objects.filter(pk__in=judged)).order_by("pk"))
        return post, found[which % len(found)] if found else None

    def to_undo_review(self, made: Review, editor: int) -> None:
        self.done.append(lambda: reviews.withdraw_review(refreshed(made), self.editors[editor % 2]))


def refreshed(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def present(unit: Any) -> Any:
    """Without what it tells the store to delete: merges add to that, and rows that nothing needs are swept."""
    return replace(unit, gone=()) if isinstance(unit, unit_builder.StatementUnit) else unit


def graph() -> list[str]:
    """All that the stores would hold, whatever its order. The row of a statement that lost its assertions is swept; the
    one that an undo creates has another id, and the same triple."""
    every: list[Any] = []
    for kind, model in MODELS.items():
        every += BUILDERS[kind](list(model.objects.order_by("pk").values_list("public_id", flat=True)))
    shown = [present(unit) for unit in every if getattr(unit, "content", None) or getattr(unit, "present", None)]
    anonymous = [replace(one, key=UUID(int=0)) if isinstance(one, unit_builder.StatementUnit) else one for one in shown]
    return sorted(map(repr, anonymous))


MODELS: dict[Any, Any] = {
    Projection.Kind.POST: Post,
    Projection.Kind.ENTITY: Entity,
    Projection.Kind.STATEMENT: Statement,
}
BUILDERS: dict[Any, Any] = {
    Projection.Kind.POST: unit_builder.posts,
    Projection.Kind.ENTITY: unit_builder.entities,
    Projection.Kind.STATEMENT: lambda keys: unit_builder.statements(keys, with_support=True),
}
UNITS: dict[Any, Any] = {
    Projection.Kind.POST: unit_builder.PostUnit,
    Projection.Kind.ENTITY: unit_builder.EntityUnit,
    Projection.Kind.STATEMENT: unit_builder.StatementUnit,
}


def test_any_sequence_leaves_stores_and_record_sound_and_can_be_undone() -> None:
    limits = settings(
        max_examples=6,
        stateful_step_count=8,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Desk, settings=limits)
