"""The sample feed and its pages: what the product serves, its own feed reader reads whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from extraction import polling, visiting
from extraction.articles import extract
from extraction.feeds import parse
from extraction.models import Post
from extraction.samples import TITLE, SamplePost, load_posts
from extraction.subscriptions import subscribe
from knowledge.recorder import mark_posts


@pytest.mark.django_db
def test_the_feed_lists_all_samples_newest_first_and_is_public(client: Client) -> None:
    answer = client.get(reverse("sample_feed"))
    assert answer.status_code == 200
    feed = parse(answer.content, answer["Content-Type"], "http://testserver/samples/feed.xml")
    posts = load_posts()[::-1]
    assert (feed.title, feed.notice) == (TITLE, "")
    assert [(item.title, item.published) for item in feed.items] == [(post.title, post.published) for post in posts]
    assert all(item.text == posts[place].paragraphs[0] for place, item in enumerate(feed.items))
    again = client.get(reverse("sample_feed"), headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


@pytest.mark.django_db
@pytest.mark.parametrize("post", load_posts(), ids=lambda post: post.id)
def test_a_page_is_read_as_it_was_written(client: Client, post: SamplePost) -> None:
    answer = client.get(reverse("sample", args=[post.id]))
    article = extract(answer.content, f"http://testserver/samples/{post.id}.html")
    assert (article.title, article.text) == (post.title, "\n\n".join(post.paragraphs))
    assert not article.login_wall and article.canonical == f"http://testserver/samples/{post.id}.html"
    assert client.get(f"/samples/{post.id}.html", headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.django_db
def test_there_are_no_other_samples_and_none_can_be_posted(client: Client) -> None:
    assert client.get("/samples/none.html").status_code == 404
    assert client.get("/samples/..%2fmodels.html").status_code == 404
    assert client.post(reverse("sample_feed")).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_the_samples_are_read_by_the_normal_path(live_server, settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    host, port = live_server.thread.host, live_server.thread.port
    settings.FETCH_ALLOW = ((host, port),)
    subscribe(live_server.url + reverse("sample_feed"), sample=True)
    assert polling.poll_due().new == len(load_posts())
    while visiting.visit_due(8, mark=mark_posts).claimed:
        pass
    assert Post.objects.filter(sample=True, current_version__source="page", error="").count() == len(load_posts())
    texts = set(Post.objects.values_list("current_version__text", flat=True))
    assert texts == {f"{post.title}\n\n" + "\n\n".join(post.paragraphs) for post in load_posts()}
