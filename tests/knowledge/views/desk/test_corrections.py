"""The forms that correct and add statements and mentions, and what the page of the post shows of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from extraction.models import Post
from knowledge.models import Mention, MentionCorrection, Review, Statement
from tests import records
from tests.factories import make_feed, make_post, make_user, read_post
from tests.markup import markup

pytestmark = pytest.mark.django_db

BODY = "Ann Lee works for Acebush in Oslo. She left Jacobin in March."
NAMES = [("Ann Lee", "person"), ("Acebush", "organization"), ("Oslo", "location"), ("Jacobin", "location")]
WORKS = ("Ann Lee", "employer", "Acebush", 0.9)


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor", "edith"))
    return client


@pytest.fixture
def post() -> Post:
    made = make_post("A new job", BODY, feed=make_feed())
    read_post(made, NAMES, [WORKS])
    made.refresh_from_db()
    return made


def statement() -> Statement:
    return Statement.objects.get(relation="employer")


def mention(words: str) -> Mention:
    rows = Mention.objects.select_related("reading__version")
    return next(one for one in rows if one.reading.version.text[one.start : one.end] == words)


def correct(client: Client, post: Post, **form: Any) -> str:
    address = f"/posts/{post.public_id}/statements/{statement().public_id}/correct/"
    return markup(client.post(address, {"relation": "employer", "factuality": "stated"} | form, follow=True))


def page(client: Client, post: Post) -> str:
    return markup(client.get(f"/posts/{post.public_id}/"))


def test_the_form_offers_the_relations_that_the_types_permit_in_either_direction(editor: Client, post: Post) -> None:
    html = markup(editor.get(f"/posts/{post.public_id}/statements/{statement().public_id}/correct/"))
    assert '<optgroup label="Ann Lee → Acebush">' in html and '<optgroup label="Acebush → Ann Lee">' in html
    assert re.search(r'<option value="employer" selected>', html)
    assert 'value="-founded_by"' in html and 'value="place_of_birth"' not in html


def test_a_corrected_statement_shows_who_corrected_what_and_why(editor: Client, post: Post) -> None:
    html = correct(editor, post, relation="member_of", note="she is a member")
    assert "Corrected: your statement is in the place of what was extracted." in html
    assert '<span class="review-state corrected">corrected</span>' in html
    assert "corrected by edith" in html and "she is a member" in html
    assert "replaced by a correction by edith" in html
    assert records.supported_triples() == {("Ann Lee", "member_of", "Acebush")}


def test_time_and_factuality_of_a_correction_are_shown(editor: Client, post: Post) -> None:
    days = {"when_words": "in March", "when_earliest": "2026-03-01", "when_latest": "2026-03-31"}
    html = correct(editor, post, factuality="planned", **days)
    assert '<span class="tag planned">planned</span>' in html
    assert "March 2026" in html


def test_a_form_that_changes_nothing_or_cannot_be_says_so(editor: Client, post: Post) -> None:
    assert "Nothing was changed." in correct(editor, post)
    assert "ends before it begins" in correct(editor, post, when_earliest="2026-03-02", when_latest="2026-03-01")
    assert not Review.objects.exists()


def test_a_statement_is_added_between_two_chosen_mentions(editor: Client, post: Post) -> None:
    ends = {"head": str(mention("Ann Lee").pk), "tail": str(mention("Oslo").pk)}
    address = f"/posts/{post.public_id}/statements/add/"
    assert "Ann Lee → Oslo" in markup(editor.get(address, ends))
    html = markup(editor.post(address, ends | {"relation": "residence", "factuality": "stated"}, follow=True))
    assert "added by edith" in html
    assert ("Ann Lee", "residence", "Oslo") in records.supported_triples()
    wrong = editor.post(address, ends | {"relation": "spouse", "factuality": "stated"})
    assert wrong.status_code == 200 and "Select a valid choice" in markup(wrong)


def test_selected_words_become_a_mention_which_can_be_undone(editor: Client, post: Post) -> None:
    text = post.current_version.text  # type: ignore[union-attr]
    start = text.index("March")
    address = f"/posts/{post.public_id}/mentions/add/"
    html = markup(editor.get(address, {"start": start, "end": start + 5}))
    assert 'value="March"' in html
    html = markup(
        editor.post(address, {"start": start, "end": start + 5, "words": "March", "type": "time"}, follow=True)
    )
    assert "“<bdi>March</bdi>”: added as time" in html
    html = markup(editor.post(f"/posts/{post.public_id}/undo/", follow=True))
    assert "Your last correction was undone." in html and "added as time" not in html


def test_a_mention_is_given_another_type_other_words_or_deleted(editor: Client, post: Post) -> None:
    jacobin = mention("Jacobin")
    address = f"/posts/{post.public_id}/mentions/{jacobin.pk}/"
    entity = str(jacobin.entity.public_id)
    form = {"start": jacobin.start, "end": jacobin.end, "words": "Jacobin", "type": "organization", "entity": entity}
    editor.post(address, form)
    assert mention("Jacobin").entity.type == "organization"
    html = markup(
        editor.post(address, form | {"words": "Jacobin in", "entity": str(mention("Jacobin").entity.public_id)})
    )
    assert mention("Jacobin in").type == "organization"
    assert "are not in the text" in markup(editor.post(address, form | {"words": "nowhere", "entity": ""}))
    html = markup(editor.post(address, {"do": "delete"}, follow=True))
    assert "“<bdi>Jacobin</bdi>”: deleted" in html
    assert MentionCorrection.objects.filter(withdrawn_at__isnull=True).count() == 1


def test_the_last_act_is_undone_step_by_step_and_only_ones_own(editor: Client, client: Client, post: Post) -> None:
    correct(editor, post, factuality="alleged")
    editor.post(f"/posts/{post.public_id}/mentions/{mention('Oslo').pk}/", {"do": "delete"})
    undo = f"/posts/{post.public_id}/undo/"
    assert "Your last correction was undone." in markup(editor.post(undo, follow=True))
    assert "Your last verdict was undone." in markup(editor.post(undo, follow=True))
    assert "Nothing to undo" in markup(editor.post(undo, follow=True))
    correct(editor, post, factuality="alleged")
    client.force_login(make_user("editor", "bert"))
    assert "Nothing to undo" in markup(client.post(undo, follow=True))


def test_two_editors_who_differ_are_shown_with_their_verdicts(editor: Client, client: Client, post: Post) -> None:
    form = {"statement": str(statement().public_id)}
    editor.post(f"/posts/{post.public_id}/review/", form | {"verdict": "accept"})
    client.force_login(make_user("editor", "bert"))
    html = markup(client.post(f"/posts/{post.public_id}/review/", form | {"verdict": "reject"}, follow=True))
    assert "As many editors accept as reject these" in html
    assert "accepted by edith" in html and "rejected by bert" in html
    assert '<span class="review-state disputed">disputed</span>' in html
    assert records.supported_triples() == set()
