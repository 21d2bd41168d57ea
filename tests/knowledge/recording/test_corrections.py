"""Corrections of statements: another relation, direction, factuality or time; added statements; editors who differ."""

from __future__ import annotations

from datetime import date

import pytest

from extraction.models import Post
from extraction.readings import reading_requests
from knowledge.entities import merges
from knowledge.graphs import unit_builder
from knowledge.graphs.units import PostContent
from knowledge.models import Assertion, Event, Mention, Review, Statement
from knowledge.record import current
from knowledge.recording import claims, reviews, splits
from knowledge.recording.claims import Change
from tests import records
from tests.factories import make_user

pytestmark = pytest.mark.django_db

TEXT = "Shell\n\nThe shell killed Issam Abdallah and wounded Christina Assi in Lebanon, Zoe said on Friday."
NAMES = [
    ("Issam Abdallah", "person"),
    ("Christina Assi", "person"),
    ("Lebanon", "location"),
    ("Zoe", "person"),
]
KILLED = ("Issam Abdallah", "killed_by", "Christina Assi")
BORN = ("Christina Assi", "place_of_birth", "Lebanon")


@pytest.fixture
def post() -> Post:
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, [KILLED, BORN])
    made.refresh_from_db()
    return made


def statement(relation: str) -> Statement:
    return Statement.objects.get(relation=relation)


def mention(post: Post, words: str) -> Mention:
    assert post.current_reading
    start = post.current_reading.version.text.index(words)
    return Mention.objects.get(reading=post.current_reading, start=start)


def content(post: Post) -> PostContent:
    [unit] = unit_builder.posts([post.public_id])
    assert unit.content
    return unit.content


def read_again(post: Post, relations: list[records.RelationSpec]) -> None:
    other = records.checkpoint(f"reader {Assertion.objects.count()}", active=False)
    records.activate(other)
    reading_requests.request_missing(other)
    records.read(post, NAMES, relations)
    post.refresh_from_db()


def test_another_relation_takes_the_place_of_what_was_extracted_in_every_reading(post: Post) -> None:
    given = reviews.correct(post, statement("place_of_birth"), Change(relation="residence"), None, "it says “in”")
    lives = ("Christina Assi", "residence", "Lebanon")
    assert records.supported_triples() == {KILLED, lives}
    assert given.note == "it says “in”"
    [claim] = [one for one in content(post).assertions if one.triple.relation == "residence"]
    assert claim.accepted and claim.score is None and claim.head and TEXT[claim.head.start :].startswith("Christina")
    read_again(post, [BORN])
    assert records.supported_triples() == {lives}
    records.edit(post, TEXT.replace("Shell\n", "A shell\n"))
    records.read(post, NAMES, [KILLED, BORN])
    assert records.supported_triples() == {KILLED, lives}
    reviews.withdraw_review(given, None)
    assert records.supported_triples() == {KILLED, BORN}
    assert not current.active_reviews().exists()


def test_the_undo_of_either_verdict_of_a_correction_undoes_both(post: Post) -> None:
    given = reviews.correct(post, statement("place_of_birth"), Change(relation="residence"), None)
    assert given.replaces and given.replaces.verdict == "reject"
    reviews.withdraw_review(Review.objects.get(pk=given.replaces.pk), None)
    assert not current.active_reviews().exists()
    assert Event.objects.get(what="correction").subject == f"{post.public_id} {given.statement.public_id}"


def test_head_and_tail_change_places(post: Post) -> None:
    reviews.correct(post, statement("killed_by"), Change(reverse=True), None)
    assert records.supported_triples() == {("Christina Assi", "killed_by", "Issam Abdallah"), BORN}


def test_an_end_is_replaced_by_another_mention(post: Post) -> None:
    reviews.correct(post, statement("place_of_birth"), Change(head=mention(post, "Zoe")), None)
    assert records.supported_triples() == {KILLED, ("Zoe", "place_of_birth", "Lebanon")}


def test_an_editor_says_that_a_statement_is_only_alleged_and_when(post: Post) -> None:
    day = date(2026, 3, 6)
    reviews.correct(post, statement("killed_by"), Change(factuality="alleged", when=("on Friday", day, day)), None)
    [claim] = [one for one in content(post).assertions if one.triple.relation == "killed_by"]
    assert (claim.factuality, claim.when.words, claim.when.earliest) == ("alleged", "on Friday", day)
    [edge] = current.statements_of(records.entity("Issam Abdallah"))
    assert (edge.factuality, edge.posts) == ("alleged", 1)
    [unit] = unit_builder.statements([statement("killed_by").public_id], with_support=True)
    assert unit.factualities == ("alleged",) and unit.support[0].when.latest == day
    again = reviews.correct(post, statement("killed_by"), Change(factuality="stated"), None)
    assert current.active_reviews().get() == again
    [edge] = current.statements_of(records.entity("Issam Abdallah"))
    assert edge.factuality == "stated"
    assert again.when_earliest == day, "what was not changed stays as the editor had it"
    reviews.withdraw_review(again, None)
    [edge] = current.statements_of(records.entity("Issam Abdallah"))
    assert edge.factuality == "alleged", "the earlier correction is active again"


