"""Cases F7, F10 and A7: when a post was published, in whatever form and zone that is written, and corrections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from extraction.crawler.parsers.dates import hints_of, moment_of
from extraction.crawler.parsers.feed_parser import parse
from extraction.feeds.submission import Submission, submit
from extraction.models import Post
from tests.servers import fakeweb
from tests.servers.fakeweb import START, FakeWeb, article
from tests.world.given import given, poll, revisit, visit

clock, web = fakeweb.clock, fakeweb.web
LINK = "https://news.example/storm"
UNCLEAR = "zone unclear"


@pytest.fixture(autouse=True)
def _manners(settings) -> None:
    settings.FETCH_ROBOTS = False
    settings.RECHECK_HOURS = (1, 6, 24, 72)


def at(hour: int, minute: int = 0, *, day: int = 5, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


EXPECTED = {
    "cest": (at(10, day=1, month=7), ""), "cet": (at(11), ""), "bst": (at(11, day=1, month=7), ""),
    "ist": (at(6, 30), UNCLEAR), "aest": (at(2), ""), "mest": (at(10, day=1, month=7), ""), "jst": (at(3), ""),
    "gmt+1": (at(11), ""), "edt": (at(16, day=1, month=7), ""), "utc+2": (at(10), ""), "pm": (at(21, 7), ""),
    "msk": (at(9), ""), "akst": (at(21), ""), "bare +2": (at(10), ""), "iso-notz": (at(12), UNCLEAR),
    "longday": (at(12), UNCLEAR), "german": (None, ""), "eu": (None, ""), "epoch": (None, ""),
}  # fmt: skip


def test_f7_zones_by_name_and_twelve_hours() -> None:
    items = parse(given("f05_dates.xml"), "application/rss+xml", LINK).items
    read = {item.title: (item.published, item.date_notice) for item in items}
    assert {name: read[name] for name in EXPECTED if name in read} == {
        name: value for name, value in EXPECTED.items() if name in read
    }
    assert len(set(EXPECTED) & set(read)) >= 18


@pytest.mark.parametrize(
    ("text", "hints", "expected"),
    [
        ("Thu, 05 Mar 2026 12:00:00 IST", hints_of("en-IN"), (at(6, 30), "")),
        ("Thu, 05 Mar 2026 12:00:00 IST", hints_of("en", "news.example.ie"), (at(11), "")),
        ("Thu, 05 Mar 2026 12:00:00 IST", hints_of("he"), (at(10), "")),
        ("Thu, 05 Mar 2026 12:00:00 CST", hints_of("zh-cn"), (at(4), "")),
        ("Thu, 05 Mar 2026 12:00:00 CST", hints_of("en-us"), (at(18), "")),
        ("Thu, 05 Mar 2026 12:00:00 EST", hints_of("en-au"), (at(2), "")),
        ("Thu, 05 Mar 2026 12:00:00 AST", hints_of(""), (at(16), UNCLEAR)),
        ("Thu, 05 Mar 2026 12:00:00 XQZ", hints_of(""), (at(12), UNCLEAR)),
        ("Thu, 05 Mar 2026 12:00:00 +0100 (CET)", hints_of(""), (at(11), "")),
        ("Thu, 05 Mar 2026 12:00:00 (CET)", hints_of(""), (at(11), "")),
        ("Thu, 05 Mar 2026 12:00:00 Europe/Berlin", hints_of(""), (at(11), "")),
        ("Thu Mar  5 12:00:00 CET 2026", hints_of(""), (at(11), "")),
        ("March 5, 2026 at 4:07 p.m. ET", hints_of(""), (at(21, 7), "")),
        ("Thu, 05 Mar 2026 12:30 AM GMT", hints_of(""), (at(0, 30), "")),
        ("5 Mar 26 12:00 UT", hints_of(""), (at(12), "")),
        ("2026-03-05T12:00:00.5-05:00", hints_of(""), (at(17), "")),
        ("2026-03-05 12:00:00 +0530", hints_of(""), (at(6, 30), "")),
        ("03/05/2026 4:07 PM", hints_of(""), None),
        ("Thu, 05 Mar 2026 13:07 PM EST", hints_of(""), None),
        ("Thu, 32 Mar 2026 12:00:00 CET", hints_of(""), None),
    ],
)
def test_f7_siblings(text: str, hints: frozenset[str], expected: tuple[datetime, str] | None) -> None:
    assert moment_of(text, hints) == expected


def rss(*items: tuple[str, str], language: str = "") -> str:
    listed = "".join(
        f"<item><guid isPermaLink='false'>{number}</guid><title>Story {title}</title>"
        f"<link>https://news.example/{title}</link>{f'<pubDate>{date}</pubDate>' if date else ''}</item>"
        for number, (title, date) in enumerate(items)
    )
    return f"<rss version='2.0'><channel><title>N</title><language>{language}</language>{listed}</channel></rss>"


def dated() -> tuple[datetime, str]:
    post = Post.objects.get(link__in=(LINK, ""))
    return post.published_at, post.published_notice


@pytest.mark.django_db
def test_f7_the_feeds_language_says_what_a_zone_means(web: FakeWeb) -> None:
    poll(web, rss(("storm", "Thu, 26 Feb 2026 12:00:00 IST"), language="en-in"))
    assert dated() == (at(6, 30, day=26, month=2), "")


@pytest.mark.django_db
def test_f7_a_fresh_item_of_another_zone_is_not_in_the_future(web: FakeWeb) -> None:
    poll(web, rss(("storm", "Mon, 02 Mar 2026 13:00:00 CET")))
    assert dated() == (START, "")


@pytest.mark.django_db
def test_f10_the_pages_own_date_where_the_feed_has_none(web: FakeWeb) -> None:
    web.pages[LINK] = given("p08_date_on_page_only.html").decode()
    poll(web, rss(("storm", "")))
    assert dated() == (START, "no date")
    visit(web)
    assert dated() == (datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), "from the page")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "head",
    [
        "<meta property='article:published_time' content='2026-02-26T13:30:00+01:00'>",
        "<meta name='parsely-pub-date' content='2026-02-26T12:30:00Z'>",
        "<meta itemprop='datePublished' content='2026-02-26T12:30:00Z'>",
        "<meta name='date' content='Thu, 26 Feb 2026 13:30:00 CET'>",
        '<script type="application/ld+json">{"@type":"NewsArticle","datePublished":"2026-02-26T12:30:00Z"}</script>',
    ],
)
def test_f10_wherever_the_page_has_it(web: FakeWeb, head: str) -> None:
    web.pages[LINK] = article(head=head)
    poll(web, rss(("storm", "tomorrow")))
    assert dated()[1] == "unreadable"
    visit(web)
    assert dated() == (at(12, 30, day=26, month=2), "from the page")


@pytest.mark.django_db
def test_f10_as_shown_in_the_article(web: FakeWeb) -> None:
    web.pages[LINK] = article().replace("</h1>", "</h1><time datetime='2026-02-26T12:30:00Z'>Thursday</time>")
    poll(web, rss(("storm", "")))
    visit(web)
    assert dated()[0] == at(12, 30, day=26, month=2)


@pytest.mark.django_db
def test_f10_the_feeds_date_stays_where_it_has_one_and_the_pages_may_not_be_to_come(web: FakeWeb) -> None:
    for day, given_date, expected in (
        ("2026-02-26T12:30:00Z", "Fri, 27 Feb 2026 12:00:00 GMT", (at(12, day=27, month=2), "")),
        ("2031-02-26T12:30:00Z", "", (START, "no date")),
    ):
        Post.objects.all().delete()
        web.pages[LINK] = article(head=f"<meta property='article:published_time' content='{day}'>")
        poll(web, rss(("storm", given_date)))
        visit(web)
        assert dated()[1] == expected[1] and (expected[1] or dated()[0] == expected[0])


@pytest.mark.django_db
def test_f10_the_page_clears_up_a_zone(web: FakeWeb) -> None:
    web.pages[LINK] = article(head="<meta property='article:published_time' content='2026-02-26T12:00:00+08:00'>")
    poll(web, rss(("storm", "2026-02-26 12:00:00")))
    assert dated() == (at(12, day=26, month=2), UNCLEAR)
    visit(web)
    assert dated() == (at(4, day=26, month=2), "")


@pytest.mark.django_db
def test_a7_a_date_that_the_feed_corrects_is_followed(web: FakeWeb) -> None:
    others = [(f"other-{number}", "Mon, 23 Feb 2026 08:00:00 GMT") for number in range(5)]
    poll(web, rss(("storm", "Fri, 27 Feb 2026 12:00:00 GMT"), *others))
    poll(web, rss(("storm", "Thu, 26 Feb 2026 12:00:00 GMT"), *others))
    assert dated() == (at(12, day=26, month=2), "")
    poll(web, rss(("storm", "Thu, 26 Feb 2026 13:00:00 CET"), *others))
    assert dated() == (at(12, day=26, month=2), "")


@pytest.mark.django_db
def test_a7_a_date_that_comes_later_is_taken_over(web: FakeWeb) -> None:
    poll(web, rss(("storm", "")))
    poll(web, rss(("storm", "Thu, 26 Feb 2026 12:00:00 GMT")))
    assert dated() == (at(12, day=26, month=2), "")


@pytest.mark.django_db
def test_a7_a_feed_that_stamps_all_items_at_each_poll_corrects_nothing(web: FakeWeb) -> None:
    names = [f"story-{number}" for number in range(6)]
    for hour in (8, 9, 10):
        poll(web, rss(*((name, f"Fri, 27 Feb 2026 {hour:02}:00:00 GMT") for name in names)))
    assert {post.published_at.hour for post in Post.objects.all()} == {8}


@pytest.mark.django_db
def test_a7_the_time_of_an_edit_is_no_correction(web: FakeWeb) -> None:
    atom = (
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>N</title><entry><id>1</id><title>Storm</title>"
        f"<link href='{LINK}'/><updated>2026-02-26T12:00:00Z</updated></entry></feed>"
    )
    poll(web, atom, "application/atom+xml")
    poll(web, atom.replace("26T12", "28T12"), "application/atom+xml")
    assert dated()[0] == at(12, day=26, month=2)


@pytest.mark.django_db
def test_a7_a_page_that_corrects_its_own_date(web: FakeWeb) -> None:
    head = "<meta property='article:published_time' content='2026-02-2{}T12:00:00Z'>"
    web.pages[LINK] = article(head=head.format(7))
    poll(web, rss(("storm", "")))
    visit(web)
    web.pages[LINK] = article(head=head.format(6))
    revisit(web, Post.objects.get())
    assert dated() == (at(12, day=26, month=2), "from the page")


@pytest.mark.django_db
def test_a7_a_date_that_a_program_corrects() -> None:
    sent = Submission("corr", title="Fair", text="Jane Harcourt opened the fair.")
    submit("desk", replace(sent, published=at(12, day=2)))
    corrected = submit("desk", replace(sent, published=at(12, day=1)))
    assert (corrected.new, corrected.changed, corrected.touched) == (False, True, True)
    assert dated() == (at(12, day=1), "")
    assert not submit("desk", replace(sent, published=at(12, day=1))).changed
    assert not submit("desk", sent).changed and dated() == (at(12, day=1), "")


@pytest.mark.django_db
def test_a7_a_language_that_a_program_corrects_is_read_again() -> None:
    sent = Submission("corr", title="Fair", text="Jane Harcourt opened the fair.")
    submit("desk", replace(sent, language="de"))
    assert submit("desk", replace(sent, language="en")).changed
    post = Post.objects.select_related("current_version").get()
    assert post.current_version is not None and post.versions.count() == 2
    assert (post.current_version.language, post.current_version.text) == (
        "en",
        "Fair\n\nJane Harcourt opened the fair.",
    )
    assert not submit("desk", replace(sent, language="en-GB")).changed
    assert not submit("desk", sent).changed
