"""Feeds and their health, adding and importing them, and the status page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from extraction.models import Feed, Post, Reading
from kgbuilder.conf.encrypted_field import open_sealed
from kgbuilder.monitoring import doctor
from knowledge.models import Event, Projection
from tests.factories import make_checkpoint, make_feed, make_post, make_user, read_post

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor"))
    return client


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues that received a wake-up message."""
    queues: list[str] = []
    for module in ("feeds", "status", "posts.detail"):
        monkeypatch.setattr(f"knowledge.views.{module}.ring", queues.append)
        monkeypatch.setattr(f"knowledge.views.{module}.ring_projectors", lambda: queues.append("every projector"))
    return queues


def test_a_feed_is_added_and_polled(editor: Client, woken: list[str]) -> None:
    html = editor.post("/feeds/add/", {"address": " news.example/feed.xml "}, follow=True).content.decode()
    feed = Feed.objects.get()
    assert feed.url == "https://news.example/feed.xml"
    assert feed.due_at is not None
    assert feed.due_at <= timezone.now()
    assert woken == ["poll"]
    assert "The feed was added." in html
    assert Event.objects.get().what == "feed added"
    assert (
        "already subscribe to this feed"
        in editor.post("/feeds/add/", {"address": feed.url}, follow=True).content.decode()
    )


def events() -> list[tuple[str, str, Any, Any]]:
    return list(Event.objects.order_by("pk").values_list("what", "subject", "before", "after"))


@pytest.mark.parametrize("state", [Feed.State.PAUSED, Feed.State.GONE])
def test_changes_by_the_address_of_a_known_feed_are_recorded(editor: Client, state: str) -> None:
    feed = make_feed(url="https://news.example/f", credentials="me:old")
    subject = str(feed.pk)
    editor.post("/feeds/add/", {"address": "https://me:old@news.example/f"})
    assert events() == [], "nothing has changed"
    html = editor.post("/feeds/add/", {"address": "https://me:n3w@news.example/f"}, follow=True).content.decode()
    assert "its user name and password were replaced" in html
    Feed.objects.update(state=state, due_at=None)
    editor.post("/feeds/add/", {"address": "https://news.example/f"})
    Feed.objects.update(state=state, due_at=None)
    outlines = b'<opml><body><outline xmlUrl="https://you:0ther@news.example/f"/></body></opml>'
    editor.post("/feeds/opml/import/", {"opml": SimpleUploadedFile("feeds.opml", outlines)})
    retried, credentials = ("feed retry", subject, state, "active"), ("feed credentials", subject, None, None)
    assert events() == [credentials, retried, retried, credentials]
    assert open_sealed(Feed.objects.get().credentials) == "you:0ther"
    assert not Event.objects.filter(by=None).exists()


@pytest.mark.parametrize("address", ["", "ftp://x.example/", "file:///etc/passwd", "javascript:alert(1)", "a b"])
def test_an_invalid_address_shows_an_error_and_stays_in_the_field(editor: Client, address: str) -> None:
    html = editor.post("/feeds/add/", {"address": address}, follow=True).content.decode()
    assert "is not the address of a feed" in html or "is not a web address" in html
    assert not Feed.objects.exists()


def test_a_password_in_an_address_is_shown_nowhere(editor: Client) -> None:
    html = editor.post("/feeds/add/", {"address": "https://me:s3cret@news.example/f"}, follow=True).content.decode()
    assert open_sealed(Feed.objects.get().credentials) == "me:s3cret"
    for shown in (html, editor.get("/feeds/").content.decode(), editor.get("/feeds/opml/").content.decode()):
        assert "s3cret" not in shown


def test_a_failing_feed_keeps_its_error_and_its_button(editor: Client, woken: list[str]) -> None:
    feed = make_feed(failures=2, error="The server answered 503.", error_at=timezone.now())
    assert "The server answered 503." in editor.get("/feeds/").content.decode()
    html = editor.get(f"/feeds/{feed.pk}/").content.decode()
    assert "The server answered 503." in html
    assert "Retry now" in html
    editor.post(f"/feeds/{feed.pk}/change/", {"do": "retry"})
    feed.refresh_from_db()
    assert feed.due_at is not None
    assert woken == ["poll"]


def test_a_feed_is_paused_and_resumed(editor: Client) -> None:
    feed = make_feed(due_at=timezone.now())
    html = editor.post(f"/feeds/{feed.pk}/change/", {"do": "pause"}, follow=True).content.decode()
    feed.refresh_from_db()
    assert (feed.state, feed.due_at) == (Feed.State.PAUSED, None)
    assert "Resume" in html
    editor.post(f"/feeds/{feed.pk}/change/", {"do": "retry"})
    feed.refresh_from_db()
    assert feed.state == Feed.State.ACTIVE
    events = Event.objects.filter(subject=str(feed.pk)).order_by("pk").values_list("what", "before", "after")
    assert list(events) == [("feed pause", "active", "paused"), ("feed retry", "paused", "active")]
    assert (
        "can be polled or paused" in editor.post(f"/feeds/{feed.pk}/change/", {"do": "x"}, follow=True).content.decode()
    )


