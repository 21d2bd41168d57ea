"""Registering a checkpoint's folder and putting it in force, again and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_django import Settings

from extraction import reading, registry
from extraction.models import Checkpoint, Deployment, Reading
from kgbuilder.deployment import deploy_folder
from knowledge import thresholds
from knowledge.models import Event
from tests import records

pytestmark = pytest.mark.django_db


def folder(path: Path, name: str = "one", **config: object) -> Path:
    path.mkdir(exist_ok=True)
    values = {"name": name, "system": "eega", "floor": 0.05, "thresholds": {"default": 0.6, "spouse": 0.7}, **config}
    (path / "config.json").write_text(json.dumps(values))
    (path / "model.safetensors").write_bytes(name.encode())
    return path


def test_a_folder_is_registered_once_and_found_again_after_a_move(tmp_path: Path) -> None:
    first = registry.register(folder(tmp_path / "a"))
    again = registry.register(folder(tmp_path / "b"))
    assert first.pk == again.pk and again.path == str(tmp_path / "b")
    assert again.thresholds == {"default": 0.6, "spouse": 0.7}


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"thresholds": 3}'])
def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path, broken: str) -> None:
    if broken:
        (tmp_path / "config.json").write_text(broken)
    with pytest.raises(registry.NoCheckpoint):
        registry.register(tmp_path)
    assert not Checkpoint.objects.exists()


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    (tmp_path / "a" / "model.safetensors").unlink()
    with pytest.raises(registry.NoCheckpoint, match="not copied whole"):
        registry.register(tmp_path / "a")


def test_the_digest_is_the_extractors_own(tmp_path: Path) -> None:
    from extraction import checkpoint

    path = folder(tmp_path / "a")
    assert registry.digest(path) == checkpoint.digest(path)


def test_deploying_makes_readings_and_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    records.post("Ann and Bob.")
    deployed = deploy_folder(folder(tmp_path / "a"))
    assert Reading.objects.get().checkpoint == deployed
    deploy_folder(tmp_path / "a")
    assert Deployment.objects.count() == Reading.objects.count() == Event.objects.count() == 1


def test_another_checkpoint_and_back(tmp_path: Path) -> None:
    records.post("Ann and Bob.")
    first = deploy_folder(folder(tmp_path / "a"))
    second = deploy_folder(folder(tmp_path / "b", "two"))
    assert [claimed.attempts for claimed in reading.claim("a", 9, checkpoint=first)] == []
    assert dict(Reading.objects.values_list("checkpoint__name", "stage")) == {"one": "dropped", "two": "read"}
    deploy_folder(tmp_path / "a")
    assert dict(Reading.objects.values_list("checkpoint__name", "stage")) == {"one": "read", "two": "dropped"}
    assert Deployment.objects.get(active=True).checkpoint == first != second


def test_the_setting_overrides_and_its_absence_keeps_what_was_set(tmp_path: Path, settings: Settings) -> None:
    path = folder(tmp_path / "a")
    deploy_folder(path)
    assert thresholds.in_force() == {"default": 0.6, "spouse": 0.7}
    settings.THRESHOLD = {"sibling": 0.9}
    deploy_folder(path)
    assert thresholds.in_force() == {"default": 0.6, "spouse": 0.7, "sibling": 0.9}
    settings.THRESHOLD = {"default": 0.4}
    deploy_folder(path)
    assert thresholds.in_force() == {"default": 0.4}
    settings.THRESHOLD = {}
    deploy_folder(path)
    assert thresholds.in_force() == {"default": 0.4}


def test_a_threshold_of_an_unknown_relation_changes_nothing(tmp_path: Path, settings: Settings) -> None:
    settings.THRESHOLD = {"adores": 0.9}
    with pytest.raises(ValueError, match="adores"):
        deploy_folder(folder(tmp_path / "a"))
    assert not Deployment.objects.exists()
