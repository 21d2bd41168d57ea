"""The scripts that kill and inflict faults report what they could not check, and fail for it."""

from __future__ import annotations

import subprocess
from typing import cast

import pytest

from tests.faults import __main__ as faults
from tests.kill import __main__ as kill
from tests.kill.product import Product


class Checked:
    """A product of which one check may find something."""

    def __init__(self, finds: str) -> None:
        self.finds = finds

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([name], int(name == self.finds), f"{name} was run\n", "")


@pytest.mark.parametrize(("finds", "well"), [("", True), ("check_record", False), ("check_parity", False)])
def test_after_the_kills_record_and_graph_are_checked(finds: str, well: bool) -> None:
    outputs = {name: f"{name} was run" for name in ("check_record", "check_parity")}
    assert kill.checked(cast(Product, Checked(finds))) == (well, outputs)


@pytest.mark.parametrize(("required", "status"), [("", 0), ("1", 1)])
def test_a_fault_that_could_not_be_tried_is_counted(
    required: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_here(*args: object) -> list[str]:
        raise faults.NotHere("no compiler")

    monkeypatch.setattr(faults, "endure", not_here)
    monkeypatch.setattr(faults.signal, "signal", lambda *args: None)
    monkeypatch.setenv("REQUIRE_SERVICES", required)
    assert faults.main(["--fault", "clock-back", "--fault", "full-disk"]) == status
    assert "2 faults, 0 failed, not tried 2" in capsys.readouterr().out
