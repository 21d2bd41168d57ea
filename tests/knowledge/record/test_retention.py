"""Pruning: what is kept stays at its offsets, the rest is deleted for good, and no reader gets blanks."""

from __future__ import annotations

import io
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from extraction.crawler.parsers.feed_parser import FeedItem
from extraction.feeds import submission
from extraction.feeds.sightings import record_items
from extraction.images import image_retention, storage
from extraction.models import Post, PostImage, PostVersion, Reading, Sighting
from extraction.posts import visits
from extraction.posts.article_page import PageResult
from extraction.posts.search import search
from extraction.posts.versions import new_version, text_hash
from extraction.readings import reading_requests
from knowledge.models import Assertion, Mention
from knowledge.record import retention
from knowledge.recording import reviews
from tests import records
from tests.factories import make_feed

pytestmark = pytest.mark.django_db
FILLER = "Nobody spoke of the weather that day, which was grey and wet from the morning until late at night. " * 3
SPOKEN = "They say that Ada married Zoë in spring."
TEXT = f"Two friends\n\n{FILLER}\n\n{SPOKEN}\n\n{FILLER}Somebody called Max slept.\n\n{FILLER}"
NAMES = [("Ada", "person"), ("Zoë", "person"), ("Max", "person")]
TRIPLES = [("Ada", "spouse", "Zoë", 0.9), ("Ada", "sibling", "Max", 0.1)]


@pytest.fixture
def post(settings) -> Post:
    settings.BODY_DAYS = 30
    records.checkpoint()
    made = records.post(TEXT)
    records.read(made, NAMES, TRIPLES)
    PostVersion.objects.update(fetched_at=timezone.now() - timedelta(days=31), text_hash=text_hash(TEXT))
    made.refresh_from_db()
    return made


def words(post: Post) -> str:
    post.refresh_from_db()
    assert post.current_version is not None
    return post.current_version.text


def test_by_default_nothing_is_deleted(post: Post, settings) -> None:
    settings.BODY_DAYS = 0
    assert not retention.prune() and words(post) == TEXT


def test_the_text_of_active_statements_stays_in_their_places(post: Post) -> None:
    before = records.supported_triples()
    assert retention.prune().bodies == 1
    text = words(post)
    assert " ".join(text.split()) == "Two friends They say that Ada married Zoë in spring. Max"
    assert len(text) == len(TEXT) and text.count("\n") == TEXT.count("\n")
    assert [text[m.start : m.end] for m in Mention.objects.order_by("start")] == ["Ada", "Zoë", "Max"]
    assert records.supported_triples() == before == {("Ada", "spouse", "Zoë")}
    assert not search("weather").exists() and search("spring").exists(), "the index forgets it too"
    assert not retention.prune(), "once"


def test_a_body_that_is_young_or_judged_or_unread_stays(post: Post) -> None:
    statement = Assertion.objects.get(relation="spouse").statement
    given = reviews.review(post, statement, "accept", None)
    young, unread = records.post("Young\n\n" + FILLER), records.post("Unread\n\n" + FILLER)
    PostVersion.objects.filter(post=unread).update(fetched_at=timezone.now() - timedelta(days=31))
    assert retention.prune().bodies == 0
    reviews.withdraw_review(given, None)
    assert retention.prune().bodies == 1
    assert FILLER.strip() in words(young) and FILLER.strip() in words(unread)


def test_the_same_page_again_is_no_edit_and_another_one_is(post: Post) -> None:
    retention.prune()
    post.refresh_from_db()
    title, _, body = TEXT.partition("\n\n")
    assert new_version(post, title, body, "page") is None
    assert new_version(post, title, body + " More.", "page") is not None
    assert words(post).endswith("More.")


def listed_by_feed(post: Post, text: str, guid: str = "1") -> FeedItem:
    """A feed item that lists the post."""
    item = FeedItem(guid, post.link, "Two friends", text, "", None, "", text_hash(text))
    Sighting.objects.create(
        feed=make_feed(), post=post, guid=guid, link=post.link, title=item.title, text=text, item_hash=item.digest,
        first_seen=records.PUBLISHED, last_seen=records.PUBLISHED,
    )  # fmt: skip
    return item


def test_the_feed_s_own_text_goes_too_and_the_next_poll_reads_nothing_again(post: Post) -> None:
    item = listed_by_feed(post, TEXT.partition("\n\n")[2])
    item_row = Sighting.objects.get()
    young = records.post("Young\n\n" + FILLER)
    listed_by_feed(young, FILLER, "2")
    done = retention.prune()
    assert (done.bodies, done.feed_texts) == (1, 1) and not retention.prune()
    assert Sighting.objects.get(post=young).text == FILLER
    item_row.refresh_from_db()
    assert (item_row.text, item_row.title, item_row.item_hash) == ("", "Two friends", item.digest)
    noted = record_items(item_row.feed, [item], timezone.now())
    assert (noted.new, noted.changed, noted.moved) == (0, 0, [])
    post.refresh_from_db()
    assert post.due_at is None and post.versions.count() == 1


def test_text_from_the_feed_is_no_edit_at_the_next_fetch(post: Post) -> None:
    listed_by_feed(post, TEXT.partition("\n\n")[2])
    PostVersion.objects.update(source="feed")
    retention.prune()
    post = Post.objects.select_related("current_version").get()
    outcome = visits._refused(post, PageResult("refused", "It asks to sign in."), timezone.now())
    assert outcome == "refused" and Reading.objects.count() == 1


