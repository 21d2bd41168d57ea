"""An erased post stays away: whatever a feed shows, under whatever link, nothing of it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from extraction.feeds import polling
from extraction.feeds.subscriptions import subscribe
from extraction.models import Feed, Post, PostImage, PostVersion, Sighting, Tombstone
from extraction.posts import visits
from extraction.posts.search import search
from extraction.readings import queue as readings_queue
from knowledge.models import Assertion, Event, Mention
from knowledge.record.projection_queue import mark_posts
from knowledge.recording import erasure, recorder
from tests import records
from tests.deterministic import Extractor
from tests.extraction.crawler.parsers.test_hostile_pages import jpeg
from tests.servers.fakeweb import BODY, article
from tests.servers.web import WebServer, reply, running

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]
HTML = "text/html; charset=utf-8"


@pytest.fixture
def web(settings, tmp_path: Path) -> Iterator[WebServer]:
    settings.MEDIA_ROOT = tmp_path
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        yield server


def item(web: WebServer, guid: str, path: str, title: str = "Storm closes port") -> str:
    return (
        f"<item><title>{title}</title><guid>{guid}</guid><link>{web.url(path)}</link><description>{BODY[0]} {BODY[1]}"
        f"</description></item>"
    )


def show(web: WebServer, *items: str, feed: str = "/feed") -> None:
    body = f"<rss version='2.0'><channel><title>News</title>{''.join(items)}</channel></rss>"
    web.answers[feed] = reply(200, body, Content_Type="application/rss+xml")
    Feed.objects.update(due_at=timezone.now())
    assert polling.poll_due(5, mark=mark_posts).errors == {}
    visits.visit_due(20, mark=mark_posts)


@pytest.fixture
def erased(web: WebServer) -> Post:
    """A post that was read, with its picture, and then erased."""
    records.checkpoint()
    head = f"<meta property='og:image' content='{web.url('/picture')}'>"
    web.answers |= {
        "/story": reply(200, article(head=head), Content_Type=HTML),
        "/picture": reply(200, jpeg(), Content_Type="image/jpeg"),
    }
    subscribe(web.url("/feed"))
    show(web, item(web, "1", "/story"))
    [claimed] = readings_queue.claim("test", 5)
    [found] = Extractor().read([claimed.document])
    assert recorder.record(claimed, found)
    post = Post.objects.get()
    assert Mention.objects.exists() and default_storage.exists(post.images.get().file)
    erasure.erase(post, None, "On request.")
    return post


def nothing_came_back(post: Post) -> None:
    post.refresh_from_db()
    assert post.state == "erased" and post.due_at is None and post.current_version is None
    for model in (PostVersion, PostImage, Mention, Assertion):
        assert not model.objects.exists(), model
    for sighting in Sighting.objects.all():
        assert (sighting.title, sighting.text, sighting.image) == ("", "", "")
    assert not search("Hartlepool").exists()
    assert [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()] == []
    assert "Hartlepool" not in str(list(Event.objects.values()))


def test_it_leaves_its_links_and_hashes(erased: Post) -> None:
    nothing_came_back(erased)
    assert erased.link_key and Tombstone.objects.filter(post=erased).count() == 1
    records.project()
    assert not records.supported_triples()


def test_the_next_poll_does_not_bring_it_back(erased: Post, web: WebServer) -> None:
    show(web, item(web, "1", "/story"))
    nothing_came_back(erased)
    show(web, item(web, "1", "/story", title="Storm closes port, again"))
    nothing_came_back(erased)
    assert Post.objects.count() == 1


def test_another_guid_or_another_feed_does_not_either(erased: Post, web: WebServer) -> None:
    subscribe(web.url("/other"))
    web.answers["/other"] = reply(404)
    body = f"<rss version='2.0'><channel>{item(web, '9', '/story?utm_source=other')}</channel></rss>"
    web.answers["/other"] = reply(200, body, Content_Type="application/rss+xml")
    show(web, item(web, "2", "/story"))
    nothing_came_back(erased)
    assert Post.objects.count() == 1 and Sighting.objects.count() == 3


def test_its_words_under_another_link_stay_away(erased: Post, web: WebServer) -> None:
    web.answers["/elsewhere"] = reply(200, article(), Content_Type=HTML)
    show(web, item(web, "3", "/elsewhere"))
    nothing_came_back(erased)
    other = Post.objects.exclude(pk=erased.pk).get()
    assert other.state == "erased" and other.due_at is None and "another link" in other.state_reason
    show(web, item(web, "3", "/elsewhere", title="Storm closes port, again"))
    nothing_came_back(erased)


def test_another_page_that_names_it_as_its_canonical_link_is_folded_into_it(erased: Post, web: WebServer) -> None:
    head = f"<link rel='canonical' href='{web.url('/story')}'>"
    web.answers["/amp"] = reply(200, article(*BODY, "A word more.", head=head), Content_Type=HTML)
    show(web, item(web, "4", "/amp"))
    nothing_came_back(erased)
    assert Post.objects.count() == 1


def test_a_picture_that_comes_in_while_its_post_is_erased_is_not_kept(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from extraction.posts import post_images

    records.checkpoint()
    head = f"<meta property='og:image' content='{web.url('/picture')}'>"
    web.answers |= {
        "/story": reply(200, article(head=head), Content_Type=HTML),
        "/picture": reply(200, jpeg(), Content_Type="image/jpeg"),
    }
    fetch = post_images.fetch_picture

    def erased_meanwhile(*args: object, **options: object) -> object:
        found = fetch(*args, **options)  # type: ignore[arg-type]
        erasure.erase(Post.objects.get(), None)
        return found

    monkeypatch.setattr(post_images, "fetch_picture", erased_meanwhile)
    subscribe(web.url("/feed"))
    show(web, item(web, "1", "/story"))
    nothing_came_back(Post.objects.get())


def test_an_admin_erases_on_a_page_of_its_own_and_nobody_else(client: Client) -> None:
    post = records.post("Ada Lovelace lived in London.")
    place = f"/posts/{post.public_id}/"
    reader = User.objects.create_user("reader")
    client.force_login(reader)
    assert client.get(f"{place}erase/").status_code == client.post(f"{place}erase/").status_code == 403
    client.force_login(User.objects.create_superuser("admin"))
    assert f"{place}erase/" in client.get(place).content.decode()
    asked = client.get(f"{place}erase/").content.decode()
    assert "post versions" in asked and Post.objects.get().state == "live"
    answer = client.post(f"{place}erase/", {"reason": "On <b>request</b>."}, follow=True)
    assert answer.status_code == 410 and "On &lt;b&gt;request&lt;/b&gt;." in answer.content.decode()
    post.refresh_from_db()
    assert post.state == "erased" and Event.objects.get(what="post erased").by is not None
