"""What `manage.py bench linking` reports of the linker, on records of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kgbuilder.benchmarks import linking
from knowledge.linking import fit

ROWS = {
    str(number): {
        "sentence": f"Ann Lee {number} sang in town.",
        "mentions": [mention],
        "entities": [name],
        "answer": [key],
    }
    for number, (mention, name, key) in enumerate(
        [("Ann Lee", "Ann Lee (singer)", "Q1"), ("Ann Lee", "Ann Lee (singer)", "Q1"), ("Bob", "Bob Ray", "Q2")]
    )
}


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fit, "HELD_OUT", 2)
    path = tmp_path / "records.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_each_mention_with_candidates_is_counted_with_its_confidence(records: Path) -> None:
    whole, lacking = linking.quality(records)
    assert len(whole.confidences) == len(whole.correct) == whole.mentions == 2
    assert sum(whole.correct) == whole.right
    assert len(lacking.confidences) <= lacking.mentions


def test_the_bench_reports_how_often_a_confidence_was_right() -> None:
    lines: list[str] = []
    linking.calibration(
        fit.LinkScore(confidences=[0.95, 0.91, 0.93, 0.41], correct=[True, True, True, False]), lines.append
    )
    assert lines == [
        "of these, 4 mentions with candidates, expected calibration error of the best: 0.155",
        "  confidence 0.4 to 0.5: 1 mentions, 41.0% on average, right 0.0%",
        "  confidence 0.9 to 1.0: 3 mentions, 93.0% on average, right 100.0%",
    ]
