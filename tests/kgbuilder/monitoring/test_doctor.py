"""What doctor reports of components that are OK, missing or wrong, and its exit status."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from extraction.models import Deployment
from kgbuilder import installation
from kgbuilder.models import Installation
from kgbuilder.monitoring import doctor
from tests import records

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Iterator[Path]:
    settings.DATA_DIR = tmp_path
    settings.SPARQL_SOCKET = tmp_path / "sparql.sock"
    yield tmp_path


def part(name: str) -> doctor.Component:
    return {part.name: part for part in doctor.parts()}[name]


def test_without_processes_and_checkpoint_it_reports_the_consequences_and_ends_with_1() -> None:
    assert part("database").state == "there"
    assert part("processes").state == "missing"
    assert "Run `make run`" in part("processes").sentence
    assert part("checkpoint").state == "missing"
    assert "but not analysed" in part("checkpoint").costs
    assert part("SPARQL server").state == "missing"
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == 1
    assert "Nothing is polled or analysed." in " ".join(out.getvalue().split())


def test_an_optional_component_does_not_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"database": doctor._database, "Neo4j": doctor._neo4j})
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    found = {part["name"]: (part["state"], part["needed"]) for part in json.loads(out.getvalue())}
    assert found == {"database": ("there", True), "Neo4j": ("missing", False)}


def test_a_checkpoint_is_ok_while_its_folder_exists(tmp_path: Path) -> None:
    made = records.checkpoint()
    (tmp_path / "config.json").write_text("{}")
    type(made).objects.filter(pk=made.pk).update(path=str(tmp_path))
    assert part("checkpoint").state == "there"
    (tmp_path / "config.json").unlink()
    assert part("checkpoint").state == "missing"
    assert "which no longer exists" in part("checkpoint").says
    Deployment.objects.all().delete()
    assert "Not deployed" in part("checkpoint").says


def test_another_base_iri_is_wrong_until_the_graph_is_rebuilt(settings: Any) -> None:
    Installation.objects.all().delete()
    installation.this()
    settings.BASE_IRI = "https://elsewhere.example/"
    assert part("base IRI").state == "wrong"
    assert "http://kg.example/" in part("base IRI").says
    assert "rebuild_graph" in part("base IRI").costs
    installation.base_iri_rebuilt()
    assert part("base IRI").state == "there"


def test_a_disk_that_fills_up_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5_000_000))
    assert part("disk").state == "wrong"
    assert "0.0 GB free" in part("disk").says


def test_a_failing_check_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> doctor.Component:
        raise RuntimeError("its answer made no sense")

    def locked(name: str) -> doctor.Component:
        raise OperationalError("locked")

    monkeypatch.setattr(doctor, "CHECKS", {"broker": broken, "base IRI": locked, "disk": doctor._disk})
    broker, base_iri, disk = doctor.parts()
    assert broker.sentence == "Not reachable: its answer made no sense"
    assert base_iri.sentence == "Correct the database first."
    assert (broker.colour, base_iri.colour, disk.colour) == ("bad", "bad", "good")


def test_a_broker_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from kgbuilder import celery

    monkeypatch.setattr(celery, "app", celery.make_app("amqp://guest:secret@127.0.0.1:1//"))
    assert part("broker").state == "wrong"
    assert "secret" not in part("broker").sentence


def test_a_graph_of_another_base_iri_is_not_reported_update_by_update(settings: Any) -> None:
    installation.this()
    settings.BASE_IRI = "https://elsewhere.example/"
    with pytest.raises(CommandError, match="PORT is one"):
        call_command("check_parity")
