"""Feeds and their health, adding and importing them, and the status page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from extraction.crawler.parsers.feed_parser import FeedItem
from extraction.feeds import discovery, polling
from extraction.models import Feed, Post, Reading, Sighting
from kgbuilder.conf.encrypted_field import open_sealed, seal
from kgbuilder.monitoring import doctor
from knowledge.models import Event, Projection
from knowledge.record import current
from tests.factories import NOON, make_checkpoint, make_feed, make_post, make_user, read_post

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("editor"))
    return client


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queues that received a wake-up message."""
    queues: list[str] = []
    for module in ("feeds.index", "feeds.detail", "feeds.adding", "status", "posts.detail"):
        monkeypatch.setattr(f"knowledge.views.{module}.ring", queues.append)
        if module != "feeds.adding":
            monkeypatch.setattr(f"knowledge.views.{module}.ring_projectors", lambda: queues.append("every projector"))
    return queues


def add(client: Client, address: str, **fields: str) -> str:
    """The page after adding an address that `find` has shown."""
    return client.post("/feeds/add/", {"feed": seal(address), **fields}, follow=True).content.decode()


def test_a_feed_is_added_and_polled(editor: Client, woken: list[str]) -> None:
    html = add(editor, " news.example/feed.xml ")
    feed = Feed.objects.get()
    assert feed.url == "https://news.example/feed.xml"
    assert feed.due_at is not None
    assert feed.due_at <= timezone.now()
    assert woken == ["poll"]
    assert "The feed was added." in html
    assert Event.objects.get().what == "feed added"
    assert "already subscribe to this feed" in add(editor, feed.url)


def events() -> list[tuple[str, str, Any, Any]]:
    return list(Event.objects.order_by("pk").values_list("what", "subject", "before", "after"))


@pytest.mark.parametrize("state", [Feed.State.PAUSED, Feed.State.GONE])
def test_changes_by_the_address_of_a_known_feed_are_recorded(editor: Client, state: str) -> None:
    feed = make_feed(url="https://news.example/f", credentials="me:old")
    subject = str(feed.pk)
    add(editor, "https://me:old@news.example/f")
    assert events() == [], "nothing has changed"
    html = add(editor, "https://me:n3w@news.example/f")
    assert "its user name and password were replaced" in html
    Feed.objects.update(state=state, due_at=None)
    add(editor, "https://news.example/f")
    Feed.objects.update(state=state, due_at=None)
    outlines = b'<opml><body><outline xmlUrl="https://you:0ther@news.example/f"/></body></opml>'
    editor.post("/feeds/opml/import/", {"opml": SimpleUploadedFile("feeds.opml", outlines)})
    retried, credentials = ("feed retry", subject, state, "active"), ("feed credentials", subject, None, None)
    assert events() == [credentials, retried, retried, credentials]
    assert open_sealed(Feed.objects.get().credentials) == "you:0ther"
    assert not Event.objects.filter(by=None).exists()


@pytest.mark.parametrize("address", ["", "ftp://x.example/", "file:///etc/passwd", "javascript:alert(1)", "a b"])
def test_an_invalid_address_shows_an_error_and_stays_in_the_field(editor: Client, address: str) -> None:
    response = editor.post("/feeds/find/", {"address": address})
    html = response.content.decode()
    assert response.status_code == 422 and 'role="alert"' in html
    assert "is not the address of a feed" in html or "is not a web address" in html
    assert f'value="{address}"' in html
    assert "is not" in add(editor, address or " ")
    assert not Feed.objects.exists()


def test_a_password_in_an_address_is_shown_nowhere(editor: Client) -> None:
    html = add(editor, "https://me:s3cret@news.example/f")
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
    assert "Remove the samples…" in client.get("/feeds/").content.decode()
    assert "its 1 posts, everything extracted from them" in client.get("/feeds/samples/remove/").content.decode()
    assert Feed.objects.filter(pk=feed.pk).exists(), "the page only asks"
    html = client.post("/feeds/samples/remove/", follow=True).content.decode()
    assert "its 1 posts were removed" in html
    assert "Remove the samples" not in html and client.get("/feeds/samples/remove/").status_code == 302
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


def found_feed(url: str, title: str = "Found News", known: int | None = None) -> discovery.FoundFeed:
    item = FeedItem("1", f"{url}/1", "A first story", "", "", NOON, "", "")
    return discovery.FoundFeed(url, title, "", 1, (item,), "", known)


