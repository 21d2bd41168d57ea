"""Cases F1, F3, F4 and A7: which items of a feed, and which posts that programs send, are one story."""

from __future__ import annotations

import pytest

from extraction.feeds.submission import Submission, submit
from extraction.models import Post, Sighting
from tests.servers import fakeweb
from tests.servers.fakeweb import FakeWeb, article
from tests.world.given import given, poll, texts, visit

pytestmark = pytest.mark.django_db
clock, web = fakeweb.clock, fakeweb.web


@pytest.fixture(autouse=True)
def _no_robots(settings) -> None:
    settings.FETCH_ROBOTS = False


def item(guid: str, title: str, link: str, text: str = "", date: str = "") -> str:
    named = f"<guid isPermaLink='false'>{guid}</guid>" if guid else ""
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<item>{named}<title>{title}</title><link>{link}</link><description>{text}</description>{dated}</item>"


def rss(*items: str) -> str:
    return f"<rss version='2.0'><channel><title>N</title><link>https://news.example/</link>{''.join(items)}</channel></rss>"


VOLVO = ("Volvo opens a plant in Gothenburg", "Volvo opened a plant in Gothenburg.", "Mon, 02 Mar 2026 08:00:00 GMT")
NOKIA = ("Nokia moves to Espoo", "Nokia moved its seat to Espoo.", "Tue, 03 Mar 2026 08:00:00 GMT")
EQUINOR = ("Equinor drills off Bergen", "Equinor drilled a well near Bergen.", "Wed, 04 Mar 2026 08:00:00 GMT")


def rss_item(guid: str, link: str, story: tuple[str, str, str]) -> str:
    return item(guid, story[0], link, story[1], story[2])


def titles() -> list[str]:
    return [text.split("\n")[0] for text in texts()]


def test_f1_items_that_share_one_link_are_posts_of_their_own(web: FakeWeb) -> None:
    web.pages["https://news.example/show"] = article(title="Harbour Talk, all episodes")
    poll(web, given("f01_same_link_podcast.xml"))
    assert visit(web) == {"feed": 3}
    assert titles() == [
        "Episode 1: Ada Lovelace and the engine",
        "Episode 2: Marie Curie in Paris",
        "Episode 3: Nelson Mandela walks free",
    ]
    assert "Babbage" in texts()[0] and "Warsaw" in texts()[1]
    assert [post.published_at.day for post in Post.objects.order_by("pk")] == [2, 3, 4]
    poll(web)
    assert Post.objects.count() == Sighting.objects.count() == 3


def test_f1_a_link_that_is_shared_only_later_is_given_up(web: FakeWeb) -> None:
    link = "https://news.example/notices"
    web.pages[link] = article(title="All notices")
    poll(web, rss(rss_item("n1", link, VOLVO)))
    visit(web)
    assert titles() == ["All notices"]
    poll(web, rss(rss_item("n2", link, NOKIA)))
    visit(web)
    assert titles() == [VOLVO[0], NOKIA[0]]
    poll(web, rss(rss_item("n3", link, EQUINOR)))
    visit(web)
    assert titles() == [VOLVO[0], NOKIA[0], EQUINOR[0]]


def test_f1_links_that_differ_after_the_number_sign_alone(web: FakeWeb) -> None:
    web.pages["https://news.example/live"] = article(title="Live")
    links = [f"https://news.example/live#entry-{number}" for number in (1, 2)]
    poll(web, rss(rss_item("a", links[0], VOLVO), rss_item("b", links[1], NOKIA)))
    visit(web)
    assert titles() == [VOLVO[0], NOKIA[0]]


def test_f1_without_guids_titles_tell_items_apart(web: FakeWeb) -> None:
    link = "https://news.example/board"
    poll(web, rss(rss_item("", link, VOLVO), rss_item("", link, NOKIA)))
    assert Post.objects.count() == 2
    poll(web, rss(rss_item("", link, EQUINOR), rss_item("", link, VOLVO), rss_item("", link, NOKIA)))
    assert Post.objects.count() == 3


