"""A broken picture's whole way: polled, fetched over real sockets, declined with a reason that the post's page shows,
and the post read from its words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from extraction import tasks
from extraction.feeds import polling
from extraction.feeds.subscriptions import subscribe
from extraction.images import detectors_from_settings
from extraction.models import Feed, Post, PostImage, Reading, RegionSet
from extraction.posts import visits
from extraction.vision.image_analysis import ImageAnalyser
from knowledge.record.projection_queue import mark_posts
from tests.deterministic import Extractor
from tests.extraction.images.broken_images import Broken, broken_pictures, scene, written
from tests.extraction.vision.test_image_analysis import Fake
from tests.factories import make_checkpoint, make_user
from tests.servers.fakeweb import BODY, article
from tests.servers.web import WebServer, reply, running

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PICTURES = {one.name: one for one in broken_pictures()}


@pytest.fixture
def web(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    settings.MEDIA_ROOT, settings.FEATURES_ROOT = tmp_path / "media", tmp_path / "features"
    settings.DETECTOR_WEIGHTS = "yolox-nano"
    monkeypatch.setattr(detectors_from_settings, "load_or_log", lambda: ImageAnalyser(Fake()))
    monkeypatch.setattr(tasks, "_reader", lambda path, digest: Extractor())
    make_checkpoint()
    with running() as server:
        settings.FETCH_ALLOW = server.allow
        yield server


def publish(web: WebServer, shown: dict[str, list[Broken]]) -> None:
    """A feed with an item for each name, whose page shows these pictures, the first as the lead."""
    items = "".join(f"<item><title>{name}</title><link>{web.url(f'/{name}.html')}</link></item>" for name in shown)
    web.answers["/feed.xml"] = reply(200, f"<rss version='2.0'><channel><title>Wire</title>{items}</channel></rss>")
    for name, pictures in shown.items():
        head = f'<meta property="og:image" content="{web.url(f"/{pictures[0].name}")}">'
        figures = [
            f'<figure><img src="/{one.name}"><figcaption>As it was seen in {one.name}</figcaption></figure>'
            for one in pictures[1:]
        ]
        words = f"Ada Lovelace met Charles Babbage over {name}."
        page = article(*BODY, words, *figures, title=f"Of {name}", head=head)
        web.answers[f"/{name}.html"] = reply(200, page, Content_Type="text/html")
        web.answers |= {f"/{one.name}": reply(200, one.content, Content_Type="image/jpeg") for one in pictures}
    subscribe(web.url("/feed.xml"))


def run_lanes() -> None:
    """Polls, visits, reads and looks until nothing is due."""
    Feed.objects.update(due_at=timezone.now())
    polling.poll_due(mark=mark_posts)
    while visits.visit_due(20, mark=mark_posts).claimed:
        pass
    deployed = tasks.Deployment.objects.get(active=True).checkpoint
    while tasks._read_due("test", deployed) + tasks._detect_due(deployed):
        pass


def pages(client: Client) -> dict[str, str]:
    """Each post's page by the name of its link."""
    client.force_login(make_user("editor"))
    return {
        post.link.rpartition("/")[2].removesuffix(".html"): client.get(f"/posts/{post.public_id}/").content.decode()
        for post in Post.objects.all()
    }


def test_a_post_with_a_broken_picture_has_an_error_and_is_analysed_without_it(web: WebServer, client: Client) -> None:
    publish(web, {name: [one] for name, one in PICTURES.items()})
    run_lanes()
    assert set(PICTURES) <= {path.removeprefix("/") for path in web.paths()}, "every picture was requested"
    assert set(Reading.objects.values_list("stage", flat=True)) == {Reading.Stage.DONE}
    found = pages(client)
    assert set(found) == set(PICTURES)
    for name, one in PICTURES.items():
        row = PostImage.objects.get(url=web.url(f"/{name}"))
        html = found[name]
        assert f"over {name}." in html and "Ada Lovelace</a>" in html, "read from its words"
        if one.size is None:
            assert (row.file, row.sha256) == ("", "") and one.why in row.error
            assert f"The picture could not be fetched: {escape(row.error)}" in html
            assert "<figure" not in html
        else:
            assert (row.width, row.height) == one.size and row.error == ""
            assert f'id="p{row.pk}"' in html and "could not be fetched" not in html
    # What was declined is nowhere: neither a copy nor a detection.
    kept = {row.sha256 for row in PostImage.objects.exclude(file="")}
    assert set(RegionSet.objects.values_list("sha256", flat=True)) == kept
    assert len(kept) == len({one.content for one in PICTURES.values() if one.size})


def test_detection_runs_on_a_sound_picture_beside_a_broken_lead(web: WebServer, client: Client) -> None:
    sound = Broken("sound.jpg", written(scene(300, 200), "JPEG"), (300, 200))
    publish(web, {"both": [PICTURES["truncated.jpg"], sound]})
    run_lanes()
    lead, other = PostImage.objects.order_by("position")
    assert lead.error and not other.error and other.caption == "As it was seen in sound.jpg"
    html = pages(client)["both"]
    assert "The picture could not be fetched" in html
    assert f'data-region="{other.pk}-0"' in html
    assert Reading.objects.get().stage == Reading.Stage.DONE
