"""Recording on trial: what could not be recorded is found, and nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from knowledge.recording import recorder, trial
from tests import records

pytestmark = pytest.mark.django_db

WORDS = "Ann is married to Bob."


def rows() -> dict[str, Any]:
    own = [model for label in ("extraction", "knowledge") for model in apps.get_app_config(label).get_models()]
    return {model.__name__: model._default_manager.count() for model in own if model._meta.managed}


def test_a_sound_extraction_is_recorded_and_nothing_of_it_stays() -> None:
    checkpoint = records.checkpoint()
    before = rows()
    names = [("Ann", "person"), ("Bob", "person")]
    trial.record(checkpoint, [records.extraction(WORDS, names, [("Ann", "spouse", "Bob")]), records.deal()])
    assert rows() == before


@pytest.mark.parametrize(("names", "relations"), [([("Ann", "Peop")], []), ([("Ann", "person"), ("Bob", "person")], 1)])
def test_what_cannot_be_recorded_is_an_error(names: list[tuple[str, str]], relations: Any) -> None:
    checkpoint = records.checkpoint()
    before = rows()
    found = records.extraction(WORDS, names, [("Ann", "Kill", "Bob")] if relations else [])
    with pytest.raises(recorder.Unplannable, match="this version does not know"):
        trial.record(checkpoint, [records.deal(), found])
    assert rows() == before
