"""Settings: which values are refused, with which message, and the page that is made of the table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kgbuilder.conf import connections, environment, settings_doc
from kgbuilder.conf.environment import ROOT, WrongSetting, read
from kgbuilder.install import requirements


def test_nothing_set_gives_the_defaults() -> None:
    values = read({})
    assert values["PORT"] == 8000
    assert values["DATA_DIR"] == ROOT / "var"
    assert values["CHECKPOINT"] is None
    assert values["RECHECK_HOURS"] == (1.0, 6.0, 24.0, 72.0, 168.0)


@pytest.mark.parametrize(
    ("name", "value", "part_of_the_sentence"),
    [
        ("PORT", "80a", "PORT takes a port number"),
        ("PORT", "70000", "from 1 to 65535"),
        ("THRESHOLD", "1.5", "numbers from 0 to 1"),
        ("THRESHOLD", "0.5,member_of=x", "numbers from 0 to 1"),
        ("DEBUG", "perhaps", "takes 1 or 0"),
        ("DATABASE_URL", "mysql://u@h/d", "postgresql://"),
        ("BROKER_URL", "sqs://", "amqp://"),
        ("SPARQL_QUERY_URL", "ftp://x/", "http:// or https://"),
        ("FETCH_ALLOW", "127.0.0.1", "host:port"),
        ("FETCH_SECONDS", "-1", "seconds above 0"),
        ("SPARQL_CHILDREN", "0", "at least 1"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_it_takes(
    name: str, value: str, part_of_the_sentence: str
) -> None:
    with pytest.raises(WrongSetting) as refusal:
        read({name: value})
    assert str(refusal.value).startswith(name)
    assert part_of_the_sentence in str(refusal.value)
    secret = {setting.name: setting.secret for setting in environment.SETTINGS}[name]
    assert (repr(value) in str(refusal.value)) != secret


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(WrongSetting) as refusal:
        read({"PORT": "x", "THRESHOLD": "y"})
    assert len(str(refusal.value).splitlines()) == 2


def test_values_become_what_the_code_uses() -> None:
    values = read(
        {"THRESHOLD": "0.6,member_of=0.7", "FETCH_ALLOW": "LocalHost:8900,[::1]:80", "BASE_IRI": "https://kg.example"}
    )
    assert values["THRESHOLD"] == {"default": 0.6, "member_of": 0.7}
    assert values["FETCH_ALLOW"] == (("localhost", 8900), ("::1", 80))
    assert values["BASE_IRI"] == "https://kg.example/"


def test_a_database_address_becomes_djangos_entry(tmp_path: Path) -> None:
    entry = connections.database("postgresql://ed:p%40ss@db.example:5433/kg", tmp_path)
    assert (entry["NAME"], entry["USER"], entry["PASSWORD"]) == ("kg", "ed", "p@ss")
    assert (entry["HOST"], entry["PORT"]) == ("db.example", "5433")
    assert connections.database("", tmp_path)["NAME"] == tmp_path / "kgbuilder.sqlite3"
    assert connections.database("sqlite:////srv/kg.db", tmp_path)["NAME"] == Path("/srv/kg.db")


def test_a_silent_database_is_waited_for_as_long_as_its_address_allows(tmp_path: Path) -> None:
    options = connections.database("postgresql://kg@db.example/kg", tmp_path)["OPTIONS"]
    assert 0 < options["connect_timeout"] <= 10
    idle, every, times = (options[f"keepalives_{name}"] for name in ("idle", "interval", "count"))
    assert options["keepalives"] == 1 and 0 < idle + every * times <= 60
    assert 0 < options["tcp_user_timeout"] <= 60_000
    chosen = connections.database("postgresql://kg@db/kg?connect_timeout=30&sslmode=require", tmp_path)
    assert (chosen["NAME"], chosen["HOST"]) == ("kg", "db")
    assert chosen["OPTIONS"] == options | {"connect_timeout": "30", "sslmode": "require"}


def test_secrets_come_from_files_and_passwords_go_into_addresses(tmp_path: Path) -> None:
    for name, content in (("key", "s3cret\n"), ("word", "p@ss/word\n")):
        (tmp_path / name).write_text(content)
    given = {
        "SECRET_KEY_FILE": str(tmp_path / "key"),
        "DATABASE_URL": "postgresql://kg@db:5432/kg",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "word"),
        "BROKER_URL": "amqp://kg@mq:5672//",
        "BROKER_PASSWORD": "other",
    }
    values = read(given)
    assert values["SECRET_KEY"] == "s3cret"
    assert values["DATABASE_URL"] == "postgresql://kg:p%40ss%2Fword@db:5432/kg"
    assert connections.database(values["DATABASE_URL"], tmp_path)["PASSWORD"] == "p@ss/word"
    assert values["BROKER_URL"] == "amqp://kg:other@mq:5672//"


def test_a_secret_that_cannot_be_read_is_refused_and_none_is_shown(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(WrongSetting) as refusal:
        read({"SECRET_KEY_FILE": str(tmp_path / "none"), "SPARQL_TOKEN_FILE": str(tmp_path / "empty")})
    assert [line.split()[0] for line in str(refusal.value).splitlines()] == ["SECRET_KEY_FILE", "SPARQL_TOKEN_FILE"]
    with pytest.raises(WrongSetting, match="both set") as refusal:
        read({"SECRET_KEY": "shown-nowhere", "SECRET_KEY_FILE": str(tmp_path / "empty")})
    assert "shown-nowhere" not in str(refusal.value)


def test_a_command_ends_with_the_sentence_and_no_traceback() -> None:
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "kgbuilder.settings", "PORT": "no"}
    command = [sys.executable, "manage.py", "check"]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "PORT takes a port number" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_page_of_settings_is_the_table() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_doc.as_markdown(), "Run: manage.py settings_doc"


def test_every_requirement_has_a_pinned_version() -> None:
    import re

    pyproject = (ROOT / "pyproject.toml").read_text()
    asked = requirements.requirements(pyproject, None) + requirements.requirements(pyproject, "dev")
    pinned = {re.split("==", line)[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}

    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=;]", name)[0]).lower()

    assert {plain(name) for name in asked} - {plain(name) for name in pinned} == set()


def test_every_requirement_has_its_reason() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    for name in requirements.requirements(pyproject, None) + requirements.requirements(pyproject, "dev"):
        assert f"| {name.partition('[')[0].partition('>')[0]} |" in reasons, name
