"""A short run of the kill script; `make kill` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kgbuilder.conf.environment import ROOT

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_three_kills_lose_and_double_nothing() -> None:
    options = ["--deterministic", "--posts", "40", "--kills", "3", "--longest-pause", "0.5", "--page-seconds", "0.2"]
    command = [sys.executable, "-m", "tests.kill", *options]
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "kgbuilder.settings", "DATABASE_URL": "", "BROKER_URL": ""}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "posts: 40 of 40 listed; read: 40" in ended.stdout
    assert "doubled: assertions 0, posts 0, versions 0" in ended.stdout