def test_new_text_of_a_feed_waits_for_the_fetch_that_needs_it(post: Post) -> None:
    listed_by_feed(post, TEXT.partition("\n\n")[2])
    retention.prune()
    changed = FeedItem("1", post.link, "Two friends", "They parted.", "", None, "", "other")
    assert record_items(Sighting.objects.get().feed, [changed], timezone.now()).changed == 1
    assert not retention.prune() and Sighting.objects.get().text == "They parted."
    Post.objects.update(due_at=timezone.now() + timedelta(hours=1))
    assert retention.prune().feed_texts == 1 and Sighting.objects.get().item_hash == "other"


def test_a_post_that_was_sent_and_is_sent_again_stays_pruned() -> None:
    records.checkpoint()
    sent = submission.Submission("7", title="Two friends", text=TEXT.partition("\n\n")[2])
    post = submission.submit("desk", sent).post
    records.read(post, NAMES, TRIPLES)
    PostVersion.objects.update(fetched_at=timezone.now() - timedelta(days=31))
    with override_settings(BODY_DAYS=30):
        done = retention.prune()
    assert (done.bodies, done.feed_texts) == (1, 1)
    assert Sighting.objects.get().text == "" and "weather" not in words(post)
    again = submission.submit("desk", sent)
    assert (again.new, again.changed) == (False, False)
    assert Sighting.objects.get().text == "" and post.versions.count() == Reading.objects.count() == 1


def test_no_reader_gets_blanks(post: Post) -> None:
    retention.prune()
    other = records.checkpoint("second")
    assert reading_requests.request_missing(other) == 0
    reading_requests.request_first(PostVersion.objects.get())
    assert Reading.objects.count() == 1


def test_readings_beyond_those_kept_go_and_those_that_a_verdict_names_stay(post: Post, settings) -> None:
    settings.BODY_DAYS = 0
    first = post.current_reading
    assert first is not None
    statement = Assertion.objects.get(relation="spouse").statement
    given = reviews.review(post, statement, "reject", None)
    for number in range(3):
        records.checkpoint(f"reader {number}")
        reading_requests.request_missing(records.Checkpoint.objects.latest("pk"))
        records.read(post, NAMES[:1])
    post.refresh_from_db()
    assert Reading.objects.count() == 4
    done = retention.prune()
    kept = set(Reading.objects.values_list("pk", flat=True))
    assert done.readings == 2 and kept == {first.pk, post.current_reading_id}, "the verdict's, and the current one"
    assert not retention.prune()
    reviews.withdraw_review(given, None)
    settings.READINGS_KEPT = 1
    assert retention.prune().readings == 1
    assert set(Reading.objects.values_list("pk", flat=True)) == {post.current_reading_id}


def test_a_reading_that_waits_is_never_pruned(post: Post, settings) -> None:
    settings.BODY_DAYS, settings.READINGS_KEPT = 0, 1
    records.edit(post, "Two friends\n\nThey met.")
    assert not retention.prune() and Reading.objects.count() == 2


def prune_output(*options: str) -> str:
    written = io.StringIO()
    call_command("prune", *options, stdout=written)
    return written.getvalue().strip()


def test_the_command_deletes_everything_due_and_reports_how_much(
    post: Post, settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.READINGS_KEPT, settings.PICTURE_DAYS, settings.DETECTOR_WEIGHTS = 1, 30, None
    settings.MEDIA_ROOT, settings.FEATURES_ROOT = tmp_path / "media", tmp_path / "features"
    monkeypatch.setattr(image_retention.delete_old_copies, "__defaults__", (2,))  # more than one turn
    Post.objects.update(seen_at=timezone.now() - timedelta(days=31))
    records.checkpoint("second")
    reading_requests.request_missing(records.Checkpoint.objects.latest("pk"))
    records.read(post, NAMES, TRIPLES)
    for level in (30, 90, 150):
        picture = io.BytesIO()
        Image.new("RGB", (300, 200), (level, 60, 60)).save(picture, "PNG")
        kept = asdict(storage.keep(picture.getvalue(), settings.MEDIA_ROOT))
        PostImage.objects.create(post=post, url=f"https://cdn.example/{level}.png", **kept)
    what = "1 bodies older than 30 days, 1 superseded readings and copies of 3 pictures older than 30 days"
    assert prune_output("--dry-run") == f"{what} would be deleted."
    assert Reading.objects.count() == 2 and words(post) == TEXT
    assert prune_output() == f"{what} were deleted."
    assert not PostImage.objects.exclude(file="").exists() and Reading.objects.count() == 1
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
    assert prune_output("--dry-run").startswith("0 bodies") and "copies of 0 pictures" in prune_output()
    settings.BODY_DAYS = settings.PICTURE_DAYS = 0
    assert "(BODY_DAYS is 0: all are kept)" in prune_output() and "(PICTURE_DAYS is 0: all are kept)" in prune_output(
        "--dry-run"
    )


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=6))
def test_blanks_keep_the_length_and_every_kept_place(text: str, places: list[tuple[int, int]]) -> None:
    parts = [(min(a, b, len(text)), min(max(a, b), len(text))) for a, b in places]
    made = retention.blanked(text, parts)
    assert len(made) == len(text)
    for at, sign in enumerate(text):
        inside = any(start <= at < end for start, end in parts)
        assert made[at] == (sign if inside or sign == "\n" else " ")
