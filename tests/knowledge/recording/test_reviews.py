"""Reviews: rejecting, accepting, and following a post through edits and re-reads."""

from __future__ import annotations

import pytest

from extraction.models import Post
from extraction.readings import reading_requests
from knowledge.entities import merges
from knowledge.models import Entity, Event, Review, Statement
from knowledge.record import current, projection_queue
from knowledge.recording import claims, quotes, reviews
from tests import records

pytestmark = pytest.mark.django_db

TEXT = "Prize\n\nMarie Curie married Pierre Curie in Sceaux. Years later she was born again, in Warsaw, as a legend."
NAMES = [("Marie Curie", "person"), ("Pierre Curie", "person"), ("Warsaw", "location")]
SPOUSE = ("Marie Curie", "spouse", "Pierre Curie")
BORN = ("Marie Curie", "place_of_birth", "Warsaw")


@pytest.fixture
def post() -> Post:
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, [SPOUSE, BORN])
    made.refresh_from_db()
    return made


def statement(relation: str) -> Statement:
    return Statement.objects.get(relation=relation)


def test_a_rejection_holds_across_an_edit_and_a_re_read(post: Post) -> None:
    records.settle()
    reviews.review(post, statement("place_of_birth"), "reject", None)
    assert records.supported_triples() == {SPOUSE}
    assert {("post", post.link), ("statement", "Marie Curie place_of_birth Warsaw")} <= records.marked()

    edited = TEXT.replace("Years later", "Some years later")
    records.edit(post, edited)
    records.read(post, NAMES, [SPOUSE, BORN])
    assert records.supported_triples() == {SPOUSE}

    second = records.checkpoint("second", active=False)
    records.activate(second)
    reading_requests.request_missing(second)
    records.read(post, NAMES, [BORN])
    assert records.supported_triples() == set()


def test_a_rejection_in_one_post_leaves_other_posts_support(post: Post) -> None:
    other = records.post("Marie Curie, born in Warsaw.")
    records.read(other, [NAMES[0], NAMES[2]], [BORN])
    reviews.review(post, statement("place_of_birth"), "reject", None)
    [edge] = current.statements_of(records.entity("Warsaw"))
    assert edge.posts == 1


def test_an_acceptance_supports_by_itself_while_its_words_are_present(post: Post) -> None:
    reviews.review(post, statement("place_of_birth"), "accept", None)
    records.edit(post, TEXT.replace("Prize", "A prize") + " The end.")
    records.read(post, NAMES, [SPOUSE])
    assert records.supported_triples() == {SPOUSE, BORN}, "this reading missed it, but an editor saw it"

    second = records.checkpoint("second", active=False)
    records.activate(second)
    reading_requests.request_missing(second)
    records.read(post, [])
    assert records.supported_triples() == {BORN}
    assert {"Marie Curie", "Warsaw"} == set(current.entities().values_list("label", flat=True))

    records.settle()
    records.edit(post, "Prize\n\nMarie Curie married Pierre Curie in Sceaux.")
    records.read(post, NAMES[:2], [SPOUSE])
    assert records.supported_triples() == {SPOUSE}
    assert Review.objects.get().lost
    assert ("statement", "Marie Curie place_of_birth Warsaw") in records.marked()

    records.edit(post, TEXT)
    records.read(post, NAMES, [SPOUSE])
    assert records.supported_triples() == {SPOUSE, BORN}, "the words came back"


def test_an_acceptance_holds_under_a_higher_threshold(post: Post) -> None:
    from knowledge.record import thresholds

    reviews.review(post, statement("spouse"), "accept", None)
    thresholds.set_active({"default": 0.99})
    assert records.supported_triples() == {SPOUSE}


def test_what_scored_under_the_threshold_can_be_accepted() -> None:
    records.checkpoint(default=0.8)
    post = records.post(TEXT)
    records.read(post, NAMES, [(*SPOUSE, 0.4)])
    assert records.supported_triples() == set()
    reviews.review(post, statement("spouse"), "accept", None)
    assert records.supported_triples() == {SPOUSE}


