"""Heartbeats, health, metrics and notices."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from extraction.crawler import http_client
from extraction.models import Feed
from kgbuilder import VERSION
from kgbuilder.conf.environment import ROOT
from kgbuilder.install import requirements
from kgbuilder.models import Heartbeat, Notice, Tally
from kgbuilder.monitoring import conditions, notices
from kgbuilder.supervision import heartbeat, telemetry
from kgbuilder.tasks import watch
from knowledge.graphs.units import StoreUnavailable
from tests.factories import make_feed, make_post, make_user, read_post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    telemetry.drain()
    yield
    telemetry.drain()


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The health that the one store reports; an empty dict: it is unavailable."""
    health: dict[str, Any] = {"up_seconds": 5, "pid": 7, "host": "graph", "writes": 3}

    def ask(name: str) -> dict[str, Any]:
        if not health:
            raise StoreUnavailable("away")
        return health

    monkeypatch.setattr(conditions, "store_names", lambda: ("rdf",))
    monkeypatch.setattr(conditions, "_health", ask)
    return health


def test_a_heartbeat_records_what_a_process_does_and_adds_its_counts() -> None:
    pulse = heartbeat.Pulse("reader")
    with telemetry.stage("read", "reading 16 posts", 16):
        pulse.beat()
        assert Heartbeat.objects.get().doing == "reading 16 posts"
    pulse.beat()
    row = Heartbeat.objects.get()
    assert (row.part, row.doing, row.done, row.version) == ("reader", "", 16, VERSION)
    other = heartbeat.Pulse("reader-2")
    telemetry.count("fetch_errors", "timeout", 2)
    telemetry.count("stage_units", "read", 4)
    other.beat()
    tallies = {(row.name, row.label): row.value for row in Tally.objects.all()}
    assert tallies["stage_units", "read"] == 20
    assert tallies["fetch_errors", "timeout"] == 2
    assert Heartbeat.objects.get(part="reader-2").done == 4


def test_an_unavailable_database_loses_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise DatabaseError("away")

    pulse = heartbeat.Pulse("io")
    telemetry.count("fetch_errors", "name", 3)
    with monkeypatch.context() as patched:
        patched.setattr(heartbeat, "write_row", away)
        pulse.beat()
    assert not Tally.objects.exists()
    pulse.beat()
    assert Tally.objects.get().value == 3


def test_health_is_of_this_host_and_of_now() -> None:
    pulse = heartbeat.Pulse("reader-2")
    pulse.beat()
    call_command("health", "reader")
    with pytest.raises(CommandError, match="No io on"):
        call_command("health", "io")
    Heartbeat.objects.update(seen_at=timezone.now() - heartbeat.SILENT)
    with pytest.raises(CommandError, match="No reader on"):
        call_command("health", "reader")
    pulse.beat()
    Heartbeat.objects.update(host="another")
    with pytest.raises(CommandError, match="No reader on"):
        call_command("health", "reader")
    with pytest.raises(CommandError, match="web is not ready"):
        call_command("health", "web")


def test_probes_are_open_and_reveal_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").json() == {"database": "there"}

    def away(*args: object) -> bool:
        raise DatabaseError("password authentication failed for user kg")

    monkeypatch.setattr("kgbuilder.web.views.Installation.objects.exists", away)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "password" not in answer.content.decode()
    assert client.get("/healthz").status_code == 200


def metrics(client: Client) -> dict[str, float]:
    answer = client.get("/metrics", headers={"Authorization": "Bearer s3cret"})
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_require_the_token(client: Client, settings: Any) -> None:
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "s3cret"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer s3cre"}).status_code == 401
    client.force_login(make_user("admin"))
    assert client.get("/metrics").status_code == 401


