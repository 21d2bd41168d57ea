"""What the memory script reports of a process: stable, grown, or not measured when it mattered."""

from __future__ import annotations

import pytest

from tests.kill.memory import report

MB = 1 << 20
EARLY, LATE = (15, 100 * MB), (95, 105 * MB)


@pytest.mark.parametrize(
    ("samples", "stayed", "message"),
    [
        ([EARLY, LATE], True, "1.050"),
        ([EARLY, (95, 120 * MB)], False, "1.200"),
        ([LATE], False, "never seen in the second tenth"),
        ([EARLY], False, "never seen in the last tenth"),
        ([(50, MB)], False, "never seen in the second and last tenth"),
    ],
)
def test_a_process_that_was_not_seen_does_not_pass(
    samples: list[tuple[int, int]], stayed: bool, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("reader", samples, 100) is stayed
    assert message in capsys.readouterr().out
