"""A short run of the fault script; `python -m tests.faults` is the long one. And a store whose disk fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kgbuilder.conf.environment import ROOT
from knowledge.graphs.sparql_server.live_store import LiveStore, Refusal

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_broken_messages_lose_nothing() -> None:
    options = ["--fault", "broken-messages", "--posts", "12", "--seconds", "1", "--page-seconds", "0.05"]
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "kgbuilder.settings", "DATABASE_URL": "", "BROKER_URL": ""}
    command = [sys.executable, "-m", "tests.faults", *options]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 faults, 0 failed" in ended.stdout


@pytest.mark.parametrize("error", [OSError("No space left on device"), RuntimeError("Background error")])
def test_a_store_whose_disk_failed_refuses_and_is_opened_again(tmp_path: Path, error: Exception) -> None:
    """What it takes after that would be lost: the store underneath takes no more until it is opened again."""

    class Failing:
        def update(self, text: str) -> None:
            raise error

    graph = LiveStore(tmp_path)
    graph._store = Failing()  # type: ignore[assignment]
    with pytest.raises(Refusal, match="cannot be written") as refused:
        graph.update("INSERT DATA { <a:b> <a:b> <a:b> }")
    assert refused.value.status.startswith("503") and graph.broken.is_set()
