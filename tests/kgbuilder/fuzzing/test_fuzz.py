"""The fuzzing command: a few inputs of each kind, and that it detects failures."""

from __future__ import annotations

import pytest

from extraction.crawler import addresses
from extraction.crawler.parsers import sandbox
from extraction.feeds import polling
from kgbuilder.fuzzing import runner
from kgbuilder.fuzzing.mutation import LARGEST, SEEDS, mutated

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("kind", SEEDS)
def test_the_same_seed_and_number_give_the_same_input_and_others_others(kind: str) -> None:
    made = [mutated(kind, 1, number) for number in range(50)]
    assert made == [mutated(kind, 1, number) for number in range(50)]
    assert len(set(made)) > 40 and max(map(len, made)) <= LARGEST
    assert made != [mutated(kind, 2, number) for number in range(50)]


@pytest.mark.parametrize("kind", ["feeds", "pages"])
def test_some_damaged_inputs_do_no_harm(kind: str) -> None:
    tally = runner.run(kind, range(25), seed=7)
    assert tally.clean, tally.wrong
    assert tally.inputs == 25 == tally.outcomes.total() and len(tally.outcomes) > 1


def test_a_defect_in_the_address_guard_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "permitted", lambda host, port, found, allow: list(found))
    assert runner.run("feeds", range(25), seed=7).forbidden > 0


def test_an_error_of_ours_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "parse_feed", lambda content, kind, url: 1 / 0)
    tally = runner.run("feeds", range(3), seed=7)
    assert tally.crashes == 3 and "ZeroDivisionError" in tally.wrong[0][1]


def test_an_input_that_takes_too_long_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_PATIENCE", -1000)
    monkeypatch.setattr(polling, "poll_due", lambda limit: polling.Polled())
    monkeypatch.setattr(runner, "_check_ended", lambda feed: None)
    assert runner.run("feeds", range(2), seed=7).hangs == 2
