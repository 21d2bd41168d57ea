"""Threads of a computation sleep while they wait, in every process that has Django's settings."""

from __future__ import annotations

import os

from kgbuilder.conf.threads import sleep_while_waiting


def test_a_computation_beside_other_work_does_not_spin() -> None:
    environ: dict[str, str] = {}
    sleep_while_waiting(environ)
    assert environ == {"OMP_WAIT_POLICY": "PASSIVE"}
    environ["OMP_WAIT_POLICY"] = "ACTIVE"
    sleep_while_waiting(environ)
    assert environ == {"OMP_WAIT_POLICY": "ACTIVE"}


def test_readers_and_tests_have_the_policy() -> None:
    assert os.environ["OMP_WAIT_POLICY"]
