"""The review queue: its order, holds, verdicts, undo, filters and figures; forms that come after the session ended."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from extraction.models import Feed, Post
from knowledge.models import Review, ReviewHold, Statement
from knowledge.record import review_figures, review_queue
from knowledge.record.review_queue import QueueFilter
from knowledge.recording import reviews
from knowledge.recording.claims import Change
from tests import records
from tests.factories import PASSWORD, make_feed, make_post, make_user, read_post
from tests.markup import markup

pytestmark = pytest.mark.django_db

BODY = "Ann Lee killed Bob Day in Oslo, wrote Eva Fox. Ann Lee works for Acebush."
NAMES = [("Ann Lee", "person"), ("Bob Day", "person"), ("Oslo", "location"), ("Eva Fox", "person")]
NAMES += [("Acebush", "organization")]
RELATIONS = [
    ("Bob Day", "killed_by", "Ann Lee", 0.3),
    ("Ann Lee", "employer", "Acebush", 0.98),
    ("Ann Lee", "residence", "Oslo", 0.52),
]


@pytest.fixture
def post() -> Post:
    made = make_post("A crime", BODY, feed=make_feed("Wire"))
    read_post(made, NAMES, RELATIONS)
    made.refresh_from_db()
    return made


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor", "edith"))
    return client


def relations(editor: int, wanted: QueueFilter | None = None) -> list[str]:
    found = review_queue.offers(editor, wanted or QueueFilter())
    by_id = dict(Statement.objects.values_list("pk", "relation"))
    return [by_id[one.statement] for one in found]


def held() -> str:
    return ReviewHold.objects.get().statement.relation


def go_on(client: Client, do: str, query: str = "", **form: Any) -> str:
    if do not in ("next", "undo"):
        hold = ReviewHold.objects.get()
        form |= {"post": str(hold.post.public_id), "statement": str(hold.statement.public_id)}
    return markup(client.post(f"/review/next/{query}", {"do": do} | form, follow=True))


def test_what_could_do_harm_comes_before_what_is_uncertain_and_what_is_certain_last(post: Post) -> None:
    someone = make_user("editor")
    assert relations(someone.pk) == ["killed_by", "residence", "employer"]
    [first, *_] = review_queue.offers(someone.pk)
    assert "could harm somebody if it is wrong" in first.reasons
    assert records.supported_triples() == {("Ann Lee", "employer", "Acebush"), ("Ann Lee", "residence", "Oslo")}


def test_contradicting_statements_are_worth_more(post: Post) -> None:
    other = make_post("Born", "Ann Lee was born in Graz. No, Ann Lee was born in Linz. Eva Fox was born in Wels.")
    born = [("Graz", 0.9), ("Linz", 0.9), ("Wels", 0.9)]
    names = [("Ann Lee", "person"), ("Eva Fox", "person"), *((place, "location") for place, _ in born)]
    triples = [("Ann Lee", "place_of_birth", place, score) for place, score in born[:2]]
    read_post(other, names, [*triples, ("Eva Fox", "place_of_birth", "Wels", 0.9)])
    offers = review_queue.offers(make_user("editor").pk, QueueFilter(relation="place_of_birth"))
    heads = [Statement.objects.get(pk=one.statement).head.label for one in offers]
    assert heads == ["Ann Lee", "Ann Lee", "Eva Fox"]
    assert "contradicts another statement" in offers[0].reasons


def test_a_claim_is_shown_with_its_words_and_a_verdict_leads_to_the_next(editor: Client, post: Post) -> None:
    assert "3 assertions to review" in markup(editor.get("/review/"))
    html = go_on(editor, "next")
    assert "killed by" in html and "<mark><bdi>Bob Day</bdi></mark>" in html and "held for review" in html
    html = go_on(editor, "reject", note="the other way round")
    assert Review.objects.get().note == "the other way round"
    assert held() == "residence" and "Rejected. Press u to undo." in html
    go_on(editor, "accept")
    assert "Nothing is left to review here." in go_on(editor, "accept")


def test_undo_brings_the_statement_back(editor: Client, post: Post) -> None:
    go_on(editor, "next")
    go_on(editor, "accept")
    html = go_on(editor, "undo")
    assert held() == "killed_by" and "Your last verdict was undone." in html
    assert not Review.objects.filter(withdrawn_at__isnull=True).exists()
    assert "Nothing to undo" in go_on(editor, "undo")


def test_two_editors_are_never_given_the_same_statement(editor: Client, post: Post) -> None:
    bert = Client()
    bert.force_login(make_user("editor", "bert"))
    go_on(editor, "next")
    bert.post("/review/next/", {"do": "next"})
    by_name = {hold.by.get_username(): hold.statement.relation for hold in ReviewHold.objects.select_related("by")}
    assert by_name == {"edith": "killed_by", "bert": "residence"}
    ReviewHold.objects.update(until=timezone.now() - timedelta(seconds=1))
    bert.post("/review/next/", {"do": "next"})
    assert ReviewHold.objects.get(statement__relation="killed_by").by.get_username() == "bert"


def test_one_s_place_is_kept_and_what_was_skipped_is_offered_to_others(editor: Client, post: Post) -> None:
    go_on(editor, "next")
    assert "killed by" in markup(editor.get("/review/")), "also after coming back"
    go_on(editor, "skip")
    assert held() == "residence"
    assert relations(make_user("editor").pk)[0] == "killed_by"


def test_the_queue_is_filtered_by_feed_relation_and_entity(editor: Client, post: Post) -> None:
    someone, feed = make_user("editor").pk, Feed.objects.get()
    assert relations(someone, QueueFilter(feed=feed.pk)) == relations(someone)
    assert relations(someone, QueueFilter(feed=make_feed().pk)) == []
    assert relations(someone, QueueFilter(entity=records.entity("Acebush").pk)) == ["employer"]
    assert "1 assertion to review" in markup(editor.get("/review/?relation=residence"))
    go_on(editor, "next", "?relation=residence")
    assert held() == "residence"
    html = go_on(editor, "accept", "?relation=residence")
    assert "Nothing is left" in html and 'value="residence" selected' in html
    assert "No other entity has exactly this name" in markup(editor.get("/review/?entity=Nobody"))


def test_a_correction_from_the_queue_leads_to_the_next_statement(editor: Client, post: Post) -> None:
    html = go_on(editor, "next")
    [address] = re.findall(r'href="([^"]+/correct/\?queue=1)"', html)
    form = {"relation": "-killed_by", "factuality": "alleged"}
    html = markup(editor.post(address, form, follow=True))
    assert "Corrected: your statement" in html and held() == "residence"
    assert Review.objects.filter(verdict="accept", own=True).get().statement.head.label == "Ann Lee"


def test_what_editors_are_divided_on_comes_first_for_a_third(editor: Client, post: Post) -> None:
    statement = Statement.objects.get(relation="employer")
    ann, bob, cleo = (make_user("editor") for _ in range(3))
    reviews.review(post, statement, "accept", ann)
    reviews.review(post, statement, "reject", bob)
    assert relations(cleo.pk)[0] == "employer" and relations(ann.pk)[0] == "killed_by"
    assert review_queue.reasons(post.pk, statement.pk) == (review_queue.DIVIDED,)


def test_figures_count_verdicts_agreement_and_precision(editor: Client, post: Post) -> None:
    ann, bob = make_user("editor", "ann"), make_user("editor", "bob")
    employer, residence = (Statement.objects.get(relation=key) for key in ("employer", "residence"))
    reviews.review(post, employer, "accept", ann)
    reviews.review(post, employer, "accept", bob)
    reviews.review(post, residence, "reject", ann)
    reviews.correct(post, Statement.objects.get(relation="killed_by"), Change(reverse=True), ann)
    now = timezone.now()
    days = {one.editor: (one.accepted, one.rejected, one.corrected) for one in review_figures.by_day(now)}
    assert days == {"ann": (1, 1, 1), "bob": (1, 0, 0)}
    assert review_figures.agreement() == review_figures.Agreement(1, 1)
    found = {one.relation: (one.right, one.judged) for one in review_figures.precision(now)}
    assert found == {"employer": (1, 1), "residence": (0, 1), "killed_by": (0, 1)}
    html = markup(editor.get("/review/figures/"))
    assert "100 %" in html and "all of them agree on 1" in " ".join(html.split())


def test_a_verdict_that_comes_after_the_session_ended_is_not_lost(client: Client, post: Post) -> None:
    make_user("editor", "edith")
    form = {"statement": str(Statement.objects.get(relation="employer").public_id), "verdict": "reject"}
    response = client.post(f"/posts/{post.public_id}/review/", form)
    assert response.headers["Location"].startswith("/sign-in/?next=/resume/")
    html = markup(client.post(response.headers["Location"], {"username": "edith", "password": PASSWORD}, follow=True))
    assert "Nothing was recorded yet." in html and "Verdict: <bdi>reject</bdi>" in html
    assert not Review.objects.exists()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', html))
    [address] = re.findall(r'action="(/posts/[^"]+/review/)"', html)
    client.post(address, fields)
    assert Review.objects.get().verdict == "reject"


def test_a_kept_form_that_was_tampered_with_is_refused(editor: Client) -> None:
    html = markup(editor.get("/resume/?kept=abc:def", follow=True))
    assert "too old or damaged" in html