def test_a_later_review_takes_the_place_of_an_earlier_one_which_its_undo_gives_back(post: Post) -> None:
    reviews.review(post, statement("spouse"), "reject", None)
    given = reviews.review(post, statement("spouse"), "accept", None)
    assert list(current.active_reviews()) == [given]
    assert SPOUSE in records.supported_triples()
    reviews.withdraw_review(given, None)
    reviews.withdraw_review(given, None)
    [earlier] = current.active_reviews()
    assert earlier.verdict == "reject" and SPOUSE not in records.supported_triples()
    reviews.withdraw_review(earlier, None)
    assert not current.active_reviews().exists()
    assert SPOUSE in records.supported_triples()
    assert list(Event.objects.order_by("pk").values_list("what", flat=True)) == [
        *("review", "review", "review withdrawn", "review withdrawn")
    ]


def test_a_review_keeps_the_quintuple_and_its_quotes(post: Post) -> None:
    given = reviews.review(post, statement("place_of_birth"), "accept", None)
    assert given.quintuple == {
        "head": "Marie Curie",
        "head_type": "person",
        "tail": "Warsaw",
        "tail_type": "location",
        "relation": "place_of_birth",
    }
    assert given.quotes["tail"] == {
        "exact": "Warsaw",
        "prefix": "Years later she was born again, in Warsaw"[-38:-6],
        "suffix": ", as a legend.",
    }


def test_a_statement_that_the_post_does_not_make_cannot_be_reviewed(post: Post) -> None:
    foreign = Statement.objects.create(head=Entity.objects.all()[0], relation="father", tail=Entity.objects.all()[1])
    with pytest.raises(claims.NothingToReview):
        reviews.review(post, foreign, "accept", None)
    assert not Review.objects.exists() and not Event.objects.exists()


def test_a_rejection_holds_for_any_row_of_the_triple_after_a_merge() -> None:
    records.checkpoint()
    text = "Samuel Clemens wed Olivia. Mark Twain wed Olivia."
    post = records.post(text)
    names = [("Samuel Clemens", "person"), ("Mark Twain", "person"), ("Olivia", "person")]
    records.read(post, names, [("Samuel Clemens", "child", "Olivia"), ("Mark Twain", "child", "Olivia")])
    post.refresh_from_db()
    reviews.review(post, Statement.objects.get(head__label="Mark Twain"), "reject", None)
    assert len(records.supported_triples()) == 1
    done = merges.merge(records.entity("Mark Twain"), [records.entity("Samuel Clemens")], None)
    assert records.supported_triples() == set()
    merges.undo(done, None)
    assert len(records.supported_triples()) == 1


def test_a_withdrawn_post_takes_its_acceptance_along(post: Post) -> None:
    reviews.review(post, statement("spouse"), "accept", None)
    Post.objects.update(state=Post.State.WITHDRAWN)
    records.settle()
    projection_queue.mark_posts([post])
    assert records.supported_triples() == set()
    assert ("statement", "Marie Curie spouse Pierre Curie") in records.marked()


QUOTE = {"exact": "Paris", "prefix": "The talks will be held again in ", "suffix": " on Monday, the ministers said."}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The talks will be held again in Paris on Monday, the ministers said.", 32),
        ("Correction. Talks will be held in Paris on Monday, the ministers said.", 34),
        ("Paris is a city. The talks will be held again in Paris on Tuesday.", 49),
        ("Paris is a city.", None),
        ("The talks will be held again in Lyon on Monday, the ministers said.", None),
    ],
)
def test_words_are_found_where_their_surroundings_are_most_alike(text: str, found: int | None) -> None:
    assert quotes.find(text, QUOTE) == found


def test_words_that_are_the_whole_text_are_found() -> None:
    assert quotes.find("Paris", {"exact": "Paris", "prefix": "", "suffix": ""}) == 0
