"""`check_record`: a sound record has no findings, and each kind of damage has its finding."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

from extraction.images.storage import keep
from extraction.models import Deployment, Feed, Post, PostImage, Reading
from extraction.readings import queue as readings_queue
from knowledge.models import Projection, ProjectorLock
from knowledge.record import integrity
from tests import records
from tests.factories import make_feed

pytestmark = pytest.mark.django_db
NAMES = [("Ada Lovelace", "person"), ("London", "location")]


@pytest.fixture
def post(settings, tmp_path: Path) -> Post:
    """One post, read and projected, with a picture: without findings."""
    settings.MEDIA_ROOT = tmp_path
    records.checkpoint()
    made = records.post("Ada Lovelace lived in London.", due_at=timezone.now() + timedelta(days=1))
    records.read(made, NAMES)
    records.settle()
    written = io.BytesIO()
    Image.new("RGB", (80, 80)).save(written, "PNG")
    kept = keep(written.getvalue(), tmp_path)
    PostImage.objects.create(post=made, url="https://news.example/a.png", file=kept.file)
    made.refresh_from_db()
    return made


def kinds() -> dict[str, bool]:
    """Kind -> whether it is merely pending."""
    return {finding.kind: finding.pending for finding in integrity.findings()}


def test_a_sound_record_has_no_findings(post: Post) -> None:
    assert kinds() == {}
    written = io.StringIO()
    call_command("check_record", "--wait", "0.1", stdout=written)
    assert "0 kinds wrong, 0 pending" in written.getvalue()


def hold(post: Post, past: timedelta) -> None:
    Post.objects.filter(pk=post.pk).update(lease_token="x", lease_until=timezone.now() - past)


def edit(post: Post) -> None:
    records.edit(post, "Ada Lovelace lived in Paris.")


def dropped(post: Post) -> None:
    edit(post)
    Reading.objects.filter(stage="read").delete()


def failed(post: Post) -> None:
    edit(post)
    Reading.objects.filter(stage="read").update(stage="failed", error="no")


def cut(post: Post) -> None:
    path = integrity.Path(integrity.settings.MEDIA_ROOT) / post.images.get().file
    path.write_bytes(path.read_bytes()[:-100])


def unread(post: Post) -> None:
    Post.objects.update(current_reading=None)


def half_erased(post: Post) -> None:
    Post.objects.update(state="erased")


def hold_graph(past: timedelta, store: str = "rdf", stale: bool = True, due: timedelta = timedelta()) -> None:
    """A projector's lock that was never released; `due`: when the stale graph updates are due."""
    ProjectorLock.objects.create(store=store, token="x", until=timezone.now() - past)
    Projection.objects.update(store=store, due_at=timezone.now() + due)
    if stale:
        Projection.objects.update(wanted=9)


BROKEN: dict[str, tuple[Callable[[Post], object], dict[str, bool]]] = {
    "an edit waits": (edit, {"unread": True}),
    "an edit failed": (failed, {}),
    "an edit was dropped": (dropped, {"older": False}),
    "a visit just ran out": (lambda post: hold(post, timedelta(seconds=5)), {"lease": True}),
    "a visit was left": (lambda post: hold(post, timedelta(hours=1)), {"lease": False}),
    "a poll was left": (
        lambda post: make_feed(lease_token="x", lease_until=timezone.now() - timedelta(hours=1)),
        {"lease": False},
    ),
    "no reading": (unread, {"without": False}),
    "no text": (
        lambda post: Post.objects.update(current_version=None, current_reading=None, due_at=None),
        {"silent": False},
    ),
    "a visit to come": (
        lambda post: Post.objects.update(current_version=None, current_reading=None, due_at=timezone.now()),
        {"unvisited": True},
    ),
    "a graph update is stale": (lambda post: Projection.objects.update(wanted=9), {"unit": True}),
    "a graph update was refused": (lambda post: Projection.objects.update(wanted=9, attempts=1), {"refused": False}),
    "a projector just ran out": (
        lambda post: hold_graph(timedelta(seconds=5)),
        {"projector": True, "unit": True},
    ),
    "a projector was left": (lambda post: hold_graph(timedelta(hours=1)), {"projector": False, "unit": True}),
    "a projector was left with nothing to do": (lambda post: hold_graph(timedelta(hours=1), stale=False), {}),
    "a projector was left with nothing to do yet": (
        lambda post: hold_graph(timedelta(hours=1), due=timedelta(hours=1)),
        {"unit": True},
    ),
    "a projector is at work": (lambda post: hold_graph(timedelta(seconds=-60)), {"unit": True}),
    "a store that is no longer set up": (lambda post: hold_graph(timedelta(hours=1), store="neo4j"), {"unit": True}),
    "a picture was cut short": (cut, {"picture": False}),
    "a picture is gone": (lambda post: PostImage.objects.update(file="pictures/none.jpg"), {"picture": False}),
    "half erased": (half_erased, {"erased": False}),
}


@pytest.mark.parametrize(("damage", "expected"), BROKEN.values(), ids=BROKEN)
def test_each_damage_is_reported(post: Post, damage: Callable[[Post], object], expected: dict[str, bool]) -> None:
    damage(post)
    assert kinds() == expected
    fails = bool(expected)
    if fails:
        with pytest.raises(SystemExit, match="1"):
            call_command("check_record", "--wait", "0.01", stdout=io.StringIO())
    else:
        call_command("check_record", "--wait", "0.01", stdout=io.StringIO())


def test_what_is_pending_is_no_error_for_who_does_not_wait(post: Post) -> None:
    edit(post)
    call_command("check_record", stdout=io.StringIO())


def test_a_reading_for_a_checkpoint_that_is_not_deployed_is_nobody_s(post: Post) -> None:
    edit(post)
    Deployment.objects.all().delete()
    assert "nobody's" in kinds()


def test_a_damaged_picture_is_deleted_and_its_post_fetched(post: Post) -> None:
    cut(post)
    call_command("check_record", "--repair", "--wait", "0.01", stdout=io.StringIO())
    post.refresh_from_db()
    assert post.due_at is not None and post.due_at <= timezone.now() and post.images.get().file == ""
    assert readings_queue.claim("x", 1) == [] and not Feed.objects.exists()
