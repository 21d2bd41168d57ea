"""Wake-up messages over every broker: at most one waits, none is sent before its transaction, none fails its caller."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from django.db import transaction

from kgbuilder import celery
from kgbuilder.celery import LANES, Doorbell, LaneScheduler, make_app, ring
from kgbuilder.supervision.logs import Repeats

pytestmark = pytest.mark.integration


def waiting(app: Celery, lane: str) -> int:
    with app.connection_for_write() as link:
        return int(link.default_channel.queue_declare(queue=lane, durable=True, auto_delete=False).message_count)


def emptied(app: Celery) -> Celery:
    with app.connection_for_write() as link:
        for lane in LANES:
            link.default_channel.queue_declare(queue=lane, durable=True, auto_delete=False)
            link.default_channel.queue_purge(queue=lane)
    return app


@pytest.fixture(
    params=["filesystem", pytest.param("redis", marks=pytest.mark.redis), pytest.param("amqp", marks=pytest.mark.amqp)]
)
def app(request: pytest.FixtureRequest, tmp_path: Path, settings: object) -> Iterator[Celery]:
    settings.BROKER_FOLDER = tmp_path  # type: ignore[attr-defined]
    named = {"redis": "TEST_REDIS_URL", "amqp": "TEST_AMQP_URL"}
    url = "filesystem://localhost//" if request.param == "filesystem" else os.environ[named[request.param]]
    made = emptied(make_app(url))
    yield made
    emptied(made).close()


def test_a_queue_with_a_waiting_message_gets_no_other(app: Celery) -> None:
    bell = Doorbell(app)
    for _ in range(20):
        bell.ring("read")
    bell.ring("project.rdf")
    assert (waiting(app, "read"), waiting(app, "project.rdf"), waiting(app, "fetch")) == (1, 1, 0)


def test_a_message_names_the_queues_task_carries_no_work_and_expires(app: Celery) -> None:
    Doorbell(app).ring("project.rdf")
    with app.connection_for_write() as link:
        message = link.default_channel.basic_get(queue="project.rdf", no_ack=True)
    assert message.headers["task"] == "knowledge.tasks.project_rdf"
    assert message.headers["argsrepr"] == "()"
    assert message.headers["expires"] is not None


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_an_unavailable_broker_fails_no_caller_and_is_left_alone(
    scheme: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = Doorbell(make_app(f"{scheme}://127.0.0.1:{closed_port()}//"))
    tries: list[str] = []
    send = bell._send

    def counted(lane: str) -> None:
        tries.append(lane)
        send(lane)

    monkeypatch.setattr(bell, "_send", counted)
    with caplog.at_level(logging.WARNING):
        bell.ring("read")
        bell.ring("poll")
    assert "waits for the next sweep" in caplog.text
    assert tries == ["read"]


@pytest.mark.django_db(transaction=True)
def test_a_message_in_a_transaction_is_sent_after_it_and_not_if_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(celery._doorbell, "ring", heard.append)
    with transaction.atomic():
        ring("read")
        assert heard == []
    assert heard == ["read"]
    with pytest.raises(RuntimeError), transaction.atomic():
        ring("fetch")
        raise RuntimeError
    assert heard == ["read"]


def test_every_store_s_projector_is_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(celery._doorbell, "ring", heard.append)
    monkeypatch.setitem(LANES, "project.neo4j", LANES["project.rdf"])
    celery.ring_projectors()
    assert sorted(heard) == ["project.neo4j", "project.rdf"]


def test_an_unknown_queue_raises() -> None:
    with pytest.raises(KeyError, match="no queue 'raed'"):
        ring("raed")


def test_every_queue_has_a_task_and_a_worker() -> None:
    from kgbuilder.supervision.parts import all_parts

    celery.app.loader.import_default_modules()
    consumed = {
        lane
        for part in all_parts()
        if "-Q" in part.command
        for lane in part.command[part.command.index("-Q") + 1].split(",")
    }
    assert consumed == set(LANES)
    assert {lane.task for lane in LANES.values()} <= set(celery.app.tasks)


def test_beat_sends_messages_and_piles_up_none(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(celery._doorbell, "ring", heard.append)
    beat = LaneScheduler(app=celery.app)
    for _ in range(len(LANES)):
        for entry in beat.schedule.values():
            entry.last_run_at = entry.last_run_at.replace(year=2020)
    while beat.tick() == 0:
        pass
    assert sorted(heard) == sorted(LANES)


def test_one_failure_is_logged_once_a_minute() -> None:
    repeats = Repeats()

    def record(message: str, error: Exception | None = None) -> logging.LogRecord:
        info = (type(error), error, None) if error else None
        return logging.LogRecord("lane", logging.ERROR, "", 0, message, (), info)

    assert repeats.filter(record("down"))
    assert not repeats.filter(record("down"))
    assert repeats.filter(record("%s raised", ValueError("x")))
    assert not repeats.filter(record("%s raised", ValueError("x")))
    assert repeats.filter(record("%s raised", ValueError("y")))
