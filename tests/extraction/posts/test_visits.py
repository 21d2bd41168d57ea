"""Visits to pages: the schedule, edits, withdrawals and returns, one story under many links, and manners."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from PIL import Image

from extraction import leases
from extraction.crawler import canonical_urls, politeness
from extraction.crawler.http_client import FetchError, Response
from extraction.images import storage
from extraction.models import Host, Post, PostImage, PostVersion, Reading, Sighting
from extraction.posts import visits
from extraction.posts.versions import new_version, text_hash
from tests.factories import make_checkpoint, make_feed
from tests.servers import fakeweb
from tests.servers.fakeweb import BODY, START, Clock, FakeWeb, article, html, status

pytestmark = pytest.mark.django_db
clock, web = fakeweb.clock, fakeweb.web

LINK = "https://news.example/storm"
marked: list[str] = []


@pytest.fixture(autouse=True)
def _manners(settings, tmp_path: Path) -> None:
    settings.FETCH_ROBOTS = False
    settings.MEDIA_ROOT = tmp_path
    settings.RECHECK_HOURS = (1, 6, 24, 72, 168)
    marked.clear()


def mark(posts: Iterable[Post]) -> None:
    marked.extend(post.link for post in posts)


def make_due(link: str = LINK, *, title: str = "Storm closes port", words: str = "The port is closed.") -> Post:
    post = Post.objects.create(
        link=link,
        link_key=canonical_urls.key(link) or None,
        publisher=canonical_urls.publisher(link),
        published_at=START,
        seen_at=timezone.now(),
        due_at=timezone.now(),
    )
    now = timezone.now()
    Sighting.objects.create(
        feed=make_feed(), post=post, guid="1", link=link, link_key=canonical_urls.key(link), title=title, text=words,
        first_seen=now, last_seen=now,
    )  # fmt: skip
    return post


def visit(limit: int = 8) -> dict[str, int]:
    return dict(visits.visit_due(limit, mark=mark).outcomes)


def again(post: Post, clock: Clock) -> dict[str, int]:
    """Visits the post when it is due next."""
    post.refresh_from_db()
    assert post.due_at is not None
    clock.now = max(clock.now, post.due_at)
    return visit()


def fresh(post: Post) -> Post:
    return Post.objects.select_related("current_version").get(pk=post.pk)


def words(post: Post) -> str:
    version = fresh(post).current_version
    return version.text if version else ""


def test_a_page_becomes_a_version_and_a_reading(web: FakeWeb) -> None:
    checkpoint = make_checkpoint()
    post = make_due()
    web.pages[LINK] = article()
    assert visit() == {"new": 1}
    version = fresh(post).current_version
    assert version is not None
    assert version.text == "Storm closes port\n\n" + "\n\n".join(BODY)
    assert version.text[: version.title_end] == version.title == "Storm closes port"
    assert (version.ordinal, version.source, version.language) == (1, "page", "en")
    (reading,) = version.readings.all()
    assert (reading.checkpoint, reading.stage, reading.due_at) == (checkpoint, "read", START)
    assert (fresh(post).lease_token, fresh(post).error) == ("", "")


def test_without_a_deployment_there_is_a_version_and_no_reading(web: FakeWeb) -> None:
    post = make_due()
    web.pages[LINK] = article()
    visit()
    assert words(post) and not Reading.objects.exists()


def test_pages_are_visited_again_by_plan(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = article()
    hours = []
    visit()
    while fresh(post).due_at is not None:
        assert again(post, clock) == {"unchanged": 1}
        hours.append(round((clock.now - START) / timedelta(hours=1), 2))
    assert hours == [1, 6, 24, 72, 168]
    assert (fresh(post).visits, PostVersion.objects.count()) == (6, 1)


def test_visits_missed_while_nothing_ran_are_made_up_for_once(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = article()
    visit()
    clock.pass_time(days=2)
    assert visit() == {"unchanged": 1}
    assert fresh(post).due_at == START + timedelta(hours=72)


def test_an_edit_is_a_new_version_with_a_reading_of_its_own(web: FakeWeb, clock: Clock) -> None:
    make_checkpoint()
    post = make_due()
    web.pages[LINK] = article()
    visit()
    web.pages[LINK] = article(*BODY[:2], "The port opened again on Tuesday morning.")
    assert again(post, clock) == {"edited": 1}
    assert "opened again" in words(post)
    assert [version.ordinal for version in post.versions.order_by("ordinal")] == [1, 2]
    stages = Reading.objects.order_by("version__ordinal").values_list("stage", flat=True)
    assert list(stages) == ["dropped", "read"]


def test_a_version_is_never_changed_and_the_same_words_make_none(web: FakeWeb) -> None:
    post = make_due()
    assert new_version(post, "A title", "A body.", "page") is not None
    assert new_version(post, " A  title ", "A body.\0\n", "page") is None
    assert new_version(post, "", "", "page") is None
    assert words(post) == "A title\n\nA body."
    assert new_version(post, "A title", "A body. \ud800", "page") is None


def test_410_withdraws_at_once_and_the_page_s_return_revives(web: FakeWeb, clock: Clock) -> None:
    make_checkpoint()
    post = make_due()
    web.pages[LINK] = article()
    visit()
    web.pages[LINK] = status(410, LINK)
    assert again(post, clock) == {"withdrawn": 1}
    assert fresh(post).state == "withdrawn" and "410" in fresh(post).state_reason
    assert marked == [LINK]
    assert again(post, clock) == {"gone": 1}
    web.pages[LINK] = article()
    assert again(post, clock) == {"back": 1}
    assert (fresh(post).state, fresh(post).state_reason, fresh(post).missing_since) == ("live", "", None)
    assert marked == [LINK, LINK]


def test_a_return_is_read_by_a_checkpoint_deployed_meanwhile(web: FakeWeb, clock: Clock) -> None:
    make_checkpoint()
    post = make_due()
    web.pages[LINK] = article()
    visit()
    web.pages[LINK] = status(410, LINK)
    again(post, clock)
    later = make_checkpoint(name="later")
    web.pages[LINK] = Response(LINK, 304, {}, b"", not_modified=True)
    assert again(post, clock) == {"back": 1}
    assert Reading.objects.filter(checkpoint=later, version=fresh(post).current_version).exists()


def test_a_withdrawal_that_cannot_be_marked_is_not_written(web: FakeWeb, clock: Clock) -> None:
    """The mark is part of the transaction: a graph that shows a withdrawn post would never be updated."""

    def broken(posts: Iterable[Post]) -> None:
        raise OSError("the disk is full")

    post = make_due()
    web.pages[LINK] = article()
    visit()
    web.pages[LINK] = status(410, LINK)
    Post.objects.update(due_at=timezone.now())
    assert dict(visits.visit_due(8, mark=broken).outcomes) == {"failed": 1}
    assert fresh(post).state == "live" and "the disk is full" in fresh(post).error


def test_404_withdraws_only_when_it_is_met_again_a_day_later(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = article()
    visit()
    web.pages[LINK] = status(404, LINK)
    assert again(post, clock) == {"missing": 1}
    assert fresh(post).state == "live" and marked == []
    first_missed = clock.now
    assert again(post, clock) == {"withdrawn": 1}
    assert clock.now - first_missed >= timedelta(hours=24)
    assert marked == [LINK]


def test_a_404_that_passes_is_forgotten(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = article()
    visit()
    web.pages[LINK] = status(404, LINK)
    again(post, clock)
    web.pages[LINK] = article()
    again(post, clock)
    web.pages[LINK] = status(404, LINK)
    assert again(post, clock) == {"missing": 1}
    assert fresh(post).state == "live"


@pytest.mark.parametrize(
    "answer",
    [
        status(401),
        status(403),
        status(451),
        status(500),
        FetchError("timeout", "did not respond in time"),
        FetchError("address", "lies on a private network"),
        article("Sign in to continue.", title="Sign in"),
        article("Nothing."),
        html(b"%PDF", LINK, "application/pdf"),
        html(article(), "https://news.example/"),
    ],
    ids=["401", "403", "451", "500", "timeout", "address", "login", "no story", "pdf", "front page"],
)
def test_what_does_not_withdraw(web: FakeWeb, clock: Clock, answer: str | Response | FetchError) -> None:
    post = make_due()
    web.pages[LINK] = article()
    visit()
    before = words(post)
    web.pages[LINK] = answer
    again(post, clock)
    again(post, clock)
    assert fresh(post).state == "live" and words(post) == before
    assert fresh(post).error and fresh(post).due_at is not None
    assert marked == []


@pytest.mark.parametrize("answer", [status(403), status(404), article("Sign in to continue.", title="Sign in")])
def test_the_feed_s_own_words_are_read_when_the_page_cannot_be_had(web: FakeWeb, clock: Clock, answer) -> None:
    post = make_due(words="The port is closed.")
    web.pages[LINK] = answer
    visit()
    version = fresh(post).current_version
    assert version is not None and (version.text, version.source) == (
        "Storm closes port\n\nThe port is closed.",
        "feed",
    )
    assert fresh(post).error
    web.pages[LINK] = article()
    again(post, clock)
    assert fresh(post).current_version.source == "page"  # type: ignore[union-attr]
    web.pages[LINK] = status(403)
    again(post, clock)
    assert fresh(post).current_version.source == "page"  # type: ignore[union-attr]


def test_a_post_without_a_link_is_read_from_the_feed(web: FakeWeb) -> None:
    post = make_due("")
    assert visit() == {"feed": 1}
    assert words(post) == "Storm closes port\n\nThe port is closed." and web.asked == []


def test_a_page_that_fails_is_tried_later_and_later(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = FetchError("timeout", "news.example did not respond in time.")
    waits = []
    for _ in range(4):
        again(post, clock)
        waits.append((fresh(post).due_at - clock.now) / timedelta(minutes=1))  # type: ignore[operator]
    assert waits == [5, 20, 80, 320]
    assert fresh(post).attempts == 4 and "did not respond" in fresh(post).error
    assert fresh(post).current_version.source == "feed"  # type: ignore[union-attr]
    web.pages[LINK] = article()
    again(post, clock)
    assert (fresh(post).attempts, fresh(post).error) == (0, "")


def test_a_page_that_never_answers_is_given_up_with_its_error(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = FetchError("timeout", "news.example did not respond in time.")
    for _ in range(40):
        again(post, clock)
        if fresh(post).due_at is None:
            break
    assert fresh(post).due_at is None and "did not respond" in fresh(post).error
    assert clock.now > START + timedelta(days=7)


def test_an_error_of_ours_is_kept_and_the_others_go_on(web: FakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = make_due("https://bad.example/a"), make_due()
    web.pages |= {"https://bad.example/a": article(), LINK: article()}
    fetch_page = visits.fetch_page
    monkeypatch.setattr(visits, "fetch_page", lambda post: 1 / 0 if post.pk == bad.pk else fetch_page(post))
    assert visit() == {"failed": 1, "new": 1}
    assert "ZeroDivisionError" in fresh(bad).error and words(good)


def test_conditional_visits(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = html(article(), LINK, etag='"1"', last_modified="Mon, 02 Mar 2026 10:00:00 GMT")
    visit()
    web.pages[LINK] = Response(LINK, 304, {}, b"", not_modified=True)
    assert again(post, clock) == {"unchanged": 1}
    options = web.asked[-1][1]
    assert (options["etag"], options["last_modified"]) == ('"1"', "Mon, 02 Mar 2026 10:00:00 GMT")


def test_a_page_that_moved_for_good_is_visited_where_it_is(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    moved = "https://news.example/2026/storm"
    web.pages[LINK] = Response(
        moved, 200, {"content-type": "text/html"}, article().encode(), moved_permanently_to=moved
    )
    web.pages[moved] = article()
    visit()
    again(post, clock)
    assert web.urls() == [LINK, moved]


# one story under several links


def canonical(link: str) -> str:
    return f'<link rel="canonical" href="{link}">'


def test_one_story_under_two_links_is_one_post_with_two_sightings(web: FakeWeb) -> None:
    first, second = make_due(), make_due("https://news.example/amp/storm")
    web.pages[LINK] = article(head=canonical(LINK))
    web.pages["https://news.example/amp/storm"] = article(
        head=canonical("https://www.news.example/storm?utm_source=amp")
    )
    assert visit() == {"new": 1, "folded": 1}
    assert list(Post.objects.all()) == [first] and not Post.objects.filter(pk=second.pk).exists()
    assert first.sightings.count() == 2


def test_the_same_title_and_text_of_one_publisher_is_one_post(web: FakeWeb) -> None:
    one, other = "https://www.example.com/storm", "https://sport.example.com/other"
    make_due(one), make_due(other)
    web.pages |= {one: article(), other: article()}
    assert visit() == {"new": 1, "folded": 1}


def test_a_reprint_by_another_publisher_is_a_post_with_the_same_hash(web: FakeWeb) -> None:
    first, second = make_due(), make_due("https://other.example/storm")
    web.pages |= {LINK: article(), "https://other.example/storm": article(head=canonical(LINK))}
    assert visit() == {"new": 2}
    hashes = {fresh(post).current_version.text_hash for post in (first, second)}  # type: ignore[union-attr]
    assert hashes == {text_hash(words(first))}
    assert fresh(first).publisher != fresh(second).publisher


@pytest.mark.parametrize(
    "claim", ["https://elsewhere.example/storm", "https://news.example/", "javascript:1", "http://["]
)
def test_a_canonical_link_is_believed_only_on_the_page_s_own_host(web: FakeWeb, claim: str) -> None:
    other = "https://news.example/other"
    make_due(claim if claim.startswith("https") else LINK), make_due(other)
    web.pages[other] = article("Another story altogether, about the harvest.", *BODY, head=canonical(claim))
    assert visit()["new"] == 1
    assert Post.objects.filter(link_key=canonical_urls.key(other), current_version__source="page").exists()


def test_short_texts_alike_by_chance_stay_apart(web: FakeWeb) -> None:
    make_due(), make_due("https://news.example/b")
    short = article(
        "Our reporters follow the storm here, hour by hour, until the port opens again, and say what they see."
    )
    web.pages |= {LINK: short, "https://news.example/b": short}
    assert visit() == {"new": 2}


def test_a_post_that_was_read_is_never_folded(web: FakeWeb, clock: Clock) -> None:
    first = make_due()
    web.pages[LINK] = article(*BODY, "First.")
    visit()
    second = make_due("https://news.example/b")
    web.pages["https://news.example/b"] = article(*BODY, "Second.")
    visit()
    web.pages["https://news.example/b"] = article(*BODY, "First.", head=canonical(LINK))
    again(second, clock)
    assert Post.objects.count() == 2 and words(first) == words(second)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://news.example/a?utm_source=x&id=1#top", "http://www.news.example/a/?id=1", True),
        ("https://NEWS.example:443/a?b=1&c=2", "https://news.example/a?c=2&b=1&fbclid=zz", True),
        ("https://news.example/a?id=1", "https://news.example/a?id=2", False),
        ("https://news.example/a", "https://m.news.example/a", False),
        ("https://news.example/a", "https://news.example:8443/a", False),
        ("https://news.example/A", "https://news.example/a", False),
    ],
)
def test_which_links_are_one(one: str, other: str, same: bool) -> None:
    assert (canonical_urls.key(one) == canonical_urls.key(other)) is same


def test_whose_page_it_is() -> None:
    assert (
        canonical_urls.publisher("https://www.bbc.co.uk/news/1")
        == canonical_urls.publisher("http://feeds.bbc.co.uk/x")
        == "bbc.co.uk"
    )
    assert canonical_urls.publisher("http://127.0.0.1:8900/a") == "127.0.0.1:8900"
    assert canonical_urls.key("mailto:a@b.example") == canonical_urls.key("http://[bad") == ""


# leases


def test_a_claimed_post_is_not_claimed_again_until_its_lease_runs_out(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    assert [visit.post_id for visit in visits.claim(4)] == [post.pk]
    assert visits.claim(4) == []
    clock.pass_time(seconds=visits.LEASE.total_seconds() + 1)
    assert len(visits.claim(4)) == 1


def test_a_worker_that_starts_again_frees_what_it_held(web: FakeWeb) -> None:
    make_due()
    visits.claim(4, "io@one")
    assert leases.free("io@two") == 0 and visits.claim(4) == []
    assert leases.free("io@one") == 1 and len(visits.claim(4)) == 1


def test_a_visit_whose_lease_was_lost_writes_nothing(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    web.pages[LINK] = article()
    late = visits.claim(4)
    clock.pass_time(seconds=visits.LEASE.total_seconds() + 1)
    assert visit() == {"new": 1}
    Post.objects.filter(pk=post.pk).update(lease_token="another's")
    assert dict(visits.visit_all(late, mark).outcomes) == {"lost": 1}
    assert post.versions.count() == 1


def test_a_lease_lost_during_the_fetch_writes_nothing(web: FakeWeb, monkeypatch: pytest.MonkeyPatch) -> None:
    post = make_due()
    web.pages[LINK] = article()
    fetch_page = visits.fetch_page

    def slow_fetch(post: Post) -> object:
        found = fetch_page(post)
        Post.objects.filter(pk=post.pk).update(lease_token="another's")
        return found

    monkeypatch.setattr(visits, "fetch_page", slow_fetch)
    assert visit() == {"lost": 1}
    assert not post.versions.exists()


def test_a_change_that_a_feed_reports_during_the_fetch_is_fetched_again(
    web: FakeWeb, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = make_due()
    web.pages[LINK] = article()
    fetch_page = visits.fetch_page

    def slow_fetch(post: Post) -> object:
        found = fetch_page(post)
        clock.pass_time(seconds=2)
        Post.objects.filter(pk=post.pk).update(due_at=clock.now)
        return found

    monkeypatch.setattr(visits, "fetch_page", slow_fetch)
    visit()
    assert fresh(post).due_at == clock.now


def test_erased_posts_are_not_visited(web: FakeWeb) -> None:
    post = make_due()
    Post.objects.filter(pk=post.pk).update(state="erased")
    assert visits.claim(4) == []


# manners


def test_one_host_is_requested_once_a_second(web: FakeWeb, clock: Clock, settings) -> None:
    settings.FETCH_HOST_SECONDS = 1.0
    for number in range(3):
        make_due(f"{LINK}/{number}")
        web.pages[f"{LINK}/{number}"] = article(*BODY, f"Number {number}.")
    make_due("https://other.example/a")
    web.pages["https://other.example/a"] = article()
    visit()
    assert sorted(round(seconds, 3) for seconds in clock.slept) == [0, 0, 1, 1]


def test_a_busy_host_does_not_hold_up_others(web: FakeWeb, clock: Clock, settings) -> None:
    settings.FETCH_HOST_SECONDS = 10.0
    many = [make_due(f"{LINK}/{number}") for number in range(6)]
    other = make_due("https://other.example/a")
    claimed = [visit.post_id for visit in visits.claim(8)]
    assert claimed == [*[post.pk for post in many[:3]], other.pk]
    put_off = [(fresh(post).due_at - START).total_seconds() for post in many[3:]]  # type: ignore[operator]
    assert put_off == [30, 40, 50]


def test_a_host_with_retry_after_is_not_requested_before(web: FakeWeb, clock: Clock) -> None:
    post, other = make_due(), make_due(f"{LINK}/2")
    web.pages |= {LINK: status(429, LINK, retry_after=600.0), f"{LINK}/2": article()}
    assert visit() == {"busy": 2}
    assert fresh(post).due_at == START + timedelta(seconds=600)
    assert fresh(other).due_at >= START + timedelta(seconds=600)  # type: ignore[operator]
    assert fresh(post).attempts == 0


def test_robots_txt_is_obeyed(web: FakeWeb, clock: Clock, settings) -> None:
    settings.FETCH_ROBOTS = True
    post, allowed = make_due(f"{LINK}/private/1"), make_due(f"{LINK}/2")
    robots = "User-agent: *\nDisallow: /storm/private/\nCrawl-delay: 5\n\nUser-agent: other\nDisallow: /\n"
    web.pages["https://news.example/robots.txt"] = html(robots, "https://news.example/robots.txt", "text/plain")
    web.pages[f"{LINK}/2"] = article()
    assert visit() == {"feed": 1, "new": 1}
    assert "robots.txt" in fresh(post).error and words(allowed).endswith(BODY[-1])
    assert web.urls() == ["https://news.example/robots.txt", f"{LINK}/2"]
    assert politeness.gap(Host.objects.get(name="news.example")) == 5


def test_robots_txt_is_fetched_once_a_day(web: FakeWeb, clock: Clock, settings) -> None:
    settings.FETCH_ROBOTS = True
    post = make_due()
    web.pages[LINK] = article()
    visit()
    again(post, clock)
    assert web.urls().count("https://news.example/robots.txt") == 1
    clock.pass_time(hours=25)
    visit()
    assert web.urls().count("https://news.example/robots.txt") == 2


def test_while_a_server_fails_to_give_robots_txt_its_pages_are_left_alone(web: FakeWeb, clock: Clock, settings) -> None:
    settings.FETCH_ROBOTS = True
    post = make_due()
    web.pages |= {"https://news.example/robots.txt": status(503), LINK: article()}
    assert visit() == {"failed": 1}
    assert "robots.txt" in fresh(post).error and LINK not in web.urls()
    web.pages["https://news.example/robots.txt"] = status(404)
    clock.pass_time(hours=2)
    assert visit() == {"new": 1}


def test_robots_txt_can_be_set_aside(web: FakeWeb, settings) -> None:
    settings.FETCH_ROBOTS = False
    make_due()
    web.pages |= {LINK: article()}
    visit()
    assert web.urls() == [LINK]


# pictures


def picture(width: int = 800, height: int = 600, kind: str = "JPEG", **options: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(written, kind, **options)
    return written.getvalue()


def test_the_lead_picture_is_kept_with_its_caption(web: FakeWeb, clock: Clock, settings) -> None:
    post = make_due()
    shown = "https://cdn.example/storm.png"
    head = f'<meta property="og:image" content="{shown}"><meta property="og:image:alt" content="Waves at the pier">'
    web.pages |= {LINK: article(head=head), shown: html(picture(2400, 1200, "PNG"), shown, "text/plain")}
    visit()
    (image,) = post.images.all()
    assert (image.url, image.caption, image.error) == (shown, "Waves at the pier", "")
    assert (image.width, image.height, image.media_type) == (1600, 800, "image/jpeg")
    with Image.open(Path(settings.MEDIA_ROOT) / image.file) as kept:
        assert (kept.format, kept.size) == ("JPEG", (1600, 800))
    asked = len(web.asked)
    again(post, clock)
    assert web.urls()[asked:] == [LINK]


def test_further_pictures_are_kept_with_their_captions(web: FakeWeb, clock: Clock, settings) -> None:
    settings.PICTURES_PER_POST = 3
    post = make_due()
    lead, names = "https://cdn.example/lead-picture.jpg", ("harbour", "lifeboat", "council")
    figures = "".join(
        f"<figure><img src='/{name}-picture.png'><figcaption>The {name} on Monday morning</figcaption></figure>"
        for name in ("lead", *names)
    )
    unsaid = "<figure><img src='/logo-picture.png'></figure>"
    elsewhere = "<aside><figure><img src='/advert.png'><figcaption>Buy one of these now</figcaption></figure></aside>"
    page = article(head=f'<meta property="og:image" content="{lead}">')
    page = page.replace("</h1>", f"</h1>{unsaid}{figures}{elsewhere}")
    base = f"https://{LINK.split('/')[2]}/"
    web.pages |= {LINK: page, lead: html(picture(), lead)}
    web.pages |= {f"{base}{name}-picture.png": html(picture(kind="PNG"), base) for name in names}
    visit()
    rows = list(post.images.order_by("position").values_list("url", "caption", "error"))
    assert [(url.rpartition("/")[2], caption, error) for url, caption, error in rows] == [
        ("lead-picture.jpg", "The lead on Monday morning", ""),
        ("harbour-picture.png", "The harbour on Monday morning", ""),
        ("lifeboat-picture.png", "The lifeboat on Monday morning", ""),
    ]
    assert all(image.file for image in post.images.all())


def test_a_failed_picture_keeps_its_error_and_is_tried_again(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    shown = "https://cdn.example/storm.png"
    web.pages |= {LINK: article(head=f'<meta property="og:image" content="{shown}">'), shown: status(403, shown)}
    assert visit() == {"new": 1}
    assert "403" in post.images.get().error and post.images.get().file == ""
    web.pages[shown] = html(picture(), shown)
    again(post, clock)
    assert post.images.get().error == "" and post.images.get().file


def test_a_page_without_a_picture_gets_the_feed_s(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    shown = "https://cdn.example/feed.jpg"
    Sighting.objects.update(image=shown)
    web.pages |= {LINK: article(), shown: html(picture(), shown)}
    visit()
    assert (post.images.get().url, post.images.get().error) == (shown, "")
    other = make_due("https://news.example/forbidden")
    other.sightings.update(image=shown)
    web.pages[other.link] = status(403)
    visit()
    assert other.images.get().sha256 == post.images.get().sha256


def test_a_new_lead_picture_comes_first(web: FakeWeb, clock: Clock) -> None:
    post = make_due()
    for number in (1, 2):
        shown = f"https://cdn.example/{number}.jpg"
        web.pages |= {
            LINK: article(head=f'<meta property="og:image" content="{shown}">'),
            shown: html(picture(), shown),
        }
        again(post, clock)
    places = list(PostImage.objects.order_by("position").values_list("url", "position"))
    assert places == [("https://cdn.example/2.jpg", 0), ("https://cdn.example/1.jpg", 1)]


def test_pictures_are_known_by_content_and_kept_once(tmp_path: Path) -> None:
    first, second = storage.keep(picture(), tmp_path), storage.keep(picture(), tmp_path)
    assert first == second
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        f"{first.sha256}-320.jpg",
        f"{first.sha256}.jpg",
    ]


def test_nothing_of_the_original_s_metadata_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"
    kept = storage.keep(picture(exif=exif), tmp_path)
    assert (kept.width, kept.height) == (600, 800)
    assert b"secret" not in (tmp_path / kept.file).read_bytes()


def test_transparent_and_animated_pictures_are_kept(tmp_path: Path) -> None:
    written = io.BytesIO()
    frames = [Image.new("RGBA", (200, 100), (255, 0, 0, shade)) for shade in (0, 128)]
    frames[0].save(written, "PNG")
    kept = storage.keep(written.getvalue(), tmp_path)
    with Image.open(tmp_path / kept.file) as shown:
        assert shown.getpixel((50, 50)) == (255, 255, 255)
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    assert storage.keep(written.getvalue(), tmp_path).width == 200


def _huge() -> bytes:
    """A PNG of 20,000 x 20,000 pixels in a few hundred bytes: its header declares them, its data end at once."""
    content = bytearray(picture(100, 100, "PNG"))
    content[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"words", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n", picture()[:200],
     picture(10, 10), picture(5000, 1), _huge(), picture(kind="TIFF"), picture(kind="BMP")],
    ids=["empty", "words", "svg", "eps", "cut", "tiny", "line", "huge", "tiff", "bmp"],
)  # fmt: skip
def test_what_is_no_picture_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(storage.NotAPicture):
        storage.keep(content, tmp_path)
    assert list(tmp_path.iterdir()) == []
