"""What the memory script says of a process: it stayed, it grew, or it was not seen when it mattered."""

from __future__ import annotations

import pytest

from tests.kill.memory import report

MB = 1 << 20
EARLY, LATE = (15, 100 * MB), (95, 105 * MB)


@pytest.mark.parametrize(
    ("samples", "stayed", "says"),
    [
        ([EARLY, LATE], True, "1.050"),
        ([EARLY, (95, 120 * MB)], False, "1.200"),
        ([LATE], False, "never seen in the second tenth"),
        ([EARLY], False, "never seen in the last tenth"),
        ([(50, MB)], False, "never seen in the second and last tenth"),
    ],
)
def test_a_process_that_was_not_seen_does_not_pass(
    samples: list[tuple[int, int]], stayed: bool, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("reader", samples, 100) is stayed
    assert says in capsys.readouterr().out