def test_f1_one_story_under_two_guids_stays_one_post(web: FakeWeb) -> None:
    link = "https://news.example/volvo"
    poll(web, rss(rss_item("a", link, VOLVO), rss_item("b", f"{link}?utm_source=rss", VOLVO)))
    poll(web, rss(rss_item("c", link, VOLVO)))
    assert Post.objects.count() == 1


def test_f1_a_new_guid_at_every_poll_makes_no_new_posts_of_items_without_links(web: FakeWeb) -> None:
    poll(web, rss(rss_item("x1", "", VOLVO), rss_item("y1", "", NOKIA)))
    poll(web, rss(rss_item("x2", "", VOLVO), rss_item("y2", "", NOKIA)))
    assert Post.objects.count() == 2


def test_f3_one_guid_on_all_items_tells_nothing(web: FakeWeb) -> None:
    poll(web, given("f08_same_guid.xml"))
    assert sorted(Post.objects.values_list("link", flat=True)) == [f"https://news.example/b/{n}" for n in (1, 2, 3)]
    poll(web)
    assert Post.objects.count() == 3


def test_f3_also_where_each_poll_lists_one_item_more(web: FakeWeb) -> None:
    links = [f"https://news.example/b/{number}" for number in (1, 2, 3)]
    items = [rss_item("?p=", link, story) for link, story in zip(links, (VOLVO, NOKIA, EQUINOR), strict=True)]
    for count in (1, 2, 3, 3):
        poll(web, rss(*items[:count][::-1]))
    assert sorted(Post.objects.values_list("link", flat=True)) == links


def test_f4_a_guid_that_is_used_again_is_a_new_post(web: FakeWeb) -> None:
    for name, story in (("volvo", VOLVO), ("nokia", NOKIA)):
        web.pages[f"https://news.example/r/{name}"] = article(f"{story[1]} {story[1][::-1]} " * 3, title=story[0])
    poll(web, rss(rss_item("top-1", "https://news.example/r/volvo", VOLVO)))
    visit(web)
    poll(web, rss(rss_item("top-1", "https://news.example/r/nokia", NOKIA)))
    visit(web)
    assert titles() == [VOLVO[0], NOKIA[0]]
    assert [post.published_at.day for post in Post.objects.order_by("pk")] == [2, 3]
    assert all(post.versions.count() == 1 for post in Post.objects.all())
    poll(web, rss(rss_item("top-1", "https://news.example/r/volvo", VOLVO)))
    assert Post.objects.count() == 2


def test_f4_a_story_that_moves_keeps_its_post(web: FakeWeb) -> None:
    title, text, date = VOLVO
    poll(web, rss(item("1", title, "https://news.example/volvo", text, date)))
    poll(web, rss(item("1", "Volvo opens plant, 400 hired", "https://news.example/volvo-400", text, date)))
    assert Post.objects.get().link == "https://news.example/volvo-400"


def test_f4_an_edited_headline_is_an_edit(web: FakeWeb) -> None:
    poll(web, rss(rss_item("1", "https://news.example/storm", VOLVO)))
    poll(web, rss(rss_item("1", "https://news.example/storm", EQUINOR)))
    assert Post.objects.count() == 1 and Sighting.objects.get().title == EQUINOR[0]


def test_a7_two_ids_of_one_source_are_two_posts_where_the_urls_differ_after_the_number_sign() -> None:
    first, second = (
        submit(
            "desk",
            Submission(
                f"m{number}", f"https://corr.example/minutes#{number}", f"Minutes {number}", f"Speaker {number} spoke."
            ),
        )
        for number in (1, 2)
    )
    assert (first.new, second.new) == (True, True)
    assert texts() == ["Minutes 1\n\nSpeaker 1 spoke.", "Minutes 2\n\nSpeaker 2 spoke."]


def test_a7_an_id_names_one_post_whatever_else_changes() -> None:
    submit("desk", Submission("m1", "https://corr.example/a", *VOLVO[:2]))
    changed = submit("desk", Submission("m1", "https://corr.example/b", *NOKIA[:2]))
    assert changed.changed and Post.objects.count() == 1 and texts() == ["\n\n".join(NOKIA[:2])]
