"""The version is written once, and everything that shows it shows the same."""

from __future__ import annotations

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from setuptools.config.pyprojecttoml import read_configuration

from kgbuilder import VERSION
from kgbuilder.conf.environment import ROOT
from kgbuilder.monitoring import doctor
from tests.factories import make_user


def test_pyproject_takes_it_from_the_package() -> None:
    assert read_configuration(ROOT / "pyproject.toml")["project"]["version"] == VERSION


def test_the_changelog_begins_with_it() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert re.fullmatch(re.escape(VERSION) + r" \(\d{4}-\d\d-\d\d\)", released[0])


@pytest.mark.parametrize("words", [["version"], ["--version"]])
def test_manage_py_prints_it_without_settings(words: list[str], tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "nonsense", "DATA_DIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words], env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"kgbuilder {VERSION}\n"


def test_the_command_prints_the_same() -> None:
    out = StringIO()
    call_command("version", stdout=out)
    assert out.getvalue() == f"kgbuilder {VERSION}\n"


@pytest.mark.django_db
def test_the_api_reports_it(client: Client) -> None:
    assert client.get("/api/v1/openapi.json").json()["info"]["version"] == VERSION


@pytest.mark.django_db
def test_the_footer_shows_it_to_readers_alone(client: Client) -> None:
    shown = f"kgbuilder {VERSION}"
    assert shown not in client.get("/sign-in/", follow=True).content.decode()
    client.force_login(make_user("viewer"))
    assert shown in client.get("/").content.decode()


@pytest.mark.django_db
def test_doctor_reports_it() -> None:
    program = next(part for part in doctor.parts() if part.name == "program")
    assert program.says.startswith(f"kgbuilder {VERSION}, Python 3.")
