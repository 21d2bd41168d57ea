"""Pruning: what is kept stays where its offsets say, what goes is gone, and nobody brings it back or reads blanks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from extraction import reading
from extraction.models import Post, PostVersion, Reading
from extraction.search import search
from extraction.versions import ensure_reading, new_version, text_hash
from knowledge import pruning, reviews
from knowledge.models import Assertion, Mention
from tests import records

pytestmark = pytest.mark.django_db
FILLER = "Nobody spoke of the weather that day, which was grey and wet from the morning until late at night. " * 3
SPOKEN = "They say that Ada married Zoë in spring."
TEXT = f"Two friends\n\n{FILLER}\n\n{SPOKEN}\n\n{FILLER}Somebody called Max slept.\n\n{FILLER}"
NAMES = [("Ada", "person"), ("Zoë", "person"), ("Max", "person")]
SAID = [("Ada", "spouse", "Zoë", 0.9), ("Ada", "sibling", "Max", 0.1)]


@pytest.fixture
def post(settings) -> Post:
    settings.BODY_DAYS = 30
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, SAID)
    PostVersion.objects.update(fetched_at=timezone.now() - timedelta(days=31), text_hash=text_hash(TEXT))
    made.refresh_from_db()
    return made


def words(post: Post) -> str:
    post.refresh_from_db()
    assert post.current_version is not None
    return post.current_version.text


def test_by_default_nothing_goes(post: Post, settings) -> None:
    settings.BODY_DAYS = 0
    assert not pruning.prune() and words(post) == TEXT


def test_the_quotes_of_statements_that_count_stay_in_their_places(post: Post) -> None:
    before = records.said_now()
    assert pruning.prune().bodies == 1
    text = words(post)
    assert " ".join(text.split()) == "Two friends They say that Ada married Zoë in spring. Max"
    assert len(text) == len(TEXT) and text.count("\n") == TEXT.count("\n")
    assert [text[m.start : m.end] for m in Mention.objects.order_by("start")] == ["Ada", "Zoë", "Max"]
    assert records.said_now() == before == {("Ada", "spouse", "Zoë")}
    assert not search("weather").exists() and search("spring").exists(), "the index forgets it too"
    assert not pruning.prune(), "once"


def test_a_body_that_is_young_or_judged_or_unread_stays(post: Post) -> None:
    statement = Assertion.objects.get(relation="spouse").statement
    given = reviews.review(post, statement, "accept", None)
    young, unread = records.post("Young\n\n" + FILLER), records.post("Unread\n\n" + FILLER)
    PostVersion.objects.filter(post=unread).update(fetched_at=timezone.now() - timedelta(days=31))
    assert pruning.prune().bodies == 0
    reviews.withdraw_review(given, None)
    assert pruning.prune().bodies == 1
    assert FILLER.strip() in words(young) and FILLER.strip() in words(unread)


def test_the_same_page_again_is_no_edit_and_another_one_is(post: Post) -> None:
    pruning.prune()
    post.refresh_from_db()
    title, _, body = TEXT.partition("\n\n")
    assert new_version(post, title, body, "page") is None
    assert new_version(post, title, body + " More.", "page") is not None
    assert words(post).endswith("More.")


def test_nobody_reads_blanks(post: Post) -> None:
    pruning.prune()
    other = records.checkpoint("second")
    assert reading.ensure_readings(other) == 0
    ensure_reading(PostVersion.objects.get())
    assert Reading.objects.count() == 1


def test_readings_beyond_those_kept_go_and_those_that_a_verdict_names_stay(post: Post, settings) -> None:
    settings.BODY_DAYS = 0
    first = post.current_reading
    assert first is not None
    statement = Assertion.objects.get(relation="spouse").statement
    given = reviews.review(post, statement, "reject", None)
    for number in range(3):
        records.checkpoint(f"reader {number}")
        reading.ensure_readings(records.Checkpoint.objects.latest("pk"))
        records.read(post, NAMES[:1])
    post.refresh_from_db()
    assert Reading.objects.count() == 4
    done = pruning.prune()
    kept = set(Reading.objects.values_list("pk", flat=True))
    assert done.readings == 2 and kept == {first.pk, post.current_reading_id}, "the verdict's, and the current one"
    assert not pruning.prune()
    reviews.withdraw_review(given, None)
    settings.READINGS_KEPT = 1
    assert pruning.prune().readings == 1
    assert set(Reading.objects.values_list("pk", flat=True)) == {post.current_reading_id}


def test_a_reading_that_waits_is_never_pruned(post: Post, settings) -> None:
    settings.BODY_DAYS, settings.READINGS_KEPT = 0, 1
    records.edit(post, "Two friends\n\nThey met.")
    assert not pruning.prune() and Reading.objects.count() == 2


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=6))
def test_blanks_keep_the_length_and_every_kept_place(text: str, places: list[tuple[int, int]]) -> None:
    parts = [(min(a, b, len(text)), min(max(a, b), len(text))) for a, b in places]
    made = pruning.blanked(text, parts)
    assert len(made) == len(text)
    for at, sign in enumerate(text):
        inside = any(start <= at < end for start, end in parts)
        assert made[at] == (sign if inside or sign == "\n" else " ")
