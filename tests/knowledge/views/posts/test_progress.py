"""The progress of posts follows the readings of the checkpoint in production."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from extraction.models import Deployment, Post, Reading
from extraction.schema import Declined
from kgbuilder import deployment
from tests.factories import deployed, make_checkpoint, make_post, make_user, read_post
from tests.markup import markup

pytestmark = pytest.mark.django_db


def progress(client: Client, post: Post) -> str:
    html = markup(client.get(f"/posts/{post.public_id}/"))
    [label] = [part.partition("<")[0].strip() for part in html.split('class="state ')[1:2]]
    return label.partition(">")[2].strip()


def titles(client: Client, state: str) -> list[str]:
    return [row.title for row in client.get("/", {"state": state}).context["rows"]]


@pytest.fixture
def rolled_back(client: Client) -> Post:
    """Read by production; a candidate was promoted, failed on it, and was rolled back."""
    client.force_login(make_user("admin"))
    production = make_checkpoint(name="production")
    post = make_post("Ann of Acme")
    read_post(post, [("Ann", "person")])
    candidate = make_checkpoint(name="candidate")
    assert post.current_version is not None
    Reading.objects.create(
        version=post.current_version, checkpoint=candidate, stage="failed", error="Unplannable", due_at=timezone.now()
    )
    assert progress(client, post) == "Failed"
    deployment.promote(production, deployment.NONE)
    return post


def test_after_a_roll_back_the_reading_of_production_counts(client: Client, rolled_back: Post) -> None:
    assert progress(client, rolled_back) == "Analysed"
    assert titles(client, "failed") == titles(client, "waiting") == []
    shown = client.get("/status/")
    assert list(shown.context["failed_readings"]) == []
    assert b"Unplannable" not in shown.content
    client.post("/status/retry/", {"what": "readings"})
    assert Reading.objects.get(checkpoint__name="candidate").stage == "failed"


def test_a_reading_that_a_promotion_left_in_place_is_neither_queued_nor_failed(client: Client) -> None:
    client.force_login(make_user("viewer"))
    make_checkpoint(name="old")
    post = make_post("Ann of Acme")
    read_post(post, [("Ann", "person")])
    deployment.promote(make_checkpoint(name="new", active=False), deployment.NONE)
    assert progress(client, post) == "Analysed"
    assert titles(client, "waiting") == []
    deployment.promote(make_checkpoint(name="third", active=False))
    assert progress(client, post) == "Queued"
    assert titles(client, "waiting") == ["Ann of Acme"]


def test_a_candidates_refusal_says_nothing_about_the_post(client: Client) -> None:
    client.force_login(make_user("viewer"))
    post = make_post("Ann of Acme")
    read_post(post, [("Ann", "person")])
    candidate = make_checkpoint(name="candidate", active=False)
    read_post(post, declined=Declined("language", "It is in another language."), checkpoint=candidate)
    assert Deployment.objects.get(active=True).checkpoint == deployed() != candidate
    assert progress(client, post) == "Analysed"
    assert titles(client, "declined") == []