def test_what_an_editor_says_is_denied_leaves_the_graph(post: Post) -> None:
    reviews.correct(post, statement("killed_by"), Change(factuality="denied"), None)
    assert records.supported_triples() == {BORN}
    assert current.own_denials().count() == 1


def test_a_statement_is_added_between_two_mentions_and_follows_its_words(post: Post) -> None:
    ends = (mention(post, "Issam"), mention(post, "Lebanon"))
    given = reviews.add(post, ends, Change(relation="place_of_death"), None)
    died = ("Issam Abdallah", "place_of_death", "Lebanon")
    assert died in records.supported_triples()
    read_again(post, [])
    assert records.supported_triples() == {died}
    records.edit(post, "Shell\n\nNothing happened in Lebanon.")
    records.read(post, [("Lebanon", "location")])
    assert records.supported_triples() == set()
    assert Review.objects.get(pk=given.pk).lost
    records.edit(post, TEXT)
    records.read(post, NAMES)
    assert records.supported_triples() == {died}


def test_an_own_claim_follows_a_split_and_a_merge_and_their_undo(post: Post) -> None:
    ends = (mention(post, "Issam"), mention(post, "Lebanon"))
    reviews.add(post, ends, Change(relation="place_of_death"), None)
    done = splits.split(records.entity("Lebanon"), [post], None, None)
    assert current.accepting().get().statement.tail == done.target
    splits.undo(done, None)
    assert current.accepting().get().statement.tail.key == "lebanon|location"
    joined = merges.merge(records.entity("Zoe"), [records.entity("Issam Abdallah")], None)
    assert ("Zoe", "place_of_death", "Lebanon") in records.supported_triples()
    merges.undo(joined, None)
    assert ("Issam Abdallah", "place_of_death", "Lebanon") in records.supported_triples()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Change(relation="place_of_birth"), "goes from Person to Location"),
        (Change(relation="loves"), "There is no relation"),
        (Change(when=("", date(2026, 3, 2), date(2026, 3, 1))), "ends before it begins"),
    ],
)
def test_a_claim_that_no_graph_could_show_is_refused(post: Post, change: Change, message: str) -> None:
    with pytest.raises(claims.ImpossibleClaim, match=message):
        reviews.correct(post, statement("killed_by"), change, None)
    assert not Review.objects.exists()


def test_two_editors_who_differ_keep_a_statement_out_until_a_third_decides(post: Post) -> None:
    ann, bob, cleo = (make_user("editor") for _ in range(3))
    reviews.review(post, statement("killed_by"), "accept", ann)
    disputed = reviews.review(post, statement("killed_by"), "reject", bob)
    assert set(current.active_reviews().values_list("outcome", flat=True)) == {"disputed"}
    assert records.supported_triples() == {BORN}
    third = reviews.review(post, statement("killed_by"), "accept", cleo)
    assert records.supported_triples() == {KILLED, BORN}
    outcomes = dict(current.active_reviews().values_list("by", "outcome"))
    assert outcomes == {ann.pk: "agrees", bob.pk: "overruled", cleo.pk: "decides"}
    reviews.withdraw_review(third, cleo)
    reviews.withdraw_review(disputed, bob)
    assert records.supported_triples() == {KILLED, BORN}


def test_an_editor_who_accepts_a_correction_of_another_agrees_with_it(post: Post) -> None:
    ann, bob = make_user("editor"), make_user("editor")
    reviews.correct(post, statement("killed_by"), Change(factuality="alleged"), ann)
    agreeing = reviews.review(post, statement("killed_by"), "accept", bob)
    assert agreeing.own and agreeing.factuality == "alleged"
    reviews.review(post, statement("killed_by"), "reject", ann)
    assert records.supported_triples() == {BORN}


def test_a_merge_puts_two_verdicts_on_one_statement_which_are_then_decided_together(post: Post) -> None:
    ann, bob = make_user("editor"), make_user("editor")
    other = ("Zoe", "place_of_birth", "Lebanon")
    read_again(post, [BORN, other])
    reviews.review(post, Statement.objects.get(head__label="Zoe"), "accept", ann)
    reviews.review(post, Statement.objects.get(head__label="Christina Assi"), "reject", bob)
    joined = merges.merge(records.entity("Zoe"), [records.entity("Christina Assi")], None)
    assert records.supported_triples() == set()
    merges.undo(joined, None)
    assert records.supported_triples() == {other}