@pytest.mark.parametrize(
    ("error", "offered"),
    [("news.example responded with 404.", False), ("news.example did not respond in time.", True)],
)
def test_an_address_without_a_feed_is_an_error_and_adds_nothing(
    editor: Client, monkeypatch: pytest.MonkeyPatch, error: str, offered: bool
) -> None:
    def discover(address: str) -> list[discovery.FoundFeed]:
        raise discovery.NoFeedFound(error, later=offered)

    monkeypatch.setattr(discovery, "discover", discover)
    response = editor.post("/feeds/find/", {"address": "https://me:s3cret@news.example/f"})
    html = response.content.decode()
    assert response.status_code == 422 and not Feed.objects.exists()
    assert error in html and 'class="success"' not in html and "s3cret" not in html
    assert 'value="https://news.example/f"' in html
    assert ("Add it all the same" in html) == offered
    if offered:
        [sealed] = re.findall(r'name="feed" value="([^"]+)"', html)
        shown = editor.post("/feeds/add/", {"feed": sealed, "unchecked": "yes"}, follow=True).content.decode()
        assert "without having been read" in shown and 'class="success"' not in shown
        assert open_sealed(Feed.objects.get().credentials) == "me:s3cret"


def test_a_found_feed_is_shown_before_it_is_added(editor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    known = make_feed("Known", url="https://news.example/k")
    feeds = [found_feed("https://news.example/f"), found_feed(known.url, "Known", known.pk)]
    monkeypatch.setattr(discovery, "discover", lambda address: feeds)
    html = editor.post("/feeds/find/", {"address": "https://me:s3cret@news.example"}).content.decode()
    assert "2 feeds were found" in html and "A first story" in html and "already subscribe" in html
    assert "s3cret" not in html and Feed.objects.count() == 1
    [sealed] = re.findall(r'name="feed" value="([^"]+)"', html)
    editor.post("/feeds/add/", {"feed": sealed, "title": "Mine", "folder": " World  news "})
    added = Feed.objects.get(url="https://news.example/f")
    assert (added.title, added.folder, open_sealed(added.credentials)) == ("Mine", "World news", "me:s3cret")


def test_an_address_that_was_not_shown_is_not_added(editor: Client) -> None:
    for forged in ("https://news.example/f", "hello", "sealed:nonsense"):
        assert "Enter the address again" in editor.post("/feeds/add/", {"feed": forged}, follow=True).content.decode()
    assert not Feed.objects.exists()


def test_a_feed_is_edited(editor: Client, woken: list[str]) -> None:
    feed = make_feed("Old", url="https://old.example/f", failures=3, error="404", etag='"1"', credentials="me:old")
    values = {"title": "New", "url": "https://new.example/f", "folder": "World", "language": "de", "full_text": ""}
    assert "The feed was changed." in editor.post(f"/feeds/{feed.pk}/edit/", values, follow=True).content.decode()
    feed.refresh_from_db()
    assert (feed.title, feed.url, feed.folder, feed.language, feed.full_text) == (*list(values.values())[:4], False)
    assert (feed.failures, feed.error, feed.etag, feed.credentials) == (0, "", "", ""), "of the old server"
    assert woken == ["poll"]
    [event] = events()
    assert event[0] == "feed changed" and event[2]["url"] == "https://old.example/f"
    assert "Nothing was changed" in editor.post(f"/feeds/{feed.pk}/edit/", values, follow=True).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("url", "javascript:alert(1)", "is not a web address"),
        ("language", "German", "such as en, de"),
        ("url", "", "required"),
        ("url", "https://other.example/f", "address of the feed Other already"),
    ],
)
def test_settings_that_do_not_fit_change_nothing(editor: Client, field: str, value: str, sentence: str) -> None:
    make_feed("Other", url="https://other.example/f")
    feed = make_feed("Mine", url="https://mine.example/f")
    form = {"title": "Changed", "url": feed.url, field: value}
    response = editor.post(f"/feeds/{feed.pk}/edit/", form)
    assert response.status_code == 422 and sentence in response.content.decode()
    feed.refresh_from_db()
    assert feed.title == "Mine"


def deleted(client: Client, feed: Feed, posts: str) -> str:
    return client.post(f"/feeds/{feed.pk}/delete/", {"posts": posts}, follow=True).content.decode()


