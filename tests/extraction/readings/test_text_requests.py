"""Texts that programs have read: asked over the API, answered by a reader under a lease, for their owner alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from extraction import leases
from extraction.models import TextToRead
from extraction.readings import text_requests
from extraction.schema import Document, ExtractedMention, Extraction, Relation
from kgbuilder.accounts import api_tokens
from knowledge.models import Entity
from tests.factories import make_checkpoint, make_user

pytestmark = pytest.mark.django_db
THRESHOLDS = {"default": 0.5}


class Reader:
    """Finds two people whose first names are the same, whatever the text."""

    name = "reader of the test"

    def __init__(self, breaks_over: str = "nothing") -> None:
        self.breaks_over = breaks_over

    def read(self, documents: Sequence[Document]) -> list[Extraction]:
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> Extraction:
        if self.breaks_over in document.text:
            raise RuntimeError("the network broke")
        mentions = (ExtractedMention(0, 3, "person", 0.9), ExtractedMention(8, 14, "location", 0.8))
        return Extraction(document.id, document.text, "en", mentions, (Relation(0, 1, "residence", 0.7),))


def program(user: User) -> Client:
    return Client(headers={"Authorization": f"Bearer {api_tokens.make(user, 'test', ['extract'])[1]}"})


def ask(client: Client, **body: Any) -> Any:
    return client.post("/api/v1/texts", json.dumps(body), content_type="application/json")


def answer_all(reader: Any = None) -> int:
    held = text_requests.claim("worker")
    text_requests.answer(reader or Reader(), held, THRESHOLDS)
    return len(held)


def test_a_text_is_queued_and_its_answer_fetched() -> None:
    make_checkpoint()
    client = program(make_user("viewer"))
    response = ask(client, text="Ada was London bred.")
    assert response.status_code == 202
    address = response.headers["Location"]
    assert client.get(address).json()["state"] == "waiting"
    assert client.get(address).headers["Retry-After"]
    assert answer_all() == 1
    found = client.get(address).json()
    assert (found["state"], found["answer"]["checkpoint"]) == ("done", "reader of the test")
    (quintuple,) = found["answer"]["quintuples"]
    assert (quintuple["head"]["text"], quintuple["relation"], quintuple["tail"]["text"]) == (
        "Ada",
        "residence",
        "London",
    )
    assert not Entity.objects.exists(), "nothing is recorded"


def test_nobody_else_sees_it() -> None:
    make_checkpoint()
    address = ask(program(make_user("viewer")), text="Ada was London bred.").headers["Location"]
    assert program(make_user("admin")).get(address).status_code == 404


def test_without_a_checkpoint_it_is_reported() -> None:
    response = ask(program(make_user("viewer")), text="Ada")
    assert response.status_code == 503
    assert "checkpoint" in response.json()["detail"]


def test_texts_have_bounds() -> None:
    make_checkpoint()
    client = program(make_user("viewer"))
    assert ask(client, text="x" * (text_requests.LONGEST + 1)).status_code == 422
    assert ask(client, text="").status_code == 422
    for _ in range(text_requests.MOST_WAITING):
        assert ask(client, text="Ada").status_code == 202
    assert ask(client, text="Ada").status_code == 429
    assert ask(program(make_user("viewer")), text="Ada").status_code == 202


def test_what_breaks_over_one_text_is_that_texts_error() -> None:
    make_checkpoint()
    client = program(make_user("viewer"))
    bad, good = (ask(client, text=text).headers["Location"] for text in ("Eve was bad.", "Ada was London bred."))
    assert answer_all(Reader(breaks_over="Eve")) == 2
    assert "the network broke" in client.get(bad).json()["error"]
    assert client.get(good).json()["state"] == "done"


def test_a_text_that_readers_die_of_is_claimed_alone_and_given_up() -> None:
    user = make_user("viewer").pk
    poison, other = text_requests.enqueue(user, "poison"), text_requests.enqueue(user, "other")
    assert len(text_requests.claim("worker")) == 2
    assert text_requests.claim("another") == [], "they are held"
    for _ in range(text_requests.GIVEN_UP_AT - 1):
        assert leases.free("worker") >= 1
        assert [held.pk for held in text_requests.claim("worker")] == [poison.pk]
    leases.free("worker")
    assert [held.pk for held in text_requests.claim("worker")] == [other.pk]
    poison.refresh_from_db()
    assert poison.state == TextToRead.State.FAILED and "died 3 times" in poison.error


def test_an_answer_that_comes_after_the_lease_was_lost_is_dropped() -> None:
    row = text_requests.enqueue(make_user("viewer").pk, "Ada was London bred.")
    late = text_requests.claim("worker")
    leases.free("worker")
    current = text_requests.claim("worker")
    text_requests.answer(Reader(breaks_over="Ada"), late, THRESHOLDS)
    text_requests.answer(Reader(), current, THRESHOLDS)
    row.refresh_from_db()
    assert row.state == TextToRead.State.DONE


def test_texts_and_answers_are_forgotten_after_a_day() -> None:
    make_checkpoint()
    old = text_requests.enqueue(make_user("viewer").pk, "Ada")
    TextToRead.objects.update(asked_at=timezone.now() - timedelta(hours=25))
    young = text_requests.enqueue(make_user("viewer").pk, "Ada")
    assert text_requests.delete_old() == 1
    assert not TextToRead.objects.filter(pk=old.pk).exists()
    assert TextToRead.objects.filter(pk=young.pk).exists()


def test_the_title_stands_before_the_text_as_in_a_post() -> None:
    row = text_requests.enqueue(make_user("viewer").pk, "Ada\0", "A  headline")
    assert (row.text, row.title_end) == ("A headline\n\nAda", 10)