def test_metrics_have_stable_names(client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = "s3cret"
    post = make_post("Ann met Bob", "Ann met Bob.")
    read_post(post, [("Ann", "person"), ("Bob", "person")], [("Ann", "spouse", "Bob", 0.9)])
    make_post("Not read yet")
    Feed.objects.filter(pk=make_feed().pk).update(due_at=timezone.now() - timedelta(seconds=90))
    with telemetry.stage("read", "reading", 1):
        pass
    with pytest.raises(http_client.FetchError):
        http_client.get("ftp://example.org/")
    heartbeat.Pulse("reader-2").beat()
    found = metrics(client)
    assert found['kgbuilder_posts{state="read"}'] == 1
    assert found['kgbuilder_posts{state="unread"}'] == 1
    assert 90 <= found['kgbuilder_lane_age_seconds{lane="poll"}'] < 900
    assert found['kgbuilder_lane_due{lane="poll"}'] == 1
    assert found['kgbuilder_units_waiting{store="rdf"}'] > 3
    assert found['kgbuilder_stage_seconds_total{stage="read"}'] > 0
    assert found['kgbuilder_stage_units_total{stage="read"}'] == 1
    assert found['kgbuilder_fetch_errors_total{kind="url"}'] == 1
    assert found['kgbuilder_processes{part="reader"}'] == 1
    assert found['kgbuilder_notices{kind="store"}'] == 0


def test_a_feed_that_failed_for_a_day_is_notified_once_and_again_when_it_recovers(
    settings: Any, stores: dict[str, Any]
) -> None:
    settings.NOTICE_MAIL = ("ops@example.org",)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    yesterday = timezone.now() - timedelta(hours=25)
    feed = make_feed("Wire", failures=4, polled_at=yesterday, error="The server answered 503.")
    make_feed("Young", failures=4, polled_at=timezone.now() - timedelta(hours=2))
    watch()
    watch()
    assert [notice.subject for notice in notices.present()] == [str(feed.pk)]
    (message,) = mail.outbox
    assert message.to == ["ops@example.org"]
    assert "The feed Wire has been failing since" in message.body
    Feed.objects.update(failures=0, polled_at=timezone.now())
    watch()
    watch()
    assert not notices.present().exists()
    assert [message.subject[:17] for message in mail.outbox] == ["[kgbuilder] feed ", "[kgbuilder] Resol"]
    Feed.objects.filter(pk=feed.pk).update(failures=4, polled_at=yesterday)
    watch()
    assert Notice.objects.count() == 2


def test_a_late_queue_and_an_unavailable_store_are_notified(settings: Any, stores: dict[str, Any]) -> None:
    settings.LANE_LATE_SECONDS = 60.0
    watch()
    assert Heartbeat.objects.get(part="sparql").done == 3
    assert not notices.present().exists()
    Feed.objects.filter(pk=make_feed().pk).update(due_at=timezone.now() - timedelta(seconds=90))
    stores.clear()
    watch()
    assert [(notice.kind, notice.subject) for notice in notices.present()] == [("lane", "poll")]
    Heartbeat.objects.update(seen_at=timezone.now() - conditions.STORE_AWAY)
    watch()
    assert {(notice.kind, notice.subject) for notice in notices.present()} == {("lane", "poll"), ("store", "rdf")}


def test_a_store_that_was_begun_anew_is_notified_until_its_remains_are_deleted(stores: dict[str, Any]) -> None:
    stores["set_aside"] = ["graph.damaged-20261201T023800Z"]
    watch()
    [notice] = notices.present()
    assert notice.kind == "store" and "set aside as graph.damaged-20261201T023800Z" in notice.says
    stores["set_aside"] = []
    watch()
    assert not notices.present().exists()


def test_a_component_without_heartbeat_is_notified(stores: dict[str, Any]) -> None:
    heartbeat.Pulse("reader-2").beat()
    Heartbeat.objects.update(seen_at=timezone.now() - conditions.PART_SILENT)
    watch()
    assert [(notice.kind, notice.subject) for notice in notices.present()] == [("part", "reader")]


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes], list[int]]]:
    """An address on this machine, what was posted to it, and the statuses of its next answers."""
    heard: list[bytes] = []
    answers: list[int] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(answers.pop(0) if answers else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard, answers
    server.shutdown()
    server.server_close()


def test_a_webhook_is_called_and_tried_again_after_a_failure(
    hook: tuple[str, list[bytes], list[int]], settings: Any, stores: dict[str, Any]
) -> None:
    settings.NOTICE_WEBHOOK, heard, answers = hook
    answers.append(500)
    make_feed("Wire", failures=4, polled_at=timezone.now() - timedelta(hours=25))
    watch()
    assert Notice.objects.get().sent_at is None
    watch()
    watch()
    assert len(heard) == 2
    assert json.loads(heard[-1])["kind"] == "feed"
    assert "The feed Wire has been failing" in json.loads(heard[-1])["text"]


def test_notices_are_shown_to_admins_alone(client: Client) -> None:
    Notice.objects.create(kind="lane", subject="read", says="The lane read is late.", began_at=timezone.now())
    for group, shown in (("editor", False), ("admin", True)):
        client.force_login(make_user(group))
        assert ("The lane read is late." in client.get("/").content.decode()) == shown


def test_the_client_of_prometheus_is_required() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert "prometheus_client" in requirements.requirements(text, None)


def test_the_status_page_shows_each_standing_notice(client: Client) -> None:
    Notice.objects.create(kind="lane", subject="read", says="The queue read is late.", began_at=timezone.now())
    client.force_login(make_user("admin"))
    shown = client.get("/status/").content.decode().partition("Notices")[2]
    assert "The queue read is late." in shown
    assert shown.partition("</ul>")[0].count("<li") == 1


def test_no_product_of_this_machine_answers_a_test() -> None:
    """The port of the tests is theirs: whatever runs at 8000 or elsewhere, nothing is at the address they would ask."""
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", settings.PORT))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", settings.PORT), 5)
    assert f"http://127.0.0.1:{settings.PORT}/" == settings.WEB_ADDRESS