def test_deleting_a_feed_shows_what_goes_and_can_be_undone(client: Client, woken: list[str]) -> None:
    client.force_login(make_user("admin"))
    feed, other = make_feed("Mine", due_at=timezone.now()), make_feed("Other")
    names, relations = [("Ann", "person"), ("Acme", "organization")], [("Ann", "employer", "Acme", 0.9)]
    own, shared = make_post("Ann of Acme", feed=feed), make_post("Ann left Acme", feed=feed)
    for post in (own, shared):
        read_post(post, names, relations)
    Sighting.objects.create(feed=other, post=shared, guid="x", first_seen=NOON, last_seen=NOON)
    page = " ".join(client.get(f"/feeds/{feed.pk}/delete/").content.decode().split())
    assert "has listed 2 items; 1 post that no other feed lists is live, with 1 active assertion." in page
    assert "1 of its posts were withdrawn" in deleted(client, feed, "withdraw")
    assert [row.feed for row in client.get("/feeds/").context["rows"]] == [other]
    own.refresh_from_db()
    shared.refresh_from_db()
    assert (own.state, own.due_at, shared.state) == ("withdrawn", None, "live")
    assert current.assertions().count() == 1
    assert b"Mine" not in client.get("/feeds/opml/").content
    Feed.objects.filter(pk=feed.pk).update(due_at=timezone.now())
    assert [one.pk for one in polling.claim(9)] == [], "not even where a poll was going on"
    assert "with 1 withdrawn posts" in client.post(f"/feeds/{feed.pk}/restore/", follow=True).content.decode()
    own.refresh_from_db()
    feed.refresh_from_db()
    assert (own.state, feed.deleted_at) == ("live", None) and feed.due_at is not None
    assert current.assertions().count() == 2
    assert [what for what, *_ in events()] == ["feed deleted", "feed restored"]


def test_posts_are_kept_where_a_feed_alone_is_deleted_and_adding_it_again_restores_it(client: Client) -> None:
    client.force_login(make_user("admin"))
    feed = make_feed("Mine", url="https://mine.example/f")
    post = make_post("Ann", feed=feed)
    deleted(client, feed, "keep")
    post.refresh_from_db()
    assert post.state == "live"
    assert "it is restored" in add(client, feed.url)
    feed.refresh_from_db()
    assert feed.deleted_at is None


def test_only_admins_delete_and_a_get_deletes_nothing(editor: Client, client: Client) -> None:
    feed = make_feed()
    assert editor.post(f"/feeds/{feed.pk}/delete/", {"posts": "keep"}).status_code == 403
    html = editor.post("/feeds/selected/", {"feed": feed.pk, "do": "delete"}, follow=True).content.decode()
    assert "Only admins can remove feeds" in html
    client.force_login(make_user("admin"))
    client.get(f"/feeds/{feed.pk}/delete/", {"posts": "keep"})
    client.post(f"/feeds/{feed.pk}/delete/", {})
    assert not Feed.objects.exclude(deleted_at=None).exists()


def test_several_feeds_are_changed_at_once(client: Client, woken: list[str]) -> None:
    client.force_login(make_user("admin"))
    feeds = [make_feed(f"Feed {n}") for n in range(3)]
    chosen = [str(feed.pk) for feed in feeds[:2]]

    def selected(do: str, **more: str) -> str:
        return client.post("/feeds/selected/", {"feed": chosen, "do": do, **more}, follow=True).content.decode()

    assert "2 feeds moved to World." in selected("move", folder="World")
    assert [row.feed.title for row in client.get("/feeds/?folder=World").context["rows"]] == ["Feed 0", "Feed 1"]
    assert [row.feed.title for row in client.get("/feeds/?folder=-").context["rows"]] == ["Feed 2"]
    selected("pause")
    assert list(Feed.objects.filter(state="paused").order_by("pk")) == feeds[:2]
    selected("poll")
    assert Feed.objects.filter(state="active").count() == 3
    selected("delete")
    assert [row.feed.title for row in client.get("/feeds/").context["rows"]] == ["Feed 2"]
    assert len(client.get("/feeds/").context["deleted"]) == 2
    assert (
        "can be polled, paused" in client.post("/feeds/selected/", {"feed": feeds[2].pk}, follow=True).content.decode()
    )
    assert "Select the feeds first" in client.post("/feeds/selected/", {"do": "pause"}, follow=True).content.decode()


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("title", "abc"),
        ("state", "bac"),
        ("new", "cba"),
        ("polled", "acb"),
        ("added", "cba"),
        ("posts", "acb"),
        ("x", "abc"),
    ],
)
def test_the_list_is_sorted(editor: Client, sort: str, expected: str) -> None:
    hour = timedelta(hours=1)
    first = make_feed("a")
    make_feed("b", failures=2, error="503", new_at=NOON, polled_at=NOON + hour)
    make_feed("c", state="paused", new_at=NOON + hour, polled_at=NOON)
    make_post("One", feed=first)
    assert "".join(row.feed.title for row in editor.get(f"/feeds/?sort={sort}").context["rows"]) == expected