def test_opml_is_exported_and_imported(editor: Client) -> None:
    make_feed("Über & <under>", url="https://one.example/feed")
    exported = editor.get("/feeds/opml/")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="kgbuilder-feeds.opml"'
    Feed.objects.all().delete()
    upload = SimpleUploadedFile("feeds.opml", exported.content)
    html = editor.post("/feeds/opml/import/", {"opml": upload}, follow=True).content.decode()
    assert "1 feeds were added" in html
    assert Feed.objects.get().title == "Über & <under>"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no xml", "is not OPML"),
        (b"<rss/>", "is not OPML"),
        (b'<!DOCTYPE o [<!ENTITY a "b">]><opml><body><outline xmlUrl="&a;"/></body></opml>', "is not OPML"),
        (b'<opml><body><outline xmlUrl="file:///etc/passwd"/></body></opml>', "is not the address of a feed"),
        (b"x" * (6 << 20), "larger than"),
    ],
)
def test_an_invalid_list_shows_an_error(editor: Client, content: bytes, sentence: str) -> None:
    upload = SimpleUploadedFile("feeds.opml", content)
    assert sentence in editor.post("/feeds/opml/import/", {"opml": upload}, follow=True).content.decode()
    assert not Feed.objects.exists()


def test_an_import_without_a_file_shows_an_error(editor: Client) -> None:
    assert "Choose an OPML file first." in editor.post("/feeds/opml/import/", follow=True).content.decode()


def test_the_page_of_a_feed_shows_its_items(editor: Client) -> None:
    feed = make_feed()
    post = make_post("Seen here", feed=feed)
    Post.objects.filter(pk=post.pk).update(state=Post.State.WITHDRAWN)
    html = editor.get(f"/feeds/{feed.pk}/").content.decode()
    assert "Seen here" in html
    assert "withdrawn" in html


def test_the_samples_are_removed_with_their_posts(client: Client, woken: list[str]) -> None:
    client.force_login(make_user("admin"))
    feed = make_feed("Samples", sample=True)
    read_post(make_post("Sample", "Ada met Babbage.", feed=feed, sample=True), [("Ada", "person")])
    own = make_post("Our own", feed=make_feed())
    assert "Remove the samples" in client.get("/feeds/").content.decode()
    html = client.post("/feeds/samples/remove/", follow=True).content.decode()
    assert "its 1 posts were removed" in html
    assert "Remove the samples" not in html
    assert list(Post.objects.all()) == [own]
    assert woken == ["every projector"]


def test_lists_of_feeds_take_a_fixed_number_of_queries(editor: Client) -> None:
    feed = make_feed()
    make_post(feed=feed)
    with CaptureQueriesContext(connection) as few:
        editor.get("/feeds/")
    for i in range(20):
        other = make_feed(f"Feed {i}")
        make_post(feed=other)
    with CaptureQueriesContext(connection) as many:
        editor.get("/feeds/")
    assert len(many) == len(few)


@pytest.fixture
def no_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    part = doctor.Component("detector", "missing", "DETECTOR_WEIGHTS is empty.", "Pictures are not read.", needed=False)
    monkeypatch.setattr(doctor, "parts", lambda: [part])


@pytest.mark.usefixtures("no_doctor")
def test_the_status_page_shows_queues_and_failures(editor: Client, woken: list[str]) -> None:
    make_checkpoint(name="the reader")
    now = timezone.now()
    make_feed("Late", due_at=now - timedelta(hours=3))
    make_feed("Broken", failures=1, error="Refused by its server.", error_at=now)
    read_post(make_post("Done", "Ada."), [("Ada", "person")])
    stuck = make_post("Stuck", attempts=3, error="The page took longer than 30 seconds.", due_at=now)
    assert stuck.current_version is not None
    reader = Reading.objects.get().checkpoint
    Reading.objects.create(
        version=stuck.current_version, checkpoint=reader, stage=Reading.Stage.FAILED, error="The worker died 3 times."
    )
    Projection.objects.update(error="400: no such thing", attempts=4)
    html = editor.get("/status/?refresh=10").content.decode()
    for text in (
        "the reader",
        "Refused by its server.",
        "The page took longer than 30 seconds.",
        "The worker died 3 times.",
        "400: no such thing",
        "DETECTOR_WEIGHTS is empty. Pictures are not read.",
        '<meta http-equiv="refresh" content="10">',
        "3\xa0hours",
    ):
        assert text in html, text
    for what in ("readings", "units", "posts"):
        assert "will be retried now" in editor.post("/status/retry/", {"what": what}, follow=True).content.decode()
    assert woken == ["read", "every projector", "fetch"]
    assert Reading.objects.filter(stage=Reading.Stage.FAILED).count() == 0
    assert Projection.objects.exclude(attempts=0).count() == 0
    assert "nothing of this kind" in editor.post("/status/retry/", {"what": "x"}, follow=True).content.decode()


@pytest.mark.usefixtures("no_doctor")
def test_the_status_page_counts_the_work_of_the_last_hour(editor: Client) -> None:
    make_checkpoint()
    make_feed(polled_at=timezone.now())
    make_feed(polled_at=timezone.now() - timedelta(hours=2))
    for _ in range(3):
        read_post(make_post())
    context: Any = editor.get("/status/").context
    done = {queue.name: (queue.due, queue.done) for queue in context["queues"]}
    assert done["poll"] == (0, 1)
    assert done["fetch"][1] == 3
    assert done["read"] == (0, 3)
    assert done["project.rdf"][0] == 3
    assert context["stages"] == [("analysed", 3)]
