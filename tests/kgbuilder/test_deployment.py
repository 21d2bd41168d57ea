"""Registering a checkpoint's folder, deploying it, again and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from extraction.models import Checkpoint, Deployment, Post, Reading
from extraction.readings import model_registry
from extraction.readings import queue as readings_queue
from kgbuilder import deployment
from kgbuilder.deployment import deploy_folder
from knowledge.models import Event
from knowledge.record import thresholds
from tests import records

pytestmark = pytest.mark.django_db


def folder(path: Path, name: str = "one", **config: object) -> Path:
    path.mkdir(exist_ok=True)
    values = {"name": name, "system": "eega", "floor": 0.05, "thresholds": {"default": 0.6, "spouse": 0.7}, **config}
    (path / "config.json").write_text(json.dumps(values))
    (path / "model.safetensors").write_bytes(name.encode())
    return path


def test_a_folder_is_registered_once_and_found_again_after_a_move(tmp_path: Path) -> None:
    first = model_registry.register(folder(tmp_path / "a"))
    again = model_registry.register(folder(tmp_path / "b"))
    assert first.pk == again.pk and again.path == str(tmp_path / "b")
    assert again.thresholds == {"default": 0.6, "spouse": 0.7}


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"thresholds": 3}'])
def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path, broken: str) -> None:
    if broken:
        (tmp_path / "config.json").write_text(broken)
    with pytest.raises(model_registry.NoCheckpoint):
        model_registry.register(tmp_path)
    assert not Checkpoint.objects.exists()


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "a")
    (tmp_path / "a" / "model.safetensors").unlink()
    with pytest.raises(model_registry.NoCheckpoint, match="not copied whole"):
        model_registry.register(tmp_path / "a")


def test_the_digest_is_the_readers_own(tmp_path: Path) -> None:
    from extraction.reader import checkpoint

    path = folder(tmp_path / "a")
    assert model_registry.digest(path) == checkpoint.digest(path)


def test_deploying_makes_readings_and_repeating_it_changes_nothing(tmp_path: Path) -> None:
    records.post("Ann and Bob.")
    deployed = deploy_folder(folder(tmp_path / "a"))
    assert Reading.objects.get().checkpoint == deployed
    deploy_folder(tmp_path / "a")
    assert Deployment.objects.count() == Reading.objects.count() == Event.objects.count() == 1


def test_another_checkpoint_and_back(tmp_path: Path) -> None:
    records.post("Ann and Bob.")
    first = deploy_folder(folder(tmp_path / "a"))
    second = deploy_folder(folder(tmp_path / "b", "two"))
    assert [claimed.attempts for claimed in readings_queue.claim("a", 9, checkpoint=first)] == []
    assert dict(Reading.objects.values_list("checkpoint__name", "stage")) == {"one": "dropped", "two": "read"}
    deploy_folder(tmp_path / "a")
    assert dict(Reading.objects.values_list("checkpoint__name", "stage")) == {"one": "read", "two": "dropped"}
    assert Deployment.objects.get(active=True).checkpoint == first != second


def test_the_setting_overrides_and_its_absence_keeps_what_was_set(tmp_path: Path, settings: Settings) -> None:
    path = folder(tmp_path / "a")
    deploy_folder(path)
    assert thresholds.active() == {"default": 0.6, "spouse": 0.7}
    settings.THRESHOLD = {"sibling": 0.9}
    deploy_folder(path)
    assert thresholds.active() == {"default": 0.6, "spouse": 0.7, "sibling": 0.9}
    settings.THRESHOLD = {"default": 0.4}
    deploy_folder(path)
    assert thresholds.active() == {"default": 0.4}
    settings.THRESHOLD = {}
    deploy_folder(path)
    assert thresholds.active() == {"default": 0.4}


def test_a_threshold_of_an_unknown_relation_changes_nothing(tmp_path: Path, settings: Settings) -> None:
    settings.THRESHOLD = {"adores": 0.9}
    with pytest.raises(ValueError, match="adores"):
        deploy_folder(folder(tmp_path / "a"))
    assert not Deployment.objects.exists()


def test_a_promotion_outlasts_a_start_until_another_checkpoint_is_set(tmp_path: Path, settings: Settings) -> None:
    settings.CHECKPOINT = folder(tmp_path / "shipped")
    assert deployment.start() == ""
    chosen = model_registry.register(folder(tmp_path / "chosen", "chosen"))
    deployment.promote(chosen)
    assert "chosen" in deployment.start()
    settings.ENV = settings.ENV | {"CHECKPOINT": settings.CHECKPOINT}  # named, but it stood there before the promotion
    assert "chosen" in deployment.start()
    settings.CHECKPOINT = folder(tmp_path / "other", "other")
    deployment.start()
    assert Deployment.objects.get(active=True).checkpoint.name == "other"


def test_a_promotion_analyses_again_what_was_requested_and_always_what_has_no_reading(tmp_path: Path) -> None:
    deploy_folder(folder(tmp_path / "a"))
    old, new, unread = records.post("Ann and Bob."), records.post("Cem and Dee."), records.post("Eve and Fay.")
    Post.objects.filter(pk=old.pk).update(published_at=datetime(2025, 1, 1, tzinfo=UTC))
    for post in (old, new):
        assert records.read(post, [])

    def due(checkpoint: Checkpoint) -> set[int]:
        waiting = Reading.objects.filter(checkpoint=checkpoint, stage=Reading.Stage.READ)
        return set(waiting.values_list("version__post", flat=True))

    one, two, three = (model_registry.register(folder(tmp_path / name, name)) for name in ("one", "two", "three"))
    deployment.promote(one, deployment.NONE)
    assert due(one) == {unread.pk}
    deployment.promote(two, deployment.Again(since=records.PUBLISHED))
    assert due(two) == {new.pk, unread.pk}
    deployment.promote(three)
    assert due(three) == {old.pk, new.pk, unread.pk}


def test_a_candidates_reading_is_a_shadow_until_it_is_promoted_and_is_one_again_after_the_roll_back(
    tmp_path: Path,
) -> None:
    first = deploy_folder(folder(tmp_path / "a"))
    post = records.post("Ann and Bob.")
    assert records.read(post, [])
    before = Reading.objects.get()
    candidate = model_registry.register(folder(tmp_path / "b", "two"))
    assert post.current_version is not None
    shadow = Reading.objects.create(version=post.current_version, checkpoint=candidate, due_at=timezone.now())
    assert records.read(post, [])
    post.refresh_from_db()
    assert post.current_reading == before
    deployment.promote(candidate, deployment.NONE)
    post.refresh_from_db()
    assert post.current_reading == shadow
    deployment.promote(first, deployment.NONE)
    post.refresh_from_db()
    assert post.current_reading == before
    assert list(Event.objects.order_by("pk").values_list("what", flat=True)) == [
        "checkpoint deployed",
        "checkpoint promoted",
        "checkpoint promoted",
    ]


FOREIGN = {"types": ["person", "Org"], "relations": [{"key": "Work_For"}, {"key": "spouse"}]}


def test_a_checkpoint_with_labels_outside_the_ontology_is_never_deployed(tmp_path: Path) -> None:
    first = deploy_folder(folder(tmp_path / "a"))
    with pytest.raises(deployment.ForeignLabels, match="Org, Work_For") as refused:
        deploy_folder(folder(tmp_path / "b", "two", inventory=FOREIGN))
    assert "spouse" not in str(refused.value)
    # A pair network's mentions are found by another checkpoint, with labels of its own.
    finder = folder(tmp_path / "finder", "finder", inventory=FOREIGN)
    pairs = folder(tmp_path / "c", "pairs", inventory={"types": [], "relations": []}, mentions={"path": str(finder)})
    with pytest.raises(deployment.ForeignLabels, match="Org"):
        deploy_folder(pairs)
    assert Deployment.objects.get(active=True).checkpoint == first


def test_labels_of_the_ontology_are_fit_for_deployment(tmp_path: Path) -> None:
    own = {"types": ["person", "event"], "relations": [{"key": "spouse"}, {"key": "depicts"}]}
    assert model_registry.unknown_labels(folder(tmp_path / "a", inventory=own)) == []
    none: list[str] = []
    for broken in (none, {"types": 3, "relations": ["x"]}, {"relations": None}):
        model_registry.unknown_labels(folder(tmp_path / "b", inventory=broken))
