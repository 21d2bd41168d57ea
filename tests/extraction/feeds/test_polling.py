"""Polls: what items make of posts and sightings, when a feed is polled next, and what is kept of its failures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from extraction.crawler import canonical_urls
from extraction.crawler.http_client import FetchError, Response
from extraction.feeds import polling
from extraction.feeds.subscriptions import NoFeedAddress, export_opml, import_opml, pause, retry, subscribe
from extraction.models import Feed, Post, Sighting
from kgbuilder.celery import Doorbell
from kgbuilder.conf.encrypted_field import open_sealed
from knowledge.models import Event
from knowledge.record.projection_queue import mark_posts
from tests.servers import fakeweb
from tests.servers.fakeweb import START, Clock, FakeWeb, article, html, status

pytestmark = pytest.mark.django_db
clock, web = fakeweb.clock, fakeweb.web

URL = "https://news.example/feed.xml"


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    queues: list[str] = []
    monkeypatch.setattr(Doorbell, "ring", lambda self, queue: queues.append(queue))
    return queues


def item(number: int | str, *, title: str = "", text: str = "", link: str = "", date: str = "") -> str:
    return (
        f"<item><guid isPermaLink='false'>{number}</guid><title>{title or f'Story {number}'}</title>"
        f"<link>{link or f'https://news.example/{number}'}</link><description>{text}</description>"
        + (f"<pubDate>{date}</pubDate>" if date else "")
        + "</item>"
    )


def rss(*items: str, ttl: int = 0) -> str:
    return (
        "<rss version='2.0'><channel><title>Example News</title><link>https://news.example/</link>"
        + (f"<ttl>{ttl}</ttl>" if ttl else "")
        + "".join(items)
        + "</channel></rss>"
    )


def answer(content: str, **options: Any) -> Response:
    moved = options.pop("moved", "")
    made = html(content, URL, "application/rss+xml", **options)
    return Response(moved or made.url, 200, made.headers, made.content, moved_permanently_to=moved)


def poll(feed: Feed, clock: Clock) -> polling.Polled:
    """Polls the feed when it is due."""
    feed.refresh_from_db()
    assert feed.due_at is not None
    clock.now = max(clock.now, feed.due_at)
    done = polling.poll_due(mark=mark_posts)
    feed.refresh_from_db()
    return done


@pytest.fixture
def feed(web: FakeWeb) -> Feed:
    return subscribe(URL).feed


def days_ago(days: float) -> str:
    return format_datetime(START - timedelta(days=days))


# items, sightings, posts


def test_items_become_posts_that_are_due(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1, text="Words of the feed.", date=days_ago(1)), item(2)))
    done = poll(feed, clock)
    assert (done.claimed, done.new, done.changed, done.errors) == (1, 2, 0, {})
    sighting = Sighting.objects.select_related("post").get(guid="1")
    assert (sighting.title, sighting.text) == ("Story 1", "Words of the feed.")
    assert (sighting.post.link, sighting.post.publisher) == ("https://news.example/1", "news.example")
    assert (sighting.post.due_at, sighting.post.current_version) == (START, None)
    assert (feed.title, feed.site, feed.error, feed.new_at) == ("Example News", "https://news.example/", "", START)


def test_a_second_poll_makes_nothing_twice(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1), item(2)))
    poll(feed, clock)
    assert poll(feed, clock).new == 0
    assert (Post.objects.count(), Sighting.objects.count()) == (2, 2)
    assert Sighting.objects.get(guid="1").last_seen == clock.now > Sighting.objects.get(guid="1").first_seen


def test_a_changed_guid_and_another_feed_are_sightings_of_one_post(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    link = "https://news.example/storm"
    web.pages[URL] = answer(rss(item("old", link=link), item("twice", link=f"{link}?utm_source=rss")))
    assert poll(feed, clock).new == 1
    web.pages[URL] = answer(rss(item("new", link=link)))
    assert poll(feed, clock).new == 0
    other = subscribe("https://news.example/sport.xml").feed
    web.pages[other.url] = answer(rss(item("elsewhere", link="http://www.news.example/storm/")))
    assert poll(other, clock).new == 0
    assert Post.objects.get().sightings.count() == 4


def test_a_link_that_was_folded_is_known_when_its_guid_changes(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1)))
    poll(feed, clock)
    # the page named a canonical link, which is the post's key from then on
    Post.objects.update(link_key=canonical_urls.key("https://news.example/canonical"))
    web.pages[URL] = answer(rss(item("changed", link="https://news.example/1")))
    assert poll(feed, clock).new == 0


def test_items_without_links_are_posts_of_their_own(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    no_link = "<item><guid isPermaLink='false'>{0}</guid><title>Story {0}</title></item>"
    web.pages[URL] = answer(rss(no_link.format(1), no_link.format(2)))
    assert poll(feed, clock).new == 2
    assert set(Post.objects.values_list("link_key", flat=True)) == {None}


def test_a_changed_item_is_visited_again(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1), item(2)))
    poll(feed, clock)
    Post.objects.update(due_at=None)
    web.pages[URL] = answer(rss(item(1, title="Story 1 (corrected)"), item(2)))
    assert poll(feed, clock).changed == 1
    assert Post.objects.get(link__endswith="/1").due_at == clock.now
    assert Post.objects.get(link__endswith="/2").due_at is None
    assert Sighting.objects.get(guid="1").title == "Story 1 (corrected)"


def test_an_item_that_moves_takes_its_post_along(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1, title="Storm"), item(2, title="Storm")))
    poll(feed, clock)
    moved = [item(number, title="Storm", link="https://news.example/new") for number in (1, 2)]
    web.pages[URL] = answer(rss(*moved))
    assert poll(feed, clock).changed == 2
    assert sorted(Post.objects.values_list("link", flat=True)) == ["https://news.example/2", "https://news.example/new"]


def test_an_item_that_leaves_the_midst_is_visited_and_not_withdrawn(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    items = [item(number, date=days_ago(number)) for number in (1, 2, 3)]
    web.pages[URL] = answer(rss(*items))
    poll(feed, clock)
    Post.objects.update(due_at=None)
    web.pages[URL] = answer(rss(items[0], items[2]))
    poll(feed, clock)
    assert Post.objects.get(link__endswith="/2").due_at == clock.now
    web.pages[URL] = answer(rss(items[0]))
    poll(feed, clock)
    assert Post.objects.get(link__endswith="/3").due_at is None
    assert set(Post.objects.values_list("state", flat=True)) == {"live"}


def test_times_as_the_feed_gives_them(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    verbatim = "Sun, 01 Mar 2026 13:00:00 +0100"
    future = format_datetime(START + timedelta(days=3))
    web.pages[URL] = answer(
        rss(item("dated", date=verbatim), item("none"), item("odd", date="soon"), item("future", date=future))
    )
    poll(feed, clock)
    found = {
        sighting.guid: (sighting.post.published_at, sighting.post.published_text, sighting.post.published_notice)
        for sighting in Sighting.objects.select_related("post")
    }
    assert found == {
        "dated": (START - timedelta(days=1), verbatim, ""),
        "none": (START, "", "no date"),
        "odd": (START, "soon", "unreadable"),
        "future": (START + timedelta(days=3), future, "future"),
    }


def test_many_items_are_written_in_pages_that_each_check_the_lease(
    feed: Feed, web: FakeWeb, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages[URL] = answer(rss(*[item(number) for number in range(3 * polling.PAGE_OF_ITEMS)]))
    record_items, calls = polling.record_items, []

    def lose(feed: Feed, items: Any, now: Any) -> Any:
        calls.append(len(items))
        Feed.objects.update(lease_token="another's")
        return record_items(feed, items, now)

    monkeypatch.setattr(polling, "record_items", lose)
    done = poll(feed, clock)
    assert calls == [polling.PAGE_OF_ITEMS] and done.errors == {}
    assert Post.objects.count() == polling.PAGE_OF_ITEMS
    assert (feed.lease_token, feed.etag, feed.polled_at) == ("another's", "", None)


def test_a_post_that_is_merged_while_its_item_is_written_is_looked_up_again(
    feed: Feed, web: FakeWeb, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages[URL] = answer(rss(item(1)))
    record_items, calls = polling.record_items, []

    def fail_once(feed: Feed, items: Any, now: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise IntegrityError("the post is gone")
        return record_items(feed, items, now)

    monkeypatch.setattr(polling, "record_items", fail_once)
    assert poll(feed, clock).new == 1 and len(calls) == 2


def test_samples_make_sample_posts(web: FakeWeb, clock: Clock) -> None:
    feed = subscribe(URL, sample=True).feed
    web.pages[URL] = answer(rss(item(1)))
    poll(feed, clock)
    assert Post.objects.get().sample


# when a feed is polled next


def test_a_busy_feed_is_polled_more_often_than_a_quiet_one(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    hourly = [item(number, date=format_datetime(START - timedelta(hours=number))) for number in range(8)]
    web.pages[URL] = answer(rss(*hourly))
    poll(feed, clock)
    assert feed.due_at == START + timedelta(minutes=30)
    quiet = subscribe("https://quiet.example/feed").feed
    web.pages[quiet.url] = answer(rss(*[item(f"q{number}", date=days_ago(number * 7)) for number in range(4)]))
    poll(quiet, clock)
    assert quiet.due_at - clock.now == timedelta(hours=4)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "headers", "rest"),
    [
        (rss(item(1), ttl=120), {}, timedelta(hours=2)),
        (rss(item(1)), {"cache_control": "max-age=7200"}, timedelta(hours=2)),
        (rss(item(1), ttl=100_000), {}, timedelta(days=1)),
        (rss(item(1)), {"cache_control": "no-cache"}, timedelta(minutes=15)),
    ],
    ids=["ttl", "cache-control", "at most a day", "none"],
)
def test_what_a_feed_asks_is_obeyed(
    feed: Feed, web: FakeWeb, clock: Clock, content: str, headers: dict[str, str], rest: timedelta
) -> None:
    web.pages[URL] = answer(content, **headers)
    poll(feed, clock)
    assert feed.due_at == START + rest


def test_polls_are_conditional(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1)), etag='"1"', last_modified="Mon, 02 Mar 2026 10:00:00 GMT")
    poll(feed, clock)
    assert web.asked[0][1]["etag"] == ""
    web.pages[URL] = Response(URL, 304, {"cache-control": "max-age=9000"}, b"", not_modified=True)
    assert poll(feed, clock).errors == {}
    options = web.asked[1][1]
    assert (options["etag"], options["last_modified"]) == ('"1"', "Mon, 02 Mar 2026 10:00:00 GMT")
    assert feed.etag == '"1"' and feed.due_at == clock.now + timedelta(seconds=9000)


# failures


def test_a_failing_feed_backs_off_and_keeps_its_error(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = status(500, URL)
    waits = []
    for _ in range(8):
        assert poll(feed, clock).errors == {URL: f"{URL} answers 500."}
        waits.append((feed.due_at - clock.now) / timedelta(minutes=30))  # type: ignore[operator]
    assert waits == [1, 2, 4, 8, 16, 32, 48, 48]
    assert (feed.state, feed.failures, feed.error, feed.error_at) == ("active", 8, f"{URL} answers 500.", clock.now)
    web.pages[URL] = answer(rss(item(1)))
    poll(feed, clock)
    assert (feed.failures, feed.error, feed.error_at) == (0, "", None)


def test_what_is_no_feed_is_a_failure_with_its_reason(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer("<html><body>hello</body></html>")
    poll(feed, clock)
    assert "not a feed" in feed.error and feed.failures == 1 and feed.due_at is not None


def test_a_retry_polls_at_once(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = status(500, URL)
    poll(feed, clock)
    retry(feed)
    feed.refresh_from_db()
    assert feed.due_at == clock.now and feed.error
    web.pages[URL] = answer(rss(item(1)))
    assert poll(feed, clock).new == 1


def test_retry_after_is_obeyed(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = status(503, URL, retry_after=7200.0)
    poll(feed, clock)
    assert feed.due_at == START + timedelta(hours=2)
    beside = subscribe("https://news.example/sport.xml").feed
    poll(beside, clock)
    assert "https://news.example/sport.xml" not in web.urls()


def test_410_ends_a_feed_with_the_reason_and_a_retry_takes_it_up(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1)))
    poll(feed, clock)
    web.pages[URL] = status(410, URL)
    poll(feed, clock)
    assert (feed.state, feed.due_at) == ("gone", None)
    assert "410" in feed.error and "ended" in feed.error
    assert Post.objects.get().state == "live"
    assert polling.claim(9) == []
    retry(feed)
    web.pages[URL] = answer(rss(item(1)))
    poll(feed, clock)
    assert (feed.state, feed.error) == ("active", "")


def test_a_301_moves_the_feed(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    moved = "https://news.example/new.xml"
    web.pages |= {URL: answer(rss(item(1)), moved=moved), moved: answer(rss(item(1), item(2)))}
    poll(feed, clock)
    assert feed.url == moved and URL in feed.notice
    assert poll(feed, clock).new == 1


@pytest.mark.parametrize(
    ("moved", "kept"), [("https://www.news.example/new.xml", "user:secret"), ("https://elsewhere.example/f", "")]
)
def test_a_password_does_not_move_to_another_host(web: FakeWeb, clock: Clock, moved: str, kept: str) -> None:
    feed = subscribe("https://user:secret@news.example/feed.xml").feed
    web.pages[URL] = answer(rss(item(1)), moved=moved)
    poll(feed, clock)
    assert (feed.url, open_sealed(feed.credentials)) == (moved, kept)


def test_a_301_to_a_feed_that_is_there_already_ends_this_one(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    moved = subscribe("https://news.example/new.xml").feed
    Feed.objects.filter(pk=moved.pk).update(due_at=None)
    web.pages[URL] = answer(rss(item(1)), moved=moved.url)
    poll(feed, clock)
    assert (feed.state, feed.due_at, feed.url) == ("gone", None, URL) and moved.url in feed.error


def test_an_error_of_ours_is_kept_and_the_other_feeds_go_on(
    feed: Feed, web: FakeWeb, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = subscribe("https://other.example/feed").feed
    web.pages |= {URL: answer(rss(item(1))), other.url: answer(rss(item(2)))}
    parse = polling.sandbox.parse_feed
    monkeypatch.setattr(
        polling.sandbox,
        "parse_feed",
        lambda content, kind, url: 1 / 0 if b"Story 1" in content else parse(content, kind, url),
    )
    done = polling.poll_due(mark=mark_posts)
    assert done.new == 1 and "ZeroDivisionError" in done.errors[URL]
    feed.refresh_from_db()
    assert "ZeroDivisionError" in feed.error and feed.due_at > START and feed.lease_token == ""  # type: ignore[operator]


def test_a_claimed_feed_is_not_claimed_again_until_its_lease_runs_out(feed: Feed, clock: Clock) -> None:
    assert len(polling.claim(4)) == 1 and polling.claim(4) == []
    clock.now += polling.LEASE + timedelta(seconds=1)
    assert len(polling.claim(4)) == 1


def test_paused_feeds_are_not_polled(feed: Feed) -> None:
    pause(feed)
    assert polling.claim(4) == []


# subscribing, OPML, commands


def test_subscribing_twice_is_one_feed() -> None:
    first = subscribe(" https://news.example/feed.xml ")
    again = subscribe("feed:https://news.example/feed.xml")
    assert (first.feed.pk, first.new, again.new) == (again.feed.pk, True, False)
    assert (again.resumed_from, again.new_credentials) == ("", False)
    assert subscribe("news.example/other").feed.url == "https://news.example/other"


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "file:///etc/passwd", "https://", "http://a b/", "http://[bad"]
)
def test_what_is_no_feed_address_is_refused(url: str) -> None:
    with pytest.raises(NoFeedAddress):
        subscribe(url)
    assert not Feed.objects.exists()


def test_a_feed_s_password_is_sent_and_shown_nowhere(web: FakeWeb, clock: Clock) -> None:
    feed = subscribe("https://user:secret@news.example/feed.xml").feed
    assert feed.url == URL
    web.pages[URL] = answer(rss(item(1)))
    poll(feed, clock)
    assert web.asked[0][1]["credentials"] == "user:secret"
    assert b"secret" not in export_opml() and "secret" not in str(feed) + feed.error


OPML = b"""<?xml version="1.0"?><opml version="2.0"><head/><body>
<outline text="Folder"><outline type="rss" text="One &amp; only" xmlUrl="https://one.example/feed" htmlUrl="https://one.example/"/>
<outline text="Deeper"><outline title="Two" XMLURL="https://two.example/feed"/></outline></outline>
<outline text="Again" xmlUrl="https://one.example/feed"/><outline text="Bad" xmlUrl="javascript:alert(1)"/>
<outline text="No feed"/></body></opml>"""


def test_opml_is_imported_folders_and_all() -> None:
    done = import_opml(OPML)
    assert [(feed.url, feed.title) for feed in done.added] == [
        ("https://one.example/feed", "One & only"),
        ("https://two.example/feed", "Two"),
    ]
    assert (done.known, list(done.refused)) == (0, ["javascript:alert(1)"])
    assert import_opml(OPML).known == 2


def test_what_is_exported_can_be_imported() -> None:
    import_opml(OPML)
    subscribe("https://samples.example/feed", sample=True)
    exported = export_opml()
    Feed.objects.all().delete()
    assert {feed.title for feed in import_opml(exported).added} == {"One & only", "Two"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"words",
        b"<html><body/></html>",
        b"<opml><body><outline",
        b'<!DOCTYPE o [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><opml><body><outline xmlUrl="&c;"/></body></opml>',
        b'<!DOCTYPE o [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml><body><outline xmlUrl="&a;"/></body></opml>',
        b"<opml>" + b"x" * (6 << 20),
    ],
    ids=["empty", "words", "html", "cut", "entities", "external", "huge"],
)
def test_what_is_no_opml_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not OPML|larger"):
        import_opml(content)


def test_the_commands(
    web: FakeWeb, clock: Clock, tmp_path, capsys, rung: list[str], django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        call_command("add_feed", URL)
    assert "added: " + URL in capsys.readouterr().out and rung == ["poll"]
    with pytest.raises(CommandError, match="file:///x"):
        call_command("add_feed", "file:///x", "https://three.example/feed")
    file = tmp_path / "feeds.opml"
    file.write_bytes(OPML)
    call_command("import_opml", str(file))
    assert Event.objects.filter(what="feed added", by=None).count() == Feed.objects.count()
    web.pages["https://lists.example/feeds.opml"] = html(OPML, "https://lists.example/feeds.opml")
    call_command("import_opml", "https://lists.example/feeds.opml")
    assert "0 feeds added, 2 already there, 1 refused." in capsys.readouterr().out
    call_command("export_opml", str(tmp_path / "out.opml"))
    assert b"https://two.example/feed" in (tmp_path / "out.opml").read_bytes()
    for missing in (str(tmp_path / "none"), "https://lists.example/none"):
        with pytest.raises(CommandError):
            call_command("import_opml", missing)


def test_poll_now_polls_and_visits(feed: Feed, web: FakeWeb, clock: Clock, capsys, settings) -> None:
    settings.FETCH_ROBOTS = False
    web.pages |= {URL: answer(rss(item(1))), "https://news.example/1": article()}
    clock.pass_time(seconds=1)
    Feed.objects.update(due_at=START + timedelta(days=1))
    call_command("poll_now", "--visit")
    output = capsys.readouterr().out
    assert f"{URL}: 1 new posts" in output and "new: 1" in output
    assert Post.objects.get().current_version is not None
    with pytest.raises(CommandError, match="Not subscribed"):
        call_command("poll_now", "https://unknown.example/")
    web.pages[URL] = FetchError("timeout", "news.example did not respond in time.")
    with pytest.raises(CommandError, match="1 feeds could not be read"):
        call_command("poll_now", URL)


def test_a_post_whose_link_changed_is_marked_for_the_graph(feed: Feed, web: FakeWeb, clock: Clock) -> None:
    web.pages[URL] = answer(rss(item(1), item(2)))
    marked: list[Post] = []
    polling.poll_due(mark=marked.extend)
    assert marked == []
    clock.pass_time(days=1)
    web.pages[URL] = answer(rss(item(1, link="https://news.example/moved"), item(2)))
    polling.poll_due(mark=marked.extend)
    assert [post.link for post in marked] == [Post.objects.get(link__endswith="/moved").link]


def test_a_link_whose_change_cannot_be_marked_stays_and_the_poll_is_done_again(
    feed: Feed, web: FakeWeb, clock: Clock
) -> None:
    def broken(posts: Iterable[Post]) -> None:
        raise OSError("the disk is full")

    moved = rss(item(1, link="https://news.example/moved"), item(2))
    web.pages[URL] = answer(rss(item(1), item(2)))
    polling.poll_due(mark=broken)
    clock.pass_time(days=1)
    web.pages[URL] = answer(moved)
    assert "the disk is full" in polling.poll_due(mark=broken).errors[URL]
    assert not Post.objects.filter(link__endswith="/moved").exists()
    clock.pass_time(days=1)
    marked: list[Post] = []
    polling.poll_due(mark=marked.extend)
    assert len(marked) == Post.objects.filter(link__endswith="/moved").count() == 1
